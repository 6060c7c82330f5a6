"""Arrays and keys of JAX come back exactly."""

from __future__ import annotations

import numpy
import pytest

from rla_hooks.errors import CheckpointError
from rla_hooks.state import objects


@pytest.fixture(scope="module")
def jax():
    return pytest.importorskip("jax")


@pytest.fixture
def tree_of(through_files):
    """Gives the tree of an object as it comes from the files of a state."""
    return lambda value: through_files(objects.capture(value, "it").tree)


def test_keys(jax, tree_of):
    """Raw keys, and typed ones of every implementation, alone and in arrays; another implementation is named."""
    for name in ("threefry2x32", "rbg", "unsafe_rbg"):
        key = jax.random.key(3, impl=name)
        own = {"key": key, "keys": jax.random.split(key, 2), "raw": jax.random.PRNGKey(1)}
        other = {"key": jax.random.key(9, impl=name), "keys": None, "raw": jax.random.PRNGKey(2)}
        assert objects.restore(other, tree_of(own)) == []
        assert other["key"].dtype == key.dtype and other["keys"].shape == (2,)
        assert jax.random.bits(other["key"]) == jax.random.bits(key)
        assert numpy.array_equal(jax.random.key_data(other["keys"]), jax.random.key_data(own["keys"]))
        assert numpy.array_equal(other["raw"], own["raw"])
    tree = tree_of({"key": jax.random.key(3, impl="rbg")})
    assert objects.restore({"key": jax.random.key(3)}, tree, "it") == [
        "it.key is a key of threefry2x32 and in the state of rbg. Make it with impl='rbg'"
    ]
    assert "extra" in objects.restore(jax.random.key(3), tree["key"], "key")[0]


def test_arrays(jax, tree_of):
    """Arrays are replaced where they are held, on the device where they were; another shape or type is named."""
    import jax.numpy as jnp

    own = {
        "obs": jnp.arange(6.0).reshape(2, 3),
        "half": jnp.ones(2, jnp.bfloat16),
        "count": jnp.int32(4),
        "list": [jnp.ones(2)],
    }
    other = {
        "obs": jnp.zeros((2, 3)),
        "half": jnp.zeros(2, jnp.bfloat16),
        "count": jnp.int32(0),
        "list": [jnp.zeros(2)],
    }
    assert objects.restore(other, tree_of(own)) == []
    assert repr(other) == repr(own)
    wrong = {**other, "obs": jnp.zeros((3, 2)), "half": jnp.zeros(2)}
    assert objects.restore(wrong, tree_of(own), "it") == [
        "it.obs has shape (3, 2) and in the state (2, 3)",
        "it.half has dtype float32 and in the state bfloat16",
    ]
    with pytest.raises(CheckpointError, match="x: a value inside of a function that JAX traces"):
        jax.jit(lambda x: objects.capture(x, "x"))(jnp.ones(2))
