"""Roots that the original RLA wrote: names, rows, and hyper-parameters from YAML, JSON, the pickle, or the name.

tests/data/root_of_rla has the form of the example roots in RLA's repository; its content was made up.
"""

from __future__ import annotations

import collections
import json
import os
import pickle
import pickletools
import shutil
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks.query import inert_pickle
from rla_hooks.query.inert_pickle import read_pickle
from rla_hooks.query.inert_yaml import LIMIT, read_yaml

pytestmark = pytest.mark.usefixtures("quiet")
SHIPPED = Path(__file__).parent / "data" / "root_of_rla"
NAME = "demo_task/2022/03/01/21-13-03-230208_10.0.0.7_&lr=0.1"


@pytest.fixture
def root(tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture
def one(tmp_path):
    """Makes a run of RLA with a parameter file or a pickled Tester of this content, and reads it."""

    def make(yaml=None, tester=None, name=NAME):
        for path, data in (
            (tmp_path / "log" / name / "log.txt", b""),
            (tmp_path / "log" / name / "parameter.yaml", yaml),
            (tmp_path / "archive_tester" / f"{name}.pkl", tester),
        ):
            if data is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        (run,) = rla.runs(tmp_path)
        return run

    return make


def test_the_runs_of_an_old_root_are_listed(root):
    """Nothing is wrong with them, though nobody knows how they ended; their start is that in the name."""
    before = sorted((str(path), path.stat().st_mtime_ns) for path in root.rglob("*"))
    runs = rla.runs(root)
    assert [run.task for run in runs] == ["demo_task", "demo_task", "demo_task", "other_task"]
    assert {run.status for run in runs} == {"unknown"} and {run.problems for run in runs} == {()}
    assert [run.started.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f") for run in runs] == [
        "2022-03-01 21:13:03.230208",
        "2022-03-01 21:19:57.875205",
        "2022-11-24 18:46:30.917022",
        "2023-02-02 13:27:13.132216",
    ]
    assert [run.record for run in runs] == [
        {"env_id": "Test-v1", "learning_rate": 0.0001},
        {"env_id": "Test-v1", "learning_rate": 0.01, "seed": 888},
        {"env_id": "Test-v1", "learning_rate": 0.001, "seed": 88},
        {"input_size": 16},
    ]
    assert [run.name for run in rla.runs(root, task="other_task")] == [runs[-1].name]
    assert sorted((str(path), path.stat().st_mtime_ns) for path in root.rglob("*")) == before


def test_hyper_parameters_come_from_the_best_file(root):
    """From the pickle, from the name where there is no file, from parameter.json before the pickle, from YAML."""
    pickled, named, listed, written = (run.hparams for run in rla.runs(root))
    assert pickled == {
        "env_id": "Test-v1",
        "learning_rate": 0.0001,
        "input_size": 16,
        "loaded_task_name": "",
        "schedule": [0.5, 0.25],
    }
    assert named == {"env_id": "Test-v1", "learning_rate": 0.01, "seed": 888}
    assert listed == {"env_id": "Test-v1", "learning_rate": 0.001, "seed": 88, "loaded_date": True}
    assert written == {
        "input_size": 16,
        "learning_rate": 0.001,
        "layers": [64, 64],
        "optimizer.name": "adam",
        "optimizer.betas": [0.9, 0.999],
        "activation": "<torch.nn.modules.activation.ReLU>",
    }


def test_rows_of_an_old_run(root):
    """Sorted columns, without timestamps at first; empty rows and empty files hurt nobody."""
    first, empty, third, fourth = rla.runs(root)
    frame = first.metrics().dropna(how="all")
    assert frame["time-step"].tolist()[0] == 0 and frame["time-step"].tolist()[1:] == [1, 2]
    assert frame["y_out"].tolist() == [0.005506453, -0.043655, 0.0625]
    assert frame["perf/mse"].dropna().tolist() == [0.25]
    assert len(empty.metrics()) == 0
    assert third.metrics()["timestamp"].tolist() == [1669286790.5, 1669286791.5]
    assert first.info == {"rows": 4, "last_step": 2, "last": {"y_out": 0.0625, "perf/mse": 0.25}}
    assert (empty.info["rows"], empty.last, third.last) == (0, {}, {"y_out": 0.125, "perf/mse": 0.5})
    assert len(rla.runs(root, where="last.y_out > 0")) == 2
    assert fourth.metrics()["i"].tolist() == [0, 3] and fourth.metrics()["time-step"].tolist() == [0, 10]


def test_event_files_are_found_in_their_folder(root):
    """RLA put them into tb/events; of a run without any it is tb, as with ours."""
    first, second, *_ = rla.runs(root)
    assert first.tensorboard_dir == first.log_dir / "tb" / "events"
    assert len(list(first.tensorboard_dir.glob("events.out.tfevents*"))) == 1
    assert second.tensorboard_dir == second.log_dir / "tb"


def test_a_run_of_ours_without_run_json_is_damaged_still(tmp_path):
    """It has a folder of its own in archive_tester/, which RLA's runs have not."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv", "log"], backup="none", lr=0.1) as run:
        pass
    (run.log_dir / "run.json").unlink()
    assert rla.runs(tmp_path)[0].problems == ("run.json is missing",)


@pytest.mark.parametrize("leaf", ["21-13-03-230208_10.0.0.7_&lr=0.1", "21-13-03-230208 10.0.0.7 &lr=0.1"])
def test_a_run_that_crashed_at_once_is_no_damage(tmp_path, leaf):
    """RLA had written a log.txt only, or nothing: the folder was copied a moment ago, but no run is starting in it."""
    folder = tmp_path / "log" / "t" / "2022" / "03" / "01" / leaf
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("")
    (run,) = rla.runs(tmp_path)
    assert (run.status, run.problems, run.hparams) == ("unknown", (), {"lr": 0.1})


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (b"\x80\x03}q\x00X", "the archived Tester cannot be read: not enough data"),
        (b"s.", "the archived Tester cannot be read: it is no pickle: "),
        (b"", "the archived Tester cannot be read: it has no end"),
        (pickle.dumps({"other": 1}), "the archived Tester cannot be read: it holds no hyper_param"),
        (pickle.dumps({"hyper_param": 7}), "the archived Tester cannot be read: it holds a int, not a mapping"),
    ],
)
def test_a_damaged_pickle_is_a_problem_and_the_name_tells(one, damage, problem):
    """What cannot be read stands in problems, and the hyper-parameters in the name are there."""
    run = one(tester=damage)
    assert len(run.problems) == 1 and run.problems[0].startswith(problem)
    assert run.hparams == {"lr": 0.1}


# Pickles


class Attack:
    """Whoever unpickles this as usual makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class Options:
    """An object of a class of the user's, with a state of its own."""

    def __init__(self):
        self.width, self.rate = 64, np.float64(0.5)

    def __setstate__(self, state):
        raise AssertionError("this must not run")


class Slots:
    __slots__ = ("depth",)

    def __init__(self):
        self.depth = 3


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_comes_back_from_every_protocol(protocol):
    """As Python's unpickler has it, with lists for tuples and sets and texts for keys."""
    shared = [1]
    content = {
        "a": -0.5,
        "b": 10**30,
        "c": True,
        "d": None,
        "e": "text é",
        "f": [],
        "g": {},
        "h": [[1], {"x": 2}],
        "i": (),
        "j": (1,),
        "k": (1, 2),
        "l": (1, 2, 3),
        "m": (1, 2, 3, 4),
        "n": {5},
        "o": frozenset([6]),
        "p": shared,
        "q": shared,
        7: 8,
        "r": 255,
        "s": 65535,
        "t": -1,
        "u": float("inf"),
        "v": collections.OrderedDict(x=1),
        "w": False,
        "x": collections.deque([1, 2]),
    }
    found = read_pickle(pickle.dumps(content, protocol=protocol))
    lists = {"i": [], "j": [1], "k": [1, 2], "l": [1, 2, 3], "m": [1, 2, 3, 4], "n": [5], "o": [6]}
    if protocol < 2:
        lists["x"] = found["x"]  # a call of copyreg's
    expected = {str(key): value for key, value in content.items()} | {"x": [1, 2], "v": {"x": 1}} | lists
    assert found == expected


def test_numbers_of_numpy_are_numbers():
    """Of each kind, and in both orders of bytes; arrays are not read."""
    kinds = "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()
    numbers = {kind: np.dtype(kind).type(1) for kind in kinds} | {"big": np.frombuffer(b"\0\0\0\7", ">i4")[0]}
    found = read_pickle(pickle.dumps(numbers | {"array": np.arange(3), "type": np.float32}))
    assert [found[kind] for kind in kinds] == [1] * len(kinds) and found["big"] == 7
    assert isinstance(found["float32"], float) and found["bool"] is True
    assert found["array"].startswith("<numpy.") and found["type"] == "<numpy.float32>"


def test_objects_become_their_attributes():
    """Without a look at their classes: those may be gone since."""
    data = pickle.dumps({"options": Options(), "slots": Slots(), "kind": Options, "path": Path("a")})
    found = read_pickle(data)
    assert found["options"] == {"width": 64, "rate": 0.5} and found["slots"] == {"depth": 3}
    assert (
        found["kind"] == f"<{__name__}.Options>"
        and found["path"] == f"<{type(Path()).__module__}.{type(Path()).__name__}(...)>"
    )
    assert read_pickle(data, "options") == {"width": 64, "rate": 0.5}


# Each would run something, load a module, or look one up, in Python's unpickler.
HOSTILE = {
    "reduce": lambda path: pickle.dumps({"hyper_param": Attack(path)}),
    "reduce of protocol 0": lambda path: pickle.dumps({"hyper_param": Attack(path)}, 0),
    "inst": lambda path: b"(S'" + os.fsencode(path) + b"'\nios\nmkdir\n.",
    "obj": lambda path: b"(cos\nmkdir\nS'" + os.fsencode(path) + b"'\no.",
    "newobj": lambda path: b"\x80\x02cos\nmkdir\nS'" + os.fsencode(path) + b"'\n\x85\x81.",
    "newobj_ex": lambda path: b"\x80\x04cos\nmkdir\nS'" + os.fsencode(path) + b"'\n\x85}\x92.",
    "stack_global": lambda path: b"\x80\x04S'os'\nS'mkdir'\n\x93S'" + os.fsencode(path) + b"'\n\x85R.",
    "build": lambda path: pickle.dumps({"hyper_param": Options()}),
    "build of a function": lambda path: b"cos\nmkdir\n}S'__setstate__'\ncos\nmkdir\nsb.",
    "import": lambda path: b"cantigravity\nfly\n.",
    "persistent id": lambda path: b"Pos.mkdir\n.",
    "persistent object": lambda path: b"S'os.mkdir'\nQ.",
    "extension": lambda path: b"\x80\x02\x82\x01.",
    "wide extension": lambda path: b"\x80\x02\x84\xff\xff\xff\x7f.",
    "buffer": lambda path: b"\x80\x05\x97.",
    "getattr": lambda path: b"cbuiltins\ngetattr\n(cos\n__builtins__\nS'eval'\ntR(S'1'\ntR.",
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_nothing_of_a_pickle_runs(attack, tmp_path, monkeypatch):
    """No class is looked up, nothing is called, no module is imported."""
    data = HOSTILE[attack](tmp_path / "harm")
    monkeypatch.setattr("builtins.__import__", None)
    try:
        found = read_pickle(data)
    finally:
        monkeypatch.undo()
    assert not (tmp_path / "harm").exists()
    assert isinstance(found, (dict, str))
    json.dumps(found)


def bomb(levels, width):
    """A list of lists of the same list, that grows with the power of its levels."""
    data = b"\x80\x02]q\x00"
    for level in range(levels):
        data += b"](" + b"h%c" % level * width + b"eq%c" % (level + 1)
    return data + b"."


BOMBS = {
    "references": bomb(12, 9),
    "deep": b"]" * 100_000 + b"a" * 99_999 + b".",
    "itself": b"]q\x00h\x00a.",
    "a frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
    "a text": b"X" + struct.pack("<I", 2**32 - 1) + b"abc.",
    "a long text": b"\x8d" + struct.pack("<Q", 2**62) + b"abc.",
    "bytes": b"\x8e" + struct.pack("<Q", 2**40) + b"abc.",
    "an array of bytes": b"\x96" + struct.pack("<Q", 2**40) + b"abc.",
    "a number of a reference": b"Nr" + struct.pack("<I", 2**32 - 1) + b".",
    "a decimal number": b"I" + b"9" * 3_000_000 + b"\n.",
    "a long decimal number": b"L" + b"9" * 3_000_000 + b"L\n.",
    "a number for a key": b"}\x8b" + struct.pack("<I", 1_000_000) + b"\x7f" * 1_000_000 + b"Ns.",
    "colliding keys": b"}("
    + b"".join(b"\x8a\x0a" + (k * (2**61 - 1)).to_bytes(10, "little") + b"N" for k in range(1, 40_000))
    + b"u.",
    "names": b"X\x40\x42\x0f\x00" + b"a" * 1_000_000 + b"q\x00" + b"(" + b"h\x00h\x00\x93" * 10_000 + b"l.",
    "steps": b"N0" * inert_pickle.MAX_STEPS + b"N.",
    "copies": b"N" + b"2" * 400_000 + b".",
    "no stack": b".",
    "no mark": b"t.",
    "only marks": b"((((1.",
    "a step that is none": b"\xff.",
    "no end": b"N",
    "a key of a list": b"}]Ns.",
    "a list for a name": b"]]\x93.",
    "a number of numpy": b"cnumpy.core.multiarray\nscalar\n(NNtR.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_stays_small(name):
    """What it would become has no influence on memory; it is a value or a ValueError."""
    tracemalloc.start()
    try:
        try:
            found = read_pickle(BOMBS[name])
        except ValueError as error:
            assert len(str(error)) < 500
        else:
            assert len(repr(found)) < 10_000_000 if name != "a number for a key" else found
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 << 20


def test_every_step_of_a_pickle_is_known():
    """Those that pickletools names are handled, so that a step of a later Python is seen here first."""
    plain = {step.name for step in pickletools.opcodes} - set(inert_pickle._ACTIONS)
    assert plain == {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "NONE", "NEWTRUE", "NEWFALSE"),
        *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"),
        *("PROTO", "FRAME", "STOP", "READONLY_BUFFER"),
    }


def test_a_hostile_tester_in_a_root_runs_nothing(one, tmp_path):
    """Listing and reading a whole root with it; its hyper-parameters are what is left of it."""
    run = one(tester=HOSTILE["reduce"](tmp_path / "harm"))
    assert not (tmp_path / "harm").exists()
    assert run.problems[0].startswith("the archived Tester cannot be read") and run.hparams == {"lr": 0.1}
    inner = one(tester=pickle.dumps({"hyper_param": {"lr": 0.5, "bad": Attack(tmp_path / "harm"), "b": b"\x00"}}))
    assert inner.hparams == {"lr": 0.5, "bad": "<posix.mkdir(...)>", "b": "b'\\x00'"}
    assert not (tmp_path / "harm").exists()


# YAML


def test_yaml_with_tags_is_read_without_what_they_would_make(one, tmp_path):
    """Lists, mappings and texts stand for tuples, objects and names; nothing is called or imported."""
    harm = tmp_path / "harm"
    run = one(
        yaml=f"""
lr: 1e-3
shape: !!python/tuple [1, 2]
call: !!python/object/apply:os.mkdir ["{harm}"]
made: !!python/object/new:os.mkdir ["{harm}"]
state: !!python/object:antigravity.Fly {{a: 1}}
name: !!python/name:os.mkdir ''
module: !!python/module:antigravity ''
own: !whatever {{deep: {{er: 1.5}}}}
<<: {{merged: 1}}
""".encode()
    )
    assert run.problems == () and not harm.exists()
    assert run.hparams == {
        "lr": 0.001,
        "shape": [1, 2],
        "call": [str(harm)],
        "made": [str(harm)],
        "state.a": 1,
        "name": "<os.mkdir>",
        "module": "<antigravity>",
        "own.deep.er": 1.5,
        "merged": 1,
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("1", 1), ("-1", -1), ("0x1F", 31), ("017", 15), ("0b11", 3), ("1_000", 1000), ("1.5", 1.5), ("1e-3", 0.001)],
        *[(".inf", float("inf")), ("-.inf", float("-inf")), ("true", True), ("No", False), ("~", None), ("", None)],
        *[("'1'", "1"), ("'1e-3'", "1e-3"), ("2026-01-31", "2026-01-31"), ("1:30", "1:30"), ("08", "08")],
        *[("{}", {}), ("[]", []), ("[[1], {a: 2}]", [[1], {"a": 2}]), ("{1: 2, [3]: 4}", {"1": 2, "<an object>": 4})],
        *[("9" * 5000, "9" * 5000), ("&x [*x]", None)],
    ],
)
def test_values_of_yaml(text, value):
    """Numbers are numbers, also 1e-3, which YAML 1.1 takes for a text; quoted texts are texts."""
    found = read_yaml(f"a: {text}".encode())["a"]
    if text.startswith("&x"):
        assert "<too deep>" in repr(found)
    else:
        assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "bad",
    [
        b"a: &a [x, x, x, x, x, x, x, x, x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 110)),
        b"[" * 100_000,
        b"[" * 5000,
        b"{a: " * 5000,
        b"- " * 60_000,
        b"a: [",
        b"a: *b",
        b"\x00",
        b"\xff\xfe\xfa",
        b"a" * (LIMIT + 1),
        b"- 1",
        b"7",
        b"",
    ],
    ids=range(13),
)
def test_bad_yaml_is_a_problem(one, bad):
    """Bombs, thousands of levels, and what is no mapping: one line says so, and the name tells the rest."""
    run = one(yaml=bad)
    assert len(run.problems) == 1 and run.problems[0].startswith("parameter.yaml cannot be read: ")
    assert len(run.problems[0]) < 500 and run.hparams == {"lr": 0.1}
