"""The random state of TensorFlow and Keras, their streams and variables, go on exactly."""

from __future__ import annotations

from types import SimpleNamespace

import numpy
import pytest

from rla_hooks.state import objects
from rla_hooks.state.objects.random_state import random_parts


@pytest.fixture(scope="module")
def frameworks():
    return SimpleNamespace(tf=pytest.importorskip("tensorflow"), keras=pytest.importorskip("keras"))


@pytest.fixture
def tree_of(through_files):
    """Gives the tree of an object as it comes from the files of a state."""
    return lambda value: through_files(objects.capture(value, "it").tree)


def test_random_state(frameworks, tree_of):
    """Eager operations, the global generator and keras.random go on, after the same seed and after another one."""
    tf, keras = frameworks.tf, frameworks.keras

    def draw():
        return [
            tf.random.uniform([2]).numpy().tolist(),
            tf.random.normal([1]).numpy().tolist(),
            tf.random.get_global_generator().normal([2]).numpy().tolist(),
            keras.ops.convert_to_numpy(keras.random.normal((2,))).tolist(),
        ]

    tf.random.set_seed(4)
    draw()
    parts = {name: part for name, part in random_parts().items() if name in ("keras", "tensorflow")}
    trees = {name: tree_of(part) for name, part in parts.items()}
    expected = draw()
    for seed in (None, 4, 5):
        if seed is not None:
            tf.random.set_seed(seed)
            draw()
        for name, part in parts.items():
            assert objects.restore(part, trees[name], name) == []
        assert draw() == expected
    trees["tensorflow"]["generator"]["algorithm"] = 2 if trees["tensorflow"]["generator"]["algorithm"] != 2 else 1
    assert "is a generator of algorithm" in objects.restore(parts["tensorflow"], trees["tensorflow"], "tf")[0]


def test_streams_and_variables(frameworks, tree_of):
    """Generators, seed generators and variables are restored in place; tensors are replaced."""
    tf, keras = frameworks.tf, frameworks.keras

    def make(seed):
        return {
            "stream": tf.random.Generator.from_seed(seed),
            "seeds": keras.random.SeedGenerator(seed),
            "variable": tf.Variable([float(seed)]),
            "weight": keras.Variable([float(seed), 0.0]),
            "tensor": tf.constant([seed]),
        }

    def draw(own):
        return own["stream"].normal([3]).numpy().tolist(), numpy.asarray(
            keras.random.normal((3,), seed=own["seeds"])
        ).tolist()

    first, second = make(1), make(2)
    draw(first)
    tree = tree_of(first)
    expected = draw(first)
    variable = second["variable"]
    assert objects.restore(second, tree) == []
    assert draw(second) == expected
    assert second["variable"] is variable and float(variable[0]) == 1.0
    assert numpy.asarray(second["weight"]).tolist() == [1.0, 0.0] and second["tensor"].numpy().tolist() == [1]
    wrong = {**make(2), "variable": tf.Variable([1, 2])}
    assert objects.restore(wrong, tree, "it") == ["it.variable has shape (2,) and in the state (1,)"]
