"""What run.json says of hyper-parameters that parameter.json cannot give back."""

from __future__ import annotations

import enum
import json
from argparse import Namespace
from collections import OrderedDict, namedtuple
from pathlib import Path

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks.parameter_forms import forms_of, is_compared, is_restorable, is_same, restored
from rla_hooks.parameters import safe

pytestmark = pytest.mark.usefixtures("quiet")


class Color(enum.Enum):
    red = "red"


class Layers(list):
    pass


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 0.1, float("nan"), "text", [1, [2.0, "a"]], {"a": {"b": [1]}}, [{"a": 1}], {}, [], "7" * 5000]
    + [np.float64(0.1), np.float32(0.5), np.int64(3), np.bool_(True), np.str_("a")],
)
def test_plain_values_come_back_as_they_were(value):
    """So nothing is said of them; a number of numpy is a number."""
    assert forms_of({"x": value}) == {}


@pytest.mark.parametrize(
    "value, form",
    [
        ((64, 64), "tuple"),
        ([(8, 3), (4, 2)], "list of tuple"),
        (((8, 3), (4, 2)), "tuple of tuple"),
        ([[(1,)]], "list of list of tuple"),
        (({"a": 1},), "tuple"),
        (("conv", (8, 3)), "tuple of tuple"),
    ],
)
def test_tuples_come_back(value, form):
    """JSON has lists in their place."""
    assert forms_of({"x": value}) == {"x": form}
    assert restored(json.loads(json.dumps(safe(value))), form) == value


@pytest.mark.parametrize(
    "value, form",
    [
        ([(1,), [2]], "of type list"),  # both on one level
        (Point([1], [2]), "of type Point"),
        (Layers([1, 2]), "of type Layers"),
        ({1, 2}, "of type set"),
        (Path("x"), f"of type {type(Path()).__name__}"),
        (Color.red, "of type Color"),
        (np.zeros(3), "of type ndarray"),
        (int, "of type type"),
        (len, "of type builtin_function_or_method"),
        (Namespace(lr=0.1), "of type Namespace"),
        (OrderedDict(a=1), "of type OrderedDict"),
        ({1: 2}, "of type dict"),
        ({"a.b": 2}, "of type dict"),
        ([{1: 2}], "of type list"),
        (Namespace(), "of type Namespace"),
    ],
)
def test_other_types_are_named(value, form):
    """Their values are compared, but nobody can make them again from the text."""
    assert forms_of({"x": value}) == {"x": form}
    assert is_compared(form) and not is_restorable(form)


@pytest.mark.parametrize(
    "name, value, form",
    [
        ("x", object(), "text"),
        ("x", [1, object()], "text"),
        ("x", np.zeros(1000), "text"),
        ("x", 10**10_000, "text"),
        ("x", "a" * 1_000_000, "beginning"),
        ("x", [0] * 100_000, "beginning"),
        ("token", "abc", "secret"),
        ("x", "https://me:s3cr3t@host", "secret"),
        ("x", [{"password": "abc"}], "secret"),
    ],
    ids=lambda value: "value" if isinstance(value, int) else None,  # pytest cannot print the longest one
)
def test_what_is_lost(name, value, form):
    """It is neither compared nor given back."""
    assert forms_of({name: value}) == {name: form}
    assert not is_compared(form) and not is_restorable(form)


def test_nested_values_have_dotted_names():
    """Of a nested config both are named: its own type, and what is in it."""
    config = {"net": Namespace(width=64, act=(1, 2)), "db": {"password": "abc", "host": "h"}}
    assert forms_of(config) == {"net": "of type Namespace", "net.act": "tuple", "db.password": "secret"}


def test_hostile_values():
    """Nothing raises: not a value that contains itself, nor one whose attributes do."""

    class Hostile:
        def __getattribute__(self, name):
            raise RuntimeError("no")

    circle: list = []
    circle.append(circle)
    assert forms_of({"a": circle, "b": Hostile(), "c": {"d": circle}}) == {"a": "text", "b": "text", "c.d": "text"}


def test_the_same_hyper_parameter():
    """As it is stored: 1 and 1.0 are the same, and so are NaN and NaN; True and 1 are not."""
    nan = float("nan")
    assert is_same({"a": [1, nan]}, {"a": [1.0, nan]})
    for given, stored in ((True, 1), (0, False), ("1", 1), ([1], [1, 2]), ({"a": 1}, {"b": 1}), (None, 0), (nan, 0.0)):
        assert not is_same(given, stored) and not is_same(stored, given)


def test_run_json_has_the_function_and_its_parameters():
    """The names of the start, and the forms; what a hook adds later is none of them."""

    @rla.track(writers=["csv"], backup="none")
    def train(lr=0.1, layers=(8, 8), token="abc", **more):
        rla.current_run().add_hyper_params({"width": 3})

    train(depth=2)
    run = rla.runs()[-1]
    name = "test_run_json_has_the_function_and_its_parameters.<locals>.train"
    assert run.info["function"] == f"test_parameter_forms.py:{name}" and run.info["job"] is None
    assert run.info["hyper_parameters"] == ["lr", "layers", "token", "depth"]
    assert run.info["stored_as"] == {"layers": "tuple", "token": "secret"}
    assert "width" in run.hparams and "config_argument" not in run.info


def test_a_single_config_is_named():
    """Its fields are the hyper-parameters; what they were the fields of is noted."""

    @rla.track(writers=["csv"], backup="none")
    def train(config):
        pass

    train(Namespace(lr=0.1, steps=3))
    info = rla.runs()[-1].info
    assert (info["hyper_parameters"], info["config_argument"]) == (["lr", "steps"], ["config", "Namespace"])
