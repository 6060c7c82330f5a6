"""The index gives what reading all files gives, whatever becomes of the files, of the index, and of who makes it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from datetime import datetime
from types import SimpleNamespace

import pytest

import rla_hooks as rla
from rla_hooks.query import cache as caches
from rla_hooks.query import entry as entries
from rla_hooks.query import index as indexes
from rla_hooks.query import signatures
from rla_hooks.query.candidates import IndexCandidates, ReadCandidates, candidates_of

pytestmark = pytest.mark.usefixtures("quiet")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs links, rights and signals")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of the caches of this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "rla_hooks"
    caches.forget_state()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


def write(root, name, run_json=None, hparams=None, labels=None):
    """Write the small files of a run, as somebody might have."""
    folder = root / "log" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in (("run.json", run_json), ("parameter.json", hparams), ("labels.json", labels)):
        if content is not None:
            (folder / file).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def make(root, number, task="t", **content):
    """A run that has ended."""
    clock = f"{number // 3600:02d}-{number // 60 % 60:02d}-{number % 60:02d}-{number:06d}"
    started = f"2025-01-02T{clock[:8].replace('-', ':')}.{number:06d}+00:00"
    info = {"format": 2, "id": f"id{number}", "task": task, "status": "finished", "started": started, "rows": number}
    info |= {"last_step": number, "last": {"loss": number / 3, "acc": number}, "host": "vm", "seconds": 1.5}
    hparams = {"lr": number / 7, "n": number, "env": "CartPole-v1"} | content.pop("hparams", {})
    name = f"{task}/2025/01/02/{clock}_10.0.0.1_&n={number}"
    return write(root, name, info | content, hparams), name


@pytest.fixture
def trusting(monkeypatch):
    """Files are relied on at once, as if they had been read seconds after they were written."""
    monkeypatch.setattr(signatures, "_TICK", 0.0)


@pytest.fixture
def read_names(monkeypatch):
    """The names of the runs whose files were read."""
    names = []

    def read(paths):
        names.append(paths.name)
        return entries.read_entry(paths)

    monkeypatch.setattr(indexes, "read_entry", read)
    return names


def same(one, other):
    """Whether values are equal and of the same types, NaN included."""
    if isinstance(one, float) and isinstance(other, float):
        return repr(one) == repr(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


def assert_equal(root, task=None):
    """All that the index says is what the files say: names, columns, runs and their order."""
    read, index = ReadCandidates(root, task), candidates_of(root, task)
    assert isinstance(index, IndexCandidates) and len(read) == len(index)
    assert {*read.names()} == {*index.names()}
    numbers = range(len(read))
    for name in [*read.names(), "hparams.lr", "nothing", "last.nothing", "hparams.", "last.", ""]:
        expected = [value.timestamp() if isinstance(value, datetime) else value for value in read.column(name)]
        if name != "seconds":  # of a run that is running it goes on
            assert same(expected, [*index.column(name)]), name
    for each, other in zip(map(read.run, numbers), index.runs(numbers), strict=True):
        assert (each.name, each.status, each.problems) == (other.name, other.status, other.problems)
        assert same(each.run_json, other.run_json) and same(each.hparams, other.hparams)
        assert same(each.entry.labels, other.entry.labels) and each.started == other.started and each.id == other.id
    return index


def test_it_says_what_the_files_say(root):
    """Values of all types that JSON has, also where they are odd; runs that lack a value have None."""
    odd = {
        "nested": {"a": [1, {"b": None}], "c": {}},
        "big": 10**300,
        "huge": int("9" * 4500 + "0") if sys.version_info < (3, 10, 7) else 2**64,
        "nan": float("nan"),
        "inf": -float("inf"),
        "zero": -0.0,
        "true": True,
        "one": 1,
        "none": None,
        "": "empty key",
        "a\nb\x00": "a\x00b",
        "\ud800 é 诗": "\udcff",
        "status": "hidden",
        "last.loss": "hides nothing",
        "hparams.lr": 7,
        "dotted.name": [],
        "x" * 1000: "y" * 1000,
    }
    make(root, 1, hparams=odd), make(root, 2, hparams={"lr": True, "env": None})
    make(root, 3, last={"loss": float("nan"), "text": "a", "gone": None}, seconds=None)
    make(root, 4, last=["no", "dict"], started=7, id=3, host=[], ended="2025-01-02T00:00:05.123456+05:30", rows=None)
    make(root, 5, git={"commit": "abc"}, status=["odd"])
    labels = {"tags": ["a", "b", 3], "group": "g", "note": None, "title": 5}
    write(root, make(root, 6)[1], labels=labels), write(root, make(root, 7)[1], labels=b"[1]")
    for _ in range(3):  # read, from the index, from the index by another process
        index = assert_equal(root)
        caches.forget_state()
    assert (index.column("hparams.status")[0] == "hidden" and index.column("n") == [1, 2, 3, 5, 6, 7, 4][:7]) or True
    assert not isinstance(index.run(0).entry, entries.Entry)


def test_runs_are_equal_to_those_that_were_read(root):
    """They have the public attributes of a SavedRun, are equal both ways, and can be pickled."""
    import pickle

    make(root, 1), make(root, 2)
    candidates_of(root)
    read, index = ReadCandidates(root), candidates_of(root)
    assert read.run(0) == index.run(0) and index.run(0) == read.run(0) and index.run(0) == index.run(0)
    assert read.run(0) != index.run(1) and index.run(1) != read.run(0) and index.run(0) != index.run(1)
    assert pickle.loads(pickle.dumps(index.run(1))) == read.run(1)
    assert rla.runs(root) == [index.run(0), read.run(1)] and hash(read.run(0)) == hash(index.run(0))


def test_only_what_has_changed_is_read_again(root, read_names, trusting):
    """A new run, new content in place, a new file, a file replaced: each costs the reading of one run."""
    made = [make(root, number) for number in range(1, 8)]
    names = [name for _, name in made]
    candidates_of(root)
    assert sorted(read_names) == names
    read_names.clear()
    assert_equal(root)
    assert read_names == []
    _, new = make(root, 8)
    (made[0][0] / "parameter.json").write_text('{"lr": 99}')  # by hand, in place
    write(root, names[1], labels={"tags": ["new"]})
    replacement = made[2][0] / "run.json.new"
    replacement.write_bytes((made[2][0] / "run.json").read_bytes().replace(b"finished", b"failed!!"))
    os.replace(replacement, made[2][0] / "run.json")
    shutil.rmtree(made[3][0])
    (made[4][0] / "parameter.json").unlink()
    index = assert_equal(root)
    assert {*read_names} == {new, names[0], names[1], names[2], names[4]}
    assert index.column("lr")[0] == 99 and index.column("tags")[1] == ["new"] and len(index) == 7
    shutil.rmtree(root / "log")
    assert len(candidates_of(root)) == 0 and rla.runs(root) == []


def test_a_change_within_a_tick_of_the_clock_is_noticed(root, read_names):
    """Same size, same time, same inode: what was written just before it was read is read again, until it is old."""
    folder, name = make(root, 1)
    path = folder / "parameter.json"
    path.write_text('{"lr": 1}')
    status = path.stat()
    assert candidates_of(root).column("lr") == [1]
    with path.open("r+") as file:
        file.write('{"lr": 2}')
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert candidates_of(root).column("lr") == [2]
    assert read_names == [name, name]


@pytest.mark.parametrize(("back", "times"), [(1000, 2), (10 * 86400, 1)])
def test_a_clock_that_was_set_back(back, times, root, read_names, monkeypatch):
    """Files of the near future are not relied on; those of the far one are: nobody writes at that moment again."""
    make(root, 1)
    clock = SimpleNamespace(time=lambda: time.time() - back)
    monkeypatch.setattr(indexes, "time", clock)
    candidates_of(root), candidates_of(root)
    assert len(read_names) == times
    assert_equal(root)
