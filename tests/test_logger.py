"""A logger makes rows of what is recorded, loses none, and never stops a training."""

from __future__ import annotations

import copy
import enum
import math
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import types
import warnings
from collections import Counter
from fractions import Fraction

import numpy as np
import pandas
import pytest

import rla_hooks as rla
from rla_hooks import layout, ranks
from rla_hooks.core.logger import DEBUG, DISABLED, ERROR, INFO, WARN, Logger
from rla_hooks.errors import RLAWarning
from rla_hooks.writers import make_writers
from rla_hooks.writers.base import Text

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


class ListWriter:
    """Keeps rows in memory."""

    def __init__(self, name="list"):
        self.name = name
        self.rows, self.shown, self.lines = [], [], []
        self.broken = None

    def write(self, row):
        if self.broken:
            raise self.broken
        if hasattr(row, "values"):
            self.rows.append((row.step, dict(row.values)))
        else:
            self.shown.append((row.step, row.tag, row.content))

    def message(self, text):
        self.lines.append(text)

    def close(self):
        self.lines.append("closed")


class Raises:
    """A value that cannot be read in any way."""

    def item(self):
        raise KeyError("no item")

    def __repr__(self):
        raise RuntimeError("no repr")

    __float__ = __str__ = __repr__


@pytest.fixture
def writer():
    return ListWriter()


@pytest.fixture
def logger(writer):
    return Logger([writer])


@pytest.fixture
def on_disk(run_paths):
    """A logger that writes csv and TensorBoard files."""
    logger = Logger(make_writers(["csv", "tensorboard"], run_paths), run_paths.log_dir)
    yield logger
    logger.close()


# --- rows and steps -------------------------------------------------------------------------------------------------


def test_log_writes_a_row_and_dumps_count_from_zero(logger, writer):
    """Without a step rows are numbered; after a given step they count on from there."""
    logger.log({"a": 1.5})
    logger.log({"a": 2})
    logger.log({"b": "text"}, step=10)
    logger.log({"b": True})
    assert writer.rows == [(0, {"a": 1.5}), (1, {"a": 2}), (10, {"b": "text"}), (11, {"b": 1})]
    assert (logger.rows, logger.last_step, logger.last_values) == (4, 11, {"a": 2, "b": 1})
    assert type(writer.rows[3][1]["b"]) is int


def test_a_dump_of_nothing_writes_nothing_and_counts_nothing(logger, writer):
    """An empty row, a row of missing values and a dump without records leave no trace."""
    assert logger.dump() == {}
    logger.log({})
    logger.log({"a": None})
    logger.log({"time-step": 5})
    assert (writer.rows, logger.rows, logger.next_step()) == ([], 0, 0)


def test_recorded_values_and_logged_ones_make_one_row(logger, writer):
    """What was recorded goes out with the next row, once; the last value of a key wins; the dump returns the row."""
    logger.record("a", 1)
    logger.record("a", np.float32(0.5))
    logger.record_all({"x": 1, 2: 3}, prefix="p/")
    assert list(logger.name_to_value) == ["a", "p/x", "p/2"]
    logger.log({"b": 2, "a": 3})
    assert logger.dump() == {}
    logger.record("c", 1)
    assert logger.dump(7) == {"c": 1}
    assert writer.rows == [(0, {"a": 3, "p/x": 1, "p/2": 3, "b": 2}), (7, {"c": 1})]


def test_the_time_step_is_the_step_of_rows_that_are_given_none(logger, writer):
    """RLA's holder: set, grown, unset; a step of zero is a step."""
    holder = logger.time_step
    holder.inc_time()
    logger.log({"a": 1})
    holder.set_time(np.int64(0))
    logger.log({"a": 1})
    holder.add_time(5)
    logger.log({"a": 1})
    logger.log({"a": 1}, step=2)
    assert (holder.get_time(), holder.is_set, logger.current_step()) == (5, True, 5)
    holder.clear()
    logger.log({"a": 1})
    assert [step for step, _ in writer.rows] == [1, 0, 5, 2, 3]
    assert holder.get_time() == 0


def test_steps_of_many_kinds(logger, writer):
    """Whole numbers of every origin, whole floats among them; steps may be negative, repeat and go back."""
    torch = pytest.importorskip("torch")
    given = [np.int64(5), torch.tensor(6), 7.0, "8", True, -3, -3, 2**70, np.array([9]), Fraction(10)]
    for step in given:
        logger.log({"a": 1}, step=step)
    assert [step for step, _ in writer.rows] == [5, 6, 7, 8, 1, -3, -3, 2**70, 9, 10]
    assert all(type(step) is int for step, _ in writer.rows)


def test_a_step_that_is_no_number_warns_once_and_rows_are_counted(logger, writer):
    """NaN, infinity, words, arrays and hostile objects cost the step, not the row."""
    with pytest.warns(RLAWarning, match="the step nan is no number") as caught:
        for step in (math.nan, math.inf, "epoch", [1], np.zeros(2), object()):
            logger.log({"a": 1}, step=step)
        logger.write_media("t", Text("x"), step="word")
    assert [step for step, _ in writer.rows] == list(range(6))
    assert len(caught) == 1 and writer.shown[0][0] == 6


def test_keys_named_like_our_own_columns(logger, writer):
    """``time-step`` among the values is the step; what would be lost has another column, which is said once."""
    values = {"time-step": np.int32(5), "a": 1}
    logger.log(values)
    logger.log({"time-step": 6, "a": 1}, step=6)
    logger.record("time-step", 7)
    logger.log({"a": 1})
    assert writer.rows == [(5, {"a": 1}), (6, {"a": 1}), (7, {"a": 1})]
    assert len(values) == 2, "the caller's dict is left alone"
    with pytest.warns(RLAWarning) as caught:
        for _ in range(2):
            logger.log({"timestamp": 1000.5, "time-step": 3, "a": 1}, step=8)
    assert [str(w.message) for w in caught] == [
        "every row has a column 'timestamp': the metric is logged as 'timestamp_'.",
        "every row has a column 'time-step': the metric is logged as 'time-step_'.",
    ]
    assert writer.rows[3:] == [(8, {"a": 1, "timestamp_": 1000.5, "time-step_": 3})] * 2


def test_a_metric_keeps_the_name_that_one_of_our_columns_would_get(logger, writer):
    """A metric ``time-step`` beside one that is called ``time-step_`` gets another name."""
    with pytest.warns(RLAWarning, match="the metric is logged as 'time-step__'"):
        logger.log({"time-step": 3, "time-step_": 4}, step=8)
    assert writer.rows == [(8, {"time-step_": 4, "time-step__": 3})]


@pytest.mark.parametrize(
    "values", [{"a": {"b": 1}, "a/b": 2}, {"a/b": 1, "a": {"b": 2}}, {"a": {"b/c": 1, "b": {"c": 2}}}, {1: 1, "1": 2}]
)
def test_two_metrics_of_one_name_are_told(values, logger, writer):
    """A row has a column once: a nested and a flat name, or the keys 1 and "1", that are the same lose one value."""
    with pytest.warns(RLAWarning, match="two metrics of a row have the name .* the last one is logged") as caught:
        logger.log(values, step=1)
        logger.log(values, step=2)
    assert len(caught) == 1 and [[*row.values()] for _, row in writer.rows] == [[2]] * 2


def test_a_fraction_of_a_step_is_kept_beside_the_whole_step(logger, writer):
    """Once one was given, rows with a float as step have it in the column ``step``; said once. No row is lost."""
    logger.log({"a": 1}, step=1.0)
    with pytest.warns(RLAWarning, match="the step 1.25 is no whole number: it is 1") as caught:
        for step in (1.25, 1.5, np.float32(2.0), 3):
            logger.log({"a": 1}, step=step)
        logger.log({"a": 1, "step": 7}, step=3.5)
    assert len(caught) == 1
    exact = [(1, {}), (1, {"step": 1.25}), (1, {"step": 1.5}), (2, {"step": 2.0}), (3, {}), (3, {"step": 7})]
    assert writer.rows == [(step, {"a": 1} | more) for step, more in exact]


def test_the_time_step_has_rlas_words(logger, writer):
    """config begins anew, with a step or without; the outer epoch is the program's, and stands in no row."""
    holder = logger.time_step
    holder.config(7, 2, tf_log=True)
    holder.inc_outer_epoch()
    holder.add_time(3)
    assert (holder.get_time(), holder.get_outer_epoch(), holder.tf_log) == (10, 3, True)
    holder.set_outer_epoch(9)
    logger.log({"a": 1})
    holder.config(tf_log=False)
    assert not holder.is_set and holder.get_outer_epoch() == 0
    logger.log({"a": 2})
    assert [step for step, _ in writer.rows] == [10, 11]


def test_odd_time_steps_warn_once_and_stop_nothing(logger):
    """A fraction is cut; what is no number is ignored."""
    holder = logger.time_step
    holder.set_time(np.float32(4096.0))
    with pytest.warns(RLAWarning) as caught:
        for _ in range(2):
            holder.set_time(4097.5)
            holder.add_time(Hostile())
            for odd in ("x", math.nan, math.inf, None, [1], Hostile(), np.zeros(2)):
                holder.set_time(odd)
    assert [str(w.message) for w in caught] == [
        "the time step 4097.5 was set; it is cut to 4097.",
        "<Hostile: repr raises RuntimeError> is no number to add to the time step; it stays 4097.",
    ]
    assert holder.get_time() == 4097


def test_steps_too_large_for_a_file_are_counted(logger, writer):
    """Python does not print ints of more than 4300 digits, and a counted row is better than none."""
    with pytest.warns(RLAWarning, match="<int of 16610 bits> is too large for a file") as caught:
        logger.log({"a": 1}, step=10**5000)
        logger.log({"a": 1}, step=-(10**5000))
        logger.write_media("t", Text("x"), step=10**5000)
    logger.time_step.set_time(10**5000)
    logger.log({"a": 1})
    assert [step for step, _ in writer.rows][:2] == [0, 1] and len(caught) == 1
    assert len(str(writer.rows[2][0])) == 308


# --- values ---------------------------------------------------------------------------------------------------------


def test_a_value_that_is_no_scalar_warns_once_by_key_and_drops_nothing_else(logger, writer):
    """Arrays, dicts and objects that raise are left out of the row by name."""
    bad = {"array": np.zeros(3), "list": [1], "raises": Raises(), "bytes": b"1", "complex": 1j, "type": int}
    with pytest.warns(RLAWarning) as caught:
        for _ in range(3):
            logger.log({"a": 1, **bad, "none": None, "b": 2})
    assert [str(w.message).split("'")[1] for w in caught] == list(bad)
    assert "'array' was left out: a ndarray of shape (3,) is no scalar" in str(caught[0].message)
    assert writer.rows == [(step, {"a": 1, "b": 2}) for step in range(3)]


def test_nested_mappings_are_flattened_in_every_way_in(logger, writer):
    """log, record, record_all, record_mean and moving averages; keys of any kind; also in other mappings than dict."""
    nested = {"policy": 0.5, "critic": types.MappingProxyType({1: 2.0, "none": None, "empty": {}})}
    flat = {"loss/policy": 0.5, "loss/critic/1": 2.0}
    logger.log({"loss": nested, "a": 1})
    logger.record("loss", nested, exclude="other")
    logger.dump()
    logger.record_all({"ss": nested}, prefix="lo", exclude="list")
    logger.record_mean("m", {"x": 1.0})
    logger.record_mean("m", {"x": 3.0})
    logger.record_moving_average("w", {"x": 1.0}, 1)
    logger.dump()
    rows = [flat | {"a": 1}, flat, {"m/x": 2.0, "w/x": 1.0}]
    assert [values for _, values in writer.rows] == rows


def test_a_mapping_that_contains_itself_warns_and_stops_nothing(logger, writer):
    """Its plain values are logged, down to a depth."""
    circle = {"a": 1}
    circle["self"] = circle
    with pytest.warns(RLAWarning, match="was left out: a dict is no scalar"):
        logger.log({"x": circle})
    assert writer.rows[0][1]["x/self/a"] == 1


class Hostile:
    """Every way to look at it raises."""

    def __repr__(self):
        raise RuntimeError("no repr")

    __str__ = __repr__

    @property
    def item(self):
        raise HostileError


class HostileError(Exception):
    def __str__(self):
        raise RuntimeError("no str")


def test_keys_and_values_whose_texts_raise_stop_nothing(logger, writer):
    """Neither as a key, nor as a value, a step or a message; the rest of the row is kept."""
    with pytest.warns(RLAWarning) as caught:
        logger.log({Hostile(): 1.0, "a": 1, "b": Hostile()}, step=Hostile())
        logger.record(Hostile(), 2.0)
        logger.record(["no", "hash"], 2.0)
        logger.record_mean(Hostile(), Hostile())
        logger.record_moving_average("w", Hostile(), 3)
        logger.dump()
        logger.message(Hostile())
    assert len(caught) == 4
    name = "<Hostile: repr raises RuntimeError>"
    assert writer.rows == [(0, {name: 1.0, "a": 1}), (1, {name: 2.0, "['no', 'hash']": 2.0})]


def test_huge_numbers_and_texts_are_bounded(logger, writer):
    """An int that no float holds is infinite, a long text is cut; each is said once; other large ints stay exact."""
    with pytest.warns(RLAWarning) as caught:
        for _ in range(2):
            logger.log({"a": 1, "big": 10**5000, "small": -(10**5000), "exact": 2**100, "text": "x" * 10**6})
    (_, values), _ = writer.rows
    text = values.pop("text")
    assert values == {"a": 1, "big": math.inf, "small": -math.inf, "exact": 2**100}
    assert len(text) < 11_000 and text.endswith("… (1000000 characters)")
    assert [str(w.message) for w in caught] == [
        "'big' has 16610 bits; as no float holds it, it is logged as inf.",
        "'small' has 16610 bits; as no float holds it, it is logged as -inf.",
        "'text' has 1000000 characters; the first 10000 are logged.",
    ]


def test_run_json_stays_small_whatever_is_logged(tmp_path):
    """Long texts as last values, ten thousands of keys and long messages do not burst the files."""
    with rla.run(task="t", log_root=tmp_path, writers=["log"], backup="none") as run:
        rla.log({f"text{i}": "x" * 10_000 for i in range(100)} | {f"k{i}": i for i in range(10_000)})
        run.logger.message("y" * 10**7)
    (saved,) = rla.runs(tmp_path)
    assert saved.status == "finished" and len(saved.info["last"]) == 10_000
    assert saved.paths.run_json.stat().st_size < 1_000_000 and saved.paths.log_txt.stat().st_size < 2_000_000


def test_keys_that_are_no_strings_are_written_as_text(logger, writer):
    """Numbers and enums as keys, with exclude= too."""
    colour = enum.Enum("Colour", "RED")
    logger.record(1, 2.0)
    logger.record(2, 2.0, exclude="list")
    logger.record(colour.RED, 3)
    logger.dump()
    assert writer.rows == [(0, {"1": 2.0, "Colour.RED": 3})]


def test_a_mean_is_of_the_values_since_the_last_dump(logger, writer):
    """None is passed over; a plain record replaces the mean; words and arrays are left out with one warning."""
    for value in (1, None, np.float32(2), 6.0):
        logger.record_mean("m", value)
    logger.dump()
    logger.record_mean("m", 10)
    logger.record("m", "word")
    logger.record_mean("m", 4)
    logger.record_mean("n", 1)
    logger.record("n", "word")
    with pytest.warns(RLAWarning, match="left out of a mean") as caught:
        for value in ("word", [1], Raises(), 10**400):
            logger.record_mean("m", value)
    logger.dump()
    assert writer.rows == [(0, {"m": 3.0}), (1, {"m": 4.0, "n": "word"})]
    assert len(caught) == 1


def test_a_moving_average_starts_when_its_window_is_full(logger, writer):
    """It goes on over dumps, may ignore NaN, and keeps what it has when the window's length changes."""
    for value in (1, 2, None, 3, math.nan, 4):
        logger.record_moving_average("a", value, 3, ignore_nan=True)
        logger.dump()
    logger.record_moving_average("a", 7, 2)
    logger.dump()
    logger.record_moving_average("b", math.nan, 1)
    logger.dump()
    assert [values for _, values in writer.rows[:3]] == [{"a": 2.0}, {"a": 3.0}, {"a": 5.5}]
    assert math.isnan(writer.rows[3][1]["b"])


@pytest.mark.parametrize("length", [0, -1, 2.5, "3", None])
def test_a_window_without_a_length_warns_and_training_goes_on(logger, writer, length):
    """A wrong record_len costs the average, not the run."""
    with pytest.warns(RLAWarning, match="whole number above 0") as caught:
        logger.record_moving_average("a", 1.0, length)
        logger.record_moving_average("a", 1.0, length)
    logger.log({"b": 1})
    assert writer.rows == [(0, {"b": 1})] and len(caught) == 1


def test_freq_keeps_a_value_only_every_so_many_steps(logger, writer):
    """Also from a dump to the next without a set time step; a step that goes back starts anew."""
    for step in [0, 1, 4, 5, 9, 10, 2, 3, 7]:
        logger.time_step.set_time(step)
        logger.record("a", step, freq=5)
        logger.log({"b": 1})
    assert [values["a"] for _, values in writer.rows if "a" in values] == [0, 5, 10, 2, 7]
    logger.time_step.clear()
    for _ in range(6):
        logger.record_moving_average("c", 1, 1, freq=3)
        logger.log({"b": 1})
    assert [step for step, values in writer.rows if "c" in values] == [8, 11]


@pytest.mark.parametrize("exclude", ["tensorboard", ("tensorboard",), ["tensorboard", "log"], {"tensorboard"}])
def test_exclude_keeps_a_value_from_the_named_writers_for_one_dump(exclude):
    """Others get it; a row of which nothing is left is not written; the next record of the key counts anew."""
    csv_like, board = ListWriter("csv"), ListWriter("tensorboard")
    logger = Logger([csv_like, board])
    logger.record("a", 1, exclude=exclude)
    logger.record_mean("m", 1, exclude=exclude)
    logger.record("b", 2)
    logger.dump()
    logger.record("a", 3, exclude=exclude)
    logger.dump()
    logger.record("a", 4, exclude=exclude)
    logger.record("a", 5)
    logger.dump()
    assert csv_like.rows == [(0, {"a": 1, "m": 1.0, "b": 2}), (1, {"a": 3}), (2, {"a": 5})]
    assert board.rows == [(0, {"b": 2}), (2, {"a": 5})]


# --- levels, messages, other things ---------------------------------------------------------------------------------


def test_messages_below_the_level_are_left_out_and_disabled_stops_rows(logger, writer):
    """Levels as in baselines."""
    logger.message("a", 1, None)
    logger.message("hidden", level=DEBUG)
    logger.set_level(ERROR)
    logger.message("hidden", level=WARN)
    logger.message("loud", level=ERROR)
    logger.set_level(DISABLED)
    logger.message("hidden", level=DISABLED)
    logger.record("a", 1)
    assert logger.dump() == {}
    logger.write_media("t", Text("x"))
    logger.set_level(INFO)
    logger.log({"b": 1})
    assert writer.lines == ["a 1 None", "loud"]
    assert (writer.rows, writer.shown) == ([(0, {"b": 1})], [])


def test_a_message_that_cannot_be_shown_does_not_stop_a_training(logger, writer):
    """An object whose str raises is named in a safe form."""
    logger.message("bad:", Raises())
    assert writer.lines[0].startswith("bad: <") and "Raises" in writer.lines[0]


def test_exhibits_are_shown_at_the_step_where_the_run_stands(logger, writer):
    """Without a step it is the last row's."""
    logger.write_media("t", Text("0"))
    logger.log({"a": 1}, step=9)
    logger.write_media("t", Text("9"))
    logger.write_media("t", Text("3"), step=np.int64(3))
    assert [(step, content.markdown) for step, _, content in writer.shown] == [(0, "0"), (9, "9"), (3, "3")]


def test_get_dir_and_close(run_paths, writer):
    """The folder is text, as in baselines; close reaches the writers."""
    logger = Logger([writer], run_paths.log_dir)
    logger.close()
    assert (logger.get_dir(), Logger().get_dir(), writer.lines) == (str(run_paths.log_dir), None, ["closed"])


# --- trouble --------------------------------------------------------------------------------------------------------


def test_trouble_warns_once_counts_a_gap_and_leaves_the_other_writers_alone(logger, writer):
    """Whatever a writer raises; trouble that comes back soon is the same trouble."""
    other, recovered = ListWriter("other"), []
    logger.output_formats.append(other)
    logger.on_recovery = lambda: recovered.append(len(logger.missing.gaps))
    with pytest.warns(RLAWarning, match=r"list: (broken pipe|'3')\. The training goes on") as caught:
        for step, error in enumerate([None, OSError("broken pipe"), ValueError("2"), None, KeyError("3"), None]):
            writer.broken = error
            logger.log({"a": step})
    assert [step for step, _ in writer.rows] == [0, 3, 5]
    assert [step for step, _ in other.rows] == list(range(6))
    names = ("writer", "rows", "first_step", "last_step", "reason")
    assert logger.missing.as_dicts() == [
        dict(zip(names, ("list", 3, 1, 4, "broken pipe"))),
    ]
    assert len(caught) == 1 and recovered == [1]
    assert writer.lines == ["list: writing works again; 2 rows are missing"]


def test_a_write_of_nothing_is_no_recovery(logger, writer):
    """A writer that says that it had nothing to write has not got over its trouble."""
    answers = iter([OSError("full"), False, OSError("full"), None])

    def write(row):
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    writer.write = write
    with pytest.warns(RLAWarning) as caught:
        for _ in range(4):
            logger.log({"a": 1})
    assert len(caught) == 1 and [gap.missing_rows for gap in logger.missing.gaps] == [2]


def test_a_closed_stdout_warns_once(run_paths, monkeypatch):
    """The other writers and the training go on."""
    logger = Logger(make_writers(["stdout", "csv"], run_paths, math.inf))
    with open(os.devnull, "w") as closed:
        pass
    monkeypatch.setattr(sys, "stdout", closed)
    with pytest.warns(RLAWarning, match="stdout: I/O operation on closed file") as caught:
        for step in range(5):
            logger.log({"a": step})
        logger.message("hello")
        logger.close()
    assert len(caught) == 1
    assert list(pandas.read_csv(run_paths.progress_csv)["a"]) == list(range(5))


def test_a_full_disk_costs_the_rows_of_that_time_and_nothing_else(small_disk, read_rows, read_scalars):
    """One warning for each writer, an exact gap, no half row; rows, and columns that came meanwhile, go on later."""
    paths = layout.create(small_disk, "task", {})
    logger = Logger(make_writers(["csv", "tensorboard", "log"], paths, math.inf), paths.log_dir)
    ballast = small_disk / "ballast"

    def log(step, **more):
        logger.log({"loss": 1.5, **more}, step, 1767225600.5 + step)  # a shorter row might fit where others do not

    for step in range(100, 110):
        log(step)
    with open(ballast, "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)
    with pytest.warns(RLAWarning, match="No space left") as caught:
        for step in range(110, 600):
            log(step)
        for step in range(600, 610):
            log(step, late=2.5)
            logger.write_media("text", Text("csv passes this over, which is no recovery" * 1000))
    assert Counter(str(warning.message).split(":")[0] for warning in caught) == {"csv": 1, "tensorboard": 1, "log": 1}
    ballast.unlink()
    for step in range(610, 620):
        log(step, late=2.5)
    logger.close()
    gaps = {gap.writer: gap for gap in logger.missing.gaps}
    assert len(logger.missing.gaps) == 3
    everything = set(range(100, 620))
    csv_steps = [int(row["time-step"]) for row in read_rows(paths.progress_csv)]
    assert csv_steps == sorted(everything - set(range(gaps["csv"].first_step, gaps["csv"].last_step + 1)))
    assert gaps["csv"].missing_rows == 520 - len(csv_steps) > 100 and gaps["csv"].last_step == 609
    scalars = read_scalars(paths.tensorboard_dir)
    board_steps = [step for step, _ in scalars["loss"]]
    assert board_steps == sorted(everything - set(range(gaps["tensorboard"].first_step, 610)))
    assert gaps["tensorboard"].missing_rows == 520 - len(board_steps), "texts that are missing are no rows"
    assert scalars["late"] == [(step, 2.5) for step in range(610, 620)]
    assert pandas.read_csv(paths.progress_csv)["late"].count() == 10
    assert "csv: writing works again" in paths.log_txt.read_text()


# --- processes, threads, copies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("clone", [None, copy.deepcopy, lambda logger: pickle.loads(pickle.dumps(logger))])
@pytest.mark.norerun
def test_two_threads_lose_no_row(on_disk, run_paths, clone, read_rows, read_scalars):
    """On one logger and on two copies, also while both bring new keys."""
    on_disk.log({"start": 1}, step=-1)
    loggers = [on_disk, clone(on_disk) if clone else on_disk]

    def work(number):
        for step in range(2000):
            late = {f"late{number}": step} if step % 500 == 499 else {}
            loggers[number].log({f"value{number}": step, **late}, step)

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = read_rows(run_paths.progress_csv)
    scalars = read_scalars(run_paths.tensorboard_dir)
    assert len(rows) == 4001 and on_disk.missing.gaps == []
    for number in (0, 1):
        key, late = f"value{number}", f"late{number}"
        assert [row[key] for row in rows if key in row] == [str(step) for step in range(2000)]
        assert [row[late] for row in rows if late in row] == ["499", "999", "1499", "1999"]
        assert scalars[key] == [(step, float(step)) for step in range(2000)]


def test_recording_from_two_threads_makes_whole_means(logger, writer):
    """No value of a mean is lost between threads."""
    threads = [threading.Thread(target=lambda: [logger.record_mean("m", n) for n in (0, 4) * 500]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logger.dump()
    assert writer.rows[0][1]["m"] == pytest.approx(2.0) and logger._counts == {}


def test_a_copy_knows_what_the_original_knew(logger, writer):
    """Counts, means and pending values go with a copy; callbacks of this process do not."""
    logger.on_row = print
    logger.log({"a": 1}, 5)
    logger.record_mean("m", 2)
    other = copy.deepcopy(logger)
    other.record_mean("m", 4)
    assert (other.dump(), other.last_step, other.on_row) == ({"m": 3.0}, 6, None)
    assert logger.name_to_value == {"m": 2.0} and other.output_formats[0].rows[-1] == (6, {"m": 3.0})


def test_a_forked_child_writes_nothing_and_does_not_hang(run_paths, read_rows, forked):
    """Also where another thread of the parent was in the middle of a dump: its lock never opens in the child."""
    logger = Logger(make_writers(["csv", "tensorboard", "log", "stdout"], run_paths), run_paths.log_dir)
    logger.log({"a": 1})
    held, release = threading.Event(), threading.Event()

    def hold():
        with logger._lock:
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    files = {path: path.read_bytes() for path in run_paths.log_dir.rglob("*") if path.is_file()}

    def write():
        logger.record("b", 1)
        logger.record_mean("c", 1)
        logger.record_moving_average("d", 1, 1)
        logger.log({"a": 2})
        assert logger.dump() == {}
        logger.message("child")
        logger.write_media("t", Text("child"))
        logger.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns about forks beside threads
        child = forked(write)
    code = child.ended()
    release.set()
    thread.join()
    assert code == 0
    assert {path: path.read_bytes() for path in run_paths.log_dir.rglob("*") if path.is_file()} == files
    logger.log({"a": 3})
    assert [row["a"] for row in read_rows(run_paths.progress_csv)] == ["1", "3"]


@needs_fork
def test_workers_of_a_forked_pool_write_nothing(on_disk, run_paths, read_rows):
    """Data loaders fork: a dump in a worker is silent, and the parent goes on."""
    on_disk.log({"a": 0})
    worker = multiprocessing.get_context("fork").Process(target=lambda: [on_disk.log({"a": 1}) for _ in range(10)])
    worker.start()
    worker.join()
    on_disk.log({"a": 2})
    assert worker.exitcode == 0 and ranks.process_id == os.getpid()
    assert [row["a"] for row in read_rows(run_paths.progress_csv)] == ["0", "2"]


CHILD = """
    import os, sys
    from pathlib import Path
    from rla_hooks.layout import RunPaths
    from rla_hooks.core.logger import Logger
    from rla_hooks.writers import make_writers

    paths = RunPaths(Path(sys.argv[1]), sys.argv[2])
    logger = Logger(make_writers(["csv", "tensorboard", "log"], paths), paths.log_dir)
    for step in range(10**9):
        logger.log({"loss": step / 3, "text": "a,b\\n", f"key{step // 400}": step}, step)
        os.write(1, b"%d\\n" % step)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
@pytest.mark.norerun
def test_kill_9_in_the_middle_of_dumping_loses_no_row_that_was_dumped(run_paths, read_rows, read_scalars):
    """csv module, pandas and TensorBoard read every row whose dump had returned."""
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(run_paths.log_root), run_paths.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        said = b""
        while said.count(b"\n") < 3000:
            data = os.read(child.stdout.fileno(), 4096)
            assert data, "the child died by itself"
            said += data
        child.kill()
        said += child.stdout.read()
    last = int(said.rsplit(b"\n", 2)[-2])
    rows = read_rows(run_paths.progress_csv)
    assert [float(row["loss"]) for row in rows[: last + 1]] == [step / 3 for step in range(last + 1)]
    assert len(rows) in (last + 1, last + 2), "one more may have been dumped and not been told of"
    frame = pandas.read_csv(run_paths.progress_csv)
    assert list(frame["time-step"]) == list(range(len(rows))) and frame["key1"].count() == 400
    scalars = read_scalars(run_paths.tensorboard_dir)
    assert [step for step, _ in scalars["loss"]][: last + 1] == list(range(last + 1))
    Logger(make_writers(["csv"], run_paths)).log({"loss": 1.0}, step=-5)
    assert len(read_rows(run_paths.progress_csv)) == len(rows) + 1


# --- rows of floats ---------------------------------------------------------------------------------------------------


def test_rows_of_the_same_keys_are_written_as_any_other(tmp_path, read_rows):
    """Floats, and what comes between them: integers, NaN, texts, other keys, missing values, odd steps."""
    from rla_hooks.writers.csv_writer import CsvWriter

    rows = [{"a": 0.5, "b": 1.5}, {"a": 0.25, "b": 2.5}, {"a": 1, "b": 2.5}, {"a": math.nan, "b": -math.inf}]
    rows += [{"b": 0.5, "a": 1.5}, {"a": 0.5, "b": "text"}, {"a": 0.5, "b": None}, {"a": 0.5, "b": 1.5, "c": 2.5}]
    rows += [{"a": 0.5, "b": True}, {"a": 2**70, "b": 0.5}, {"a": np.float32(0.5), "b": 0.25}, {"a": 0.5, "b": 1.5}]
    writer = ListWriter()
    logger = Logger([CsvWriter(tmp_path / "progress.csv"), writer])
    for _ in range(3):
        for row in rows:
            logger.log(row)
    logger.log({"a": 0.5, "b": 1.5}, 2.0)
    logger.log({"a": 0.5, "b": 1.5}, -(2**70))
    expected = [
        {k: float(v) if v is not True else 1 for k, v in row.items() if type(v) not in (str, type(None))}
        for row in rows
    ]
    for number, (step, values) in enumerate(writer.rows[:-2]):
        numbers = {key: value for key, value in values.items() if type(value) is not str}
        assert step == number and repr({k: float(v) for k, v in numbers.items()}) == repr(
            {k: float(v) for k, v in expected[number % len(rows)].items()}
        )
    assert [step for step, _ in writer.rows[-2:]] == [2, -(2**70)]
    held = [{k: v for k, v in row.items() if k in "abc"} for row in read_rows(tmp_path / "progress.csv")]
    assert len(held) == 38 == logger.rows
    for row, (_, values) in zip(held, writer.rows):
        assert {k: v for k, v in row.items() if v} == {k: v if type(v) is str else repr(v) for k, v in values.items()}
    assert logger.last_values == {"a": 0.5, "b": 1.5, "c": 2.5}


def test_writers_that_come_and_go_get_the_rows_of_their_time():
    """Also where the keys stay the same."""
    first, second = ListWriter("first"), ListWriter("second")
    logger = Logger([first])
    for step in range(3):
        logger.log({"a": 0.5}, step)
    logger.output_formats.append(second)
    for step in range(3, 6):
        logger.log({"a": 0.5}, step)
    logger.output_formats.remove(first)
    logger.log({"a": 0.5}, 6)
    assert [step for step, _ in first.rows] == [*range(6)]
    assert [step for step, _ in second.rows] == [3, 4, 5, 6]


def test_a_row_of_floats_is_a_copy():
    """What the caller, or a writer, does to its own afterwards changes no other."""
    first, second = ListWriter("first"), ListWriter("second")
    first.write = lambda row: row.values.clear()
    logger, mine = Logger([first, second]), {"a": 0.5}
    for _ in range(4):  # the third is the first that goes the short way
        logger.log(mine)
    mine["a"] = 1.0
    assert [values for _, values in second.rows[2:]] == [{"a": 0.5}] * 2 and logger.last_values == {"a": 0.5}


def test_keys_of_rows_are_not_kept_without_end(logger):
    """Sets of keys that never come again cost no memory."""
    for number in range(600):
        logger.log({str(number): 0.5})
    assert len(logger._shapes) <= 256
