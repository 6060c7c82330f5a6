"""progress.csv keeps every row whose write has returned, whatever comes in between, and whoever changes the file."""

from __future__ import annotations

import csv
import io
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from rla_hooks import rowfiles as rows
from rla_hooks.errors import RLAWarning
from rla_hooks.writers import csv_row
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_writer import CsvWriter

pytestmark = [pytest.mark.norerun, pytest.mark.usefixtures("formatter")]
OURS = os.path.dirname(sys.modules["rla_hooks"].__file__)


class Log:
    """Writes rows that tell what they are: ``i`` is unique, and each other value of the row is ``i``, too.

    With orjson the owner's rows go the way of rows whose keys and types are known.
    """

    def __init__(self, folder, own=True):
        self.folder, self.returned, self.tried = folder, [], 0
        self.known_writers = {} if own and csv_row.native() else None
        self.path = folder / "progress.csv"
        self.writer = CsvWriter(self.path, own)

    def write(self, *keys):
        self.tried += 1
        number = self.tried
        if self.known_writers is None:
            self.writer.write(Row(number, time.time(), {"i": number, **dict.fromkeys(keys, number)}))
        else:
            keys = tuple(dict.fromkeys(("i", *keys)))
            if keys not in self.known_writers:
                self.known_writers[keys] = self.writer.values_writer(keys, [int] * len(keys))
            self.known_writers[keys](number, time.time(), [number] * len(keys))
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
    monkeypatch.setattr("rla_hooks.writers.appendfile.AppendFile.is_written_elsewhere", lambda file: False)


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


def _interrupted(interrupt, situation, folder, own, error):
    log = _prepared(folder, own)
    sys.settrace(interrupt.line)
    try:
        situation(log)
    except error:
        pass
    finally:
        sys.settrace(None)
    _go_on(log)


def _in_thread(action, *arguments):
    """Python forgets to leave an except block if a trace function raises at its very end; a thread takes that along."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(action, *arguments).result()


def _raise(error):
    raise error("in between")


@pytest.mark.parametrize(
    "error, own, formatter",
    [(KeyboardInterrupt, True, "orjson"), (MemoryError, False, "python")],
    indirect=["formatter"],
)
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.filterwarnings("ignore::rla_hooks.errors.RLAWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_error_at_any_line_of_a_write_loses_no_row(error, situation, own, formatter, tmp_path, few_lines):
    """Ctrl-C and a lack of memory may come anywhere; the next row is written, and no row is lost, twice or garbage."""
    number = 0
    while True:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        interrupt = _Interrupt(number, lambda: _raise(error))
        _in_thread(_interrupted, interrupt, situation, folder, own, error)
        if not interrupt.done:
            break
    assert number > 10


@pytest.mark.parametrize(
    "keys, own, formatter",
    [((), True, "orjson"), (("signal",), True, "python"), (("signal",), False, "orjson")],
    indirect=["formatter"],
)
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.filterwarnings("ignore::rla_hooks.errors.RLAWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_handler_that_logs_at_any_call_of_a_write_loses_no_row(
    situation, keys, own, formatter, tmp_path, few_lines
):
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
    log, signals = Log(tmp_path), itertools.count()
    generator, last = random.Random(0), 0

    def handler(*_):
        nonlocal last
        last = next(signals)
        log.write(f"signal{generator.randrange(40)}")
        signal.setitimer(signal.ITIMER_REAL, generator.random() * 0.004)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        end = time.monotonic() + 120
        while (last < 250 or log.tried < 2500) and time.monotonic() < end:
            log.write(*([f"late{log.tried % 60}"] if log.tried % 50 == 0 else []))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert last >= 250
    found = log.check()
    assert len(found) == log.tried
    assert [path.name for path in tmp_path.iterdir()] == ["progress.csv"]


# --- what others do to the file -------------------------------------------------------------------------------------


def _empty(path):
    os.truncate(path, 0)


def _replace_by_copy(path):
    shutil.copy(path, path.with_name("copy"))
    os.replace(path.with_name("copy"), path)


def _save_in_place(path):
    path.write_text(path.read_text().rstrip("\n"))


def _replace_after_link(path):
    path.with_name("link").unlink(missing_ok=True)
    os.link(path, path.with_name("link"))
    _replace_by_copy(path)


def _move_away(path):
    path.rename(path.with_name("moved"))


CHANGES = [_empty, _replace_by_copy, _save_in_place, _replace_after_link, _move_away, os.unlink]


@pytest.mark.parametrize("pause", [0.0, 0.002])
@pytest.mark.parametrize("change", CHANGES)
def test_what_somebody_does_to_the_file_costs_no_row_that_comes_after_it(change, pause, tmp_path):
    """It is noticed at the next row and told once; all rows from then on stand under a header, late keys included."""
    log = Log(tmp_path)
    for _ in range(20):
        log.write("a")
        time.sleep(pause)
    change(log.path)
    if change in (_empty, _move_away, os.unlink):
        log.returned.clear()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(20):
            log.write("a")
        log.write("late")
        change(log.path)
        if change in (_empty, _move_away, os.unlink):
            log.returned.clear()
        log.write("a")
    assert len(told) == 1 and "was deleted, replaced or changed" in str(told[0].message)
    log.check()
    assert not list(tmp_path.glob("progress.*-*"))


def test_another_program_that_opens_the_file_anew_and_this_one_destroy_nothing_of_each_other(tmp_path):
    """As the loggers of stable-baselines3 and baselines do, before the first row or later."""
    for when in ("before", "later"):
        folder = tmp_path / when
        folder.mkdir()
        log = Log(folder)
        if when == "later":
            log.write("a")
        log.returned.clear()
        with open(log.path, "w") as other, pytest.warns(RLAWarning, match="another program"):
            log.write("a")
            for step in range(3):
                other.write(f"rollout/return\n{step}\n")
                other.flush()
                log.write("a", "late")
        assert log.path.read_text() == "".join(f"rollout/return\n{step}\n" for step in range(3))
        log.path.unlink()
        log.check()
        assert len(log.returned) == 4


def test_a_file_without_the_columns_of_a_run_is_left_alone(tmp_path):
    """Somebody else's table stays as it is."""
    (tmp_path / "progress.csv").write_text("rollout/return\n1.5\n")
    log = Log(tmp_path)
    with pytest.warns(RLAWarning, match="another program"):
        log.write("a")
    assert (tmp_path / "progress.csv").read_text() == "rollout/return\n1.5\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs")
@pytest.mark.parametrize("make", [os.mkdir, lambda path: os.mkfifo(path)])
def test_what_is_no_file_is_neither_waited_for_nor_touched(make, tmp_path):
    """The rows go to a file beside it."""
    make(tmp_path / "progress.csv")
    log = Log(tmp_path)
    with pytest.warns(RLAWarning, match="cannot be opened"):
        log.write("a")
    assert len(list(tmp_path.glob("progress.*-*.csv"))) == 1


# --- a file that goes on --------------------------------------------------------------------------------------------


def test_a_stray_quote_costs_no_row(tmp_path):
    """Not those after it, and not the row itself."""
    lines = ["time-step,timestamp,i,note\n", *(f"{n},{n}.000000,{n},x\n" for n in range(5000))]
    lines[3] = lines[3].replace(",x", ',"x')
    (tmp_path / "progress.csv").write_text("".join(lines))
    CsvWriter(tmp_path / "progress.csv").write(Row(5000, 6000.0, {"i": 5000, "note": "x"}))
    assert (tmp_path / "progress.csv").read_text() == "".join(lines) + "5000,6000.0,5000,x\n"


def test_a_last_row_that_an_editor_left_without_its_newline_is_kept(tmp_path):
    """It has a cell for each column, so it is no torn one."""
    (tmp_path / "progress.csv").write_text("time-step,timestamp,i\n0,1.0,0\n1,2.0,1")
    CsvWriter(tmp_path / "progress.csv").write(Row(2, 3.0, {"i": 2}))
    assert (tmp_path / "progress.csv").read_text() == "time-step,timestamp,i\n0,1.0,0\n1,2.0,1\n2,3.0,2\n"


def test_a_torn_row_of_a_long_file_is_found_from_its_end(tmp_path):
    """The rows before it are kept."""
    path = tmp_path / "progress.csv"
    body = b"".join(b"%d,%d.5,0.25\n" % (n, n) for n in range(1_000_000))
    path.write_bytes(b"time-step,timestamp,a\n" + body + b'7,1.5,"x\ny')
    writer = CsvWriter(path)
    with pytest.warns(RLAWarning, match="torn row"):
        writer.write(Row(8, 2.0, {"a": 1.5}))
    assert path.read_bytes() == b"time-step,timestamp,a\n" + body + b"8,2.0,1.5\n"
    assert (tmp_path / "progress.torn-1.txt").read_bytes() == b'7,1.5,"x\ny'


def test_late_keys_beyond_256_share_a_column_and_are_read_under_their_own(tmp_path, frame_of):
    """The file is copied no more than so often, and its rows do not grow wider without end."""
    writer = CsvWriter(tmp_path / "progress.csv")
    for step in range(600):
        writer.write(Row(step, float(step), {"i": step, f'key "{step}"': step + 0.1, "text": "a,b"}))
    frame = frame_of(rows.files(tmp_path))
    assert frame["i"].tolist() == list(range(600)) and set(frame["text"]) == {"a,b"}
    for step in (0, 255, 256, 300, 599):
        assert frame[f'key "{step}"'].dropna().to_dict() == {step: step + 0.1}
    assert rows.progress(rows.files(tmp_path))[:2] == (600, 599)
    assert rows.progress(rows.files(tmp_path)).last['key "599"'] == 599.1
    CsvWriter(tmp_path / "progress.csv").write(Row(600, 600.0, {"i": 600, "key of the next process": 1.5}))
    assert frame_of(rows.files(tmp_path))["key of the next process"].dropna().tolist() == [1.5]
    assert [path.name for path in tmp_path.iterdir()] == ["progress.csv"]


def test_a_temporary_copy_that_a_kill_has_left_is_swept_when_the_run_goes_on(tmp_path):
    """The process that has made it is gone."""
    code = (
        "import os, sys; from pathlib import Path; from rla_hooks import atomic; "
        "atomic.temporary_name(Path(sys.argv[1])).write_text('half a copy'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60)
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".tmp"
    (tmp_path / "progress.csv").write_text("time-step,timestamp,i\n0,1.0,0\n")
    CsvWriter(tmp_path / "progress.csv").write(Row(1, 2.0, {"i": 1}))
    assert [path.name for path in tmp_path.iterdir()] == ["progress.csv"]


def test_a_file_with_a_column_twice_is_left_alone(tmp_path, frame_of):
    """Somebody has edited it: rows go beside it, where each of their values has a column."""
    (tmp_path / "progress.csv").write_text("time-step,timestamp,a,a\n0,10.0,1,2\n")
    writer = CsvWriter(tmp_path / "progress.csv")
    with pytest.warns(match="written by another program"):
        for step in (1, 2):
            writer.write(Row(step, 10.0 + step, {"a": 0.5, "late": 0.25}))
    assert frame_of(rows.files(tmp_path))["late"].dropna().tolist() == [0.25, 0.25]


def test_keys_and_texts_of_any_length_stand_in_one_file(tmp_path, frame_of):
    """The module csv reads no cell of more than 131,072 characters; and the names of others may have commas."""
    writer = CsvWriter(tmp_path / "progress.csv")
    keys = ["a, b", "x" * 1_000_000, 'c "d", e', "late", "later"]
    for step, key in enumerate(keys):
        writer.write(Row(step, 10.0 + step, {key: "y," * 100_000, "n": step}))
    writer.close()
    writer = CsvWriter(tmp_path / "progress.csv")
    writer.write(Row(9, 20.0, {"a, b": 0.5, "latest": 0.25}))
    assert os.listdir(tmp_path) == ["progress.csv"]
    frame = frame_of(rows.files(tmp_path))
    assert [frame[key].count() for key in keys] == [2, 1, 1, 1, 1] and frame["n"].dropna().tolist() == [0, 1, 2, 3, 4]
    rare = dict.fromkeys(keys[1:], "y," * 100_000)
    assert rows.progress(rows.files(tmp_path)).last == {"a, b": 0.5, "latest": 0.25, "n": 4} | rare


def test_a_row_has_a_cell_for_each_column_also_after_late_keys(tmp_path):
    """Those of keys that it does not have are empty, wherever they stand."""
    log = Log(tmp_path)
    for keys in [("a",), ("a", "late"), ("a",), ("late",), (), ("late", "a")]:
        log.write(*keys)
    header, *lines = [line.split(",") for line in log.path.read_text().splitlines()]
    assert header[2:] == ["i", "a", "late"] and len(lines[0]) == 4
    assert [cells[2:] for cells in lines[1:]] == [
        ["2", "2", "2"],
        ["3", "3", ""],
        ["4", "", "4"],
        ["5", "", ""],
        ["6", "6", "6"],
    ]
    log.check()
