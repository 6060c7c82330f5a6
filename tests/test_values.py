"""Values of every origin become plain ones, exactly or not at all, and nothing of the user's is called."""

from __future__ import annotations

import argparse
import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import json
import math
import pathlib
import types

import numpy as np
import pytest

from rla_hooks.core.hyper_parameters import HyperParameters
from rla_hooks.parameters import flat, flatten, safe
from rla_hooks.values import to_scalar


class EagerTensor:
    """Stands for TensorFlow's tensors, which have numpy() and no item()."""

    def __init__(self, value):
        self.value = value

    def numpy(self):
        return self.value


class Text(str):
    """A string type whose str() is not plain."""

    def __str__(self):
        return self


class Float(float):
    pass


class Number(enum.IntEnum):
    ONE = 1


class Colour(enum.Enum):
    RED = "red"
    ODD = (1, 2)


@dataclasses.dataclass
class Net:
    width: int = 64
    activation: object = math.tanh


@dataclasses.dataclass
class Config:
    lr: float = 0.1
    net: Net = dataclasses.field(default_factory=Net)


class Hostile:
    """Raises at whatever is done with it."""

    def __call__(self):
        raise AssertionError("it was called")

    def __repr__(self):
        raise RuntimeError("no repr")

    __str__ = __hash__ = __eq__ = __deepcopy__ = __reduce__ = __repr__


# --- scalars --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (1.5, 1.5),
        (10**400, 10**400),
        (True, 1),
        ("text", "text"),
        (Text("sub"), "sub"),
        (Float(0.25), 0.25),
        (Number.ONE, 1),
        (decimal.Decimal("0.5"), 0.5),
        (fractions.Fraction(1, 4), 0.25),
        (np.float16(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.longdouble(0.5), 0.5),
        (np.int64(-(2**63)), -(2**63)),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.bool_(True), 1),
        (np.str_("s"), "s"),
        (np.array(3), 3),
        (np.array([[2.5]]), 2.5),
        (np.array("s"), "s"),
        (np.array(Float(2.0), dtype=object), 2.0),
        (np.array(Text("t"), dtype=object), "t"),
        (np.array(fractions.Fraction(1, 2), dtype=object), 0.5),
        (np.array(True, dtype=object), 1),
        (EagerTensor(np.float32(0.5)), 0.5),
        (EagerTensor(np.array([7])), 7),
    ],
)
def test_scalars_of_every_origin_become_python_ones(value, plain):
    """The result has the very type int, float or str, which the writers choose by."""
    result = to_scalar(value)
    assert result == plain and type(result) is type(plain)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0])
def test_special_floats_survive(value):
    """NaN, infinities and the sign of zero pass through every wrapping."""
    eager = EagerTensor(np.float64(value))
    for wrapped in (value, np.float32(value), np.array([value]), eager, decimal.Decimal(value)):
        assert repr(to_scalar(wrapped)) == repr(value)


def test_tensors_of_torch_become_python_scalars():
    """Any dtype, with or without gradients, with one element in any shape."""
    torch = pytest.importorskip("torch")
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int8, torch.int64):
        for shape in ((), (1,), (1, 1)):
            result = to_scalar(torch.full(shape, 3, dtype=dtype))
            assert result == 3 and type(result) is (float if dtype.is_floating_point else int)
    grown = torch.tensor([0.5], requires_grad=True) * 2
    assert to_scalar(grown) == 1.0 and to_scalar(torch.tensor(True)) == 1
    for no_scalar in (torch.zeros(2), torch.zeros(0), torch.tensor(1j), torch.zeros((), device="meta")):
        with pytest.raises(TypeError, match="is no scalar"):
            to_scalar(no_scalar)


def test_bfloat16_of_jax_and_tensorflow_is_a_float():
    """The scalars of ml_dtypes are no Python numbers."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for value in (ml_dtypes.bfloat16(1.5), np.array([1.5], dtype=ml_dtypes.bfloat16)):
        assert to_scalar(value) == 1.5 and type(to_scalar(value)) is float


@pytest.mark.parametrize(
    "value",
    [
        *[None, [1], (), {}, {1}, b"1", 1j, int, object(), Hostile, Colour.RED, np.zeros(2), np.zeros((0,))],
        *[np.array(None), np.array(1j), np.array("2020", dtype="datetime64[D]"), np.bytes_(b"x")],
        *[EagerTensor(np.zeros(3)), EagerTensor(None)],
    ],
)
def test_what_is_no_scalar_raises_typeerror(value):
    """The message names the type."""
    with pytest.raises(TypeError, match="is no scalar"):
        to_scalar(value)


# --- hyper-parameters -----------------------------------------------------------------------------------------------


def test_nested_configs_are_flattened_and_leaves_are_the_objects_themselves():
    """Mappings, dataclasses, namespaces and named tuples get dotted keys; empty ones stay."""
    leaf = Hostile()
    point = collections.namedtuple("Point", "x y")(1, leaf)
    given = {
        "lr": 0.1,
        "cfg": Config(),
        "args": argparse.Namespace(seed=1, sub=types.SimpleNamespace(a=2)),
        "p": point,
        "e": {},
        "d": {1: {"k": leaf}},
        "list": [{"a": 1}],
        "kind": Config,
    }
    flat = flatten(given)
    keys = "lr cfg.lr cfg.net.width cfg.net.activation args.seed args.sub.a p.x p.y e d.1.k list kind"
    assert list(flat) == keys.split()
    assert flat["d.1.k"] is leaf and flat["p.y"] is leaf and flat["kind"] is Config and flat["e"] == {}


def test_a_mapping_that_holds_itself_ends():
    """A recursive config is cut where it comes round."""
    given = {"a": 1}
    given["self"] = given
    flat = flatten(given)
    assert list(flat) == ["a", "self"] and safe(flat["self"])["self"] == "<recursive>"


def test_an_entry_that_cannot_be_read_hides_no_other():
    """As OmegaConf's missing values."""

    class Raising(dict):
        def __getitem__(self, key):
            if key == "bad":
                raise RuntimeError("missing")
            return super().__getitem__(key)

    assert flatten({"c": Raising(a=1, bad=2, z=3)}) == {"c.a": 1, "c.bad": "<unreadable: RuntimeError>", "c.z": 3}


def test_libraries_of_configs_are_flattened():
    """pydantic, attrs and OmegaConf objects, where they are installed."""
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Model", lr=(float, 0.5), __config__=pydantic.ConfigDict(extra="allow"))
    assert flatten({"m": model(more=1)}) == {"m.lr": 0.5, "m.more": 1}
    attrs = pytest.importorskip("attrs")
    assert flatten({"a": attrs.make_class("A", {"x": attrs.field(default=1)})()}) == {"a.x": 1}
    omegaconf = pytest.importorskip("omegaconf")
    conf = omegaconf.OmegaConf.create({"a": 1, "gone": "???", "loop": "${nowhere}", "net": {"w": 2}})
    flat = flatten({"c": conf})
    assert (flat["c.a"], flat["c.net.w"]) == (1, 2)
    assert flat["c.gone"].startswith("<unreadable") and flat["c.loop"].startswith("<unreadable")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (Number.ONE, 1),
        (Colour.RED, "red"),
        (Colour.ODD, "Colour.ODD"),
        (np.float64(0.1), 0.1),
        (np.int8(3), 3),
        (np.arange(3), [0, 1, 2]),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        ((1, {"b": {2}}), [1, {"b": [2]}]),
        ({3: {"x": [None]}}, {"3": {"x": [None]}}),
        (datetime.datetime(2026, 1, 31, 12), "2026-01-31T12:00:00"),
        (datetime.timedelta(seconds=90), "0:01:30"),
        (1j, "1j"),
        (b"x", "b'x'"),
        (range(3), "range(0, 3)"),
        (math.tanh, "math.tanh"),
        (functools.partial(math.pow, 2), "partial(math.pow)"),
        (dict, "dict"),
        (Config(net=None), {"lr": 0.1, "net": None}),
    ],
)
def test_odd_values_become_readable_plain_ones(value, plain):
    """Nothing is called; the types are exact."""
    assert safe(value) == plain and type(safe(value)) is type(plain)


@pytest.mark.parametrize(
    "value",
    [
        *[Hostile(), [Hostile()], {"k": Hostile()}, lambda: 1 / 0, object(), "\ud800", "x" * 10**6],
        *[10**5000, -(10**5000), [10**5000], np.zeros((1000, 1000)), np.array([Hostile()], dtype=object)],
        *[set(map(str, range(5000))), list(range(5000)), dict.fromkeys(range(5000))],
        *[functools.reduce(lambda inner, _: [inner], range(5000), 0), types.MappingProxyType({1: 2})],
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_it_is_the_safe_form_is_json(value):
    """It can be written and read back, it is not endless, and equal settings of two runs compare equal."""
    plain = safe(value)
    assert json.loads(json.dumps(plain)) == plain
    assert " at 0x" not in str(plain) and (isinstance(value, str) or len(json.dumps(plain)) < 100_000)


def test_a_hostile_object_is_named_with_what_it_raises():
    """A repr that raises costs the text, not the run."""
    assert safe(Hostile()) == "<Hostile: repr raises RuntimeError>"
    assert safe([1, object()]) == [1, "<object object>"]
    assert safe(10**5000) == "<int of 16610 bits>"


def test_recursive_lists_end():
    """A list within itself is cut; the same list twice is not."""
    ring = [1]
    ring.append(ring)
    shared = [2]
    assert safe(ring) == [1, "<recursive>"]
    assert safe([shared, shared]) == [[2], [2]]


def test_large_arrays_and_tensors_are_named_by_shape_and_dtype():
    """Hyper-parameters are no place for weights."""
    assert safe(np.zeros((100, 2))) == "ndarray(shape=(100, 2), dtype=float64)"
    torch = pytest.importorskip("torch")
    assert safe(torch.zeros(200)) == "Tensor(shape=(200,), dtype=torch.float32)"
    assert safe(torch.tensor([0.5], requires_grad=True)) == [0.5]
    assert safe(torch.device("cpu")) == "device(type='cpu')"
    assert safe(torch.float16) == "torch.float16"


def test_values_are_left_as_they_are():
    """Neither function changes or copies what it is given."""
    given = {"a": [1, {"b": np.arange(2)}], "c": Config()}
    before = copy.deepcopy(given)
    safe(given)
    flatten(given)["a"].append(2)
    assert str(given["c"]) == str(before["c"]) and given["a"][2] == 2 and list(given) == ["a", "c"]


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_a_vocabulary_stays_one_hyper_parameter_of_which_the_beginning_is_kept():
    """60,000 words make no 60,000 hyper-parameters; lists and texts are bounded, too, at every depth; it is told."""
    parameters = HyperParameters(
        {
            "vocab": {f"word_{i}": i for i in range(60_000)},
            "net": {"width": 64, "files": [f"{i}.png" for i in range(5000)]},
            "deep": [[list(range(100))] * 1000] * 1000,
            "text": "x" * 10**6,
            "whole": list(range(1000)),
        }
    )
    flat = parameters.flat()
    assert list(flat) == ["vocab", "net.width", "net.files", "deep", "text", "whole"]
    assert flat["vocab"].pop("<more>") == "59000 keys" and list(flat["vocab"])[:2] == ["word_0", "word_1"]
    assert flat["net.files"][-1] == "<4000 more>" and len(flat["net.files"]) == 1001
    assert len(json.dumps(flat)) < 1_000_000
    assert parameters.shortened == ["vocab", "net.files", "deep", "text"]
    many = HyperParameters({f"p{i}": i for i in range(10_005)})
    assert len(many.flat()) == 10_001 and many.flat()["<more>"] == "5 hyper-parameters"
    long = HyperParameters({f"p{i}": "x" * 10**5 for i in range(1000)} | {"last": 1})
    assert len(json.dumps(long.flat())) < 11_000_000 and long.flat()["last"] == 1
    assert long.flat()["p999"] == "<left out: the hyper-parameters are too long>" and len(long.shortened) == 900


def test_a_hyper_parameter_without_a_name_is_kept():
    """The empty text is a key like others, at the top and below."""
    assert flatten({"": 1, "a": {"": 2}}) == {"": 1, "a.": 2}


def test_hyper_parameters_of_one_dotted_name_are_both_kept():
    """A nested config and an override of it, or the keys 1 and "1": the second has a name of its own, if it differs."""
    assert flatten({"net": {"width": 1}, "net.width": 2, "net.width_": 3}) == {
        "net.width": 1,
        "net.width_": 2,
        "net.width__": 3,
    }
    assert flatten({"c": {1: "a", "1": "b"}}) == {"c.1": "a", "c.1_": "b"}
    assert flatten({"net": {"x": math.nan}, "net.x": math.nan}).keys() == {"net.x"}


def test_a_nested_config_takes_the_place_of_what_it_was_in_a_former_life():
    """A hook describes the model again in a run that goes on: no name comes twice, and what was given now stays."""
    parameters = HyperParameters({"net.depth": 3})
    parameters.restore({"net.width": 64, "net.name": "a"})
    assert parameters.add({"net": {"width": 128, "depth": 2}})
    assert parameters.flat() == {"net.name": "a", "net.depth": 3, "net.width": 128, "net.depth_": 2}


def test_metrics_of_other_mappings_than_dict_are_flattened():
    """By the kit for hooks, as by rla.log."""
    assert flat({"a": types.MappingProxyType({1: {"x": 2}}), 3: 4}) == {"a/1/x": 2, "3": 4}
