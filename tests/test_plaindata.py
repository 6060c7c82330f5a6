"""Plain data survives a restricted pickle exactly, and nothing else gets in or out."""

from __future__ import annotations

import collections
import datetime
import enum
import math
import os
import pickle
import pickletools
import subprocess
import sys
import tracemalloc
from collections import OrderedDict, deque
from pathlib import Path

import numpy as np
import pytest

from rla_hooks import plaindata
from rla_hooks.plaindata import PlainDataError, dumps, encode, loads, pack

UTC_8 = datetime.timezone(datetime.timedelta(hours=8))
PLAIN = [
    None,
    True,
    -(2**3000),
    1.5,
    -0.0,
    math.inf,
    complex(1, -2),
    "中文\n\0",
    "\ud800",
    b"",
    b"\xff",
    bytearray(b"x"),
    [],
    (),
    {},
    set(),
    frozenset({1, (2, "x")}),
    {1: 2, None: 3, (1, ("a",)): 4, b"k": 5, 1.5: 6, frozenset({1}): 7},
    [[[()]], {"a": [1, (2, {3})]}],
    OrderedDict([("b", 1), ("a", OrderedDict())]),
    deque([1, [2]], maxlen=5),
    deque(),
    datetime.datetime(2026, 1, 31, 12, 0, 0, 5, UTC_8),
    datetime.datetime(2026, 1, 31),
    datetime.date(2026, 1, 31),
    datetime.time(23, 59, 59, 1),
    datetime.timedelta(days=-3, microseconds=7),
    Path("a") / "b c",
    {Path("x"): 1, datetime.date(2026, 1, 1): 2},
    ("__rla__",),
    ("__rla__", "deque", [1], 2),
    {("__rla__", "tuple", 1): ["__rla__", ("__rla__", ("__rla__", "x"))]},
    OrderedDict([("__rla__", 1)]),
    deque(["__rla__", "x"]),
]


@pytest.mark.parametrize("content", PLAIN, ids=lambda content: f"{type(content).__name__}-{len(repr(content))}")
def test_plain_data_comes_back_equal_and_of_the_same_type(content):
    """What went in comes out: the same value, the same type, also inside of containers."""
    for wrapped in (content, {"deep": [(content,)]}):
        back = loads(dumps(wrapped))
        assert back == wrapped
        assert repr(back) == repr(wrapped)
    assert type(loads(dumps(content))) is type(content)
    assert math.copysign(1, loads(dumps(-0.0))) == -1
    assert math.isnan(loads(dumps([math.nan]))[0])


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3).T,
        np.array(5.0),
        np.zeros((0, 3), np.int8),
        np.array(["ab", "中"]),
        np.array([b"x", b"yz"]),
        np.array([""]),
        np.array([True, False]),
        np.array(["2026-01-31", "NaT"], "datetime64[s]"),
        np.array([1 + 2j], np.complex64),
        np.arange(4, dtype=">i2"),
        np.array([np.nan, -0.0, np.inf], np.float16),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays_come_back_bit_by_bit_and_writable(array):
    """Type, byte order, shape and bits of an array survive, and so do those of its first element."""
    back = loads(dumps({"x": array}))["x"]
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert back.flags.writeable and back.flags.owndata
    if array.size:
        scalar = array.reshape(-1)[0]
        back = loads(dumps([scalar]))[0]
        assert type(back) is type(scalar) and back.tobytes() == scalar.tobytes()


def test_a_numpy_float_is_no_float():
    """np.float64 derives from float; it comes back as np.float64 all the same."""
    back = loads(dumps({np.float64(0.5): np.float64(1.5)}))
    assert [(type(key), type(value)) for key, value in back.items()] == [(np.float64, np.float64)]


def test_a_memmap_comes_back_as_an_array(tmp_path):
    """A memory-mapped array is stored with its content."""
    mapped = np.memmap(tmp_path / "m", np.int32, "w+", shape=(3,))
    mapped[:] = [1, 2, 3]
    assert loads(dumps(mapped)).tolist() == [1, 2, 3]


class Foo:
    pass


class Color(enum.IntEnum):
    RED = 1


Point = collections.namedtuple("Point", "x y")


def circle():
    ring = [1]
    ring.append({"again": ring})
    return ring


def deep(levels):
    content = []
    for _ in range(levels):
        content = [content]
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"custom": {"a": [0, 0, 0, Foo()]}}, r"^custom\['a'\]\[3\]: a <class '.*Foo'>"),
        ({"custom": Foo}, r"^custom: a <class 'type'>"),
        ({"custom": len}, r"^custom: a <class 'builtin_function_or_method'>"),
        ([lambda: 1], r"^\[0\]: a <class 'function'>"),
        ({"a b": {Foo(): 1}}, r"^\['a b'\]: a key or member that is or holds a <class '.*Foo'>"),
        ({"a": {(1, Foo()): 1}}, r"^a: a key or member that is or holds a <class 'tuple'>"),
        ({"a": {Foo()}}, r"^a: a key or member"),
        ({"a": np.array([Foo()], object)}, r"^a: a numpy ndarray of dtype object"),
        ({"a": np.zeros(2, [("x", "f4")])}, r"^a: a numpy ndarray of dtype \[\('x'"),
        ({"a": np.ma.masked_array([1, 2], [0, 1])}, r"^a: a <class 'numpy.ma.*MaskedArray'>"),
        ({"a": Color.RED}, r"^a: a <enum 'Color'>"),
        ({"a": Point(1, 2)}, r"^a: a <class '.*Point'>"),
        ({"a": collections.Counter("aab")}, r"^a: a <class 'collections.Counter'> .*dict\(\.\.\.\)"),
        ({"a": circle()}, r"^a\[1\]\['again'\]: the list contains itself"),
        ({"a": deep(200)}, "nested more than 100 levels"),
        ({"a": deep(100_000)}, "nested more than 100 levels"),
    ],
)
def test_what_is_not_plain_is_refused_with_its_place(content, message):
    """A TypeError names the place and the type of the first value that is not plain."""
    with pytest.raises(TypeError, match=message):
        dumps(content)


def test_leaving_out_keeps_the_rest():
    """With a list, unsuitable values are left out and noted, subclasses become builtins, the rest stays."""
    content = {
        "good": 1,
        "bad": Foo(),
        "list": [1, Foo(), 3],
        "set": {1, Foo},
        "keys": {Foo(): 1, Color.RED: 2, "x": Foo()},
        "enum": Color.RED,
        "point": Point(1, Foo()),
        "table": collections.defaultdict(Foo, {"s": 2.0}),
        "ring": circle(),
    }
    left_out: list[str] = []
    back = loads(pack(encode(content, left_out)))
    assert back == {
        "good": 1,
        "list": [1, None, 3],
        "set": {1},
        "keys": {1: 2},
        "enum": 1,
        "point": (1, None),
        "table": {"s": 2.0},
        "ring": [1, {}],
    }
    assert [type(back["enum"]), type(back["point"]), type(back["table"])] == [int, tuple, dict]
    assert type(next(iter(back["keys"]))) is int
    assert [line.partition(":")[0] for line in left_out] == [
        "bad",
        "list[1]",
        "set",
        "keys",
        "keys['x']",
        "point[1]",
        "ring[1]['again']",
    ]


def test_a_circle_through_a_subclass_ends():
    """A dict of a class of its own that contains itself is noticed, too."""
    ring = collections.defaultdict(list)
    ring["a"] = [ring, ring]
    left_out: list[str] = []
    assert loads(pack(encode(ring, left_out))) == {"a": [None, None]}
    assert len(left_out) == 2


class Hostile:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_runs_nothing(tmp_path, protocol):
    """A pickle that would create a file is refused by name, and the file is not there."""
    victim = tmp_path / "victim"
    data = pickle.dumps({"a": [1, Hostile(os.mkdir, str(victim))]}, protocol)
    with pytest.raises(PlainDataError, match=r"asks for (posix|nt)\.mkdir"):
        loads(data)
    assert not victim.exists()
    pickle.loads(data)
    assert victim.exists(), "the pickle of this test is harmless, so that it shows nothing"


def test_eval_under_its_old_name_runs_nothing(tmp_path):
    """The names of Python 2 are refused as well."""
    data = b"c__builtin__\neval\n(V__import__('os').mkdir('" + str(tmp_path / "x").encode() + b"')\ntR."
    with pytest.raises(PlainDataError, match=r"builtins\.eval|__builtin__\.eval"):
        loads(data)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "content", [OrderedDict(a=1), complex(1), deque(), range(3), Path("x"), Foo(), 1 + 0j, slice(1)]
)
def test_any_class_is_refused(content):
    """Even harmless classes are refused: the file must hold none."""
    with pytest.raises(PlainDataError, match="Plain data needs no class"):
        loads(pickle.dumps(content))


def test_persistent_ids_are_refused():
    """A pickle that points to outside objects is refused."""
    with pytest.raises(PlainDataError, match="points to an object outside"):
        loads(b"Pabc\n.")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        dumps({"a": list(range(100))})[:-20],
        pickle.dumps(("__rla__", "ndarray", "O", (1,), b"12345678")),
        pickle.dumps(("__rla__", "ndarray", "<f4", (100,), b"1234")),
        pickle.dumps(("__rla__", "ndarray", "nonsense", (1,), b"1234")),
        pickle.dumps(("__rla__", "unknown")),
        pickle.dumps(("__rla__",)),
        pickle.dumps(("__rla__", ["unhashable"])),
        pickle.dumps(("__rla__", "datetime", 5)),
        pickle.dumps(("__rla__", "deque", 1, 2, 3)),
        pickle.dumps(circle()),
        b"\x80\x05" + b"]" * 5000 + b"a" * 4999 + b".",
        b"\x80\x05]" + b"2" * 10,
    ],
)
def test_damaged_data_gives_one_kind_of_error(data):
    """Whatever is wrong with the bytes, the error is a PlainDataError and comes soon."""
    with pytest.raises(PlainDataError):
        loads(data)


def _laughs(levels):
    """Lists of twice the list before: some bytes that stand for 2 ** levels values."""
    content = ["ha"]
    for _ in range(levels):
        content = [content, content]
    return content


def _arrays(number):
    data = bytes(100_000)
    return [("__rla__", "ndarray", "|u1", (100_000,), data) for _ in range(number)]


EXPLOSIONS = {
    "a billion laughs": pickle.dumps(_laughs(60)),
    "a billion laughs in tuples": pickle.dumps({"custom": tuple(_laughs(25))}),
    "one array a thousand times": pickle.dumps(_arrays(1000)),
    "an array without its numbers": pickle.dumps(("__rla__", "ndarray", "<f8", (10**6, 10**6), b"")),
    "a million texts without a size": pickle.dumps(("__rla__", "ndarray", "<U0", (10**6, 10**6), b"")),
    "the number of a reference": b"\x80\x05]r" + (50_000_000).to_bytes(4, "little") + b".",
    "a long text that is not there": b"\x80\x05\x8d" + (1 << 40).to_bytes(8, "little") + b"abc.",
    "long bytes that are not there": b"\x80\x05\x8e" + (1 << 30).to_bytes(8, "little") + b"abc.",
    "a long bytearray that is not there": b"\x80\x05\x96" + (1 << 30).to_bytes(8, "little") + b"abc.",
    "a frame that is not there": b"\x80\x05\x95" + (1 << 62).to_bytes(8, "little") + b"N.",
    "a number of a million digits": b"L" + b"9" * 10**6 + b"L\n.",
}


@pytest.mark.parametrize("case", EXPLOSIONS)
def test_some_bytes_do_not_become_all_memory(case):
    """What refers to itself again and again, or believes in bytes that are not there, is refused at once."""
    tracemalloc.start()
    try:
        with pytest.raises(PlainDataError, match=r"plain data|damaged"):
            loads(EXPLOSIONS[case])
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_what_is_stored_twice_is_no_explosion():
    """Equal and shared values of a real program: each is written, so each may be read."""
    shared, array = [1.5] * 1000, np.arange(1000)
    content = {"same": [shared] * 50, "arrays": [array] * 50, "bytes": [b"x" * 1000] * 50, "none": [None] * 10_000}
    back = loads(dumps(content))
    assert back["same"] == content["same"] and back["bytes"] == content["bytes"] and back["none"] == content["none"]
    assert all((each == array).all() for each in back["arrays"])
    flags = loads(dumps([np.bool_(True), np.uint8(0), np.zeros(0), np.zeros((3, 0)), np.str_("")] * 100))
    assert len(flags) == 500 and flags[3].shape == (3, 0) and flags[4] == ""


def test_every_flipped_byte_is_data_or_an_error():
    """No single damaged byte makes loads raise anything but its own error."""
    good = dumps({"a": [1.5, "x", (2, b"y")], "d": datetime.date(2026, 1, 1), "n": np.arange(3), "q": deque([1])})
    for index in range(len(good)):
        bad = bytearray(good)
        bad[index] ^= 0x41
        try:
            loads(bytes(bad))
        except (PlainDataError, MemoryError):
            pass


def test_the_pickle_holds_no_names():
    """The written pickle has no operation that could look up a name, so any reader can load it safely."""
    data = dumps({str(index): content for index, content in enumerate(PLAIN)} | {"n": np.arange(3), "s": np.int8(1)})
    operations = {operation.name for operation, _, _ in pickletools.genops(data)}
    assert not operations & {
        "GLOBAL",
        "STACK_GLOBAL",
        "REDUCE",
        "BUILD",
        "INST",
        "OBJ",
        "NEWOBJ",
        "NEWOBJ_EX",
    }


def test_neither_numpy_nor_torch_is_imported():
    """Storing and reading plain data loads no heavy library."""
    code = (
        "import sys; from rla_hooks.plaindata import dumps, loads; loads(dumps({'a': [1, {2}]}));"
        "assert not {'numpy', 'torch'} & set(sys.modules)"
    )
    place = {"PYTHONPATH": str(Path(plaindata.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=sys.prefix, env=os.environ | place)


def test_tensors_of_torch_come_back():
    """Of every type, also those that numpy lacks; what has no plain numbers is named."""
    torch = pytest.importorskip("torch")
    tensors = [
        torch.arange(6, dtype=torch.float64).reshape(2, 3).T,
        torch.ones(3, dtype=torch.bfloat16, requires_grad=True),
        torch.tensor([1 + 2j]).conj(),
        torch.nn.Parameter(torch.tensor(3.5)),
        torch.zeros(0, 4, dtype=torch.int64),
        torch.tensor([True, False]),
    ]
    for tensor, back in zip(tensors, loads(dumps(tensors)), strict=True):
        assert back.dtype == tensor.dtype and back.shape == tensor.shape and torch.equal(back, tensor.detach())
    with pytest.raises(TypeError, match=r"a\['x'\]: a <class 'torch.Tensor'> without plain numbers"):
        dumps({"a": {"x": torch.ones(3).to_sparse()}})
    for damaged in (("Tensor", (2,), b"12"), ("float32", (3,), b"12345678"), ("float32", (3,), b"")):
        with pytest.raises(PlainDataError):
            loads(pack((plaindata.TAG, "tensor", *damaged)))
