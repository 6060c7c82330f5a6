"""Summaries of metrics are those of the rows, exist for runs that did not end, and are kept."""

from __future__ import annotations

import math
import os
import random
import statistics

import numpy
import pytest

import rla_hooks as rla
from rla_hooks.columns import Column
from rla_hooks.layout import RunPaths
from rla_hooks.query import summary_cache
from rla_hooks.query.bulk import columns_of_runs, summaries_of_runs
from rla_hooks.query.cache import open_cache
from rla_hooks.query.column_tables import COLUMNS
from rla_hooks.query.entry import Entry
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.summaries import Summary
from rla_hooks.query.summary_cache import summaries_of
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_format import MORE, more_of
from rla_hooks.writers.csv_writer import CsvWriter

pytestmark = pytest.mark.usefixtures("quiet")
NAN = float("nan")


@pytest.fixture
def write(tmp_path):
    """Writes rows of a run, with a step of 10 each, and returns its paths."""

    def rows(*values, name="run", file="progress.csv", first=0):
        paths = RunPaths(tmp_path / "root", name)
        paths.log_dir.mkdir(parents=True, exist_ok=True)
        writer = CsvWriter(paths.log_dir / file)
        for number, each in enumerate(values, first):
            writer.write(Row(10 * number, 1000.0 + number, each))
        writer.close()
        return paths

    return rows


def age(paths):
    for file in paths.log_dir.iterdir():
        os.utime(file, ns=(file.stat().st_mtime_ns - 10**10,) * 2)


@pytest.mark.parametrize(
    ("values", "summary"),
    [
        ([3, 1, 2], Summary(3, 2, 1, 3, 2.0, 10, 0)),
        ([1.5, NAN, 0.5], Summary(3, 0.5, 0.5, 1.5, 1.0, 20, 0)),
        ([2.5, NAN], Summary(2, NAN, 2.5, 2.5, 2.5, 0, 0)),
        ([NAN, NAN], Summary(2, NAN)),
        ([1.0, 1.0], Summary(2, 1.0, 1.0, 1.0, 1.0, 0, 0)),
        ([math.inf, 1.0, -math.inf], Summary(3, -math.inf, -math.inf, math.inf, NAN, 20, 0)),
        (["x", "y"], Summary(2, "y")),
        ([1, "y"], Summary(2, "y")),
        ([2**62, 1], Summary(2, 1, 1, 2**62, 2.0**61, 10, 0)),
    ],
)
def test_the_summary_of_values(values, summary, write):
    """NaN is skipped but as the last value; of texts there is the last one."""
    paths = write(*({"a": value} for value in values))
    for _ in range(2):  # of the files, and of what was kept
        age(paths)
        assert repr(summaries_of([paths], ["a"])) == repr([{"a": summary}])
        assert repr(summaries_of([paths])) == repr([{"a": summary}])


def test_the_mean_is_that_of_the_last_100_values(write):
    """Of the metric, however many rows are between them."""
    generator = random.Random(0)
    values = [generator.random() for _ in range(250)]
    paths = write(*(each for value in values for each in ({"a": value}, {"b": 1})))
    summary = summaries_of([paths], ["a"])[0]["a"]
    assert summary.count == 250 and summary.mean == pytest.approx(statistics.fmean(values[-100:]))
    assert (summary.max, summary.max_step) == (max(values), 20 * values.index(max(values)))


def test_rows_of_several_processes_are_in_the_order_of_their_times(write):
    """The last value is that of the newest row, whichever file has it."""
    write({"a": 1}, {"a": 5}, first=10)
    paths = write({"a": 7}, {"a": 3}, file="progress.host-7.csv", first=0)
    assert summaries_of([paths]) == [{"a": Summary(4, 5, 1, 7, 4.0, 100, 0)}]


def test_a_run_that_has_not_ended_has_summaries():
    """They are those of the rows that it has; a metric that it lacks has none."""
    run = rla.start(task="t", writers=["csv"], backup="none")
    for step in range(3):
        rla.log({"a": step}, step=step)
    saved = rla.runs()[-1]
    assert saved.status == "running" and saved.summary("a") == Summary(3, 2, 0, 2, 1.0, 0, 2)
    assert saved.summary("b") is None and list(saved.summaries) == ["a"]
    rla.log({"a": 9}, step=3)
    assert saved.summary("a") == Summary(4, 9, 0, 9, 3.0, 0, 3)
    run.finish()


def test_what_is_kept_is_not_read_again(write, monkeypatch):
    """As long as no file of the run has changed."""
    runs = [write({"a": number, "b": 1}, name=f"run{number}") for number in range(3)]
    for paths in runs:
        age(paths)
    summaries_of(runs, ["a"])
    write({"a": 7}, name="run1", first=1)
    age(runs[1])
    read = []
    real = summary_cache._read
    monkeypatch.setattr(summary_cache, "_read", lambda *args: read.append(args[1].folder.name) or real(*args))
    assert [each["a"].last for each in summaries_of(runs, ["a"])] == [0, 7, 2] and read == ["run1"]
    assert [each["b"].count for each in summaries_of(runs, ["b", "a"])] == [1, 1, 1] and len(read) == 4
    assert [{*each} for each in summaries_of(runs)] == [{"a", "b"}] * 3 and len(read) == 7
    assert [{*each} for each in summaries_of(runs)] == [{"a", "b"}] * 3
    assert summaries_of(runs, ["none"]) == summaries_of(runs, ["none"]) == [{}] * 3
    assert [{*each} for each in summaries_of(runs, ["a", "none"])] == [{"a"}] * 3 and len(read) == 7


def test_a_large_file_that_grows_is_read_on(write, monkeypatch):
    """Its columns are kept."""
    monkeypatch.setattr(summary_cache, "_LARGE", 0)
    monkeypatch.setattr("rla_hooks.query.column_cache.SMALL", 0)
    monkeypatch.setattr("rla_hooks.query.column_cache._AGAIN", 0)
    paths = write(*({"a": number / 7} for number in range(50)))
    assert summaries_of([paths], ["a"])[0]["a"].count == 50
    write({"a": 100.0}, first=50)
    begins = []
    real = summary_cache.read_rows.__globals__["read_file"]
    monkeypatch.setattr("rla_hooks.query.column_cache.read_file", lambda *args: begins.append(args[2]) or real(*args))
    assert summaries_of([paths], ["a"])[0]["a"] == Summary(
        51, 100.0, 0.0, 100.0, pytest.approx((sum(range(50)) / 7 + 100) / 51), 0, 500
    )
    assert begins and min(begins) > 0


def test_runs_that_cannot_be_read_have_none(write, tmp_path):
    """No folder, no rows, a file that is none; the others are read."""
    good, odd = write({"a": 1}), RunPaths(tmp_path / "root", "odd")
    (odd.log_dir / "progress.csv").mkdir(parents=True)
    empty = write(name="empty")
    assert summaries_of([odd, good, empty, RunPaths(tmp_path / "nothing", "x")], ["a"]) == [
        {}, {"a": Summary(1, 1, 1, 1, 1.0, 0, 0)}, {}, {}
    ]  # fmt: skip
    assert summaries_of([]) == []


def test_damage_in_the_cache_is_mended(write):
    """It is made anew."""
    paths = write({"a": 1})
    age(paths)
    for change in ("'[1, 2, 3, 4, 5, 6, 7, 8]'", "'{'"):
        summaries_of([paths], ["a"])
        open_cache(paths.log_root, COLUMNS).write(
            lambda db, change=change: db.execute(f"UPDATE summaries SET summary = {change}")
        )
        assert summaries_of([paths], ["a"])[0]["a"].count == 1


def test_ten_thousand_metrics_have_summaries_in_bounded_memory(write):
    """Those that come late stand in one column, and have few values each."""
    import tracemalloc

    paths = write()
    late = ({f"m/{number}/{part}": number for part in range(100)} for number in range(100))
    lines = [f"{10 * number},1000.5,{more_of(values)}" for number, values in enumerate(late)]
    (paths.log_dir / "progress.csv").write_text("\n".join([f"time-step,timestamp,{MORE}", *lines, ""]))
    tracemalloc.start()
    found = summaries_of([paths])[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 10_000 and found["m/57/3"] == Summary(1, 57, 57, 57, 57.0, 570, 570)
    assert peak < 60 << 20
    age(paths)
    names = [*found, "none"]
    assert summaries_of([paths], names) == summaries_of([paths], names) == [found]


def test_many_runs_are_read_together_and_those_of_other_tools_by_themselves(write):
    """In the order of the list."""

    class OtherRun(SavedRun):
        def columns(self, keys=None):
            return {"time-step": Column(numpy.array([1])), "a": Column(numpy.array([7]))}

        def summary(self, metric):
            return Summary(1, 7) if metric == "a" else None

    entry = Entry("run", "t", "finished", {}, {}, {})
    runs = [SavedRun(write({"a": number}, name=f"run{number}"), entry) for number in range(4)]
    runs = [*runs[:2], OtherRun(runs[0].paths, entry), *runs[2:]]
    found = [columns["a"].values.tolist() for columns in columns_of_runs(runs, ["a", "none"])]
    assert found == [[0], [1], [7], [2], [3]]
    assert [each["a"].last for each in summaries_of_runs(runs, ["a", "none"])] == [0, 1, 7, 2, 3]
    assert list(columns_of_runs([], ["a"])) == []
