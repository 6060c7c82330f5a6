"""The files of a state: what was saved comes back bit for bit, and what has not changed is not written again."""

from __future__ import annotations

import datetime
import json
import math
import os
import struct
import sys
from collections import Counter, OrderedDict, deque
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from rla_hooks.checkpoints import checksum
from rla_hooks.encoding import NotStorable
from rla_hooks.errors import CheckpointError
from rla_hooks.state import safetensors_file, writing
from rla_hooks.state.checksums import digest_of
from rla_hooks.state.reading import StateFolder
from rla_hooks.state.stored import StoredArray
from rla_hooks.state.writing import Former, StatePlan, write

NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_BEEF))[0]  # one that carries something
EVIL_NAMES = {"a/b": 1, "../up": 2, "$tuple": 3, "": 4, "中文\n": 5, "\udc80": 6, "in": 7}


def saved(folder, **trees):
    """A state of these trees in ``folder / "state-1"``, opened."""
    plan = StatePlan()
    content = {"objects": {"models": {name: plan.add("models", name, tree) for name, tree in trees.items()}}}
    plan.place()
    size, crc = write(folder / "state-1", plan, content).finish()
    assert (size, crc) == checksum.measure(folder / "state-1")
    return StateFolder(folder / "state-1")


def read(state, name="x"):
    return state.read(state.content["objects"]["models"][name])


def saved_buffers(folder, buffers, former=None):
    """A state of buffers, in parts; returns the folder opened, and how many bytes are links."""
    plan = StatePlan()
    content = {"objects": {"buffers": {name: plan.add("buffers", name, each, True) for name, each in buffers.items()}}}
    plan.place()
    writing_it = write(folder, plan, content, Former(former.folder, former.digests) if former else None)
    assert writing_it.finish() == checksum.measure(folder)
    return StateFolder(folder), writing_it.linked


PLAIN = [
    *(None, True, False, 0, -1, 2**63 - 1, 2**63, -(2**63) - 1, 10**5000, 1.5, -0.0, 5e-324, math.inf, -math.inf),
    *("", "text", "中文", "\udc80", "a\0b", b"", b"\0\xff", bytearray(b"x"), 1 + 2j, complex("inf-0j")),
    *([], (), {}, [[]], ((),), (1, (2.5, "x")), {"a": {"b": [1, 2]}}, {1: 2, "a": 3, (1, 2): 4, None: 5}),
    *(EVIL_NAMES, {"$x": 1}, {"a": {"$array": 1}}, set(), {1, "a"}, frozenset([1]), deque([1, 2], 5), deque()),
    *(OrderedDict([("b", 1), ("a", 2)]), Counter("abca"), list(range(5000)), [0.1 * i for i in range(5000)]),
    *(tuple(range(1500)), deque(range(1500), 2000), [2**70] * 1500, [1, 2.0] * 900, b"x" * 10_000),
    *(datetime.datetime(2026, 1, 31, 12), datetime.date(2026, 1, 31), datetime.time(1, 2), datetime.timedelta(-1)),
    *(np.float32(0.1), np.int8(-3), np.bool_(True), np.str_("中"), np.datetime64("2026-01-31"), np.complex128(1j)),
    *(Path("a/b"), PurePosixPath("x"), np.dtype("<f4")),
]


def test_plain_data_comes_back_as_it_was(tmp_path):
    """With its type, at any depth."""
    state = saved(tmp_path, x={"at": PLAIN})
    for got, value in zip(read(state)["at"], PLAIN, strict=True):
        assert got == value and (type(got) is type(value) or isinstance(value, PurePosixPath))
        if isinstance(value, float):
            assert math.copysign(1, got) == math.copysign(1, value)
        if isinstance(value, (list, tuple, deque, OrderedDict, Counter)):
            assert list(map(type, got)) == list(map(type, value)) and list(got) == list(value)
            assert getattr(got, "maxlen", None) == getattr(value, "maxlen", None)


def test_a_nan_keeps_what_it_carries(tmp_path):
    """A number of Python, one of numpy, and one in an array."""
    got = read(saved(tmp_path, x=[NAN, np.float64(NAN), np.array([NAN, -NAN])]))
    assert [struct.pack("<d", each) for each in (got[0], got[1], *got[2])] == [
        struct.pack("<d", each) for each in (NAN, NAN, NAN, -NAN)
    ]


READ_ONLY = np.arange(3.0)
READ_ONLY.flags.writeable = False
ARRAYS = {
    "reversed": np.arange(6).reshape(2, 3)[:, ::-1],
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "every second": np.arange(10, dtype=np.int16)[::2],
    "no axis": np.array(3.5),
    "empty": np.zeros((0, 3), np.float32),
    "text": np.array(["a", "中文"]),
    "empty text": np.zeros(2, "U0"),
    "bytes": np.array([b"x\0y"]),
    "date": np.array(["2026-01-31", "NaT"], "M8[D]"),
    "big-endian": np.arange(3, dtype=">f4"),
    "unsigned": np.array([2**64 - 1, 0], np.uint64),
    "complex": np.array([1 + 2j, np.nan]),
    "complex64": np.array([1 + 2j], np.complex64),
    "half": np.arange(4, dtype=np.float16),
    "long": np.array([1.5], np.longdouble),
    "bool": np.array([[True, False]]),
    "read-only": READ_ONLY,
    "fields": np.array([(1, [2.5, 3])], [("a", "<i4"), ("b", ">f8", (2,))]),
    "nested fields": np.zeros(2, [("a", [("x", "u1"), ("y", "U3")]), ("b", "?")]),
    "void": np.zeros(2, "V5"),
    "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_with_its_bytes_shape_and_type(name, tmp_path):
    """And can be changed."""
    array = ARRAYS[name]
    got = read(saved(tmp_path, x=[array]))[0]
    assert type(got) is np.ndarray and got.dtype == array.dtype and got.shape == array.shape
    assert got.tobytes() == np.ascontiguousarray(array).tobytes() and got.flags.writeable


def reference_to(state, name):
    """What refers to an array, whose place in the tree may be a pair."""
    tree = state.content["objects"]["models"]["x"]
    return (tree if name in tree else dict(tree["$dict"]))[name]["$array"]


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4"])
def test_types_that_numpy_lacks_keep_their_names(name, tmp_path):
    """Those of ml_dtypes, as JAX and Keras have them."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.arange(-2, 4).astype(getattr(ml_dtypes, name))
    got = read(saved(tmp_path, x=array))
    assert got.dtype == array.dtype and got.tobytes() == array.tobytes()


def test_arrays_that_share_memory_are_stored_once_and_share_it_again(tmp_path):
    """The same array twice, a transposed one, overlapping views, one that runs backwards; also in two objects."""
    base = np.arange(1000.0)
    square = np.arange(4.0).reshape(2, 2)
    first = {"all": base, "again": base, "begin": base[:600], "end": base[400:], "back": base[::-1]}
    state = saved(tmp_path, x=first | {"square": square, "t": square.T}, other={"all": base})
    x = read(state)
    other = read(state, "other")["all"]
    for name, array in first.items():
        assert np.array_equal(x[name], array) and np.shares_memory(x[name], x["all"])
    assert np.shares_memory(other, x["all"]) and np.shares_memory(x["square"], x["t"])
    assert np.array_equal(x["t"], square.T)
    x["all"][500] = -1
    assert x["begin"][500] == x["end"][100] == x["back"][499] == other[500] == -1
    assert sum(size for size, *_ in state.content["files"].values()) < base.nbytes + 2000


def test_views_with_much_between_them_do_not_store_what_is_between(tmp_path):
    """Two columns of a large array are the numbers of two columns."""
    base = np.zeros((1000, 1000))
    state = saved(tmp_path, x=[base[:, 3], base[:, 4]])
    assert sum(size for size, *_ in state.content["files"].values()) < 20_000
    assert all(np.array_equal(each, np.zeros(1000)) for each in read(state))


def test_other_programs_read_the_files(tmp_path):
    """safetensors reads the tensors, with their types; numpy the parts."""
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {name: array for name, array in ARRAYS.items() if array.dtype.kind in "biuf" and array.dtype.isnative}
    state = saved(tmp_path, x=arrays)
    found = safetensors.load_file(state.folder / "models" / "x.safetensors")
    for name, array in arrays.items():
        if array.dtype != np.longdouble:
            assert found[name].dtype == array.dtype and np.array_equal(found[name], array)
    large = np.arange(6_000_000, dtype=np.float32).reshape(2, 3000, 1000)
    state, _ = saved_buffers(tmp_path / "state-2", {"replay": {"obs": large}})
    parts = sorted((state.folder / "buffers" / "replay").glob("obs.*.npy"))
    assert np.array_equal(np.concatenate([np.load(part) for part in parts]).reshape(large.shape), large)


def test_what_cannot_be_stored_says_where_it_is_and_what_to_do(tmp_path):
    """Code, objects, classes derived from plain ones, arrays of objects, what contains itself."""

    class Point(tuple):
        pass

    circle = []
    circle.append(circle)
    for value, words in [
        (lambda: None, "Code cannot be stored"),
        (object(), "state_dict"),
        (Point(), "Pass tuple(...) of it"),
        (np.array([{}], object), "dtype object cannot be stored"),
        (np.ma.array([1]), "numpy.asarray"),
        (circle, "Break the circle"),
    ]:
        with pytest.raises(NotStorable, match=r"^agent\['x'\]\[0\]") as caught:
            StatePlan().add("models", "x", {"agent": {"x": [value]}})
        assert words in str(caught.value)
    deep = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(NotStorable, match="levels deep"):
        StatePlan().add("models", "x", deep)


def test_names_of_objects_are_safe_names_of_files(tmp_path):
    """Whatever an object is called, its file is in the folder, and no two have the same, also on macOS."""
    names = ["../up", "a/b", "A/B", "aux", "", "x" * 500, "x" * 501, "中文", "Policy", "policy"]
    state = saved(tmp_path, **{name: np.full(2, number) for number, name in enumerate(names)})
    for number, name in enumerate(names):
        assert read(state, name).tolist() == [number, number]
    files = [file for file in (tmp_path / "state-1").rglob("*") if file.is_file()]
    assert len({file.name.casefold() for file in files}) == len(names) + 1


def test_only_parts_that_changed_are_written_again(tmp_path):
    """Of a large ring buffer that was written to, and wrapped around; the links live on without the former state."""
    rng = np.random.default_rng(0)
    ring = rng.integers(0, 255, (40_000, 1000), np.uint8)
    first, linked = saved_buffers(tmp_path / "state-1", {"replay": {"obs": ring, "pos": 39_900}})
    assert linked == 0 and len(list((first.folder / "buffers/replay").iterdir())) == 10
    former = ring.copy()
    ring[39_900:] = 1
    ring[:100] = 2
    second, linked = saved_buffers(tmp_path / "state-2", {"replay": {"obs": ring, "pos": 100}}, first)
    new = sum(file.stat().st_size for file in second.folder.rglob("*") if file.is_file() and file.stat().st_nlink == 1)
    assert new < 9 << 20 and linked > 31 << 20
    for file in [*first.folder.rglob("*.npy"), first.folder / "state.json"]:
        if file.stat().st_nlink == 1:
            file.unlink()
    third, linked = saved_buffers(tmp_path / "state-3", {"replay": {"obs": ring, "pos": 100}}, second)
    assert linked > ring.nbytes
    got = third.tree(third.content["objects"]["buffers"]["replay"])
    target = np.zeros_like(ring)
    got["obs"].into(target)
    assert np.array_equal(target, ring) and got["pos"] == 100 and not np.array_equal(former, ring)


def test_what_has_only_changed_places_is_another_content():
    """Rows of any size that are swapped, a bit, a byte at either end: two checksums that have nothing in common."""
    rng = np.random.default_rng(0)
    data = rng.integers(0, 255, 1 << 16, np.uint8)
    before = digest_of(b"head", data)
    for row in (1, 8, 64, 1000, 4096, 8192):
        other = data.copy()
        other[:row], other[row : 2 * row] = data[row : 2 * row], data[:row]
        after = digest_of(b"head", other)
        assert after.sums != before.sums and after.crc32c != before.crc32c
    for at in (0, 100, len(data) - 1):
        other = data.copy()
        other[at] ^= 1
        assert digest_of(b"head", other).sums != before.sums
    assert digest_of(b"hEad", data).sums != before.sums and digest_of(b"head", data.copy()) == before
    assert digest_of(b"", data[:0]) == (0, 0, digest_of(b"", data[:0]).sums)


def test_without_hard_links_all_is_written(tmp_path, monkeypatch):
    """A file system that has none, or a former state that another saver has deleted meanwhile."""
    ring = np.zeros(20 << 20, np.uint8)
    first, _ = saved_buffers(tmp_path / "state-1", {"replay": ring})

    def refuse(*arguments, **more):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    second, linked = saved_buffers(tmp_path / "state-2", {"replay": ring}, first)
    assert linked == 0
    target = np.ones_like(ring)
    second.tree(second.content["objects"]["buffers"]["replay"]).into(target)
    assert not target.any()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(5 << 20, dtype=np.float32).reshape(5, -1),  # rows of 4 MB
        np.arange(12 << 20, dtype=np.float32).reshape(3, -1)[:, ::2],  # not contiguous
        np.arange(5 << 20, dtype=np.float32).reshape(-1, 5).T,
        np.arange(5 << 18, dtype=np.complex128),
        np.array(["x" * 60] * 100_000),
        np.zeros(3 << 20, [("a", "<f4"), ("b", "<i2")]),
    ],
    ids=["long rows", "strided", "transposed", "complex", "text", "fields"],
)
def test_large_arrays_of_any_kind_are_stored_in_parts(array, tmp_path):
    """And come back, into a contiguous array, into one that is not, and as a new one."""
    state, _ = saved_buffers(tmp_path / "state-1", {"replay": array})
    stored = state.content["objects"]["buffers"]["replay"]
    assert stored["$array"]["parts"] > 1
    target, other = np.zeros(array.shape, array.dtype), np.zeros((*array.shape, 2), array.dtype)[..., 0]
    for each in (target, other):
        state.tree(stored).into(each)
        assert np.array_equal(each, array)
    assert np.array_equal(state.read(stored), array)


def test_a_mapped_array_does_not_stay_in_memory(tmp_path):
    """Saving and restoring an array on the disk lets its pages go: those of views, too."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux says how much of it is in memory")
    mapped = np.memmap(tmp_path / "ring", np.uint8, "w+", shape=(24 << 20,))
    mapped[:] = 7

    def resident():
        text = Path("/proc/self/smaps").read_text()
        part = text[text.index(str(tmp_path / "ring")) :]
        return int(part[part.index("Rss:") + 4 :].split()[0]) << 10

    assert resident() > 20 << 20
    state, _ = saved_buffers(tmp_path / "state-1", {"replay": np.asarray(mapped)[100:]})
    assert resident() < 2 << 20
    mapped[:] = 0
    state.tree(state.content["objects"]["buffers"]["replay"]).into(np.asarray(mapped)[100:])
    assert resident() < 2 << 20
    assert mapped[100:].min() == 7 and mapped[99] == 0


def test_a_state_that_is_larger_than_the_room_is_refused_before_a_byte_is_written(tmp_path, monkeypatch):
    """What would be linked is not counted."""
    ring = np.zeros(20 << 20, np.uint8)
    first, _ = saved_buffers(tmp_path / "state-1", {"replay": ring})
    usage = type(writing.shutil.disk_usage(tmp_path))
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda path: usage(1 << 40, 0, 6 << 20))
    with pytest.raises(OSError, match=r"needs 2\d,\d+,\d+ bytes, and the disk has 6,291,456 free"):
        saved_buffers(tmp_path / "state-2", {"replay": ring})
    assert not (tmp_path / "state-2").exists()
    saved_buffers(tmp_path / "state-2", {"replay": ring}, first)


def damaged(state, change):
    """The same state with another content."""
    path = state.folder / "state.json"
    content = json.loads(path.read_text())
    change(content, content["objects"]["models"]["x"]["$array"])
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [
        lambda content, array: array.update({"in": "../secret.safetensors"}),
        lambda content, array: array.update({"in": "/etc/passwd"}),
        lambda content, array: array.update({"in": "models/none.safetensors"}),
        lambda content, array: array.update({"in": "models"}),
        lambda content, array: array.update({"in": "state.json/x"}),
        lambda content, array: array.update({"in": "a" * 10_000}),
        lambda content, array: array.update({"key": "none"}),
        lambda content, array: array.update({"key": ["unhashable"]}),
        lambda content, array: array.update({"shape": [1 << 40]}),
        lambda content, array: array.update({"shape": [-4]}),
        lambda content, array: array.update({"shape": "x"}),
        lambda content, array: array.update({"dtype": "|O"}),
        lambda content, array: array.update({"dtype": "os.system"}),
        lambda content, array: array.update({"of": "pickle"}),
        lambda content, array: array.update({"strides": [8], "offset": 1 << 40}),
        lambda content, array: array.update({"parts": 3}),
        lambda content, array: content.update({"format": 2}),
        lambda content, array: content["objects"]["models"].update({"x": {"$unknown": 1}}),
        lambda content, array: content["objects"]["models"].update({"x": {"$bytes": "?"}}),
        lambda content, array: content["objects"]["models"].update({"x": {"$deque": [1]}}),
    ],
)
def test_what_no_version_has_written_is_refused(change, tmp_path):
    """A reference that leads out of the folder, another size, type or kind: an error, and nothing is run."""
    state = saved(tmp_path, x=np.arange(4))
    damaged(state, change)
    (tmp_path / "secret.safetensors").write_bytes(b"".join(safetensors_file.chunks({})))
    with pytest.raises(CheckpointError, match=r"is damaged|has format 2") as raised:
        read(StateFolder(state.folder))
    assert len(str(raised.value)) < 1000


def test_links_and_cut_files_are_refused(tmp_path):
    """A link in the place of a file, of a folder, and a file that is too short."""
    state = saved(tmp_path, x=np.arange(400))
    file = state.folder / "models" / "x.safetensors"
    data = file.read_bytes()
    for short in (b"", data[:4], data[:50], data[:-1]):
        file.write_bytes(short)
        with pytest.raises(CheckpointError, match="is damaged"):
            read(StateFolder(state.folder))
    file.unlink()
    (tmp_path / "elsewhere").write_bytes(data)
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="is a link"):
        read(StateFolder(state.folder))


def test_a_stored_array_says_what_it_is(tmp_path):
    """Before it is read; small ones are read at once."""
    state = saved(tmp_path, x=[np.zeros((300, 1000), np.float32), np.zeros(3)])
    array, small = state.tree(state.content["objects"]["models"]["x"])
    assert isinstance(array, StoredArray) and repr(array) == "StoredArray(numpy, <f4, (300, 1000))"
    assert (array.shape, array.dtype, array.ndim, len(array)) == ((300, 1000), np.float32, 2, 300)
    assert array.nbytes == 1_200_000 and np.array_equal(np.asarray(array), np.zeros((300, 1000)))
    assert type(small) is np.ndarray


def test_tensors_of_torch_come_back_with_their_types_and_ties(tmp_path):
    """Every type, views and non-contiguous ones, in a file of safetensors for torch."""
    torch = pytest.importorskip("torch")
    weight = torch.arange(12.0).reshape(3, 4)
    kinds = [getattr(torch, name) for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype)]
    values = {}
    for kind in {kind for kind in kinds if not str(kind).startswith(("torch.q", "torch.bits", "torch.int1"))}:
        try:
            values[str(kind)] = torch.zeros(8 * max(kind.itemsize, 1), dtype=torch.uint8).view(kind)
        except (RuntimeError, TypeError):  # a type of less than a byte
            continue
    values |= {
        "weight": weight,
        "tied": weight,
        "t": weight.t(),
        "row": weight[1],
        "column": weight[:, 1],
        "no axis": torch.tensor(3),
        "empty": torch.empty(0, 3),
        "leaf": torch.nn.Parameter(torch.ones(2)),
        "conj": torch.tensor([1 + 2j]).conj(),
        "nan": torch.tensor([float("nan"), -0.0]),
    }
    state = saved(tmp_path, x=values)
    got = read(state)
    for name, value in values.items():
        assert type(got[name]) is torch.Tensor and got[name].dtype == value.dtype and got[name].shape == value.shape
        plain = (each.detach().resolve_conj().contiguous().reshape(-1) for each in (got[name], value))
        one, other = (each.view(torch.uint8) if each.numel() else each for each in plain)
        assert torch.equal(one, other), name
    got["weight"][1, 1] = 99
    assert got["tied"][1, 1] == got["t"][1, 1] == got["row"][1] == got["column"][1] == 99
    from safetensors import safe_open

    with safe_open(state.folder / "models" / "x.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"} and torch.equal(file.get_tensor("weight"), weight)
    target = torch.zeros(4, 3).t()
    StoredArray(StateFolder(state.folder), reference_to(state, "weight")).into(target)
    assert torch.equal(target, weight)
    sparse = torch.eye(2).to_sparse()
    with pytest.raises(NotStorable, match="to_dense"):
        StatePlan().add("models", "x", {"a": sparse})


def test_large_tensors_are_stored_in_parts(tmp_path):
    """Also of types that numpy lacks."""
    torch = pytest.importorskip("torch")
    ring = torch.arange(9 << 20, dtype=torch.int32).to(torch.bfloat16).reshape(-1, 4)
    first, _ = saved_buffers(tmp_path / "state-1", {"replay": {"obs": ring}})
    second, linked = saved_buffers(tmp_path / "state-2", {"replay": {"obs": ring}}, first)
    assert linked > ring.numel() * 2
    target = torch.zeros_like(ring)
    second.tree(second.content["objects"]["buffers"]["replay"])["obs"].into(target)
    assert torch.equal(target, ring)


def test_arrays_and_keys_of_jax_come_back(tmp_path):
    """Typed keys of each implementation, numbers that do not decide the type, the same array twice."""
    jax = pytest.importorskip("jax")
    import jax.numpy as jnp

    weights = jnp.arange(6, dtype=jnp.bfloat16).reshape(2, 3)
    values = {
        "w": weights,
        "again": weights,
        "key": jax.random.key(3),
        "keys": jax.random.split(jax.random.key(1), 3),
        "rbg": jax.random.key(5, impl="rbg"),
        "old": jax.random.PRNGKey(1),
        "weak": jnp.asarray(3) + 1,
        "no axis": jnp.float32(2.5),
        "empty": jnp.zeros((0, 2)),
        "bool": jnp.array([True]),
    }
    got = read(saved(tmp_path, x=values))
    for name, value in values.items():
        assert isinstance(got[name], jax.Array) and got[name].dtype == value.dtype and got[name].shape == value.shape
        assert getattr(got[name], "weak_type", None) == getattr(value, "weak_type", None)
        raw = [
            jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in (got[name], value)
        ]
        assert np.asarray(raw[0]).tobytes() == np.asarray(raw[1]).tobytes()
    assert got["w"] is got["again"]
    assert jax.random.uniform(got["rbg"]) == jax.random.uniform(values["rbg"])
