"""No two processes write to the same file: copies in other processes make files of their own."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import threading

import pytest

from rla_hooks import rowfiles
from rla_hooks.writers import make_writers
from rla_hooks.writers.base import Row, lock_of
from rla_hooks.writers.csv_writer import CsvWriter
from rla_hooks.writers.destination import destination_of
from rla_hooks.writers.human_writer import LogWriter

pytestmark = pytest.mark.usefixtures("formatter")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def _write(writer, step, **values):
    writer.write(Row(step, float(step), {"i": step, **values}))


def test_copies_in_the_same_process_share_the_file(run_paths, frame_of):
    """By deepcopy or pickle, also those of a writer that has a file of its own."""
    for own in (True, False):
        first = CsvWriter(run_paths.progress_csv, own)
        for step, writer in enumerate([first, copy.deepcopy(first), pickle.loads(pickle.dumps(first)), first]):
            _write(writer, step)
    names = [path.name for path in rowfiles.files(run_paths.log_dir)]
    assert names[0] == "progress.csv" and len(names) == 2
    assert re.fullmatch(rf"progress\..+-{os.getpid()}\.csv", names[1])
    assert len(frame_of(rowfiles.files(run_paths.log_dir))) == 8


@pytest.mark.parametrize("method", ["fork", "spawn"])
@needs_fork
@pytest.mark.norerun
def test_copies_in_other_processes_write_beside_and_every_value_is_under_its_key(
    method, run_paths, spawnable, frame_of
):
    """Three workers and their parent add keys in turn; each process has one file."""
    writer = CsvWriter(run_paths.progress_csv)
    _write(writer, 0, a=0)
    context = multiprocessing.get_context(method)
    workers = [context.Process(target=_work, args=(pickle.dumps(writer), n)) for n in range(1, 4)]
    for worker in workers:
        worker.start()
    for step in range(1, 50):
        _write(writer, step, **{f"parent{step}": step})
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    files = rowfiles.files(run_paths.log_dir)
    assert len(files) == 4
    frame = frame_of(files)
    assert len(frame) == 50 + 3 * 30
    for n in range(1, 4):
        mine = frame[frame["worker"] == n]
        assert mine["i"].tolist() == list(range(30))
        assert [mine[f"key{n}/{step}"].dropna().tolist() for step in range(30)] == [[step] for step in range(30)]


def _work(pickled, n):
    writer = pickle.loads(pickled)
    for step in range(30):
        _write(writer, step, worker=n, **{f"key{n}/{step}": step})


def test_a_writer_that_is_used_in_a_forked_child_writes_beside(run_paths, forked):
    """The parent's rows, columns and descriptor are not touched."""
    csv_writer, log_writer = make_writers(["csv", "log"], run_paths, 1e9)
    for writer in (csv_writer, log_writer):
        _write(writer, 0)

    def child():
        for writer in (csv_writer, log_writer):
            _write(writer, 1, late=1)

    assert forked(child).ended() == 0
    for writer in (csv_writer, log_writer):
        _write(writer, 2)
    assert run_paths.progress_csv.read_text() == "time-step,timestamp,i\n0,0.0,0\n2,2.0,2\n"
    assert "late" not in run_paths.log_txt.read_text()
    assert (
        len(list(run_paths.log_dir.glob("log.*-*.txt"))) == len(list(run_paths.log_dir.glob("progress.*-*.csv"))) == 1
    )


def test_a_forked_child_does_not_wait_for_the_threads_of_its_parent(run_paths, forked):
    """A thread that writes at the moment of the fork is not in the child, and never lets go of its lock."""
    writer = CsvWriter(run_paths.progress_csv)
    _write(writer, 0)
    held, done = threading.Event(), threading.Event()

    def hold():
        with writer._table.lock, lock_of("another"):
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    pickled = pickle.dumps(writer)

    def child():
        assert lock_of("another").acquire(timeout=60)
        _work(pickled, 1)

    try:
        assert forked(child).ended() == 0
    finally:
        done.set()
        thread.join()


def test_a_taken_name_is_not_used_again(run_paths):
    """That of a killed process of the same number, say: its rows stay as they are."""
    first = CsvWriter(run_paths.progress_csv, own=False)
    _write(first, 0)
    (path,) = rowfiles.files(run_paths.log_dir)
    first.close()
    del first
    _write(CsvWriter(run_paths.progress_csv, own=False), 1)
    assert [file.name for file in rowfiles.files(run_paths.log_dir)] == [path.name[:-4] + "-2.csv", path.name]
    assert path.read_text() == "time-step,timestamp,i\n0,0.0,0\n"


def test_names_of_hosts_make_names_of_files(run_paths, monkeypatch):
    """Whatever a host is called, the name is one that every file system takes."""
    monkeypatch.setattr("socket.gethostname", lambda: "a/b:" + "ü" * 300)
    LogWriter(run_paths.log_txt, own=False).message("a line")
    _write(CsvWriter(run_paths.progress_csv, own=False), 0)
    (path,) = rowfiles.files(run_paths.log_dir)
    assert len(os.fsencode(path.name)) <= 255 and "/" not in path.name and ":" not in path.name


def test_what_nobody_uses_is_not_kept():
    """A thousand runs that were loaded leave neither locks nor files in memory."""
    first = destination_of("a", True)
    assert destination_of("a", True) is first and destination_of("a", False) is not first
    del first
    assert destination_of("a", True).open is None


def test_a_process_that_unpickles_a_writer_knows_that_it_is_another_one(run_paths):
    """Also if it has the number of the one that has pickled it."""
    writer = CsvWriter(run_paths.progress_csv)
    _write(writer, 0)
    code = (
        "import os, pickle, sys; os.getpid = lambda: int(sys.argv[1]); from rla_hooks.writers.base import Row; "
        "pickle.load(sys.stdin.buffer).write(Row(1, 1.0, {'i': 1}))"
    )
    command = [sys.executable, "-c", code, str(os.getpid())]
    subprocess.run(command, input=pickle.dumps(writer), check=True, timeout=60)
    assert [len(path.read_text().splitlines()) for path in rowfiles.files(run_paths.log_dir)] == [2, 2]
