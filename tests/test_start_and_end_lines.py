"""A run says where it is when it starts, and how it went when it ends, wherever its tables go."""

from __future__ import annotations

import re
import shlex

import pytest

import rla_hooks as rla
from rla_hooks.hooks import OwnRun, attach_or_plan


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def start_and_end(out, log_dir):
    """Check the two lines, and return what the last one says before the path."""
    assert shlex.split(out[0]) == ["run:", str(log_dir)]
    told, _, path = out[-1].partition(" s, ")
    assert shlex.split(path) == [str(log_dir)]
    return re.sub(r"[0-9.]+$", "T", told)


def test_the_paths_can_be_pasted_into_a_shell(tmp_path, capsys):
    """Run names have & and =; on stdout and in log.txt; after the last table."""
    with rla.run(task="t", log_root=tmp_path / "a b", record=["lr"], backup="none", lr=0.1) as run:
        for step in range(3):
            rla.log({"a": step}, step=step)
        run.add_scalar("b", 1.0, 9)
    out = lines(capsys)
    assert start_and_end(out, run.log_dir) == "finished: 4 rows in T"
    assert "| time-step | 9 |" in out[-4]
    assert run.paths.log_txt.read_text().splitlines() == out


def test_a_failed_run_says_so(tmp_path, capsys):
    """And a single row is one row."""
    with pytest.raises(ValueError), rla.run(task="t", log_root=tmp_path, backup="none") as run:
        rla.log({"a": 1})
        raise ValueError
    assert start_and_end(lines(capsys), run.log_dir) == "failed: 1 row in T"


def test_under_a_progress_bar_there_are_two_lines_and_no_tables(tmp_path, capsys):
    """A hook alone says where its run is, though its framework's bar keeps the tables from stdout."""
    handle = attach_or_plan(OwnRun("MyHook", log_root=tmp_path, backup="none"))
    handle.resolve().quiet_stdout()
    assert lines(capsys) == []
    run = handle.ensure_started()
    run.log({"a": 1}, step=0)
    run.logger.message("not for the terminal")
    run.finish()
    run.finish()
    out = lines(capsys)
    assert len(out) == 2 and start_and_end(out, run.log_dir) == "finished: 1 row in T"


@pytest.mark.parametrize("writers", [[], ["csv"], ["log"]])
def test_without_the_writer_stdout_nothing_is_printed(writers, tmp_path, capsys):
    """Also under a progress bar."""
    with rla.run(task="t", log_root=tmp_path, backup="none", writers=writers) as run:
        run.quiet_stdout()
        rla.log({"a": 1})
    assert lines(capsys) == []


def test_nothing_is_printed_where_nothing_is_tracked(tmp_path, capsys, monkeypatch):
    """RLA_MODE=off."""
    monkeypatch.setenv("RLA_MODE", "off")
    with rla.run(task="t", log_root=tmp_path, backup="none") as run:
        run.quiet_stdout()
        rla.log({"a": 1})
    assert lines(capsys) == []


def test_a_closed_stdout_stops_nothing(tmp_path, monkeypatch):
    """Under a progress bar, too."""

    class Closed:
        encoding = "utf-8"

        def write(self, text):
            raise ValueError("I/O operation on closed file")

    monkeypatch.setattr("sys.stdout", Closed())
    handle = attach_or_plan(OwnRun("MyHook", log_root=tmp_path, backup="none"))
    handle.resolve().quiet_stdout()
    run = handle.ensure_started()
    run.finish()
    assert run.status == "finished"
