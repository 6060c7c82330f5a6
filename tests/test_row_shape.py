"""Rows of known keys and types go a shorter way to the writers, which does the same as the long one."""

from __future__ import annotations

import gc
import math
import os
import time
import warnings
from itertools import combinations
from pathlib import Path
from random import Random

import numpy as np
import pytest

from rla_hooks.core.logger import Logger
from rla_hooks.errors import RLAWarning
from rla_hooks.layout import create
from rla_hooks.values import MAX_TEXT
from rla_hooks.writers import csv_row, make_writers
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_writer import CsvWriter
from rla_hooks.writers.events import ScalarLayout, file_start


class Tenth(CsvWriter):
    """Writes each tenth row."""

    def write(self, row):
        return row.step % 10 == 0 and super().write(row)


class Wrapper:
    """Does the same around another writer."""

    def __init__(self, inner):
        self.inner = inner

    def write(self, row):
        return row.step % 10 == 0 and self.inner.write(row)

    def __getattr__(self, name):
        return getattr(self.inner, name)


def _replaced(path):
    """A writer whose method was replaced."""
    writer = CsvWriter(path)
    write = writer.write
    writer.write = lambda row: row.step % 10 == 0 and write(row)
    return writer


@pytest.mark.parametrize("make", [Tenth, lambda path: Wrapper(CsvWriter(path)), _replaced])
def test_a_write_of_its_own_gets_all_rows(make, tmp_path, read_rows, formatter):
    """The function for known rows belongs to the method that it was written beside."""
    logger = Logger([make(tmp_path / "progress.csv")])
    for step in range(30):
        logger.log({"loss": 0.5}, step)
    assert [row["time-step"] for row in read_rows(tmp_path / "progress.csv")] == ["0", "10", "20"]


class Refusing:
    """A writer whose function for known rows cannot be had, or is none."""

    name = "refusing"

    def __init__(self, answer):
        self.answer, self.steps = answer, []

    def write(self, row):
        self.steps.append(row.step)

    def values_writer(self, keys, types):
        if self.answer is not None:
            raise self.answer

    def close(self):
        pass


@pytest.mark.parametrize("answer", [RuntimeError("no floats"), None])
def test_an_error_of_a_writer_that_is_asked_for_its_function_costs_no_row(answer):
    """The training goes on, and so does the writer."""
    writer = Refusing(answer)
    logger = Logger([writer])
    for step in range(4):
        logger.log({"loss": 0.5}, step)
    assert writer.steps == [0, 1, 2, 3] and not logger.missing.open


def _open_files(folder):
    paths = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    return [path for path in paths if path.startswith(str(folder))]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not list open files")
def test_a_logger_that_is_closed_keeps_no_file_open(run_paths, formatter):
    """A sweep that keeps its runs would be left without file handles. A row afterwards opens the files again."""
    logger = Logger(make_writers(["csv", "tensorboard"], run_paths))
    [csv_writer, _] = logger.output_formats
    for step in range(3):
        logger.log({"loss": 0.5}, step)
    ready = csv_writer.values_writer(("loss",), [float])
    ready(3, 0.25, [0.5])
    ready(4, 0.25, [0.5])
    assert csv_writer.written().rows == 5
    assert len(_open_files(run_paths.log_dir)) == 2
    logger.close()
    assert _open_files(run_paths.log_dir) == []
    logger.log({"loss": 0.5}, 5)
    assert ready(6, 0.25, [0.5]) and csv_writer.written().rows == 7
    logger.close()
    assert _open_files(run_paths.log_dir) == []


@pytest.fixture
def on_disk(run_paths):
    logger = Logger(make_writers(["csv", "tensorboard"], run_paths))
    yield logger
    logger.close()


@pytest.mark.parametrize("given", [np.float64(1000.5), np.float32(1000.5), 1000.5, "1000.5"])
def test_the_walltime_of_a_row_is_a_float(given, on_disk, run_paths, read_rows):
    """Whatever number the caller has."""
    for step in range(4):
        on_disk.log({"a": 0.5}, step, given)
        on_disk.log({"m": {"a": 0.5}}, step, given)
    assert {row["timestamp"] for row in read_rows(run_paths.progress_csv)} == {"1000.5"}


NO_TIMES = {"text": "soon", "nan": float("nan"), "inf": float("inf"), "huge": 10**400, "object": object()}


@pytest.mark.parametrize("given", NO_TIMES.values(), ids=[*NO_TIMES])
def test_a_walltime_that_is_none_is_that_of_the_call(given, on_disk, run_paths, read_rows):
    """No row is missing for it."""
    start = time.time()
    for step in range(4):
        on_disk.log({"a": 0.5}, step, given)
    times = [float(row["timestamp"]) for row in read_rows(run_paths.progress_csv)]
    assert len(times) == 4 and all(start <= each <= time.time() for each in times)
    assert not on_disk.missing.open


class Ready(CsvWriter):
    """Counts what is made ready, and what is written with it."""

    def __init__(self, path):
        super().__init__(path)
        self.made, self.rows = [], 0

    def write(self, row):
        return super().write(row)

    def values_writer(self, keys, types):
        self.made.append(keys)

        def write(step, time, values):
            self.rows += 1
            return self.write(Row(step, time, dict(zip(keys, values)), keys))

        return write


def test_nothing_is_made_ready_for_keys_that_come_once(tmp_path):
    """There may be many of them, in a search over layers say; those that come again are soon ready."""
    writer = Ready(tmp_path / "progress.csv")
    logger = Logger([writer])
    names = [f"k{number}" for number in range(12)]
    for number, keys in enumerate([names, *combinations(names, 8)][:300]):
        logger.log(dict.fromkeys(keys, 0.5), number)
    assert writer.made == [] and writer.rows == 0
    for number in range(300, 310):
        logger.log({"k0": 0.5}, number)
    assert writer.made == [("k0",)] and writer.rows == 8


def test_both_ways_share_the_layout_of_an_event(run_paths):
    """It takes more memory than the names of the row."""
    [writer] = make_writers(["tensorboard"], run_paths)
    logger = Logger([writer])
    before = _layouts()
    for step in range(4):
        logger.log({"loss": 0.5, "norm": 0.25}, step)
        writer.write(Row(step, 0.25, {"loss": 0.5, "norm": 0.25}))
    assert _layouts() == before + 1
    logger.close()


def _layouts():
    gc.collect()
    return sum(type(each) is ScalarLayout for each in gc.get_objects())


FLOATS = [0.5, -0.0, 1e16, 1e-5, 3.4e38, 1e300, 5e-324, math.nan, math.inf, -math.inf, 0.1]
INTS = [0, 3, -1, 2**53 + 1, 2**63 - 1, -(2**63) + 1, 2**63, -(2**70), 10**200]
TEXTS = [
    "train",
    "validate",
    "null",
    "",
    " ",
    "a, b",
    'a "quoted" one',
    "'",
    "two\nlines",
    "诗",
    "\udc80",
    "\\",
    "1.5",
    "%s",
]
TEXTS += ["x" * 5000, "(", "nan", "true", "\0"]


def _odd_rows(count):
    """Rows of a few sets of keys, with floats, ints and texts: mostly of the same types, texts mostly equal."""
    chance = Random(0)
    some = {
        "floats": (FLOATS, lambda: chance.uniform(-9, 9)),
        "ints": (INTS, lambda: chance.randrange(1000)),
        "texts": (TEXTS, lambda: "train"),
    }
    kinds = ["floats", "floats", "texts", "ints", "floats", "texts"]
    for number in range(count):
        row = {"number": number}
        for at, kind in enumerate(kinds if number % 7 else chance.sample(kinds, 4)):
            special, usual = some[kind if chance.random() > 0.05 else chance.choice([*some])]
            row[f"k{at}"] = chance.choice(special) if chance.random() < 0.2 else usual()
        yield row


class Slow:
    """Gives rows on to a writer by its ``write`` only."""

    def __init__(self, inner):
        self.inner, self.name = inner, inner.name

    def write(self, row):
        return self.inner.write(row)

    def close(self):
        self.inner.close()


@pytest.fixture
def two_loggers(tmp_path):
    """One that takes the short way, and one that cannot."""
    loggers = []
    for name, kind in (("short", lambda writer: writer), ("long", Slow)):
        paths = create(tmp_path, name, {})
        loggers.append(Logger(map(kind, make_writers(["csv", "tensorboard"], paths)), paths.log_dir))
    yield loggers
    for logger in loggers:
        logger.close()


def test_random_rows_of_numbers_and_texts_are_the_same_by_both_ways(two_loggers, formatter, read_rows):
    """Each cell of progress.csv, and each value of the event file, whatever types take turns."""
    for number, row in enumerate(_odd_rows(2000)):
        for logger in two_loggers:
            logger.log(row, number, 1000.0 + number)
    folders = [Path(logger.dir) for logger in two_loggers]
    rows = [[*map(_values, read_rows(folder / "progress.csv"))] for folder in folders]
    assert len(rows[0]) == 2000 and rows[0] == rows[1]
    begin = len(file_start(0.0))  # which has the time of the file
    events = [next((folder / "tb").iterdir()).read_bytes()[begin:] for folder in folders]
    assert len(events[0]) > 100_000 and events[0] == events[1]


def _values(row):
    """The cells of a row by value: 1e16 and 1e+16 are the same float."""
    return {key: _value(cell) for key, cell in row.items()}


def _value(cell):
    try:
        return repr(float(cell)) if "." in cell or "e" in cell else cell
    except (TypeError, ValueError):
        return cell


class Rows:
    """Keeps the rows, and by which way each has come."""

    name = "rows"

    def __init__(self):
        self.ways, self.values = [], []

    def write(self, row):
        self.ways.append("long")
        self.values.append(row.values)

    def values_writer(self, keys, types):
        def write(step, time, values):
            self.ways.append("short")
            self.values.append(dict(zip(keys, values)))

        return write

    def close(self):
        pass


def test_rows_with_a_text_or_whole_numbers_take_the_short_way():
    """A stage and an epoch beside each row of floats, as Lightning's; also where a value is now a float, now an int."""
    writer = Rows()
    logger = Logger([writer])
    for step in range(10):
        logger.log({"loss": 0.5, "epoch": step, "stage": f"stage {step}"}, step)
    assert writer.ways == ["long", "long", *["short"] * 8]
    for step in range(10):
        logger.log({"loss": 0.5, "return": (0.5, 1)[step % 2]}, step)
    assert writer.ways[10:] == [*["long"] * 4, *["short"] * 6]
    assert [row.get("stage") for row in writer.values[:10]] == [f"stage {step}" for step in range(10)]
    assert logger.last_values == {"loss": 0.5, "epoch": 9, "stage": "stage 9", "return": 1}


def test_what_is_too_large_for_a_file_is_bounded_in_known_rows_too():
    """A text of a megabyte, or an int that no float holds: one warning each, and the rest of the row is kept."""
    writer = Rows()
    logger = Logger([writer])
    for step in range(4):
        logger.log({"a": 1, "b": "text"}, step)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        logger.log({"a": 10**5000, "b": "text"}, 4)
        logger.log({"a": 1, "b": "x" * (MAX_TEXT + 1)}, 5)
    assert [warning.category for warning in seen] == [RLAWarning] * 2
    assert writer.values[4] == {"a": math.inf, "b": "text"} and len(writer.values[5]["b"]) < MAX_TEXT + 50


@pytest.mark.parametrize("name", ["time-step", "timestamp"])
def test_a_metric_with_the_name_of_a_column_is_renamed_each_time(name):
    """Also when its row has come before."""
    writer = Rows()
    logger = Logger([writer])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for step in range(4):
            logger.log({"loss": 0.5, name: 77}, step)
    assert writer.values == [{"loss": 0.5, f"{name}_": 77}] * 4


def test_many_texts_take_no_more_memory_than_some(run_paths, formatter):
    """A text that is another one in each row, such as the name of a file."""
    [writer] = make_writers(["csv"], run_paths)
    logger = Logger([writer])
    for step in range(6000):
        logger.log({"loss": 0.5, "file": f"file {step}"}, step)
    cells = [each for each in gc.get_objects() if type(each) is csv_row.TextCells and f"file {step}" in each]
    assert all(len(each) <= csv_row.MAX_TEXTS for each in cells) and len(cells) == (formatter == "orjson")
