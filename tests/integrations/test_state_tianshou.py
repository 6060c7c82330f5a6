"""Replay buffers of Tianshou go on exactly."""

from __future__ import annotations

import sys
import types

import numpy
import pytest

from rla_hooks.state import objects


@pytest.fixture(scope="module")
def data():
    """Tianshou would import TensorFlow, for TensorBoard, if it is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tensorboard.compat.notf", types.ModuleType("notf"))
        patch.setenv("NUMBA_DISABLE_JIT", "1")  # compiling takes longer than all else
        return pytest.importorskip("tianshou.data")


def filled(data, buffer, count, environments, seed=0):
    stream = numpy.random.default_rng(seed)
    for _ in range(count):
        step = {
            "obs": stream.normal(size=(environments, 3)),
            "act": stream.integers(0, 3, environments),
            "rew": stream.normal(size=environments),
            "terminated": stream.random(environments) < 0.2,
            "truncated": numpy.zeros(environments, bool),
            "obs_next": stream.normal(size=(environments, 3)),
            "info": data.Batch(value=stream.normal(size=environments)),
        }
        batch = data.Batch(**step)
        if environments == 1:
            buffer.add(batch[0])
        else:
            buffer.add(batch, buffer_ids=numpy.arange(environments))
    return buffer


def drawn(data, buffer, environments):
    numpy.random.seed(1)
    found = [buffer.sample(6) for _ in range(3)]
    filled(data, buffer, 3, environments, seed=7)
    return repr([*found, buffer.sample(6)])


def test_buffers(data, through_files):
    """Plain and prioritized ones, for one environment and for several, whose parts share the data."""
    weighted = {"alpha": 0.6, "beta": 0.4}
    makers = [
        (lambda size=30: data.ReplayBuffer(size, random_seed=3), 1),
        (lambda size=30: data.PrioritizedReplayBuffer(size, random_seed=3, **weighted), 1),
        (lambda size=40: data.VectorReplayBuffer(size, 4, random_seed=2), 4),
        (lambda size=40: data.PrioritizedVectorReplayBuffer(size, 4, **weighted), 4),
    ]
    for make, environments in makers:
        first = filled(data, make(), 45, environments)
        if hasattr(first, "update_weight"):
            first.update_weight(numpy.arange(5), numpy.arange(5) + 0.5)
        tree = through_files(objects.capture(first, "buffer").tree)
        expected = drawn(data, first, environments)
        for count in (0, 7):
            second = filled(data, make(), count, environments, seed=5)
            assert objects.restore(second, tree, "buffer") == []
            assert drawn(data, second, environments) == expected
            if environments > 1:
                assert numpy.shares_memory(second._meta.obs, second.buffers[0]._meta.obs)
        assert "has room for 80 and in the state for" in objects.restore(make(80), tree, "buffer")[0]
