"""Arrays of JAX are logged by their values. Run by test_device_values.py, in a process of its own."""

from __future__ import annotations

import pytest

from rla_hooks.core.logger import Logger
from rla_hooks.errors import RLAWarning
from rla_hooks.testing import MemoryWriter

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def writer():
    return MemoryWriter()


@pytest.fixture
def logger(writer):
    return Logger([writer])


@pytest.fixture
def jax():
    return pytest.importorskip("jax")


def _jax_values(jax):
    numpy = jax.numpy
    return {
        "float32": numpy.float32(0.1),
        "bfloat16": numpy.bfloat16(0.1),
        "half": numpy.float16(0.1),
        "int32": numpy.int32(2**31 - 1),
        "bool": numpy.bool_(True),
        "vector": numpy.array([2.5]),
        "matrix": numpy.array([[7]]),
    }


@pytest.mark.parametrize("wait", [True, False])
def test_jax_values_are_exact(jax, logger, writer, wait):
    """Each is what item() gives, whatever its type and shape."""
    values = _jax_values(jax)
    logger.log({"first": 1.0, **values, "last": 2.0}, 0, wait=wait)
    logger.flush()
    (row,) = [row for _, row in writer.rows]
    assert list(row) == ["first", *values, "last"]
    assert {name: row[name] for name in values} == {name: value.item() for name, value in values.items()}


def test_jax_arrays_that_are_donated_afterwards(jax, logger, writer):
    """The row has the value of the call; arrays that were freed before are left out, each with one warning."""
    step = jax.jit(lambda state: (state[0] + 1, state[1] * 2), donate_argnums=0)
    state = jax.numpy.int32(0), jax.numpy.float32(1)
    for count in range(20):
        logger.log({"count": state[0], "value": state[1]}, count, wait=False)
        state = step(state)
    logger.flush()
    assert writer.rows == [(count, {"count": count, "value": 2.0**count}) for count in range(20)]


@pytest.mark.parametrize("wait", [True, False])
def test_jax_arrays_that_were_freed(jax, logger, writer, wait):
    """They are left out, each with one warning; so is an array of several elements."""
    freed = jax.numpy.float32(1)
    freed.delete()
    with pytest.warns(RLAWarning) as caught:
        for _ in range(2):
            values = {"a": jax.numpy.float32(1), "freed": freed, "three": jax.numpy.ones(3), "b": jax.numpy.float32(2)}
            logger.log(values, wait=wait)
        logger.flush()
    assert writer.rows == [(0, {"a": 1.0, "b": 2.0}), (1, {"a": 1.0, "b": 2.0})]
    assert sorted(str(each.message).partition(" ")[0] for each in caught) == ["'freed'", "'three'"]
