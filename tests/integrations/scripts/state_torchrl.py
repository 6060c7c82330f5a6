"""Replay buffers of TorchRL go on exactly. Run by test_state_torchrl.py: with a folder, "buffers" or "prioritized"."""

import sys
import warnings
from pathlib import Path

import numpy
import torch
from tensordict import TensorDict
from torchrl.data import (
    LazyMemmapStorage,
    LazyTensorStorage,
    ListStorage,
    ReplayBuffer,
    TensorDictPrioritizedReplayBuffer,
    TensorDictReplayBuffer,
)
from torchrl.data.replay_buffers.samplers import RandomSampler, SamplerWithoutReplacement

from rla_hooks.state import objects
from rla_hooks.state.reading import StateFolder
from rla_hooks.state.writing import StatePlan, write


def through_files(tree):
    """The tree as it is while the files of a state are loaded."""
    folder = Path(sys.argv[1], str(len([*Path(sys.argv[1]).iterdir()])))
    plan = StatePlan()
    content = {"objects": plan.add("buffers", "it", tree)}
    plan.place()
    write(folder, plan, content).finish()
    state = StateFolder(folder)
    return state.tree(state.content["objects"])


def data(count, seed=0):
    stream = torch.Generator().manual_seed(seed)
    values = {"obs": torch.rand(count, 3, generator=stream), "next": {"reward": torch.rand(count, generator=stream)}}
    return TensorDict(values, [count])


def drawn(buffer, with_priorities=False):
    torch.manual_seed(1), numpy.random.seed(1)
    found = [buffer.sample() for _ in range(3)]
    if with_priorities:
        found[0]["td_error"] = torch.arange(4.0)
        buffer.update_tensordict_priority(found[0])
    buffer.extend(data(3, seed=3))
    return [part.clone().to_dict() for part in [*found, buffer.sample(), buffer[:]]]


def equal(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def check(make, with_priorities=False):
    first = make()
    first.extend(data(27))
    drawn(first, with_priorities)
    tree = through_files(objects.capture(first, "buffer").tree)
    expected = drawn(first, with_priorities)
    for filled in (0, 5):
        second = make()
        if filled:
            second.extend(data(filled, seed=2))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert objects.restore(second, tree, "buffer") == []
        assert equal(drawn(second, with_priorities), expected), (type(first._storage), filled)
    return tree


def buffers():
    for storage, sampler in ((LazyTensorStorage, SamplerWithoutReplacement), (LazyMemmapStorage, RandomSampler)):

        def make(storage=storage, sampler=sampler):
            stream = torch.Generator().manual_seed(9)
            return TensorDictReplayBuffer(storage=storage(20), sampler=sampler(), batch_size=4, generator=stream)

        tree = check(make)
    stream = torch.Generator()
    other = TensorDictReplayBuffer(storage=LazyMemmapStorage(20), batch_size=4, generator=stream)
    assert objects.restore(other, tree) == [] and other._rng is stream  # who holds it goes on with it, too
    smaller = TensorDictReplayBuffer(storage=LazyMemmapStorage(9), batch_size=4)
    assert objects.restore(smaller, tree, "buffer") == ["buffer has room for 9 and in the state for 20"]
    lists = [ReplayBuffer(storage=ListStorage(60), batch_size=4) for _ in range(2)]
    lists[0].extend([torch.full((2,), float(index)) for index in range(50)])
    lists[1].extend([torch.zeros(2)] * 3)
    assert objects.restore(lists[1], through_files(objects.capture(lists[0]).tree)) == []
    assert all(torch.equal(a, b) for a, b in zip(lists[0][:], lists[1][:]))


def prioritized():
    def make(size=20):
        return TensorDictPrioritizedReplayBuffer(alpha=0.7, beta=0.5, storage=LazyTensorStorage(size), batch_size=4)

    check(make, with_priorities=True)


torch.set_num_threads(1)
prioritized() if sys.argv[2] == "prioritized" else buffers()
print("equal")
