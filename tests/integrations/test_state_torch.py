"""Tensors, random streams and objects of torch go on exactly."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import rla_hooks as rla
from rla_hooks.state import objects
from rla_hooks.state.objects.random_state import random_parts


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch")
    module.set_num_threads(1)
    return module


@pytest.fixture
def tree_of(through_files):
    """Gives the tree of an object as it comes from the files of a state."""
    return lambda value: through_files(objects.capture(value, "it").tree)


def test_random_state(torch, tree_of):
    """The functions of torch go on; the streams of devices that are not here are refused, and nothing is changed."""
    torch.manual_seed(5)
    torch.randn(3)
    part = random_parts()["torch"]
    tree = tree_of(part)
    expected = torch.randn(3), torch.randperm(5)
    assert objects.restore(part, tree, "random.torch") == []
    assert torch.equal(torch.randn(3), expected[0]) and torch.equal(torch.randperm(5), expected[1])
    for name in ("cuda", "mps", "xpu", "npu"):
        tree["devices"] = {name: [torch.zeros(16, dtype=torch.uint8)] * 99}
        before = torch.get_rng_state()
        problem = objects.restore(part, tree, "random.torch")[0]
        assert problem.startswith(f"random.torch has the streams of 99 {name} devices, and here are ")
        assert torch.equal(torch.get_rng_state(), before)


WITH_TORCH = """
import torch
import rla_hooks as rla
with rla.run(task="t", log_root="root", backup="none", writers=[]):
    rla.save_state(1, models={"w": [1]})
"""
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
import rla_hooks as rla
from rla_hooks.errors import CheckpointError
weights = {"w": [0]}
try:
    rla.load_state(models=weights, run=sys.argv[1])
except CheckpointError as error:
    print(weights, error)
print(rla.load_state(models=weights, run=sys.argv[1], partial=True).missing, weights)
"""


def test_random_state_of_a_library_that_is_not_here(torch_python, here):
    """It is refused, and nothing is restored; with partial=True it is named."""
    torch_python.run("-c", WITH_TORCH, cwd=here)
    (run,) = rla.runs("root")
    environment = os.environ | {"PYTHONPATH": str(Path(rla.__file__).parents[1])}
    command = [sys.executable, "-c", WITHOUT_TORCH, str(run.checkpoint_dir)]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    said = "the state has the random state of torch, which is not here. Install it"
    refused, partly = found.splitlines()
    assert refused.startswith("{'w': [0]} ") and "so nothing was restored: " in refused and said in refused
    assert f"'{said}'" in partly and partly.endswith("] {'w': [1]}")


def test_random_state_of_devices(torch, tree_of):
    """Every device that is used goes on with its own stream."""
    if not torch.cuda.is_available():
        pytest.skip("there is no device of CUDA here")
    for index in range(torch.cuda.device_count()):
        torch.rand(2, device=f"cuda:{index}")
    part = random_parts()["torch"]
    tree = tree_of(part)
    streams = [torch.Generator(f"cuda:{index}") for index in range(torch.cuda.device_count())]
    own = tree_of(streams)

    def draw():
        places = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        drawn = [torch.rand(3, device=place) for place in places]
        return [each.tolist() for each in drawn + [torch.rand(3, generator=g, device=g.device) for g in streams]]

    expected = draw()
    assert objects.restore(part, tree) == [] and objects.restore(streams, own) == []
    assert draw() == expected


def test_generators(torch, tree_of):
    """A torch.Generator goes on in place, and one that is not there yet is made."""
    stream, other, holder = torch.Generator(), torch.Generator(), {"stream": None}
    stream.manual_seed(7)
    torch.randn(3, generator=stream)
    tree = tree_of(stream)
    expected = torch.randn(3, generator=stream)
    assert objects.restore(other, tree) == [] and objects.restore(holder, {"stream": tree}) == []
    for each in (other, holder["stream"]):
        assert torch.equal(torch.randn(3, generator=each), expected)
    tree["device"] = "cuda"
    assert objects.restore(other, tree, "rng") == ["rng is a generator on cpu and in the state on cuda"]
    if not torch.cuda.is_available():
        assert "there is no cuda here" in objects.restore({"rng": None}, {"rng": tree})[0]


def test_tensors(torch, tree_of):
    """Tensors and parameters are filled in place; another shape, type or framework is named."""
    own = {"a": torch.zeros(2, 3, requires_grad=True), "b": torch.nn.Parameter(torch.zeros(2)), "c": torch.zeros(2)}
    tree = tree_of({"a": torch.ones(2, 3), "b": torch.ones(2), "c": torch.ones(2)})
    a, b = own["a"], own["b"]
    assert objects.restore(own, tree) == []
    assert own["a"] is a and own["b"] is b and a.sum() == 6 and b.sum() == 2 and a.requires_grad
    assert objects.restore({"a": torch.zeros(3), "b": torch.zeros(2).double(), "c": [1]}, tree, "it") == [
        "it.a has shape (3,) and in the state (2, 3)",
        "it.b has dtype float64 and in the state float32",
        "it.c is a list and in the state a Tensor of torch.float32 (2,)",
    ]
    assert "in the state" in objects.restore({"a": torch.zeros(2, 3).numpy()}, {"a": tree["a"]})[0]
    assert objects.check({"a": torch.zeros(2, device="meta")}, {"a": torch.zeros(2)}) == []
    with pytest.raises(Exception, match="on the device meta"):
        objects.capture(torch.zeros(2, device="meta"), "it")


def test_a_deque_of_tensors(torch, tree_of):
    """The replay memory of many tutorials: a deque of tensors, of which some are None, becomes a few tensors."""
    from collections import deque

    memory = deque(
        (
            (torch.full((1, 4), float(i)), torch.tensor([[i]]), None if i % 5 == 0 else torch.ones(1, 4))
            for i in range(50)
        ),
        maxlen=60,
    )
    tree, other = tree_of(memory), deque(maxlen=60)
    assert tree["items"]["columns"][0]["values"].shape == (50, 1, 4)
    assert objects.restore(other, tree) == []
    assert len(other) == 50
    for mine, theirs in zip(other, memory):
        assert all((a is None and b is None) or torch.equal(a, b) for a, b in zip(mine, theirs))
    random.seed(1)
    sample = random.sample(memory, 4)
    random.seed(1)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(random.sample(other, 4), sample))


def test_modules_as_normalizers(torch, tree_of):
    """A module is restored by its state_dict, in place; another one is named."""
    first, second = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    first(torch.randn(8, 3))
    mean = second.running_mean
    assert objects.restore(second, tree_of(first)) == []
    assert second.running_mean is mean and torch.equal(mean, first.running_mean) and second.num_batches_tracked == 1
    assert objects.restore(torch.nn.BatchNorm1d(4), tree_of(first), "norm")[0] == (
        "norm.weight has shape (4,) and in the state (3,)"
    )


def test_attributes_on_tensors(torch, tree_of):
    """A buffer of tensors without methods is restored in place; device and dtype are settings, and stay."""
    first, second = (
        SimpleNamespace(obs=torch.zeros(4, 2), index=0, device=torch.device("cpu"), dtype=torch.float32) for _ in "ab"
    )
    first.obs[1], first.index = 3, 2
    array = second.obs
    assert objects.restore(second, tree_of(first)) == []
    assert second.obs is array and array.sum() == 6 and second.index == 2
