"""Values on a device are fetched together, wait in order, and are written by every ending but SIGKILL."""

from __future__ import annotations

import copy
import importlib.util
import itertools
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import weakref
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import devices
from rla_hooks.core.logger import Logger
from rla_hooks.errors import RLAWarning
from rla_hooks.testing import MemoryWriter
from rla_hooks.writers.base import MediaEvent

HERE = Path(__file__).resolve().parent
pytestmark = pytest.mark.usefixtures("quiet")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


class Tensor:
    """A value on a device; the training may change it in place."""

    def __init__(self, value, shape=()):
        self.value, self.shape = value, shape

    def item(self):
        if self.shape:
            raise ValueError("several elements")
        return self.value


class Device:
    """A device that finishes when the test says so, or when somebody waits for it; a family of values."""

    def __init__(self):
        self.fetches, self.waits, self.done = [], 0, 0  # fetches: the names are not known here, only the values

    def holds(self, value):
        return not value.shape

    def fetch(self, values, at_once):
        self.fetches.append(len(values))
        return Arriving(self, [each.value for each in values], len(self.fetches))

    def finish(self, count=None):
        """Finish the oldest ``count`` fetches; by default all."""
        self.done = len(self.fetches) if count is None else count


class Arriving:
    def __init__(self, device, values, number):
        self.device, self.values, self.number = device, values, number

    def ready(self):
        return self.device.done >= self.number

    def result(self):
        if not self.ready():
            self.device.waits += 1
            self.device.done = self.number
        for value in self.values:
            if isinstance(value, RuntimeError):
                raise value
        return self.values


@pytest.fixture
def device(monkeypatch):
    device = Device()
    monkeypatch.setitem(devices._families, Tensor, device)
    return device


@pytest.fixture
def writer():
    return MemoryWriter()


@pytest.fixture
def logger(writer):
    return Logger([writer])


def test_a_row_is_fetched_at_once(device, logger, writer):
    """Ten tensors are one transfer and one wait; every value keeps its place in the row."""
    logger.log({"a": 1.0, **{f"m{i}": Tensor(i / 3) for i in range(10)}, "n": {"x": Tensor(7), "y": True}}, 5)
    assert device.fetches == [11]
    assert device.waits == 1
    ((step, values),) = writer.rows
    assert step == 5
    assert list(values.items()) == [
        ("a", 1.0), *((f"m{i}", i / 3) for i in range(10)), ("n/x", 7), ("n/y", 1),
    ]  # fmt: skip


def test_what_is_recorded_is_fetched_with_the_row(device, logger, writer):
    """record, record_all and log make one row, and one transfer; dump returns its values."""
    logger.record("a", Tensor(1))
    logger.record_all({"b": Tensor(2)})
    logger.log({"c": Tensor(3)}, 0)
    logger.record("d", Tensor(4))
    assert logger.dump(1) == {"d": 4}
    assert writer.rows == [(0, {"a": 1, "b": 2, "c": 3}), (1, {"d": 4})]
    assert device.fetches == [3, 1]


def test_a_row_that_need_not_wait_is_written_later(device, logger, writer):
    """log returns without waiting; the row is written by a later log, once the device has finished, never before."""
    logger.log({"a": Tensor(1), "b": 2.0}, 0, wait=False)
    logger.log({"a": Tensor(3), "b": 4.0}, 1, wait=False)
    assert (writer.rows, device.waits, logger.rows, logger.last_step) == ([], 0, 2, 1)
    device.finish(1)
    logger.log({"a": Tensor(5)}, 2, wait=False)
    assert writer.rows == [(0, {"a": 1, "b": 2.0})]
    logger.flush()
    assert writer.rows == [(0, {"a": 1, "b": 2.0}), (1, {"a": 3, "b": 4.0}), (2, {"a": 5})]
    assert logger.last_values == {"a": 5, "b": 4.0}


def test_the_time_of_a_row_is_that_of_its_call(device, monkeypatch):
    """Whenever it is written."""
    rows = []

    class Times:
        name = "times"

        def write(self, row):
            rows.append((row.step, row.time))

        def close(self):
            pass

    logger = Logger([Times()])
    times = iter((100.0, 200.0))
    monkeypatch.setattr("rla_hooks.core.logger.time.time", lambda: next(times))
    logger.log({"a": Tensor(1)}, wait=False)
    logger.log({"a": Tensor(2)}, wait=False)
    logger.flush()
    assert rows == [(0, 100.0), (1, 200.0)]


def test_no_more_than_64_rows_wait(device, logger, writer):
    """The 65th waits for the oldest, and for no other."""
    for step in range(64):
        logger.log({"a": Tensor(step)}, step, wait=False)
    assert (writer.rows, device.waits) == ([], 0)
    for step in range(64, 100):
        logger.log({"a": Tensor(step)}, step, wait=False)
        assert len(writer.rows) == device.waits == step - 63
    logger.close()
    assert writer.rows == [(step, {"a": step}) for step in range(100)]


def test_rows_keep_their_order(device, logger, writer):
    """A row of numbers waits behind one that waits; a row that is to be written now settles all before it."""
    logger.log({"a": 0.0}, 0, wait=False)  # nothing waits
    assert writer.rows == [(0, {"a": 0.0})]
    logger.log({"a": Tensor(1)}, 1, wait=False)
    logger.log({"a": 2.0}, 2, wait=False)
    logger.log({"a": Tensor(3)}, 3, wait=False)
    logger.log({"a": 4.0}, 4, wait=False)
    assert len(writer.rows) == 1
    device.finish(1)
    logger.log({"a": 5.0}, 5, wait=False)
    assert [step for step, _ in writer.rows] == [0, 1, 2]
    logger.log({"a": 6.0}, 6)
    assert writer.rows == [(step, {"a": step}) for step in range(7)]


def test_the_row_of_add_scalar_keeps_its_place(device, logger, writer):
    """It is closed by a row that need not wait, and written behind those that wait."""
    logger.log({"a": Tensor(0)}, 0, wait=False)
    logger.wait = False
    logger.add_scalar("a", Tensor(1), 1)
    logger.add_scalar("b", 1.5, 1)
    logger.add_scalar("a", Tensor(2), 2)
    assert (writer.rows, device.waits) == ([], 0)
    logger.log({"a": Tensor(3)}, 3)
    assert (writer.rows, device.waits) == ([], 0)
    logger.settle()
    assert writer.rows == [(0, {"a": 0}), (1, {"a": 1, "b": 1.5}), (2, {"a": 2}), (3, {"a": 3})]


def test_a_change_in_place_is_not_seen(device, logger, writer):
    """The value is that of the call."""
    tensor = Tensor(1)
    logger.log({"a": tensor}, 0, wait=False)
    tensor.value = 2
    logger.log({"a": tensor}, 1, wait=False)
    tensor.value = 3
    logger.flush()
    assert writer.rows == [(0, {"a": 1}), (1, {"a": 2})]


@pytest.mark.parametrize("wait", [True, False])
def test_one_bad_value_leaves_the_others(device, logger, writer, wait):
    """A tensor of several elements, and one whose copy failed, give one warning each; the row has the rest."""
    values = {"a": Tensor(1), "bad": Tensor(0, shape=(3,)), "lost": Tensor(ValueError("freed")), "b": Tensor(2)}
    with pytest.warns(RLAWarning) as caught:
        for step in range(3):
            logger.log(values, step, wait=wait)
        logger.flush()
    assert writer.rows == [(step, {"a": 1, "b": 2}) for step in range(3)]
    assert [str(each.message).partition(". ")[0] for each in caught] == [
        "'bad' was left out: a Tensor of shape (3,) is no scalar",
        "'lost' was left out: freed",
    ]


@pytest.mark.parametrize("wait", [True, False])
def test_a_device_that_is_lost(device, logger, writer, wait):
    """Its values are left out, numbers are kept; a row with no other values is none, and the training goes on."""
    with pytest.warns(RLAWarning) as caught:
        logger.log({"a": Tensor(RuntimeError("device lost")), "b": Tensor(1), "n": 0.5}, 0, wait=wait)
        logger.log({"a": Tensor(RuntimeError("device lost"))}, 1, wait=wait)
        logger.log({"n": 1.5}, 2)
    assert writer.rows == [(0, {"n": 0.5}), (2, {"n": 1.5})]
    assert logger.rows == 2
    assert sorted(str(each.message)[:27] for each in caught) == [
        "'a' was left out: device lo",
        "'b' was left out: device lo",
    ]


def test_a_fetch_that_cannot_begin(device, logger, writer, monkeypatch):
    """As while a CUDA graph is captured: one warning for each key."""

    def refuse(values, at_once):
        raise RuntimeError("a CUDA graph is being captured")

    monkeypatch.setattr(device, "fetch", refuse)
    with pytest.warns(RLAWarning, match="'a' was left out: a CUDA graph"):
        logger.log({"a": Tensor(1), "n": 0.5}, 0, wait=False)
    assert writer.rows == [(0, {"n": 0.5})]


def test_the_last_value_of_a_name_wins(device, logger, writer):
    """Whether it is a tensor or a number."""
    with pytest.warns(RLAWarning, match="two metrics of a row have the name 'a/b'"):
        logger.log({"a": {"b": Tensor(1)}, "a/b": 2.0}, 0, wait=False)
    logger.log({"a/b": 2.0, "a": {"b": Tensor(3)}}, 1, wait=False)
    logger.flush()
    assert writer.rows == [(0, {"a/b": 2.0}), (1, {"a/b": 3})]


def test_a_step_on_the_device(device, logger, writer):
    """A metric time-step is the step of a row that is given none, so it is waited for."""
    logger.log({"time-step": Tensor(7), "a": Tensor(1)}, wait=False)
    assert writer.rows == [(7, {"a": 1})]


def test_writers_that_are_excluded(device):
    """The row that waits knows them."""
    one, two = MemoryWriter("one"), MemoryWriter("two")
    logger = Logger([one, two])
    logger.record("a", Tensor(1), exclude="two")
    logger.record("b", Tensor(2))
    assert logger.dump(0, wait=False) == {}
    logger.flush()
    assert (one.rows, two.rows) == ([(0, {"a": 1, "b": 2})], [(0, {"b": 2})])


def test_steps_count_on_while_rows_wait(device, logger, writer):
    """Also those of rows that are given none."""
    for _ in range(3):
        logger.log({"a": Tensor(1)}, wait=False)
    logger.log({"a": 1})
    assert [step for step, _ in writer.rows] == [0, 1, 2, 3]


def test_config_key(device, writer):
    """LOG_WAIT: false holds for all rows of a run; wait=True overrides it. The end of the run settles them."""
    with rla.run(task="t", config={"LOG_WAIT": False}, writers=[writer], backup="none") as run:
        rla.log({"a": Tensor(1)}, 0)
        run.add_scalar("b", Tensor(2), 1)
        run.logger.record("c", Tensor(3))
        assert run.logger.dump(2) == {}
        assert writer.rows == []
        rla.log({"d": Tensor(4)}, 3, wait=True)
        assert writer.rows == [(0, {"a": 1}), (1, {"b": 2}), (2, {"c": 3}), (3, {"d": 4})]
        rla.log({"e": Tensor(5)}, 4)
    assert writer.rows[4:] == [(4, {"e": 5})]
    assert (run.record.content["rows"], run.record.content["last_step"]) == (5, 4)


@pytest.mark.parametrize("settle", ["flush", "save_checkpoint", "add_text", "finish", "report_signal"])
def test_what_settles_rows(device, writer, settle):
    """A checkpoint, a picture or text, flush, the end, and a signal that a framework's handler has got."""
    run = rla.start(task="t", writers=[writer], backup="none")
    rla.log({"a": Tensor(1)}, 0, wait=False)
    assert writer.rows == []
    if settle == "save_checkpoint":
        rla.save_checkpoint({"w": [1.0]}, step=0)
    elif settle == "add_text":
        run.add_text("note", "text", 0)
        assert isinstance(writer.media[0], MediaEvent)
    elif settle == "report_signal":
        run.ending.report_signal("SIGTERM")
    else:
        getattr(run, settle)()
    assert writer.rows == [(0, {"a": 1})]
    run.finish()


PROGRAM = """
    import atexit, os, signal, sys, threading
    import rla_hooks as rla
    from rla_hooks import devices

    class Tensor:
        pass

    class Never:
        def ready(self): return False
        def result(self): return [0.5]

    class Device:
        def holds(self, value): return True
        def fetch(self, values, at_once): return Never()

    devices._families[Tensor] = Device()
    run = rla.start(task="t", log_root=sys.argv[2], writers=["csv"], backup="none")
    for step in range(9):
        rla.log({"a": Tensor()}, step, wait=False)
    if sys.argv[1] == "late":  # a function that atexit calls before that of the run
        atexit.register(rla.log, {"a": Tensor()}, 9, wait=False)
    else:
        rla.log({"a": Tensor()}, 9, wait=False)
    if sys.argv[1] == "raise":
        raise ValueError
    if sys.argv[1] == "exit":
        sys.exit(3)
    if sys.argv[1] == "fork":
        child = os.fork()
        if child == 0:  # it ends as a program does, and has no part in them
            rla.log({"a": Tensor()}, 99, wait=False)
            sys.exit(0)
        os.waitpid(child, 0)
    if sys.argv[1].startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
        threading.Event().wait(60)
"""


@pytest.mark.parametrize("how", ["end", "raise", "exit", "fork", "late", "SIGTERM", "SIGINT", "SIGKILL"])
def test_every_ending_but_sigkill_writes_the_rows_that_wait(tmp_path, how):
    """In order; SIGKILL loses those whose values the device had not finished, and leaves no half row."""
    if not hasattr(signal if how.startswith("SIG") else os, how) and how in ("fork", "SIGTERM", "SIGINT", "SIGKILL"):
        pytest.skip("this system has no such thing")
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), how, str(tmp_path)]
    subprocess.run(program, capture_output=True, timeout=120, check=False)
    (run,) = rla.runs(log_root=tmp_path)
    rows = run.metrics()
    steps = rows["time-step"].tolist() if len(rows) else []
    assert steps == ([] if how == "SIGKILL" else list(range(10)))
    if how != "SIGKILL":
        assert rows["a"].tolist() == [0.5] * 10


MIDDLE = """
    import os, signal, sys, time
    import rla_hooks as rla
    from rla_hooks import devices
    from rla_hooks.core import process_end

    if "hangs" not in sys.argv:
        process_end._LONGEST_POSTPONED = 600.0

    class Tensor:
        pass

    class Ready:
        def ready(self): return True
        def result(self): return [0.5]

    class Device:
        def holds(self, value): return True
        def fetch(self, values, at_once): return Ready()

    class Slow:
        name = "slow"
        def write(self, row):
            if getattr(row, "step", 0) == 5 and "--sent" not in sys.argv:
                sys.argv.append("--sent")
                os.kill(os.getpid(), signal.SIGTERM)
                while "hangs" in sys.argv:
                    time.sleep(0.01)
        def close(self): pass

    devices._families[Tensor] = Device()
    run = rla.start(task="t", log_root=sys.argv[2], writers=[Slow(), "csv"], backup="none")
    for step in range(100):
        if sys.argv[1] == "add_scalar":
            run.add_scalar("a", 0.5, step)
        else:
            rla.log({"a": Tensor()}, step, wait=False)
        if step > 20:
            time.sleep(0.1)
"""


@pytest.mark.skipif(os.name == "nt", reason="this system has no such signal")
@pytest.mark.parametrize("how", ["log", "add_scalar", "hangs"])
def test_sigterm_while_a_row_is_written_whose_call_has_returned(tmp_path, how):
    """The row is finished first, unless that takes seconds; the process dies of the signal."""
    program = [sys.executable, "-c", textwrap.dedent(MIDDLE), how, str(tmp_path)]
    assert subprocess.run(program, capture_output=True, timeout=120, check=False).returncode == -signal.SIGTERM
    (run,) = rla.runs(log_root=tmp_path)
    assert run.status == "interrupted"
    steps = run.metrics()["time-step"].tolist()
    assert steps[:5] == list(range(5))
    if how != "hangs":
        assert steps == list(range(len(steps)))
        assert len(steps) > 6


def test_a_forked_child_drops_its_parents_rows(device, writer, forked):
    """It neither writes them nor waits for them, also if it writes rows itself; the parent writes them."""
    run = rla.start(task="t", writers=["csv"], backup="none")
    rla.log({"a": Tensor(1)}, 0, wait=False)

    def child():
        run.adopt()
        rla.log({"a": Tensor(2)}, 1, wait=False)
        run.flush()
        assert device.waits == 1

    assert forked(child).ended() == 0
    run.finish()
    rows = rla.runs()[-1].metrics()
    assert sorted(zip(rows["time-step"], rows["a"], strict=True)) == [(0, 1), (1, 2)]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda logger: pickle.loads(pickle.dumps(logger))])
def test_a_copy_has_no_rows_of_the_original(device, copied):
    """They are written once."""
    logger = Logger([])
    logger.log({"a": Tensor(1)}, 0, wait=False)
    twin = copied(logger)
    assert (len(twin._waiting), len(logger._waiting)) == (0, 1)


def test_ctrl_c_while_a_row_is_written_loses_none(device, logger, writer):
    """The next call writes it, in its place."""
    broken = [True]
    write = writer.write

    def interrupted(row):
        if broken.pop():
            raise KeyboardInterrupt
        broken.append(False)
        return write(row)

    writer.write = interrupted
    logger.log({"a": Tensor(1)}, 0, wait=False)
    logger.log({"a": Tensor(2)}, 1, wait=False)
    with pytest.raises(KeyboardInterrupt):
        logger.flush()
    broken.append(False)
    logger.flush()
    assert writer.rows == [(0, {"a": 1}), (1, {"a": 2})]


def test_ctrl_c_between_two_writers(device):
    """The first one does not get the row again."""
    first, second = MemoryWriter("first"), MemoryWriter("second")
    logger, write, presses = Logger([first, second]), second.write, [1]

    def interrupted(row):
        if presses:
            presses.pop()
            raise KeyboardInterrupt
        return write(row)

    second.write = interrupted
    logger.log({"a": Tensor(1)}, 0, wait=False)
    with pytest.raises(KeyboardInterrupt):
        logger.flush()
    logger.flush()
    assert first.rows == second.rows == [(0, {"a": 1})]


def test_a_signal_handler_that_logs_while_a_row_is_waited_for(device, logger, writer, monkeypatch):
    """Nothing is lost, nothing comes twice."""
    logger.log({"a": Tensor(1)}, 0, wait=False)
    logger.log({"a": Tensor(2)}, 1, wait=False)
    result, calls = Arriving.result, []

    def interrupted(self):
        if not calls:
            calls.append(1)
            logger.log({"a": 3}, 2)
        return result(self)

    monkeypatch.setattr(Arriving, "result", interrupted)
    logger.flush()
    assert writer.rows == [(0, {"a": 1}), (1, {"a": 2}), (2, {"a": 3})]


def test_an_error_at_the_oldest_row_blocks_none_behind_it(device, logger, writer):
    """Its number is kept, and the others are written as they come."""
    logger.log({"a": Tensor(RuntimeError("device lost")), "n": 0}, 0, wait=False)
    for step in range(1, 64):
        logger.log({"a": Tensor(step)}, step, wait=False)
    with pytest.warns(RLAWarning, match="'a' was left out: device lost"):
        logger.log({"a": Tensor(64)}, 64, wait=False)
    assert writer.rows == [(0, {"n": 0})]
    device.finish(64)
    logger.log({"a": Tensor(65)}, 65, wait=False)
    assert writer.rows[1:] == [(step, {"a": step}) for step in range(1, 64)]


def test_values_that_cannot_be_asked(device, logger, writer, monkeypatch):
    """A tensor whose size cannot be told, and a strange type: one warning each; the rest is kept."""

    class Meta(type):
        def __getattr__(cls, name):
            raise RuntimeError("strange type")

    class Strange(metaclass=Meta):
        pass

    holds = device.holds
    monkeypatch.setattr(device, "holds", lambda value: 1 / value.value > 0 and holds(value))
    monkeypatch.setitem(sys.modules, "jax", textwrap)  # any module: so that types are looked at
    with pytest.warns(RLAWarning) as caught:
        for step in range(2):
            logger.log({"a": Tensor(1), "b": Tensor(0), "c": Strange(), "d": 2.0}, step, wait=False)
        logger.flush()
    assert writer.rows == [(step, {"a": 1, "d": 2.0}) for step in range(2)]
    assert [str(each.message)[:19] for each in caught] == ["'b' was left out: d", "'c' was left out: s"]


def test_half_imported_torch(logger, writer, monkeypatch):
    """As while another thread imports it."""
    monkeypatch.setitem(sys.modules, "torch", type(sys)("torch"))
    logger.log({"a": True, "b": 1.5}, 0, wait=False)
    assert writer.rows == [(0, {"a": 1, "b": 1.5})]


def test_what_is_under_way_is_bounded(device, logger, writer):
    """At most 64 rows are kept, however many come, and none of their copies once they are written."""
    alive = []
    for step in range(1000):
        logger.log({"a": Tensor(step), "b": Tensor(-step)}, step, wait=False)
        alive.append(weakref.ref(logger._waiting[-1].transfers[0]._fetch))
        assert sum(each() is not None for each in alive[-70:]) <= 64
    assert sum(each() is not None for each in alive) == 64
    logger.flush()
    assert all(each() is None for each in alive)
    assert (len(writer.rows), len(logger._waiting)) == (1000, 0)


def test_ctrl_c_twice_while_a_row_is_waited_for(device, logger, writer, monkeypatch):
    """Each time the row stays where it is."""
    result, presses = Arriving.result, [1, 1]

    def interrupted(self):
        if presses:
            presses.pop()
            raise KeyboardInterrupt
        return result(self)

    monkeypatch.setattr(Arriving, "result", interrupted)
    for step in range(3):
        logger.log({"a": Tensor(step)}, step, wait=False)
    for settle in (logger.flush, lambda: logger.log({"a": 3}, 3)):
        with pytest.raises(KeyboardInterrupt):
            settle()
    logger.flush()
    assert writer.rows == [(step, {"a": step}) for step in range(3)]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such signal")
@pytest.mark.norerun
def test_a_signal_handler_that_logs_at_any_line(device, logger, writer):
    """With both kinds of rows, while rows of both kinds are logged: each row is written once."""
    steps = itertools.count()

    def handler(number, frame):
        step = next(steps)
        device.finish()
        logger.log({"h": Tensor(step), "n": 1}, step, wait=step % 3 == 0)
        signal.setitimer(signal.ITIMER_REAL, 0.0007)  # here: on a slow machine a handler would interrupt itself

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    try:
        for step in range(4000):
            logger.log({"a": Tensor(step), "n": 0}, step, wait=step % 50 == 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    logger.flush()
    assert sorted(step for step, row in writer.rows if "a" in row) == list(range(4000))
    assert sorted(step for step, row in writer.rows if "h" in row) == list(range(next(steps)))
    assert all(row.get("a", row.get("h")) == step for step, row in writer.rows)
    assert logger.rows == len(writer.rows) > 4005


def test_several_threads(device, logger, writer):
    """Every row is written once, those of a thread in their order."""

    def work(number):
        for step in range(200):
            logger.log({f"t{number}": Tensor(step)}, step, wait=step % 7 == 0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logger.flush()
    for number in range(4):
        assert [row[f"t{number}"] for _, row in writer.rows if f"t{number}" in row] == list(range(200))


# --- JAX, on the CPU --------------------------------------------------------------------------------------------------


def test_jax_arrays():
    """The tests of jax_values.py, in a process of their own: JAX has threads, which a later fork would break."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    program = [
        sys.executable,
        "-I",
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        "-o",
        "faulthandler_timeout=100",  # a test that hangs says where
    ]
    four = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    command = [*program, HERE / "jax_values.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=HERE.parent, env=os.environ | four)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_training_imports_no_framework():
    """To find out what a value is, only what is loaded already is looked at."""
    program = """
        import sys
        from rla_hooks.core.logger import Logger
        class Odd:
            def item(self): return 1
        Logger([]).log({"a": Odd(), "b": True}, 0)
        assert not {"torch", "jax", "numpy", "rla_hooks.devices.torch_tensors"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=120)
