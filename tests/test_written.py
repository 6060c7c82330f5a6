"""What a writer says that it has written is what stands in its file."""

from __future__ import annotations

import contextlib
import copy
import csv
import io
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from rla_hooks.errors import RLAWarning
from rla_hooks.writers import appendfile, copied_writers
from rla_hooks.writers.base import MediaEvent, Row, Text
from rla_hooks.writers.csv_writer import CsvWriter
from rla_hooks.writers.tensorboard_writer import TensorBoardWriter


def _assert_is_as_the_file(writer):
    """Compare with Python's csv reader; as many bytes as the file has."""
    path, rows, size = writer.written()
    data = Path(path).read_bytes()
    assert size == len(data)
    assert rows == len([*csv.reader(io.StringIO(data.decode(), newline=""))]) - 1
    return rows


def _row(step, **values):
    return Row(step, time.time(), values or {"loss": step / 3})


def test_rows_and_bytes_of_a_csv_file(tmp_path):
    """Texts with newlines, other keys in any order, and late keys, which make the header longer."""
    writer = CsvWriter(tmp_path / "progress.csv")
    assert writer.written() is None
    for step in range(50):
        writer.write(_row(step))
        writer.write(_row(step, text='a "\n", b\n', loss=0.5))
        if step % 7 == 0:
            writer.write(_row(step, **{f"late {step}": 1.5}))
        if step % 5 == 0:
            _assert_is_as_the_file(writer)
    assert _assert_is_as_the_file(writer) == 108
    writer.close()
    assert writer.written() is None


def test_rows_of_an_earlier_process_and_of_a_copy_count(tmp_path):
    """A resume cuts a file, whoever has written to it."""
    path = tmp_path / "progress.csv"
    path.write_text("time-step,timestamp,loss\n" + "0,1.0,2.0\n" * 40)
    writer = CsvWriter(path)
    other = copy.deepcopy(writer)
    writer.write(_row(1))
    other.write(_row(2))
    assert _assert_is_as_the_file(writer) == 42
    other.write(_row(3))
    assert _assert_is_as_the_file(writer) == _assert_is_as_the_file(other) == 43


def test_the_prefix_that_is_told_holds_the_rows_of_that_time(tmp_path):
    """As long as no column comes: that is what a resume cuts to."""
    writer = CsvWriter(tmp_path / "progress.csv")
    for step in range(10):
        writer.write(_row(step))
    path, rows, size = writer.written()
    for step in range(10, 20):
        writer.write(_row(step))
    kept = Path(path).read_bytes()[:size].decode().splitlines()
    assert rows == 10 and [line.split(",")[0] for line in kept[1:]] == [str(step) for step in range(10)]


@pytest.mark.parametrize("change", [os.unlink, lambda path: os.truncate(path, 0)])
def test_what_somebody_does_to_the_file_is_seen(change, tmp_path):
    """The rows of the new file count, those among them that were carried over from the one that is gone."""
    writer = CsvWriter(tmp_path / "progress.csv")
    for step in range(5):
        writer.write(_row(step))
    _assert_is_as_the_file(writer)
    change(tmp_path / "progress.csv")
    time.sleep(2 * appendfile.LOOK_AT_PATH)
    with pytest.warns(RLAWarning, match="was deleted, replaced or changed"):
        writer.write(_row(5))
    assert 1 <= _assert_is_as_the_file(writer) < 6


def _in_child(writers, queue):
    (taken_over,) = copied_writers(writers)
    for step in range(3):
        taken_over.write(_row(step))
    queue.put(tuple(taken_over.written()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_that_takes_over_tells_of_its_own_file(tmp_path):
    """And the parent of its own."""
    writer = CsvWriter(tmp_path / "progress.csv")
    writer.write(_row(0))
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_in_child, args=([writer], queue))
    child.start()
    child.join(120)
    assert child.exitcode == 0
    path, rows, size = queue.get()
    assert path != writer.written().path and (rows, size) == (3, os.path.getsize(path))
    assert _assert_is_as_the_file(writer) == 1


def test_a_full_disk_costs_rows_that_are_not_told_of(small_disk):
    """Neither file has more than what it says."""
    writers = [CsvWriter(small_disk / "progress.csv"), TensorBoardWriter(small_disk)]
    texts, failed = {"text": "x" * 5000, "loss": 1.0}, 0
    for step in range(400):
        for writer in writers:
            try:
                writer.write(_row(step, **texts))
            except OSError:
                failed += 1
    assert failed
    with contextlib.suppress(OSError):
        writers[0].write(_row(400, late=1.0))
    _assert_is_as_the_file(writers[0])
    path, _, size = writers[1].written()
    assert os.path.getsize(path) == size


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signals on Windows")
def test_a_signal_handler_may_ask(tmp_path):
    """In the middle of a row, too."""
    writer, told = CsvWriter(tmp_path / "progress.csv"), []
    before = signal.signal(signal.SIGALRM, lambda *_: told.append(writer.written()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        end = time.monotonic() + 60
        while sum(each is not None for each in told) < 100 and time.monotonic() < end:
            writer.write(_row(1, loss=0.5))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    told = [each for each in told if each is not None]
    data = (tmp_path / "progress.csv").read_bytes()
    assert len(told) > 10
    for _, rows, size in told:
        assert data[:size].count(b"\n") == rows + 1


def test_events_and_bytes_of_an_event_file(tmp_path, read_events):
    """Pictures and texts among them; a row of nothing but texts is none there."""
    writer = TensorBoardWriter(tmp_path)
    assert writer.written() is None
    for step in range(30):
        writer.write(_row(step, a=1.5, b=2))
        writer.write(_row(step, name="only text"))
        if step % 10 == 0:
            writer.write(MediaEvent(step, 0.0, "t", Text("x" * 300_000)))
            told = writer.written()
            assert told.bytes == os.path.getsize(told.path)
            assert told.rows == len(read_events(tmp_path)) - 1
    assert writer.written().rows == 33
    writer.close()
    assert writer.written() is None
    writer.write(_row(1))
    assert writer.written().rows == 1 and writer.written().path != told.path
