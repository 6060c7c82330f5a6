"""Consecutive calls of add_scalar make one row, which no ending but SIGKILL loses."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks.core.logger import Logger
from rla_hooks.errors import RLAWarning
from rla_hooks.writers.base import Row, Text
from rla_hooks.writers.csv_writer import CsvWriter
from rla_hooks.writers.tensorboard_writer import TensorBoardWriter


class ListWriter:
    name = "list"

    def __init__(self):
        self.rows, self.times = [], []

    def write(self, row):
        if isinstance(row, Row):
            self.rows.append((row.step, dict(row.values)))
            self.times.append(row.time)
        else:
            self.rows.append((row.step, row.tag))

    def close(self):
        pass


@pytest.fixture
def writer():
    return ListWriter()


@pytest.fixture
def logger(writer):
    return Logger([writer])


def test_consecutive_calls_of_one_step_are_one_row(logger, writer):
    """The next step writes it; steps of other kinds with the same value are the same step."""
    for number, step in enumerate((0, np.int64(0), 0.0)):
        logger.add_scalar(f"a{number}", 1.0, step)
    assert writer.rows == []
    logger.add_scalar("a0", 2.0, 1)
    assert writer.rows == [(0, {"a0": 1.0, "a1": 1.0, "a2": 1.0})]
    logger.flush()
    assert writer.rows[1:] == [(1, {"a0": 2.0})]
    logger.flush()
    assert len(writer.rows) == 2 == logger.rows


def test_a_tag_that_comes_twice_starts_another_row(logger, writer):
    """No value is lost."""
    for value in (1.0, 2.0):
        logger.add_scalar("a", value, 5)
        logger.add_scalar("b", value, 5)
    logger.close()
    assert writer.rows == [(5, {"a": 1.0, "b": 1.0}), (5, {"a": 2.0, "b": 2.0})]


def test_calls_without_a_step_count_on(logger, writer):
    """One row until a tag comes again; after a row with a step it is the next one; a time step that is set holds."""
    for key in ("a", "b", "a"):
        logger.add_scalar(key, 1.0)
    logger.add_scalar("c", 1.0, 7)
    logger.add_scalar("a", 1.0)
    logger.time_step.set_time(20)
    logger.add_scalar("b", 1.0)
    logger.time_step.set_time(30)
    logger.add_scalar("c", 1.0)
    logger.flush()
    assert [(step, list(values)) for step, values in writer.rows] == [
        (0, ["a", "b"]),
        (1, ["a"]),
        (7, ["c"]),
        (8, ["a"]),
        (20, ["b"]),
        (30, ["c"]),
    ]


@pytest.mark.parametrize(
    "call",
    [
        lambda logger: logger.log({"x": 1}, 4),
        lambda logger: logger.write_media("x", Text("x"), 4),
        lambda logger: (logger.record("x", 1), logger.dump(4)),
        lambda logger: (logger.record("x", 1), logger.add_scalar("a", 1, 4)),
    ],
)
def test_any_other_call_that_writes_comes_after_it(call, logger, writer):
    """The order of the calls is the order in the files."""
    logger.add_scalar("a", 1.0, 3)
    call(logger)
    assert [step for step, _ in writer.rows] == [3, 4]
    assert writer.rows[0] == (3, {"a": 1.0})


def test_the_present_step_is_that_of_the_open_row(logger):
    """A figure or a checkpoint without a step belongs to it."""
    logger.log({"x": 1}, 1)
    logger.add_scalar("a", 1.0, 3)
    assert logger.current_step() == 3


def test_walltime_and_the_time_of_the_first_value(logger, writer):
    """A walltime that cannot be used is that of the call; text, too, takes one."""
    logger.add_scalar("a", 1.0, 0, walltime=1000.5)
    logger.add_scalar("b", 1.0, 0, walltime=2000.0)
    logger.add_scalar("a", 1.0, 1, walltime="yesterday")
    logger.add_scalar("a", 1.0, 2, walltime=float("nan"))
    logger.flush()
    first, *others = writer.times
    assert first == 1000.5 and all(time > 1.7e9 for time in others)


def test_fractions_of_a_step_are_steps_of_their_own(logger, writer):
    """0.25 and 0.5 are both cut to 0, and stay two rows."""
    with pytest.warns(RLAWarning, match=r"the step 0\.25 is no whole number"):
        for step in (0.25, 0.5):
            logger.add_scalar("a", step, step)
            logger.add_scalar("b", step, step)
    logger.flush()
    assert writer.rows == [(0, {"a": step, "b": step, "step": step}) for step in (0.25, 0.5)]


def test_odd_values_are_told_at_their_line_and_join(logger, writer):
    """A tensor is read at once, since it may change; what is no scalar is left out, and warns in this file."""
    array = np.array([1.0])
    logger.add_scalar("a", array, 0)
    array[0] = 2.0
    with pytest.warns(RLAWarning, match="'bad' was left out") as caught:
        logger.add_scalar("bad", object(), 0)
    assert caught[0].filename == __file__
    logger.add_scalar("nested", {"x": 1}, 0)
    logger.flush()
    assert writer.rows == [(0, {"a": 1.0, "nested/x": 1})]


def test_the_open_row_stays_with_the_original(logger, writer):
    """A copy and a pickle have none, so no row is written twice."""
    logger.add_scalar("a", 1.0, 0)
    for twin in (copy.deepcopy(logger), pickle.loads(pickle.dumps(logger))):
        twin.add_scalar("b", 1.0, 0)
        twin.flush()
        assert [values for _, values in twin.output_formats[0].rows] == [{"b": 1.0}]
    logger.flush()
    assert writer.rows == [(0, {"a": 1.0})]


def test_the_open_row_stays_with_the_parent(logger, writer, forked):
    """A forked child has none."""
    logger.add_scalar("a", 1.0, 0)

    def child():
        logger.take_over()
        logger.add_scalar("c", 1.0, 9)
        logger.flush()
        assert logger.output_formats[0].rows == [(9, {"c": 1.0})]

    assert forked(child).ended() == 0
    logger.flush()
    assert writer.rows == [(0, {"a": 1.0})]


def test_ctrl_c_in_the_middle_of_its_writing_loses_nothing(logger, writer):
    """The next row, or the end, writes it."""

    class Interrupted(ListWriter):
        name = "interrupted"

        def write(self, row):
            logger.output_formats.remove(self)
            raise KeyboardInterrupt

    logger.output_formats.insert(0, Interrupted())
    logger.add_scalar("a", 1.0, 0)
    with pytest.raises(KeyboardInterrupt):
        logger.add_scalar("a", 2.0, 1)
    logger.add_scalar("b", 3.0, 0)
    logger.close()
    assert writer.rows == [(0, {"a": 1.0, "b": 3.0})]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that interrupts")
@pytest.mark.norerun
def test_a_signal_handler_that_logs_loses_and_mixes_nothing(logger, writer):
    """At any line of add_scalar: each value is in exactly one row, of its step."""
    ticks = iter(range(10**9))

    def tick(number, frame):
        step = next(ticks)
        logger.add_scalar("tick", float(step), 10**6 + step)
        if step % 2:
            logger.log({"other": float(step)}, 2 * 10**6 + step)
        signal.setitimer(signal.ITIMER_REAL, 0.0003)  # here: on a slow machine a handler would interrupt itself

    before = signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.0003)
    try:
        for step in range(5000):
            logger.add_scalar("a", float(step), step)
            logger.add_scalar("b", float(step), step)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    logger.flush()
    seen = [(key, step, value) for step, values in writer.rows for key, value in values.items()]
    ticked = next(ticks)
    expected = [(key, step, float(step)) for key in "ab" for step in range(5000)]
    expected += [("tick", 10**6 + step, float(step)) for step in range(ticked)]
    expected += [("other", 2 * 10**6 + step, float(step)) for step in range(1, ticked, 2)]
    assert sorted(seen) == sorted(expected) and ticked > 10


def test_threads_lose_no_value(logger, writer):
    """Each value is in one row of its step."""

    def work(number):
        for step in range(200):
            logger.add_scalar(f"v{number}", 1.0, step)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    logger.flush()
    seen = [(step, key) for step, values in writer.rows for key in values]
    assert sorted(seen) == sorted((step, f"v{number}") for number in range(4) for step in range(200))


ENDS = {
    "the end": "",
    "exit": "sys.exit(3)",
    "error": "raise ValueError('x')",
    "sigterm": "os.kill(os.getpid(), 15)",
    "ctrl-c": "os.kill(os.getpid(), 2)",
    "finish": "run.finish(); os._exit(0)",
    "flush": "run.flush(); os.kill(os.getpid(), 9)",
    "close": "run.close(); os.kill(os.getpid(), 9)",
    "checkpoint": "run.save_checkpoint({'a': 1}, step=5); os.kill(os.getpid(), 9)",
    "kill -9": "os.kill(os.getpid(), 9)",
}


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("end", ENDS)
def test_every_ending_but_sigkill_writes_the_open_row(end, tmp_path):
    """kill -9 loses that one row, and no other."""
    script = textwrap.dedent(
        f"""
        import os, sys, rla_hooks as rla
        run = rla.start(task="t", log_root={str(tmp_path)!r}, writers=["csv"], backup="none")
        for step in range(3):
            run.add_scalar("a", 1.0, step)
            run.add_scalar("b", 1.0, step)
        {ENDS[end]}
        """
    )
    subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL, preexec_fn=_default_sigint, timeout=60)
    frame = rla.runs(tmp_path)[-1].metrics()
    assert frame[["a", "b"]].values.tolist() == [[1.0, 1.0]] * (2 if end == "kill -9" else 3)


@pytest.mark.parametrize("end", ["", "run.finish()", "run.finish(); run.flush()", "os.kill(os.getpid(), 15)"])
@pytest.mark.parametrize("kind", ["loaded", "ended", "copied", "block"])
def test_a_row_that_is_opened_last_is_written_by_whatever_run_it_is(kind, end, tmp_path):
    """Of a loaded run, after the end, of a copy, and of a block: the process's end writes and counts it."""
    make = {
        "loaded": "run.finish(); run = rla.Tester.load(run.pkl_file).run",
        "ended": "run.finish()",
        "copied": "import copy; run = copy.deepcopy(run)",
        "block": "run.finish(); block = rla.run(**options); run = block.__enter__()",
    }[kind]
    script = textwrap.dedent(
        f"""
        import os, rla_hooks as rla
        options = dict(task="t", log_root={str(tmp_path)!r}, writers=["csv"], backup="none")
        run = rla.start(**options)
        {make}
        run.add_scalar("a", 1.0, 5)
        {end}
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "Error" not in done.stderr
    run = rla.runs(tmp_path)[-1]
    assert run.metrics()["a"].tolist() == [1.0] and run.info["rows"] == 1


def _default_sigint():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupted(kind):
    """A class of writers in which Ctrl-C comes right after the row of step 7 was written."""

    class Interrupted(kind):
        presses = 1

        def _press(self, step, written):
            if step == 7 and self.presses:
                self.presses -= 1
                raise KeyboardInterrupt
            return written

        def write(self, row):
            return self._press(row.step, super().write(row))

        def values_writer(self, keys, types):
            write = super().values_writer(keys, types)
            return lambda step, *row: self._press(step, write(step, *row))

    return Interrupted


@pytest.mark.parametrize("waits", [False, True], ids=["add_scalar", "wait=False"])
@pytest.mark.parametrize("interrupted", ["csv", "tensorboard"])
def test_ctrl_c_right_after_a_row_was_written(
    interrupted, waits, writer, tmp_path, on_slow_device, read_rows, read_scalars
):
    """Who has the row does not get it again, and the others get it."""
    kinds = {"csv": CsvWriter, "tensorboard": TensorBoardWriter}
    kinds[interrupted] = _interrupted(kinds[interrupted])
    logger = Logger([kinds["csv"](tmp_path / "progress.csv"), kinds["tensorboard"](tmp_path), writer])
    values = {"a": 1.0, "b, c": -0.1}
    if waits:
        logger.log({key: on_slow_device(value) for key, value in values.items()}, 7, wait=False)
    else:
        for key, value in values.items():
            logger.add_scalar(key, value, 7)
    with pytest.raises(KeyboardInterrupt):
        logger.flush()
    logger.log({"late": 2.0}, 8)
    logger.close()
    assert writer.rows == [(7, values), (8, {"late": 2.0})]
    assert [row["time-step"] for row in read_rows(tmp_path / "progress.csv")] == ["7", "8"]
    assert {key: [step for step, _ in found] for key, found in read_scalars(tmp_path).items()} == {
        "a": [7],
        "b, c": [7],
        "late": [8],
    }
    assert (logger.rows, logger.last_values) == (2, {**values, "late": 2.0})


@pytest.mark.parametrize("earlier", [0, 3], ids=["the first row", "a row as those before"])
@pytest.mark.parametrize("interrupted", ["csv", "tensorboard"])
def test_ctrl_c_in_log_right_after_a_row_was_written(interrupted, earlier, writer, tmp_path, read_rows, read_scalars):
    """What is in a file is counted, and the other writers get it, too."""
    kinds = {"csv": CsvWriter, "tensorboard": TensorBoardWriter}
    kinds[interrupted] = _interrupted(kinds[interrupted])
    logger = Logger([kinds["csv"](tmp_path / "progress.csv"), kinds["tensorboard"](tmp_path), writer])
    for step in range(earlier):
        logger.log({"a": float(step)}, step)
    with pytest.raises(KeyboardInterrupt):
        logger.log({"a": 0.5}, 7)
    assert logger.rows == earlier + 1 and logger.last_step == 7
    logger.close()
    steps = [*range(earlier), 7]
    assert [step for step, _ in writer.rows] == steps and logger.last_values == {"a": 0.5}
    assert [int(row["time-step"]) for row in read_rows(tmp_path / "progress.csv")] == steps
    assert [step for step, _ in read_scalars(tmp_path)["a"]] == steps


@pytest.mark.parametrize("kind", [CsvWriter, TensorBoardWriter])
def test_a_writer_knows_its_last_rows(kind, tmp_path):
    """However many have come behind, within 64 KB, and also after a column came late; no row that only resembles."""
    writer = kind(tmp_path / "progress.csv" if kind is CsvWriter else tmp_path)
    row = Row(1, 0.25, {"a": 0.5, "b": 'text "1"\n', "c": 3})
    assert not writer.has_written(row)
    writer.write(row)
    for step in range(500):
        writer.write(Row(step, 0.5, {"a": 0.5} if step else {"a": 0.5, "late": 1.0}))
    assert writer.has_written(row)
    for other in [Row(1, 0.26, row.values), Row(2, 0.25, row.values), Row(1, 0.25, {**row.values, "c": 4})]:
        assert not writer.has_written(other)
    assert not writer.has_written(Row(1, 0.25, {**row.values, "new": 4}))
    assert not writer.has_written(Row(1, 0.25, {"a": 0.5, "c": 3, "late": 2.0}))


def test_recorded_values_do_not_change_the_time(logger, writer):
    """They join the row of the call, whose walltime it has."""
    logger.record("a", 1.0)
    logger.log({"b": 2.0}, 3, walltime=1000.5)
    logger.record("a", 1.0)
    logger.add_scalar("b", 2.0, 4, walltime=2000.5)
    assert writer.rows == [(3, {"a": 1.0, "b": 2.0}), (4, {"a": 1.0, "b": 2.0})]
    assert writer.times == [1000.5, 2000.5]
