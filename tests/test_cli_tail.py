"""``rla tail``: the last rows of a run, and those that come while it is watched."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.cli import follow
from rla_hooks.cli.follow import Follower

pytestmark = pytest.mark.usefixtures("quiet")

HEAD = "time-step,timestamp,loss\n"


@pytest.fixture
def log_dir(tmp_path):
    """The folder of a run of three rows."""
    (tmp_path / "progress.csv").write_text(f"{HEAD}0,1.0,0.5\n1,2.0,0.25\n2,3.0,0.125\n")
    return tmp_path


def _append(path, text):
    with path.open("a") as file:
        file.write(text)


def _steps(rows):
    return [row.step for row in rows]


def test_last_rows_are_given_then_new_ones(log_dir):
    """Each once, with its values by name."""
    follower = Follower(log_dir)
    assert _steps(follower.last(2)) == [1, 2] and follower.new() == []
    _append(log_dir / "progress.csv", "3,4.0,0.0625\n")
    (row,) = follower.new()
    assert (row.step, row.time, row.values) == (3, 4.0, {"loss": 0.0625}) and follower.new() == []


def test_half_a_row_is_waited_for(log_dir):
    """Also where the half ends inside of a text with a newline."""
    follower, file = Follower(log_dir), log_dir / "progress.csv"
    assert _steps(follower.last(0)) == []
    _append(file, "3,4.0")
    assert follower.new() == []
    _append(file, ',"a\n')
    assert follower.new() == []
    _append(file, 'b"\n4,')
    assert [row.values for row in follower.new()] == [{"loss": "a\nb"}]
    _append(file, "5.0,nan\n")
    assert _steps(follower.new()) == [4]


def test_a_header_that_grows_repeats_no_row(tmp_path):
    """A late key makes the run copy its file: the same rows, further down."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none") as run:
        rla.log({"loss": 0.5}, step=0)
        follower = Follower(run.log_dir)
        assert _steps(follower.last(10)) == [0]
        for step in range(1, 400):  # beyond 256 columns the keys share one
            rla.log({f"late{step}": step}, step=step)
        assert [(row.step, row.values) for row in follower.new()] == [(n, {f"late{n}": n}) for n in range(1, 400)]


@pytest.mark.parametrize("change", ["emptied", "replaced", "shorter"])
def test_a_file_that_is_another_one_is_read_from_its_beginning(change, log_dir):
    """Somebody empties it, puts another in its place, or cuts its end off and goes on."""
    follower, file = Follower(log_dir), log_dir / "progress.csv"
    assert len(follower.last(10)) == 3
    if change == "emptied":
        file.write_text("")
        assert follower.new() == []
        _append(file, f"{HEAD}7,8.0,1.0\n")
        assert _steps(follower.new()) == [7]
    elif change == "replaced":
        (log_dir / "new").write_text(f"{HEAD}7,8.0,1.0\n8,9.0,1.0\n9,9.5,1.0\n")
        (log_dir / "new").replace(file)
        assert _steps(follower.new()) == [7, 8, 9]
    else:
        file.write_text(f"{HEAD}0,1.0,0.5\n")
        assert _steps(follower.new()) == [0]
    file.unlink()
    assert follower.new() == []


def test_rows_of_all_processes_are_joined(log_dir):
    """Also of one whose file comes later; by time."""
    (log_dir / "progress.host-7.csv").write_text("time-step,timestamp,eval\n10,2.5,1\n")
    follower = Follower(log_dir)
    assert _steps(follower.last(3)) == [1, 10, 2]
    (log_dir / "progress.host-8.csv").write_text("time-step,timestamp,eval\n20,9.0,1\n")
    _append(log_dir / "progress.csv", "3,9.5,1\n")
    assert _steps(follower.new()) == [20, 3]


def test_only_new_bytes_are_read(tmp_path, monkeypatch):
    """Of a large file the end; then what has been added, and the mark by which the place is found."""
    file = tmp_path / "progress.csv"
    file.write_text(HEAD + "".join(f"{step},{step}.0,0.5\n" for step in range(200_000)))
    read = []

    class Counting(io.BufferedReader):
        def read(self, size=-1):
            data = super().read(size)
            read.append(len(data))
            return data

    monkeypatch.setattr(follow, "open_regular", lambda path: Counting(io.FileIO(path)))
    follower = Follower(tmp_path)
    assert _steps(follower.last(2)) == [199_998, 199_999] and sum(read) < 100_000
    read.clear()
    _append(file, "200000,200000.0,0.5\n")
    assert _steps(follower.new()) == [200_000] and follower.new() == [] and sum(read) < 1000


def test_many_new_rows_come_in_pieces(tmp_path):
    """More than is read at once: none is lost or doubled."""
    file = tmp_path / "progress.csv"
    file.write_text(HEAD)
    follower = Follower(tmp_path)
    follower.last(0)
    _append(file, "".join(f"{step},{step}.0,{'x' * 300}\n" for step in range(20_000)))
    found = []
    while rows := follower.new():
        found += _steps(rows)
    assert found == list(range(20_000))


def test_garbage_is_passed_over(tmp_path):
    """Zeros of a damaged disk, a line of a stray quote, a row without a time."""
    file = tmp_path / "progress.csv"
    file.write_bytes(HEAD.encode() + b'0,1.0,1\n\0\0\0\n"stray\n1,2.0,1\nx,y,z\n2,3.0,1\n')
    assert [step for step in _steps(Follower(tmp_path).last(10)) if step in (0, 1, 2)] == [0, 1, 2]
    (tmp_path / "progress.csv").unlink()
    file.mkdir()
    assert Follower(tmp_path).last(10) == Follower(tmp_path).new() == []


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """A finished run."""
    root = tmp_path_factory.mktemp("tail")
    with rla.run(task="t", log_root=root, writers=["csv"], backup="none"):
        for step in range(20):
            rla.log({"loss": 1 / (step + 1), "word": "a b"} | ({"eval": step} if step % 10 == 9 else {}), step=step)
    return root


def test_in_a_pipe_each_row_is_a_line(log_root, command):
    """With the names of its values, exactly as they were logged."""
    done = command("tail", "-n", "2", "--log-root", log_root)
    assert done.out == f"time-step=18  loss={1 / 19!r}  word=a b\ntime-step=19  loss=0.05  word=a b  eval=19\n"
    done = command("tail", "-n", "1", "-c", "eval,timestamp", "--log-root", log_root)
    assert re.fullmatch(r"time-step=19  eval=19  timestamp=\d+\.\d+\n", done.out)
    rows = command("tail", "-n", "2", "--json", "--log-root", log_root).json
    assert [row["loss"] for row in rows] == [1 / 19, 0.05]


def test_following_a_run_that_has_ended_ends(log_root, command):
    """With its status; with --json each row is a document of its own."""
    done = command("tail", "-f", "-n", "2", "--json", "--log-root", log_root)
    assert [json.loads(line)["time-step"] for line in done.out.splitlines()] == [18, 19]
    assert (done.code, done.err) == (0, "rla: the run has ended: finished\n")


def test_an_unknown_column_is_a_mistake(log_root, command):
    """It lists those that exist."""
    done = command("tail", "-c", "los", "--log-root", log_root)
    assert done.code == 2 and "There are: loss, word, eval. Did you mean 'loss'?" in done.err


def test_a_terminal_shows_a_table(log_root, in_terminal):
    """As many columns as fit, and how many there are besides."""
    text = in_terminal("tail", "-n", "3", "--log-root", log_root, columns=24)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert lines[0].split() == ["time-step", "loss"] and lines[3].split() == ["19", "0.05"]
    assert lines[4] == "2 more columns: -c word…"


def _follow(root, *options):
    return subprocess.Popen(
        [Path(sys.executable).parent / "rla", "tail", "-f", "--every", "0.05", "--log-root", root, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("end", ["finish", "delete", "interrupt"])
def test_rows_are_printed_as_they_come(end, tmp_path, warnings_as_text):
    """At once, also into a pipe, until the run has ended, was deleted, or Ctrl-C."""
    import shutil

    run = rla.start(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    rla.log({"loss": 0.5}, step=0)
    with _follow(tmp_path) as child:
        assert child.stdout.readline() == "time-step=0  loss=0.5\n"
        rla.log({"loss": 0.25}, step=1)
        assert child.stdout.readline() == "time-step=1  loss=0.25\n"
        if end == "finish":
            rla.log({"late": 7}, step=2)
            run.finish()
        elif end == "delete":
            shutil.rmtree(run.log_dir)
        else:
            child.send_signal(signal.SIGINT)
        out, error = child.communicate(timeout=120)
    run.finish()
    assert bool(warnings_as_text) == (end == "delete")  # its run.json cannot be written
    warnings_as_text.clear()
    assert out == ("time-step=2  late=7\n" if end == "finish" else "")
    said = {"finish": "rla: the run has ended: finished\n", "delete": f"rla: the run was deleted: {run.name}\n"}
    assert (child.returncode, error) == (int(end == "delete"), said.get(end, ""))


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")
def test_the_table_of_a_terminal_is_drawn_again_only_for_news(tmp_path, in_terminal):
    """Over a slow line nothing is sent while nothing happens."""
    import threading

    run = rla.start(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    rla.log({"loss": 0.5}, step=0)

    def go_on():
        time.sleep(3)
        with contextlib.suppress(rla.RLAError):
            run.log({"loss": 0.0625}, step=1)
            run.finish()

    thread = threading.Thread(target=go_on)
    thread.start()
    text = in_terminal("tail", "-f", "--every", "0.05", "--log-root", tmp_path)
    thread.join()
    assert text.count("time-step") <= 4
    assert text.rindex("the run has ended: finished") > text.rindex("0.0625")  # not drawn over by the last table


def test_a_terminal_without_cursor_gets_a_line_a_row(log_root, in_terminal):
    """As a pipe does: a table cannot be drawn again there."""
    text = in_terminal("tail", "-f", "-n", "1", "--log-root", log_root, TERM="dumb")
    assert text.splitlines()[0] == "time-step=19  loss=0.05  word=a b  eval=19"


def test_wide_letters_take_two_columns_of_the_table(tmp_path, in_terminal):
    """So a text is cut, and no number."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none"):
        rla.log({"日本語の名前": "長い文字列", "loss": 0.123456789, "eval": 7}, step=3)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", in_terminal("tail", "--log-root", tmp_path, columns=36)).splitlines()
    assert lines[1].split() == ["3", "長い文字…", "0.123457", "7"]
    assert in_terminal("tail", "-n", "0", "--log-root", tmp_path) == ""


def test_a_metric_that_comes_later_is_waited_for(tmp_path):
    """It is said that no row has it yet; in a run that has ended it is a mistake."""
    run = rla.start(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    rla.log({"loss": 0.5}, step=0)
    with _follow(tmp_path, "-c", "late") as child:
        assert "no run has the metric 'late'. There are: loss." in child.stderr.readline()
        assert child.stdout.readline() == "time-step=0\n"
        rla.log({"late": 7}, step=1)
        assert child.stdout.readline() == "time-step=1  late=7\n"
        run.finish()
        child.communicate(timeout=120)
    assert child.returncode == 0
