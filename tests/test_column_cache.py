"""Columns are kept, and what is kept is what a fresh reader finds in the files."""

from __future__ import annotations

import os
import random
import sqlite3
import time

import numpy
import pytest

from rla_hooks import rowfiles
from rla_hooks.layout import RunPaths
from rla_hooks.query import column_cache, column_tables
from rla_hooks.query.cache import open_cache
from rla_hooks.query.column_cache import columns_in, read_rows
from rla_hooks.query.column_tables import COLUMNS
from rla_hooks.query.entry import Entry
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.summary_cache import summaries_of
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_writer import CsvWriter

KINDS = {
    "int": lambda n: n,
    "float": lambda n: n / 7,
    "text": lambda n: f"t{n}, é",
    "late float": lambda n: n if n < 500 else n + 0.5,
    "late text": lambda n: n / 3 if n < 700 else "none",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The log folder of a run, whose files are all kept, however small they are."""
    monkeypatch.setattr(column_cache, "SMALL", 0)
    path = tmp_path / "root" / "log" / "run"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def parsed(monkeypatch):
    """The offset and the columns of each read of a file."""
    calls = []

    def read_file(file, wanted=None, begin=0, limit=None):
        calls.append((begin, sorted(wanted)))
        return real(file, wanted, begin, limit)

    real = column_cache.read_file
    monkeypatch.setattr(column_cache, "read_file", read_file)
    return calls


def write(folder, first, last, name="progress.csv", **kinds):
    writer = CsvWriter(folder / name)
    for step in range(first, last):
        values = {key: make(step) for key, make in {**KINDS, **kinds}.items()}
        values |= {"sparse": step} if step % 10 == 3 else {}
        writer.write(Row(step, 1000.0 + step, values))
    writer.close()


def age(folder):
    """Let the files be old enough to be relied on."""
    for path in folder.iterdir():
        os.utime(path, ns=(path.stat().st_mtime_ns - 10**10,) * 2)


def check(folder, keys=None):
    """Compare what the cache gives with what a reader finds that knows no cache."""
    root = folder.parents[1]
    kept, fresh = columns_in(root, folder, keys), rowfiles.columns(rowfiles.files(folder), keys)
    assert list(kept) == list(fresh)
    for name, column in fresh.items():
        assert kept[name].values.dtype == column.values.dtype, name
        assert kept[name].values.tolist() == pytest.approx(column.values.tolist(), abs=0, nan_ok=True), name
        assert numpy.array_equal(kept[name].present, column.present), name
    return kept


def test_what_was_read_is_not_read_again(folder, parsed):
    """Neither the same columns, nor a part of them; others are read by themselves."""
    write(folder, 0, 1000)
    age(folder)
    check(folder, ["int", "text"])
    assert parsed == [(0, ["int", "text", "time-step", "timestamp"])]
    for keys in (["int", "text"], ["text"], []):
        check(folder, keys)
    assert len(parsed) == 1
    check(folder, ["float", "int", "no such metric"])
    assert parsed[1:] == [(0, ["float", "no such metric"])]
    check(folder, ["no such metric"])
    assert len(parsed) == 2


def test_what_the_cache_gives_may_be_changed(folder):
    """As what the files give: a frame of a notebook is its user's, and nothing of it is what the next one gets."""
    write(folder, 0, 1000)
    age(folder)
    run = SavedRun(RunPaths(folder.parents[1], "run"), Entry("run", "t", "unknown", {}, {}, {}))
    for _ in range(3):
        for merge in (False, True):
            frame = run.metrics(merge=merge)
            frame["int"] *= 2
            frame.loc[0, "int"] = 7
            assert frame["int"].tolist()[:3] == [7, 2, 4]
            frame.loc[3, "float"] = 1
            assert frame["float"].iloc[3] == 1
        series = run.series("float")
        series.iloc[1] = 0.5
        assert series.iloc[1] == 0.5
    check(folder)


@pytest.mark.parametrize("is_old", [True, False])
def test_a_file_that_grows_is_read_on(is_old, folder, parsed, monkeypatch):
    """From where it was, however young it is; numbers that become floats or texts are what a fresh reader makes."""
    monkeypatch.setattr(column_cache, "_AGAIN", 0)
    ends = [0]
    for first, last in ((0, 450), (450, 451), (451, 600), (600, 650), (650, 1200)):
        write(folder, first, last)
        if is_old:
            age(folder)
        ends.append((folder / "progress.csv").stat().st_size)
        parsed.clear()
        check(folder, [*KINDS, "sparse"])
        assert parsed[0][0] == ends[-2]
    assert parsed[1:] == [(0, ["late text"])], "its numbers are needed as they were written"
    check(folder, ["sparse"])
    check(folder)


def test_columns_that_were_read_at_different_times_fit_together(folder):
    """Each is read on from its own end."""
    generator = random.Random(0)
    for first in range(0, 1000, 100):
        write(folder, first, first + 100)
        age(folder)
        check(folder, generator.sample([*KINDS, "sparse", "none"], 3))
    check(folder, [*KINDS, "sparse", "none"])


def _shrink(path):
    os.truncate(path, path.stat().st_size // 2)


def _edit(path):
    path.write_bytes(path.read_bytes().replace(b"\n7,1007", b"\n7,2007"))


def _edit_and_grow(path):
    path.write_bytes(path.read_bytes().replace(b"time-step,timestamp,int,", b"time-step,timestamp,whole,") + b"1,2,3\n")


def _edit_in_place_and_grow(path):
    with path.open("r+b") as file:
        data = file.read()
        file.seek(data.index(b"\n7,1007"))
        file.write(b"\n7,2007")
        file.seek(0, os.SEEK_END)
        file.write(data[data.rindex(b"\n", 0, -1) + 1 :])


def _late_key(path):
    writer = CsvWriter(path)
    writer.write(Row(5000, 9000.0, {"late": 1.5}))
    writer.close()


CHANGES = [_shrink, _edit, _edit_and_grow, _edit_in_place_and_grow, _late_key, os.unlink]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_read_anew(change, folder):
    """Cut, edited, with another header, replaced for a late key, or deleted."""
    write(folder, 0, 300)
    age(folder)
    check(folder, ["int", "float"])
    change(folder / "progress.csv")
    check(folder, ["int", "float", "late"])


def test_a_large_file_in_which_a_block_has_changed_is_read_anew(folder, monkeypatch):
    """Though it has grown since then, and begins and ends as before."""
    monkeypatch.setattr(column_cache, "_AGAIN", 0)
    write(folder, 0, 3000)
    age(folder)
    check(folder, ["int", "float"])
    path = folder / "progress.csv"
    middle = path.stat().st_size // 2
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(middle)
        file.write(data[middle : middle + 20_000].replace(b",1", b",2"))
    write(folder, 3000, 3001)
    age(folder)
    check(folder, ["int", "float"])


def test_a_young_file_is_not_relied_on(folder):
    """It may change within a tick of the disk's clock, and keep its size."""
    write(folder, 0, 300)
    path = folder / "progress.csv"
    os.utime(path, (time.time() + 600,) * 2)  # so it is young, however slow this test is
    for _ in range(3):
        status = path.stat()
        data = path.read_bytes()
        path.write_bytes(data.replace(b"\n7,", b"\n8,") if b"\n7," in data else data.replace(b"\n8,", b"\n7,", 1))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        check(folder, ["int"])


def test_damaged_files_and_files_of_other_processes_are_read_as_without_a_cache(folder):
    """NULs, torn rows, a stray quote; rows that are joined by time."""
    write(folder, 0, 100)
    write(folder, 50, 150, "progress.host-7.csv", other=lambda n: n)
    age(folder)
    check(folder, ["int", "other"])
    check(folder, ["int", "other"])
    for damage in (
        b'3,13.0,5.0,"torn',
        b'\n200,1.0,"x\n201,2.0,2\n',
        bytes(50),
        b"\n300,2000.0,1,2,3,4,5,6,7,8,9,9,9\n",
    ):
        with (folder / "progress.csv").open("ab") as file:
            file.write(damage)
        check(folder, ["int", "other", "text"])
        check(folder, ["int", "other", "text"])


def test_many_columns_are_read_from_the_files(folder):
    """Late keys without end stand in one column; all of them are found."""
    writer = CsvWriter(folder / "progress.csv")
    for step in range(300):
        writer.write(Row(step, float(step), {f"key/{step}": step / 3}))
    writer.close()
    assert len(check(folder)) == 302
    check(folder, ["key/7", "key/290", "none"])
    check(folder, ["key/290"])


def test_a_damaged_cache_is_made_anew(folder):
    """Whatever stands in it."""
    write(folder, 0, 100)
    age(folder)
    root = folder.parents[1]
    check(folder, [*KINDS, "sparse"])
    for change in (
        "UPDATE pieces SET data = x'00'",
        "UPDATE pieces SET form = 'pickle'",
        "UPDATE pieces SET data = CAST('[1]' AS BLOB) WHERE form = 'texts'",
        "UPDATE pieces SET present = x'7200ffffff' WHERE present IS NOT NULL",
    ):
        open_cache(root, COLUMNS).write(lambda db, change=change: db.execute(change))
        check(folder, [*KINDS, "sparse"])


def test_the_cache_has_a_bound(folder, monkeypatch):
    """What was not used for the longest time goes first."""
    monkeypatch.setattr(column_tables, "_LARGEST", 300_000)
    root = folder.parents[1]
    for number in range(20):
        one = folder.parent / str(number)
        one.mkdir()
        write(one, 0, 500)
        age(one)
        check(one, [*KINDS])
    names = open_cache(root, COLUMNS).read(lambda db: [row[0] for row in db.execute("SELECT path FROM files")])
    assert open_cache(root, COLUMNS).size() < 400_000
    assert b"/log/19/progress.csv" in names and b"/log/0/progress.csv" not in names


def test_summaries_count_for_the_bound(folder, monkeypatch):
    """Those of the runs that came first go first; what is asked for is right all the same."""
    monkeypatch.setattr(column_tables, "_LARGEST", 300_000)
    root = folder.parents[1]
    for number in range(40):
        one = folder.parent / str(number)
        one.mkdir()
        (one / "progress.csv").write_text(f"time-step,timestamp,{','.join(f'm{place}' for place in range(100))}\n")
        with (one / "progress.csv").open("a") as file:
            file.write(f"0,1.0,{','.join(str(number + place / 8) for place in range(100))}\n")
        age(one)
        (found,) = summaries_of([RunPaths(root, str(number))])
        assert len(found) == 100 and found["m4"].last == number + 0.5
    folders = open_cache(root, COLUMNS).read(lambda db: [row[0] for row in db.execute("SELECT folder FROM runs")])
    assert open_cache(root, COLUMNS).size() < 400_000
    assert b"/log/39" in folders and b"/log/0" not in folders


def test_many_runs_are_read_with_few_statements(folder, monkeypatch):
    """The second time from the cache alone."""
    root = folder.parents[1]
    folders = [folder.parent / str(number) for number in range(30)]
    for number, each in enumerate(folders):
        each.mkdir()
        write(each, 0, 10 + number)
        age(each)
    first = [rows.columns(["int"])["int"].values.tolist() for rows in read_rows(root, folders, ["int"])]
    assert first == [list(range(10 + number)) for number in range(30)]
    statements = []
    trace = open_cache(root, COLUMNS).read(lambda db: db)
    trace.set_trace_callback(statements.append)
    monkeypatch.setattr(column_cache, "open_regular", None)
    assert [rows.columns(["int"])["int"].values.tolist() for rows in read_rows(root, folders, ["int"])] == first
    assert len(statements) < 8


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(folder, monkeypatch):
    """Another process may hold it for long."""
    write(folder, 0, 100)
    age(folder)
    monkeypatch.setattr("rla_hooks.query.database.BUSY", 0.05)
    cache = open_cache(folder.parents[1], COLUMNS)
    cache.read(lambda db: None)
    other = sqlite3.connect(cache.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    cache.close()
    check(folder, ["int"])
    other.close()
    check(folder, ["int"])
