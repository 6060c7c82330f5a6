"""The end of a run: noted first, changed by nothing that comes later, and told by whoever has the last word."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile

import pytest

import rla_hooks as rla
from rla_hooks.core import notebook
from rla_hooks.errors import ConfigError

pytestmark = pytest.mark.usefixtures("quiet")
QUICK = {"task": "t", "log_root": "root", "writers": ["csv"], "backup": "none"}
posix = pytest.mark.skipif(os.name != "posix", reason="signals")


def last():
    return rla.runs("root")[-1]


def in_file(run):
    return json.loads((run.log_dir / "run.json").read_text())


# --- noted first ------------------------------------------------------------------------------------------------------


def test_the_ending_is_noted_before_what_is_left_for_it():
    """While the last figures are drawn run.json has the status, the error and the rows; then it has theirs, too."""
    seen = []
    with pytest.raises(ValueError, match="boom"), rla.run(**QUICK) as run:
        run.at_end(lambda: seen.append(in_file(run)))
        run.at_end(lambda: run.log({"a": 2}))
        run.log({"a": 1})
        raise ValueError("boom")
    assert seen[0]["status"] == "failed" and "boom" in seen[0]["error"] and seen[0]["rows"] == 1
    assert last().info["rows"] == 2 and last().status == "failed"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_interrupts_the_end_changes_nothing_about_it(error):
    """Ctrl-C while a figure is drawn: the run's own exception goes on; a run that ended well raises it."""

    def interrupt():
        raise error

    drawn = []
    with pytest.raises(ArithmeticError), rla.run(**QUICK) as run:
        run.at_end(interrupt)
        run.at_end(lambda: drawn.append(1))
        raise ArithmeticError
    assert last().status == "failed" and rla.current_run() is None
    with pytest.raises(error), rla.run(**QUICK) as run:
        run.at_end(interrupt)
    assert drawn == [] and run.status == last().status == "finished" and rla.current_run() is None


@pytest.fixture
def quick_disk():
    """A folder in memory where there is one: many files, and a disk makes each wait."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        yield folder


# Sends Ctrl-C at a line of what ends a run, and again some lines later; one run for each choice of lines.
SWEEP = """
import os, signal, sys
import rla_hooks as rla
from rla_hooks import locks, outcome, record
from rla_hooks.core import ending, files, registry
FILES = {module.__file__ for module in (ending, files, registry, record, outcome, locks)}
kind, gaps, stride = sys.argv[1], eval(sys.argv[2]), int(sys.argv[3])
lines, when, inside = 0, (), False
def trace(frame, event, argument):
    global lines, inside
    code = frame.f_code
    if code.co_filename not in FILES:
        return None
    inside = inside or code.co_name == "end_block"
    if event == "line" and inside:
        lines += 1
        if lines in when:
            os.kill(os.getpid(), signal.SIGINT)
    return trace
def end_one(at):
    global lines, when, inside
    lines, when, inside = 0, at, False
    try:
        with rla.run(f"{kind}-{at}", log_root="root", writers=["csv"], backup="none") as run:
            run.log({"a": 1})
            sys.settrace(trace)
            if kind == "error":
                raise ValueError("the real reason")
    except (KeyboardInterrupt, ValueError) as error:
        pass
    finally:
        sys.settrace(None)
    return lines
total = end_one(())
for line in range(1, total + 1, stride):
    for gap in gaps:
        end_one((line, line + gap))
print(total)
"""


@posix
@pytest.mark.parametrize("kind, status", [("error", "failed"), ("well", "finished")])
@pytest.mark.norerun
def test_ctrl_c_at_any_line_of_the_end(kind, status, tmp_path, quick_disk):
    """Once, and once more some lines later: the status, the error and the rows are there."""
    (tmp_path / "root").symlink_to(quick_disk)
    command = [sys.executable, "-c", SWEEP, kind, "(10**9, 1, 17)", "6"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    runs = rla.runs("root")
    assert len(runs) > int(done.stdout.split()[-1]) / 2 > 100
    wrong = [(run.task, run.status, run.info["rows"]) for run in runs if (run.status, run.info["rows"]) != (status, 1)]
    assert wrong == []
    assert all(("the real reason" in (run.info["error"] or "")) == (kind == "error") for run in runs)


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("body, status", [("raise ValueError('the reason')", "failed"), ("pass", "finished")])
def test_a_signal_while_the_end_takes_its_time(name, body, status, tmp_path):
    """A real signal, while a figure is drawn: the ending stays, and the process obeys."""
    program = f"""
import os, signal, time
import rla_hooks as rla
with rla.run("t", log_root="root", writers=["csv"], backup="none") as run:
    run.at_end(lambda: os.kill(os.getpid(), signal.{name}) or time.sleep(600))
    {body}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert last().status == status and (status == "finished" or "the reason" in last().info["error"])
    assert done.returncode != 0


@posix
@pytest.mark.parametrize(
    "body, name",
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", "SIGTERM"),
        ("os.kill(os.getpid(), signal.SIGINT)", "SIGINT"),
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); os.kill(os.getpid(), signal.SIGTERM)", "SIGTERM"),
        ("raise ValueError", None),
    ],
)
def test_the_signal_that_ended_a_run_is_recorded(body, name):
    """Its name stands in run.json."""
    program = "import os, signal, sys\nimport rla_hooks as rla\n"
    program += f'with rla.run("t", log_root="root", writers=["csv"], backup="none"):\n    {body}\n'
    subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert last().info["signal"] == name and last().status == ("failed" if name is None else "interrupted")


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("earlier", [0, 3], ids=["the first row", "a row as those before"])
def test_a_signal_while_a_row_is_written_leaves_no_row_uncounted(earlier, name):
    """A file has the row already when the signal comes: run.json counts it, whatever becomes of the program."""
    program = f"""if True:
        import os, signal, time
        import rla_hooks as rla

        class Last:
            name = "last"

            def write(self, row):
                if row.step == {earlier}:
                    os.kill(os.getpid(), signal.{name})

            def close(self):
                pass

        with rla.run("t", log_root="root", writers=["csv"], backup="none") as run:
            run.logger.output_formats.append(Last())
            for step in range(10_000):  # the signal may be heard after the row
                rla.log({{"loss": 1.0}}, step=step)
                time.sleep(0.002)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, -signal.Signals[name]) and last().status == "interrupted", done.stderr
    assert last().info["rows"] == len(last().metrics()) >= earlier + 1


@posix
@pytest.mark.parametrize("how", ["start", "run"])
def test_ctrl_c_while_the_run_starts_leaves_no_running_run(how):
    """run.json is there already, and the rest of the start takes its time: the code backup, say."""
    program = f"""
import os, signal
import rla_hooks as rla
from rla_hooks.core.files import RunFiles
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
RunFiles.describe = lambda self: os.kill(os.getpid(), signal.SIGINT)
try:
    rla.{how}("t", log_root="root", writers=["csv"], backup="none"){".__enter__()" if how == "run" else ""}
except KeyboardInterrupt:
    os._exit(7)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 7, done.stderr
    assert (last().status, last().info["signal"]) == ("interrupted", "SIGINT")


# --- the user's exceptions --------------------------------------------------------------------------------------------


class Strange(Exception):
    """Has a method or two that raise; nothing of it may be asked when it passes."""

    def __getattribute__(self, name):
        raise RuntimeError("no attributes here")

    def __setattr__(self, name, value):
        raise RuntimeError("cannot be changed")

    def __bool__(self):
        raise RuntimeError("no bool")

    __eq__ = __hash__ = __str__ = __repr__ = __bool__


@pytest.mark.parametrize("raised", [Strange, StopIteration, GeneratorExit, StopAsyncIteration, SystemError])
def test_the_very_exception_leaves_the_call_and_the_block(raised):
    """Also those that mean something to a generator, or cannot be asked or changed."""
    error = raised("x")

    @rla.track(**QUICK)
    def main():
        raise error

    for way in (main, lambda: _in_a_block(error)):
        caught = None
        try:
            way()
        except BaseException as left:
            caught = left
        assert caught is error
        assert last().status == "failed" and raised.__name__ in last().info["error"]


def _in_a_block(error):
    with rla.run(**QUICK):
        raise error


def test_a_block_can_be_a_decorator_and_is_entered_once():
    """As every context manager of contextlib; each call is a run."""

    @rla.run(**QUICK)
    def main():
        return rla.current_run().name

    assert main() != main() and [run.status for run in rla.runs("root")] == ["finished"] * 2
    block = rla.run(**QUICK)
    with block:
        pass
    with pytest.raises(rla.RunError, match="entered before"), block:
        pass


# --- pruned -----------------------------------------------------------------------------------------------------------


class StoppedEarly(Exception):
    pass


def test_a_pruned_run_is_no_failure():
    """The exceptions that the user names, in a call, a block, and in a run without either; the reason is kept."""

    @rla.track(pruned_by=(StoppedEarly, KeyError), **QUICK)
    def main(error):
        raise error

    for error, status in ((StoppedEarly("slow"), "pruned"), (KeyError("slow"), "pruned"), (OSError("slow"), "failed")):
        with pytest.raises(type(error)):
            main(error)
        assert last().status == status and "slow" in last().info["error"]
    with pytest.raises(StoppedEarly), rla.run(pruned_by=StoppedEarly, **QUICK):
        raise StoppedEarly
    assert last().status == "pruned"
    program = "import rla_hooks as rla\nclass Early(Exception): pass\n"
    program += "rla.start('own', log_root='root', writers=[], backup='none', pruned_by=Early)\nraise Early"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 1
    assert last().status == "pruned"


@pytest.mark.parametrize("wrong", [StoppedEarly(), ["x"], (int,), "Pruned", None])
def test_pruned_by_must_be_types_of_exceptions(wrong):
    """Told before anything is created."""
    with (
        pytest.raises(ConfigError, match=r"pruned_by is .* Allowed: types of exceptions"),
        rla.run(pruned_by=wrong, **QUICK),
    ):
        pass
    assert not os.path.exists("root")


# --- reports of hooks -------------------------------------------------------------------------------------------------


def test_a_reported_failure_becomes_a_note_if_the_run_ends_well():
    """A fit failed and was tried again: until the end the failure counts, in case the process dies."""
    with rla.run(**QUICK) as run:
        run.report("failed", RuntimeError("out of memory"))
        assert last().status == "failed" and "out of memory" in last().info["error"]
        run.log({"a": 1})
    info = last().info
    assert (info["status"], info["error"], info["rows"]) == ("finished", None, 1)
    assert len(info["notes"]) == 1 and "out of memory" in info["notes"][0]["text"] and info["notes"][0]["time"]


def test_a_reported_failure_that_the_process_dies_of_stays():
    """Nobody had the last word."""
    program = "import os, rla_hooks as rla\n"
    program += "with rla.run('t', log_root='root', writers=['csv'], backup='none') as run:\n"
    program += "    run.report('failed', RuntimeError('out of memory'))\n    os._exit(1)"
    subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert last().status == "failed" and "out of memory" in last().info["error"]


@posix
def test_a_launchers_sigterm_does_not_hide_what_another_rank_has_reported():
    """Rank one fails, so the launcher ends rank zero."""
    program = "import os, signal, rla_hooks as rla\n"
    program += "with rla.run('t', log_root='root', writers=['csv'], backup='none') as run:\n"
    program += "    run.report('failed', ValueError('boom on rank 1'))\n    os.kill(os.getpid(), signal.SIGTERM)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == -signal.SIGTERM
    assert last().status == "failed" and "boom on rank 1" in last().info["error"]


def test_what_leaves_the_run_goes_before_what_was_reported():
    """The same exception is told once; another one follows it; an interruption was one, whatever the end is."""
    with pytest.raises(ValueError), rla.run(**QUICK) as run:
        error = ValueError("boom")
        run.report("failed", error)
        raise error
    assert last().info["notes"] == [] and "boom" in last().info["error"]
    with pytest.raises(ValueError), rla.run(**QUICK) as run:
        run.report("failed", RuntimeError("out of memory"))
        raise ValueError("boom")
    assert "out of memory" in last().info["error"] and last().info["error"].endswith("ValueError: boom\n")
    with pytest.raises(KeyboardInterrupt), rla.run(**QUICK) as run:
        run.report("failed", RuntimeError("out of memory"))
        raise KeyboardInterrupt
    assert last().status == "interrupted" and "out of memory" in last().info["notes"][0]["text"]
    with rla.run(**QUICK) as run:
        run.report("interrupted")
    assert last().status == "interrupted"
    with rla.run(**QUICK) as run:
        run.report("failed", ValueError("boom"))
        run.finish("failed")
    assert last().status == "failed"


def test_the_worst_report_stays_for_a_run_that_a_hook_has_opened():
    """No call of the user's says how it ended."""
    run = rla.Tester()
    run.configure("t", log_root="root", writers=["csv"], backup="none")
    run.plan()
    run.adopt()
    run.report("failed", ValueError("boom"))
    run.finish()
    assert last().status == "failed" and last().info["notes"] == []


# --- time -------------------------------------------------------------------------------------------------------------


def test_a_hook_goes_on_after_the_end():
    """The run is running again, ends as the program does, and says so in run.json; a failed one stays failed."""
    run = rla.start(**QUICK)
    run.log({"a": 1})
    assert not run.reopen()
    run.finish()
    run.log({"a": 2})
    assert run.reopen() and in_file(run)["status"] == "running" and in_file(run)["ended"] is None
    run.log({"a": 3})
    run.finish("failed", ValueError("boom"))
    assert (last().status, last().info["rows"], last().metrics()["a"].tolist()) == ("failed", 3, [1, 2, 3])
    assert "boom" in last().info["error"] and last().info["restarts"] == [] and not run.reopen()


def test_seconds_do_not_follow_a_clock_that_is_set_back():
    """The clock on the wall goes back by an hour during the run."""
    program = """
import time
import rla_hooks as rla
with rla.run("t", log_root="root", writers=["csv"], backup="none"):
    clock = time.time
    time.time = lambda: clock() - 3600
    time.sleep(0.05)
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert 0.05 <= last().info["seconds"] < 60


# --- notebooks --------------------------------------------------------------------------------------------------------


class Result:
    """IPython's ExecutionResult, as far as it is asked."""

    def __init__(self, error=None):
        self.error_in_exec = error


def test_cells_of_a_notebook_say_how_the_run_goes():
    """A failed cell that used the run fails it, and no other one does; a later good one takes it back."""
    run = rla.start(**QUICK)
    notebook.after_cell(Result())
    notebook.after_cell(Result(NameError("a typing error in a cell of its own")))
    assert run.status == "running"
    run.log({"a": 1})
    notebook.after_cell(Result(RuntimeError("out of memory")))
    assert run.status == last().status == "failed" and "out of memory" in last().info["error"]
    notebook.after_cell(Result())
    assert run.status == "failed"
    run.log({"a": 2})
    notebook.after_cell(Result())
    assert run.status == last().status == "running" and "out of memory" in last().info["notes"][0]["text"]
    run.log({"a": 3})
    notebook.after_cell(Result(KeyboardInterrupt()))
    run.finish()
    assert last().status == "interrupted" and last().info["signal"] == "SIGINT"


def test_a_cell_that_starts_a_run_again_ends_the_one_before(capsys):
    """Of cells before, as the end of the kernel would; not of this cell, and not inside a block: those are nested."""
    options = {**QUICK, "writers": ["csv", "stdout"]}
    failed = rla.start(**options)
    notebook.after_cell(Result(RuntimeError("out of memory")))
    first = rla.start(**options)
    assert failed.status == "failed" and first.parent is None and "failed: 0 rows" in capsys.readouterr().out
    nested = rla.start(**options)
    assert nested.parent == first.name and first.status == "running"
    notebook.after_cell(Result())
    with rla.run(**options):
        inner = rla.start(**options)
        inner.finish()
    assert {first.status, nested.status} == {"running"}
    last_one = rla.start(**options)
    assert {first.status, nested.status} == {"finished"} and rla.current_run() is last_one
    last_one.finish()
    assert rla.current_run() is None


def test_ipython_is_asked_once(monkeypatch):
    """It is not imported for this."""
    assert "IPython" not in sys.modules
    heard = []
    events = type("Events", (), {"register": lambda self, name, function: heard.append((name, function))})()
    shell = type("Shell", (), {"events": events})()
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": staticmethod(lambda: shell)}))
    monkeypatch.setattr(notebook, "_shell", None)
    for _ in range(2):
        with rla.run(**QUICK):
            pass
    assert heard == [("post_run_cell", notebook.after_cell)]
