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


@pytest.mark.parametrize("wait", [True, False])
def test_jax_arrays_that_were_donated(jax, logger, writer, wait):
    """They are left out, as freed ones are."""
    value = jax.numpy.float32(1) + 0
    jax.jit(lambda each: each + 1, donate_argnums=0)(value)
    with pytest.warns(RLAWarning, match="'gone' was left out: Array has been deleted"):
        logger.log({"a": jax.numpy.float32(1), "gone": value, "b": jax.numpy.float32(2)}, 0, wait=wait)
        logger.flush()
    assert writer.rows == [(0, {"a": 1.0, "b": 2.0})]


@pytest.mark.parametrize("wait", [True, False])
def test_jax_arrays_on_several_devices(jax, logger, writer, wait):
    """One that is on all of them has its value; one that was freed takes no other with it."""
    assert jax.device_count() == 4
    mesh = jax.sharding.Mesh(jax.devices(), ("all",))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("all"))
    freed = jax.device_put(jax.numpy.float32(1), everywhere)
    freed.delete()
    values = {
        "all": jax.device_put(jax.numpy.float32(7), everywhere),
        "freed": freed,
        "last": jax.device_put(jax.numpy.int32(5), jax.devices()[3]),
        "shard": jax.device_put(jax.numpy.arange(4.0), split).addressable_data(2),
        "split": jax.device_put(jax.numpy.arange(4.0), split),
    }
    with pytest.warns(RLAWarning) as caught:
        logger.log(values, 0, wait=wait)
        logger.flush()
    assert writer.rows == [(0, {"all": 7.0, "last": 5, "shard": 2.0})]
    assert sorted(str(each.message).partition(" ")[0] for each in caught) == ["'freed'", "'split'"]


@pytest.mark.parametrize("wait", [True, False])
def test_jax_arrays_while_a_function_is_traced(jax, logger, writer, wait):
    """What is traced has no value and is left out; what is known is logged."""
    known = jax.numpy.float32(9)

    def work(value):
        logger.log({"traced": value, "known": known, "n": 1}, 0, wait=wait)
        return value * known

    with pytest.warns(RLAWarning, match="'traced' was left out"):
        assert jax.jit(work)(jax.numpy.float32(2)) == 18
        jax.vmap(work)(jax.numpy.ones(3))
        logger.flush()
    assert jax.grad(work)(3.0) == 9
    logger.flush()
    assert writer.rows == [(0, {"known": 9.0, "n": 1})] * 2 + [(0, {"traced": 3.0, "known": 9.0, "n": 1})]


@pytest.mark.parametrize("wait", [True, False])
def test_jax_callbacks_from_a_compiled_loop(jax, logger, writer, wait):
    """A whole training is one compiled function, which calls back: every row is there, in order."""

    def log(step, loss, best):
        logger.log({"loss": loss, "best": best}, step, wait=wait)

    def step(state, index):
        jax.debug.callback(log, index, state.sum(), state.max(), ordered=True)
        return state + 1, None

    numpy = jax.numpy
    jax.jit(lambda state: jax.lax.scan(step, state, numpy.arange(200))[0])(numpy.zeros(2)).block_until_ready()
    jax.effects_barrier()
    logger.flush()
    assert writer.rows == [(index, {"loss": 2.0 * index, "best": float(index)}) for index in range(200)]


def test_jax_arrays_whose_computation_fails_later(jax, logger, writer, monkeypatch):
    """Those that were packed with it are read by themselves."""
    from rla_hooks import devices

    class Failed:
        def is_ready(self):
            return True

        def __array__(self):
            raise RuntimeError("INTERNAL: out of memory")

    lost = jax.numpy.float32(1) + 0
    family = devices.family_of(lost)
    monkeypatch.setattr(family, "_stack", lambda values: Failed())
    logger.log({"a": jax.numpy.float32(1.5), "lost": lost, "n": 1}, 0, wait=False)
    lost.delete()
    with pytest.warns(RLAWarning, match="'lost' was left out: Array has been deleted"):
        logger.flush()
    assert writer.rows == [(0, {"a": 1.5, "n": 1})]
