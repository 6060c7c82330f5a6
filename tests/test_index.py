"""The index gives what reading all files gives, whatever becomes of the files, of the index, and of who makes it."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import datetime
from types import SimpleNamespace

import pytest

import rla_hooks as rla
from rla_hooks import rowfiles
from rla_hooks.layout import RunPaths
from rla_hooks.life import this_process
from rla_hooks.query import cache as caches
from rla_hooks.query import database, index_columns, live_rows, signatures
from rla_hooks.query import entry as entries
from rla_hooks.query import index as indexes
from rla_hooks.query.candidates import GivenCandidates, IndexCandidates, candidates_of
from rla_hooks.query.index import Index
from rla_hooks.query.names import BUILT_IN, getter
from rla_hooks.run_folders import run_names

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


def read_candidates(root, task=None):
    """The runs of a root as their small files say now, without an index."""
    paths = [RunPaths(root, name) for name in run_names(root, task)]
    runs = [rla.SavedRun(each, entries.read_entry(each)) for each in paths]
    return GivenCandidates(sorted(runs, key=lambda run: (run.entry.started, run.name)))


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
    monkeypatch.setattr(signatures, "TICK", 0.0)


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
    read, index = read_candidates(root, task), candidates_of(root, task)
    assert isinstance(index, IndexCandidates) and len(read) == len(index)
    assert {*read.names()} == {*index.names()}
    numbers = range(len(read))
    for name in [*read.names(), "hparams.lr", "nothing", "last.nothing", "hparams.", "last.", ""]:
        expected = [value.timestamp() if isinstance(value, datetime) else value for value in read.column(name)]
        if name != "seconds":  # of a run that is running it goes on
            assert same(expected, [*index.column(name)]), name
    for each, other in zip(read.runs(numbers), index.runs(numbers), strict=True):
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
    assert not isinstance(index.runs([0])[0].entry, entries.Entry)


def test_runs_are_equal_to_those_that_were_read(root):
    """They have the public attributes of a SavedRun, are equal both ways, and can be pickled."""
    import pickle

    make(root, 1), make(root, 2)
    candidates_of(root)
    read, index = read_candidates(root), candidates_of(root)
    assert (
        read.runs([0])[0] == index.runs([0])[0]
        and index.runs([0])[0] == read.runs([0])[0]
        and index.runs([0])[0] == index.runs([0])[0]
    )
    assert (
        read.runs([0])[0] != index.runs([1])[0]
        and index.runs([1])[0] != read.runs([0])[0]
        and index.runs([0])[0] != index.runs([1])[0]
    )
    assert pickle.loads(pickle.dumps(index.runs([1])[0])) == read.runs([1])[0]
    assert rla.runs(root) == [index.runs([0])[0], read.runs([1])[0]] and hash(read.runs([0])[0]) == hash(
        index.runs([0])[0]
    )


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
    assert len(candidates_of(root)) == 0


def test_a_change_within_a_tick_of_the_clock_is_noticed(root, read_names):
    """Same size, same time, same inode: what was written just before it was read is read again, until it is old."""
    folder, name = make(root, 1)
    path = folder / "parameter.json"
    path.write_text('{"lr": 1}')
    os.utime(path, (time.time() + 600,) * 2)  # so it is young, however slow this test is
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


def test_a_task_costs_what_the_task_costs(root, read_names, trusting):
    """Its runs only are looked at and read, whatever it shares its first letters with."""
    for number, task in enumerate(["a", "a/deep", "ab", "a-b", "b", "ALE%2FPong"]):
        make(root, number, task)
    os.utime(write(root, "a", {"status": "finished", "name": "moved by hand"}), (0, 0))
    assert len(assert_equal(root, "a")) == 3 and len(read_names) == 3
    assert_equal(root, "ALE%2FPong"), assert_equal(root, "ALE/Pong"), assert_equal(root, "none")
    read_names.clear()
    assert len(assert_equal(root)) == 7 and len(read_names) == 3
    shutil.rmtree(root / "log" / "a")
    assert len(assert_equal(root, "a")) == 0 and len(assert_equal(root)) == 4


@needs_posix
def test_roots_that_are_links_to_one_share_its_index(root, folder, read_names, trusting):
    """And one that is moved is read anew."""
    make(root, 1)
    link = root.with_name("link")
    link.symlink_to(root)
    assert len(candidates_of(root)) == len(candidates_of(link)) == 1
    assert len(read_names) == 1 and len([*folder.glob("index-*.sqlite")]) == 1
    assert candidates_of(link).runs([0])[0].log_dir.is_relative_to(link)


@needs_posix
def test_names_that_are_no_utf_8(root):
    """Folders, tasks, values, texts: they come back as Python has them."""
    name = os.fsdecode(b"caf\xe9/2025/01/02/10-00-00-000000_1.1.1.1_&name=caf\xe9")
    try:
        write(root, name, {"status": "finished", "host": "\udce9"}, {"\udce9": "\udce9"})
    except OSError:
        pytest.skip("macOS takes UTF-8 only")
    for _ in range(2):
        index = assert_equal(root)
        assert [*index.column("name")] == [name] and [*index.column("\udce9")] == ["\udce9"]


RUNNING = """
import sys, rla_hooks as rla
with rla.run(task="t", log_root=sys.argv[1], backup="none", writers=["csv"], tags=["a"], hyper_parameters={"lr": 0.5}):
    for step in range(5):
        rla.log({"loss": 1 / (step + 1)}, step=step)
        print("running", flush=True)
        sys.stdin.readline()
"""


@needs_posix
def test_a_run_that_has_not_ended_is_judged_at_each_listing(root, trusting):
    """Its status, its rows and its last values: those of now, though its run.json is as it was."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNING, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    for number in range(1, 4):
        assert process.stdout.readline() == "running\n"
        index = candidates_of(root)
        assert [index.column(name) for name in ("status", "rows", "lr")] == [["running"], [number], [0.5]]
        assert index.column("last.loss") == [1 / number] and index.column("seconds")[0] > 0
        saved = index.runs([0])[0]
        if number == 3:
            assert_equal(root)  # while it waits: the two readings must see the same rows
        process.stdin.write("\n"), process.stdin.flush()
    process.kill(), process.communicate()
    for _ in range(3):
        index = assert_equal(root)
        assert index.column("status") == ["killed"] and index.column("rows")[0] in (3, 4)
        assert index.runs([0])[0].info["last"]["loss"] == 1 / index.column("rows")[0]
    assert saved.status == "running", "a saved run is what it was when it was read"
    (root / "log" / saved.name / "run.json").write_text(json.dumps(saved.run_json | {"status": "failed", "rows": 7}))
    assert assert_equal(root).column("status") == ["failed"]


def test_a_run_that_is_just_starting_is_read_at_each_listing(root, read_names):
    """Until its folder is old: then what is missing has been lost."""
    path = write(root, "t/2025/01/02/10-00-00-000000_1.1.1.1")
    for _ in range(2):
        assert assert_equal(root).runs([0])[0].status == "running"
    os.utime(path, (0, 0))
    for _ in range(2):
        assert assert_equal(root).runs([0])[0].problems == ("run.json is missing", "parameter.json is missing")
    assert len(read_names) in (3, 4), "what has been lost is not looked for again"


def test_a_root_that_is_not_there_makes_no_file(root, folder):
    """Nor does a task that is not there."""
    assert len(candidates_of(root)) == 0 == len([*candidates_of(root).column("lr")])
    make(root, 1)
    assert len(candidates_of(root, "other")) == 0
    assert not [*folder.glob("*")] if folder.exists() else True


@pytest.mark.parametrize("moment", ["before", "between", "new"])
def test_an_index_that_is_deleted_or_damaged_at_any_moment(moment, root, folder):
    """Between two questions, too: then the files answer."""
    for number in range(20):
        make(root, number)
    expected = [*read_candidates(root).column("n")]
    index = candidates_of(root)
    (file,) = folder.glob("index-*.sqlite")
    if moment == "before":
        file.write_bytes(random.Random(1).randbytes(file.stat().st_size))
        index = candidates_of(root)
    elif moment == "between":
        file.unlink()
    else:  # another process has made it anew, in another order
        caches.forget_state()
        file.unlink()
        names = sorted(path.parent.name for path in (root / "log").rglob("run.json"))
        for name in reversed(names):
            indexes.store(Index.of_before(root), [indexes._read(root, f"t/2025/01/02/{name}", b"")])
    assert [*index.column("n")] == expected and index.column("n")[0] == 0
    assert [run.hparams["n"] for run in index.runs([3, 1, 19])] == [3, 1, 19]
    assert {"lr", "last.loss", "status"} <= {*index.names()}
    assert_equal(root)


@pytest.mark.parametrize("ask", ["column", "names"])
@pytest.mark.parametrize("trouble", ["deleted", "busy"])
def test_an_index_that_is_lost_within_a_question(trouble, ask, root, folder, monkeypatch):
    """After it was found that columns are missing, and before they are made: the runs themselves answer."""
    for number in range(20):
        make(root, number)
    expected = read_candidates(root)
    index = candidates_of(root)
    (file,) = folder.glob("index-*.sqlite")
    monkeypatch.setattr(database, "BUSY", 0.01)
    caches.forget_state()
    other = sqlite3.connect(file, isolation_level=None)
    made = index_columns.Blocks._made

    def lost(*arguments):
        if trouble == "deleted":
            file.unlink()
        else:
            other.execute("BEGIN EXCLUSIVE")
        return made(*arguments)

    monkeypatch.setattr(index_columns.Blocks, "_made", lost)
    if ask == "column":
        assert [*index.column("n")] == [*expected.column("n")]
    else:
        assert {*index.names()} == {*expected.names()}
    other.close()


DAMAGES = {
    "contents": "UPDATE contents SET content = CAST('[1, 2' AS BLOB)",
    "odd contents": "UPDATE contents SET content = CAST('[1,2,3,4,5,6]' AS BLOB)",
    "columns": "UPDATE columns SET data = CAST('nonsense' AS BLOB)",
    "no columns": "DELETE FROM columns",
    "no contents": "DELETE FROM contents",
    "no blocks": "DELETE FROM blocks",
    "no token": "DELETE FROM made",
    "names": "UPDATE runs SET name = CAST(id AS BLOB)",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_nonsense_in_the_index_is_survived(damage, root, folder):
    """What another program has written into it, or a disk has lost: the list is there, and whole the next time."""
    for number in range(100):
        make(root, number)
    candidates_of(root).column("n")
    (file,) = folder.glob("index-*.sqlite")
    with sqlite3.connect(file) as connection:
        connection.execute(DAMAGES[damage])
    connection.close()
    index = candidates_of(root)
    assert [*index.column("n")] == [*range(100)] and index.runs([5])[0].hparams["n"] == 5
    assert_equal(root)


def test_a_busy_index_stops_nobody(root, folder, monkeypatch, trusting):
    """Another process holds it: what is read is in memory only; afterwards it is stored."""
    for number in range(10):
        make(root, number)
    candidates_of(root)
    monkeypatch.setattr(database, "BUSY", 0.01)
    caches.forget_state()
    make(root, 11)
    (file,) = folder.glob("index-*.sqlite")
    other = sqlite3.connect(file, isolation_level=None)
    for begin in ("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"):
        other.execute(begin)
        assert [*candidates_of(root).column("n")] == [*range(10), 11]
        assert_equal(root)
        other.execute("COMMIT")
    other.close()
    assert_equal(root)


BUILDING = """
import sys
from pathlib import Path
from rla_hooks.query import index, index_columns
from rla_hooks.query.candidates import candidates_of
index._AT_ONCE = index_columns.BLOCK = int(sys.argv[2])
index_columns._FEW = 2
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[3])):
    found = candidates_of(Path(sys.argv[1]))
    numbers, losses = [*found.column("n")], [*found.column("last.loss")]
    for number, loss, run in zip(numbers, losses, found.runs(range(len(found))), strict=True):
        if number is not None and loss is not None and run.hparams:  # it has been deleted meanwhile
            assert number / 3 == loss and run.hparams["n"] == number, "what belongs to one run is with another"
print(len(found))
"""


def builder(root, at_once, times=1):
    command = [sys.executable, "-c", BUILDING, root, str(at_once), str(times)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.norerun
def test_processes_that_build_it_at_once(root, folder, trusting, monkeypatch):
    """Each gets all runs, while others are added and deleted, and the index that they leave is whole."""
    for number in range(100):
        make(root, number)
    monkeypatch.setattr(index_columns, "BLOCK", 7)
    processes = [builder(root, 7, times=10) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n"), process.stdin.flush()
    for number in range(100, 130):
        make(root, number)
        shutil.rmtree(make(root, number - 100)[0])
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "") and int(out) >= 1
    assert len(assert_equal(root)) == 100


@needs_posix
@pytest.mark.norerun
def test_a_builder_that_is_killed_leaves_a_whole_index(root, folder, trusting, monkeypatch):
    """kill -9 at any moment of it: whoever comes next finds some of the work done, no lock, and the truth."""
    for number in range(60):
        make(root, number)
    monkeypatch.setattr(index_columns, "BLOCK", 3)
    pause = random.Random(5)
    process = builder(root, 3)
    for _ in range(8):
        process.stdout.readline()
        process.stdin.write("\n"), process.stdin.flush()
        following = builder(root, 3)
        time.sleep(pause.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL), process.communicate()
        process = following
        file = next(folder.glob("index-*.sqlite"), None)
        if file is not None:
            connection = sqlite3.connect(file)
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            connection.close()
    out, err = process.communicate("\n")
    assert (out, err) == ("ready\n60\n", "")
    assert_equal(root)


def test_a_run_that_is_deleted_while_it_is_listed(root):
    """It is there with what is known of it, or as a damaged one; the others are whole."""
    made = [make(root, number)[0] for number in range(5)]
    index = candidates_of(root)
    shutil.rmtree(made[2]), caches.forget_state()
    candidates_of(root)  # another process notes that it is gone
    assert [*index.column("n")] == [0, 1, None, 3, 4]
    assert [run.problems != () for run in index.runs(range(5))] == [False, False, True, False, False]
    assert len(assert_equal(root)) == 4


def test_a_hundred_thousand_metrics_of_one_run(root, trusting):
    """And as many of another: their names are all known, and each value is found."""
    for number in range(3):
        make(root, number, last={f"m{number}-{at}": at for at in range(100_000)} if number < 2 else {"m": 1.5})
    for _ in range(2):
        index = candidates_of(root)
        assert [*index.column("last.m0-99999")] == [99_999, None, None]
        assert [*index.column("last.m1-7")] == [None, 7, None] and [*index.column("last.m")] == [None, None, 1.5]
        assert len({*index.names()}) == len(BUILT_IN) + 3 + 200_001
        caches.forget_state()


def test_what_is_too_large_is_read_each_time(root, monkeypatch, read_names, trusting):
    """It is not stored, and the runs beside it are."""
    monkeypatch.setattr(indexes, "_LARGEST", 1000)
    _, large = make(root, 1, hparams={"text": "x" * 2000})
    make(root, 2)
    for times in (1, 2):
        assert_equal(root)
        assert read_names.count(large) == times and len(read_names) == 1 + times


def test_blocks_of_many_runs(root, monkeypatch, trusting):
    """More runs than one block has: changed ones, deleted ones, and columns that only some blocks have."""
    monkeypatch.setattr(index_columns, "BLOCK", 8), monkeypatch.setattr(index_columns, "_FEW", 2)
    monkeypatch.setattr(index_columns, "_MAX_KEPT", 6)
    monkeypatch.setattr(indexes, "_AT_ONCE", 8)
    chance = random.Random(2)
    for _ in range(6):
        for number in chance.sample(range(40), 12):
            folder, _ = make(root, number, hparams={f"p{chance.randrange(5)}": chance.random(), "rare": None})
            if chance.random() < 0.3:
                shutil.rmtree(folder)
        assert_equal(root), caches.forget_state()


def test_only_the_columns_that_are_named_are_read(root, monkeypatch, trusting):
    """A filter parses no run's JSON once the columns are there; a run parses its own when it is asked."""
    for number in range(100):
        make(root, number)
    candidates_of(root)
    index, parsed = candidates_of(root), []
    loads = json.loads
    monkeypatch.setattr("rla_hooks.query.stored.json.loads", lambda data: parsed.append(data) or loads(data))
    assert [*index.column("n")] == [*range(100)] and max(map(len, parsed), default=0) < 1000
    run = index.runs([7])[0]
    assert parsed.clear() is None and run.name.endswith("n=7") and not parsed
    assert run.hparams["n"] == 7 and len(parsed) == 1


def test_columns_of_before_do_not_lack_a_name_that_is_new(root, monkeypatch):
    """Where rla_hooks has got a built-in name more, filters by it find the runs that are in the index already."""
    for n in range(100):
        write(root, f"a/2026/01/31/12-00-00-{n:06}_10.0.0.5", {"id": f"run{n:05}", "status": "finished"}, {"lr": n})
    assert len(rla.runs(root, where="lr < 50")) == 50
    caches.forget_state()
    monkeypatch.setitem(BUILT_IN, "number", lambda run: run.id[-1])
    monkeypatch.setattr(index_columns, "_BUILT_IN", [*index_columns._BUILT_IN, ("number", BUILT_IN["number"])])
    spec = importlib.util.spec_from_file_location("newer_index", indexes.__file__)
    newer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(newer)
    monkeypatch.setattr(indexes, "INDEX", newer.INDEX)
    assert len(rla.runs(root, where="number == '1'")) == 10


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_built_in_name_is_in_small_files(name, root):
    """The index keeps them: one that depends on something else must get a place in index_columns.key_of."""
    make(root, 1)
    (run,) = rla.runs(root)
    value = getter(name)(run)
    shutil.rmtree(root / "log")
    again = type(run)(RunPaths(root, run.name), run.entry)
    assert same(getter(name)(again), value) or isinstance(value, datetime)


@needs_posix
def test_the_rows_of_killed_runs_are_read_once(root, monkeypatch, trusting):
    """As long as their files are the same; a row more is noticed."""
    dead = this_process() | {
        "pid": 2**22 + 1,
        "process": f"{this_process()['process']}0",
    }
    for number in range(3):
        folder, _ = make(root, number, **dead, status="running", rows=0, last={})
        (folder / "progress.csv").write_text("time-step,timestamp,loss\n0,1.0,0.5\n1,2.0,0.25\n")
    monkeypatch.setattr(live_rows, "TICK", 0.0)
    read, recent = [], rowfiles.recent
    monkeypatch.setattr(rowfiles, "recent", lambda files: read.append(files) or recent(files))
    for _ in range(3):
        index = candidates_of(root)
        assert [*index.column("status")] == ["killed"] * 3
        assert [*index.column("rows")] == [2, 2, 2] and [*index.column("last.loss")] == [0.25] * 3
        caches.forget_state()
    assert len(read) == 3
    with (folder / "progress.csv").open("a") as file:
        file.write("2,3.0,0.125\n")
    assert [*candidates_of(root).column("last.loss")] == [0.25, 0.25, 0.125] and len(read) == 4
    assert_equal(root)


def test_the_garbage_collector_is_as_it_was_after_a_listing(tmp_path, monkeypatch):
    """It is off while the index is read, also where that fails; who had it off keeps it off."""
    (tmp_path / "log").mkdir()
    seen = []

    def look(*arguments):
        seen.append(gc.isenabled())
        raise RuntimeError

    monkeypatch.setattr(Index, "_refresh", look)
    for is_on in (True, False):
        (gc.enable if is_on else gc.disable)()
        try:
            with pytest.raises(RuntimeError):
                Index.of_now(tmp_path)
            assert gc.isenabled() is is_on
        finally:
            gc.enable()
    assert seen == [False, False]
