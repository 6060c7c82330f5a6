"""Rows of floats go a shorter way to the writers, on which nothing happens otherwise than on the long one."""

from __future__ import annotations

import gc
import os
import time
from itertools import combinations

import numpy as np
import pytest

from rla_hooks.core.logger import Logger
from rla_hooks.writers import make_writers
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_writer import CsvWriter
from rla_hooks.writers.events import ScalarLayout


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
    """The function for rows of floats belongs to the method that it was written beside."""
    logger = Logger([make(tmp_path / "progress.csv")])
    for step in range(30):
        logger.log({"loss": 0.5}, step)
    assert [row["time-step"] for row in read_rows(tmp_path / "progress.csv")] == ["0", "10", "20"]


class Refusing:
    """A writer whose function for rows of floats cannot be had, or is none."""

    name = "refusing"

    def __init__(self, answer):
        self.answer, self.steps = answer, []

    def write(self, row):
        self.steps.append(row.step)

    def floats_writer(self, keys):
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
    ready = csv_writer.floats_writer(("loss",))
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

    def floats_writer(self, keys):
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
