"""Checkpoints of JAX: pytrees of Flax and Optax, keys, what is beside them, and where JAX is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rla_hooks
from rla_hooks.checkpoints import Saver
from rla_hooks.errors import CheckpointError, RLAWarning

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
flax = pytest.importorskip("flax")


def numbers(tree):
    """All arrays of a pytree: their types, shapes and bytes."""
    return [(str(x.dtype), x.shape, x.tobytes()) for x in map(np.asarray, jax.tree.leaves(tree))]


def agent(seed):
    """Parameters of two types, a state of Adam, and Flax's object of both."""
    from flax.training.train_state import TrainState

    draw = jax.random.normal(jax.random.key(seed), (3, 4))
    params = {"dense": {"kernel": draw, "bias": draw[0].astype("bfloat16")}}
    optimizer = optax.adam(0.1)
    state = TrainState.create(apply_fn=abs, params=params, tx=optimizer).apply_gradients(grads=params)
    return {"params": params, "opt_state": state.opt_state, "train": state, "frozen": flax.core.freeze(params)}


def test_pytrees_come_back_with_their_classes_and_bits(tmp_path):
    """Named tuples of Optax are such again; an object with code comes back as its parts, or into one of its class."""
    saved, saver = agent(1), Saver(tmp_path)
    assert saver.save({**saved, "epoch": 3, "rows": np.arange(3)}, 5).name == "checkpoint-5.jax"
    _, content = saver.load()
    assert (content["epoch"], content["rows"].tolist()) == (3, [0, 1, 2])
    for name in ("params", "opt_state"):
        assert jax.tree.structure(content[name]) == jax.tree.structure(saved[name])
        assert numbers(content[name]) == numbers(saved[name])
    assert sorted(content["train"]) == ["opt_state", "params", "step"]
    assert numbers(content["frozen"]["dense"]) == numbers(saved["params"]["dense"])

    into, held = agent(2), agent(2)["params"]
    into["params"] = held
    _, content = saver.load(into=into)
    assert numbers(held) == numbers(saved["params"])
    for name, value in saved.items():
        assert numbers(into[name]) == numbers(content[name]) == numbers(value)
    assert into["train"].apply_fn is abs


def test_keys_of_random_numbers(tmp_path):
    """Typed and raw ones draw on as they would have."""
    keys = {"typed": jax.random.key(1), "raw": jax.random.PRNGKey(2), "many": jax.random.split(jax.random.key(3), 2)}
    saver = Saver(tmp_path)
    saver.save(keys, 1)
    _, content = saver.load()
    for name, key in keys.items():
        assert numbers(jax.random.key_data(content[name])) == numbers(jax.random.key_data(key))
        assert content[name].dtype == key.dtype


def test_code_beside_parameters_is_left_out_and_stays(tmp_path):
    """The warning names it, the arrays are saved; what is restored keeps the code that it had."""
    saver = Saver(tmp_path)
    with pytest.warns(RLAWarning, match=r"Left out of the checkpoint .*net\.apply is a builtin_function"):
        saver.save({"net": {"apply": abs, "w": jax.numpy.ones(2)}}, 1)
    into = {"net": {"apply": abs, "w": jax.numpy.zeros(2)}}
    saver.load(into=into)
    assert into["net"]["apply"] is abs and into["net"]["w"].tolist() == [1, 1]


def test_arrays_without_values(tmp_path):
    """One that was donated, and one of a function that is traced, are named with what to do; the rest is saved."""
    saver, gone, kept = Saver(tmp_path), jax.numpy.ones(2), jax.numpy.ones(3)
    gone.delete()
    with pytest.warns(RLAWarning, match=r"net\.gone: its buffer was donated .* Save what that function has returned"):
        saver.save({"net": {"gone": gone, "kept": kept}}, 1)
    assert saver.load()[1]["net"]["kept"].tolist() == [1, 1, 1]

    def traced(x):
        saver.save({"net": {"x": x, "kept": kept}}, 2)
        return x

    with pytest.warns(RLAWarning, match=r"net\.x: .*JAX traces has no numbers yet\. Save outside of jit"):
        jax.jit(traced)(kept)
    assert saver.load()[1]["net"]["x"] is None


def test_what_does_not_fit_is_named(tmp_path):
    """Types, classes of optimizers, and what is no pytree in the file."""
    saver, saved = Saver(tmp_path), agent(1)
    saver.save({**saved, "epoch": 3}, 1)
    other = {"dense": {"kernel": saved["params"]["dense"]["kernel"], "bias": jax.numpy.zeros(4)}}
    state = optax.sgd(0.1, momentum=0.9).init(saved["params"])
    with pytest.raises(CheckpointError) as caught:
        saver.load(into={"params": other, "opt_state": state, "epoch": jax.numpy.ones(2)})
    text = str(caught.value)
    assert "params.dense.bias has dtype float32 and in the file bfloat16" in text
    assert ":TraceState and in the file a optax._src.transform:ScaleByAdamState" in text
    assert "'epoch' is an ArrayImpl of float32 (2,) and in the file a <class 'int'>" in text


WITHOUT_JAX = """
import sys
sys.modules["jax"] = None
from rla_hooks.checkpoints import Saver
content = Saver(sys.argv[1]).load()[1]
kernel = content["params"]["dense"]["kernel"]
print(type(kernel).__name__, kernel.tobytes().hex(), end=" ")
print(content["params"]["dense"]["bias"].dtype, sorted(content["opt_state"][0]))
"""


def test_where_jax_is_not_installed(tmp_path):
    """The arrays are numpy's, bit for bit, and named tuples of Optax are dicts of their fields."""
    saved = agent(1)
    Saver(tmp_path).save(saved, 1)
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT_JAX, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(rla_hooks.__file__).parents[1],
    ).stdout
    bits = np.asarray(saved["params"]["dense"]["kernel"]).tobytes().hex()
    assert found.strip() == f"ndarray {bits} bfloat16 ['count', 'mu', 'nu']"
