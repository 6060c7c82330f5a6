"""A module that was wrapped when it was saved fits one that is not, and the other way round."""

from __future__ import annotations

import warnings
from collections import OrderedDict

import pytest

from rla_hooks.checkpoints import Saver
from rla_hooks.errors import CheckpointError

torch = pytest.importorskip("torch")


def network():
    return torch.nn.Sequential(OrderedDict(body=torch.nn.Linear(3, 4), norm=torch.nn.BatchNorm1d(4)))


class Parts(torch.nn.Module):
    """Wraps parts of itself, as large models do."""

    def __init__(self, wrap):
        super().__init__()
        self.encoder, self.head = wrap(network()), torch.nn.Linear(4, 1)


class OwnModule(torch.nn.Module):
    """Has a part of its own with the name that a wrapper uses."""

    def __init__(self):
        super().__init__()
        self.module, self.weight = torch.nn.Linear(2, 2), torch.nn.Parameter(torch.zeros(1))


WRAPS = {
    "plain": lambda module: module,
    "compiled": lambda module: torch.compile(module, backend="eager"),
    "parallel": torch.nn.DataParallel,
    "both": lambda module: torch.compile(torch.nn.DataParallel(module), backend="eager"),
    "both, other order": lambda module: torch.nn.DataParallel(torch.compile(module, backend="eager")),
}


def values(module):
    return [value.tolist() for value in module.state_dict().values()]


@pytest.mark.parametrize("make", [lambda wrap: wrap(network()), Parts], ids=["whole", "a part"])
@pytest.mark.parametrize("loaded", WRAPS)
@pytest.mark.parametrize("saved", WRAPS)
def test_wrapped_and_plain_modules_fit_each_other(saved, loaded, make, tmp_path):
    """torch.compile, DataParallel and both; the file has the names of the module that was saved."""
    old, new = make(WRAPS[saved]), make(WRAPS[loaded])
    saver = Saver(tmp_path)
    saver.save({"policy": old}, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = saver.load(into={"policy": new})[1]
    assert values(new) == values(old)
    assert list(content["policy"]) == list(old.state_dict())


def test_var_prefix_means_the_module_within(tmp_path):
    """On both sides."""
    saver = Saver(tmp_path, var_prefix="body")
    old, new = WRAPS["compiled"](network()), network()
    saver.save({"policy": old}, 1)
    assert list(saver.load(into={"policy": new})[1]["policy"]) == ["_orig_mod.body.weight", "_orig_mod.body.bias"]
    assert new.body.weight.tolist() == old._orig_mod.body.weight.tolist()


def test_a_part_that_is_named_like_a_wrapper_stays_itself(tmp_path):
    """And a module that differs is still refused, with the names that differ."""
    old, new = OwnModule(), OwnModule()
    saver = Saver(tmp_path)
    saver.save({"policy": old}, 1)
    saver.load(into={"policy": new})
    assert values(new) == values(old)
    with pytest.raises(CheckpointError, match=r"'policy\.module\.weight' is only in the file"):
        saver.load(into={"policy": torch.nn.Linear(2, 2, bias=False)})
