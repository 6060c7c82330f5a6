"""The arguments of a call as in a former run: what a program passes stays where it is the same, or cannot be told."""

from __future__ import annotations

import collections
import dataclasses
import enum
from argparse import Namespace
from pathlib import Path

import pytest

from rla_hooks.core.hyper_parameters import HyperParameters
from rla_hooks.errors import ConfigError
from rla_hooks.former_parameters import FormerParameters
from rla_hooks.parameter_forms import forms_of, kind_of_config
from rla_hooks.parameters import config_fields
from rla_hooks.rerun_arguments import as_before


class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"


@dataclasses.dataclass(frozen=True)
class Net:
    width: int = 64
    act: str = "relu"


@dataclasses.dataclass
class Config:
    lr: float = 0.1
    net: Net = dataclasses.field(default_factory=Net)
    doubled: float = dataclasses.field(init=False, default=0.0)

    def __post_init__(self):
        self.doubled = 2 * self.lr


class Loss:
    """An object of which only a text is stored."""

    def __init__(self, weight):
        self.weight = weight

    def __repr__(self):
        return f"Loss({self.weight})"


Point = collections.namedtuple("Point", "x y")


def former(**given):
    """What a run with these arguments has written of them."""
    ((name, value),) = given.items() if len(given) == 1 else (("", None),)
    fields = config_fields(value)
    parameters = dict(fields) if fields else given
    content = {"hyper_parameters": list(parameters), "stored_as": forms_of(parameters)}
    if fields:
        content["config_argument"] = [name, kind_of_config(value)]
    return FormerParameters(content, HyperParameters(parameters).flat())


def test_each_argument_is_that_of_the_run():
    """With its type, where that can be made again; what the program passes is not changed."""
    run = former(lr=0.1, layers=(64, [1, 2]), net={"width": 64, "deep": {"n": 1}}, name=None, extra=3)
    passed = {"lr": 0.5, "layers": (1,), "net": {"width": 8, "deep": {"n": 2}}, "name": "a", "other": 1}
    found = as_before(run, passed, {"net.deep.n": 7})
    assert found == {
        "lr": 0.1,
        "layers": (64, [1, 2]),
        "net": {"width": 64, "deep": {"n": 7}},
        "name": None,
        "extra": 3,
    }
    assert passed["net"] == {"width": 8, "deep": {"n": 2}}
    assert as_before(former(layers=(8, 4), lr=1), {"layers": (1,), "lr": 2}, {})["layers"] == (8, 4)


def test_objects_that_are_the_same_stay_the_programs_own():
    """An array, a path, an object with a text only, a secret: nothing better is known."""
    loss, path, numbers = Loss(1), Path("/data"), collections.OrderedDict(a=1)
    run = former(loss=loss, path=path, numbers=numbers, api_key="sk-1234567890", lr=0.1)
    passed = {"loss": Loss(2), "path": path, "numbers": numbers, "api_key": "of now", "lr": 0.2}
    found = as_before(run, passed, {})
    assert found["lr"] == 0.1 and found["api_key"] == "of now"
    assert all(found[name] is passed[name] for name in ("loss", "path", "numbers"))


@pytest.mark.parametrize(
    ("then", "now", "changes", "wanted"),
    [
        (Config(0.1, Net(32)), Config(0.5), {}, Config(0.1, Net(32))),
        (Config(0.1), Config(0.1), {"net.width": 8, "lr": 0.2}, Config(0.2, Net(8))),
        (Namespace(lr=0.1, out=Path("a")), Namespace(lr=1, out=Path("b")), {}, Namespace(lr=0.1, out=Path("a"))),
        (Namespace(mode=Mode.FAST, lr=1), Namespace(mode=Mode.SLOW, lr=1), {}, Namespace(mode=Mode.FAST, lr=1)),
        ({"lr": 0.1, "net": {"w": 1}}, {"lr": 1, "net": {"w": 2}}, {"net.w": 5}, {"lr": 0.1, "net": {"w": 5}}),
        (Point(1, 2), Point(3, 4), {"y": 9}, Point(1, 9)),
    ],
)
def test_the_fields_of_a_config_are_set_in_a_copy(then, now, changes, wanted):
    """Of the program's own object: its class checks it, and computes what depends on it."""
    before = repr(now)
    found = as_before(former(config=then), {"config": now}, changes)
    assert found == {"config": wanted} and type(found["config"]) is type(now) and repr(now) == before


def test_what_an_object_does_not_take_is_told():
    """All at once."""

    class Stiff:
        __dataclass_fields__ = dict.fromkeys("ab")

        def __init__(self):
            self.__dict__.update(a=1, b=2)

        def __setattr__(self, name, value):
            raise AttributeError("it is frozen")

    run = former(config=Stiff())
    with pytest.raises(ConfigError) as told:
        as_before(run, {"config": Stiff()}, {"a": 5, "b": 6})
    assert len(told.value.problems) == 2 and "a cannot be set to 5" in told.value.problems[0]
