"""Who reads a run gets the right rows after a cut, whatever it has read before."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy
import pytest

import rla_hooks as rla
from rla_hooks import rowfiles
from rla_hooks.checkpoints import Manifest
from rla_hooks.cli.follow import Follower
from rla_hooks.cutting import cut_all, cut_to
from rla_hooks.query import column_cache
from rla_hooks.query.column_cache import columns_in
from rla_hooks.smallfiles import open_regular

pytestmark = pytest.mark.usefixtures("quiet")


def _resume(training, entry) -> None:
    training.stop()
    assert cut_to(training.paths, entry) is not None
    training.start()


def _steps(rows) -> list[int]:
    return [row.step for row in rows]


@pytest.mark.parametrize("after", [1, 3, 40], ids=["shorter", "as long", "longer"])
def test_tail_goes_on_behind_the_rows_that_are_kept(after, training):
    """However far the file has come meanwhile: each row once, those from before the cut among them."""
    training.steps(0, 1)
    entry = training.save(1)
    training.steps(2, 3, 4)
    follower = Follower(training.paths.log_dir)
    assert _steps(follower.last(2)) == [3, 4]
    _resume(training, entry)
    assert follower.new() == []
    training.steps(*range(2, 2 + after))
    assert _steps(follower.new()) == [*range(2, 2 + after)] and follower.new() == []
    _resume(training, entry)
    training.steps(*range(2, 2 + after), late=0.5)
    assert _steps(follower.new()) == [*range(2, 2 + after)]


def test_tail_that_was_behind_the_cut_misses_nothing(training):
    """It has shown less than what is kept; and two cuts come between two looks."""
    training.steps(0, 1)
    follower = Follower(training.paths.log_dir)
    assert _steps(follower.last(10)) == [0, 1]
    training.steps(2)
    entry = training.save(2)
    training.steps(3)
    _resume(training, entry)
    assert _steps(follower.new()) == [2]
    training.steps(3, 4)
    assert _steps(follower.new()) == [3, 4]
    _resume(training, entry)
    training.steps(5)
    entry = training.save(5)
    training.steps(6)
    _resume(training, entry)
    assert _steps(follower.new()) == [5]


def test_tail_after_all_was_cut(training):
    """The file is gone, and comes again."""
    training.steps(0, 1)
    follower = Follower(training.paths.log_dir)
    follower.last(10)
    training.stop()
    cut_all(training.paths)
    assert follower.new() == []
    training.start()
    training.steps(0)
    assert _steps(follower.new()) == [0]


@pytest.mark.parametrize("from_bytes", [1 << 20, 1000])
@pytest.mark.parametrize("again", [0.5, 3.0], ids=["shorter", "longer"])
def test_cached_columns_are_those_of_the_files(from_bytes, again, training, monkeypatch):
    """Of a file that is read on where it has grown, if it has so many bytes; a second cut goes back further."""
    monkeypatch.setattr(column_cache, "_AGAIN", from_bytes)
    monkeypatch.setattr(column_cache, "SMALL", 0)
    root, folder = training.paths.log_root, training.paths.log_dir
    entries, rows = [], 300
    for third in range(3):
        training.steps(*range(third * rows // 3, (third + 1) * rows // 3))
        entries.append(training.save(third))
    columns_in(root, folder, ["loss"])
    for entry, offset in ((entries[1], 0.25), (entries[0], 0.125)):
        _resume(training, entry)
        for _ in range(2):
            found, expected = columns_in(root, folder, ["loss"]), rowfiles.columns(rowfiles.files(folder), ["loss"])
            for name in expected:
                assert numpy.array_equal(found[name].values, expected[name].values)
            training.steps(*range(int(rows * again)), loss=offset)


def test_who_is_reading_gets_the_rows_of_before(training):
    """The file is another one after a cut: nothing changes in the one that is open."""
    training.steps(*range(5))
    entry = training.save(4)
    training.steps(*range(5, 9))
    with open_regular(training.paths.progress_csv) as file:
        before = training.paths.progress_csv.read_bytes()
        assert file.readline() == b"time-step,timestamp,loss\n"
        _resume(training, entry)
        training.steps(5, loss=7.0)
        assert before.endswith(file.read()) and file.tell() == len(before)


def test_a_killed_run_in_lists_tables_and_the_latest_values(tmp_path):
    """It has the rows that are left, also where it was listed before; its cut is no run."""
    program = """
    import os
    import rla_hooks as rla
    run = rla.start(task="t", writers=["csv"], backup="none")
    for step in range(20):
        rare = {"early": 1.0} if step == 3 else {"late": 2.0} if step == 15 else {}
        rla.log({"loss": step / 2, **rare}, step=step)
        if step == 9:
            rla.save_checkpoint({"step": step}, step=step)
    os._exit(1)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, timeout=60, check=False)
    (run,) = rla.runs()
    assert run.last == {"loss": 9.5, "early": 1.0, "late": 2.0} and len(run.metrics()) == 20
    (entry,) = Manifest(run.checkpoint_dir).complete()
    assert entry.written is not None and cut_to(run.paths, entry).rows == 10
    (run,) = rla.runs()
    assert (run.status, run.last) == ("killed", {"loss": 4.5, "early": 1.0})
    assert run.metrics()["loss"].tolist() == [step / 2 for step in range(10)]
    assert rla.runs().metrics("loss")["value"].tolist() == [step / 2 for step in range(10)]
    with rla.open(run) as opened:
        opened.log({"loss": 8.0}, step=10)
    (run,) = rla.runs()
    assert run.last["loss"] == 8.0 and len(run.metrics()) == 11
