"""progress.csv keeps every row whose write has returned, whatever comes in between, and whoever changes the file."""

from __future__ import annotations

import csv
import io
import os
import random
import signal
import sys
import time

import pytest

from rla_hooks import rowfiles as rows
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_writer import CsvWriter

OURS = os.path.dirname(sys.modules["rla_hooks"].__file__)


class Log:
    """Writes rows that tell what they are: ``i`` is unique, and each other value of the row is ``i``, too."""

    def __init__(self, folder, own=True):
        self.folder, self.returned, self.tried = folder, [], 0
        self.path = folder / "progress.csv"
        self.writer = CsvWriter(self.path, own)

    def write(self, *keys):
        self.tried += 1
        number = self.tried
        self.writer.write(Row(number, time.time(), {"i": number, **dict.fromkeys(keys, number)}))
        self.returned.append(number)

    def check(self):
        """Every returned row is there once, under its own keys, and nothing else is."""
        found = []
        for path in rows.files(self.folder):
            text = path.read_bytes().decode()
            assert text == "" or text.endswith("\n")
            header, *lines = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
            assert len(set(header)) == len(header)
            for cells in lines:
                row = {key: cell for key, cell in zip(header, cells) if cell}
                number = row["i"]
                assert len(cells) <= len(header) and {*row.values()} - {row["timestamp"]} == {number}, row
                found.append(int(number))
        assert len(set(found)) == len(found), "a row stands there twice"
        assert {*self.returned} <= {*found} <= {*range(1, self.tried + 1)}
        return found


def _plain(log):
    log.write()


def _late(log):
    log.write("late")


def _late_again(log):
    log.write("late")
    log.write("later")


def _deleted(log):
    log.writer._table.open and log.path.unlink(missing_ok=True)
    log.returned.clear()  # they went with the file
    log.write()


def _closed(log):
    log.writer.close()
    log.write("late")


@pytest.fixture
def few_lines(monkeypatch):
    """The lines of a write are the same each time, however many files this process has open."""
    monkeypatch.setattr("rla_hooks.writers.csv_table._is_written_elsewhere", lambda file: False)


SITUATIONS = [_plain, _late, _late_again, _deleted, _closed]


def _prepared(folder, own):
    log = Log(folder, own)
    for _ in range(3):
        log.write("a")
    return log


def _go_on(log):
    for keys in [(), ("a", "late", "new"), ()]:
        log.write(*keys)
    log.check()
    log.writer.close()


class _Interrupt:
    """Does something, once, before the line of ours with this number, or at the call."""

    def __init__(self, number, action):
        self.left, self.action, self.done = number, action, False

    def line(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(OURS) or self.done:
            return None
        if event == "line":
            self._count()
        return self.line

    def call(self, frame, event, argument):
        """Python runs signal handlers when a function begins, and when one that is written in C returns."""
        if event in ("call", "c_return") and frame.f_code.co_filename.startswith(OURS):
            self._count()

    def _count(self):
        self.left -= 1
        if self.left == 0:
            self.done = True
            self.action()


def _raise(error):
    raise error("in between")


@pytest.mark.parametrize("error, own", [(KeyboardInterrupt, True), (MemoryError, False)])
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.filterwarnings("ignore::rla_hooks.errors.RLAWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_error_at_any_line_of_a_write_loses_no_row(error, situation, own, tmp_path, few_lines):
    """Ctrl-C and a lack of memory may come anywhere; the next row is written, and no row is lost, twice or garbage."""
    number = 0
    while True:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        log = _prepared(folder, own)
        interrupt = _Interrupt(number, lambda: _raise(error))
        sys.settrace(interrupt.line)
        try:
            situation(log)
        except error:
            pass
        finally:
            sys.settrace(None)
        _go_on(log)
        if not interrupt.done:
            break
    assert number > 10


@pytest.mark.parametrize("keys, own", [((), True), (("signal",), True), (("signal",), False)])
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.filterwarnings("ignore::rla_hooks.errors.RLAWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_handler_that_logs_at_any_call_of_a_write_loses_no_row(situation, keys, own, tmp_path, few_lines):
    """Its row, which may bring a key, and the row that it has interrupted stand in the file, each once."""
    number = 0
    while True:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        log = _prepared(folder, own)
        interrupt = _Interrupt(number, lambda log=log: log.write(*keys))
        sys.setprofile(interrupt.call)
        try:
            situation(log)
        finally:
            sys.setprofile(None)
        _go_on(log)
        if not interrupt.done:
            break
    assert number > 10


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signals on Windows")
def test_signals_at_random_moments_lose_no_row(tmp_path):
    """Real ones, in a loop that does nothing else; every handler logs, also keys of its own."""
    log = Log(tmp_path)
    generator = random.Random(0)

    def handler(*_):
        log.write(f"signal{generator.randrange(40)}")
        signal.setitimer(signal.ITIMER_REAL, generator.random() * 0.004)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            log.write(*([f"late{log.tried % 60}"] if log.tried % 50 == 0 else []))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert log.tried > 300
    found = log.check()
    assert len(found) == log.tried
    assert [path.name for path in tmp_path.iterdir()] == ["progress.csv"]
