"""How runs end: well, by an exception, by a signal, with the process, in a forked child. Real processes throughout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.core import process_end, registry
from rla_hooks.errors import RLAError, RunError
from rla_hooks.tester import Tester

posix = pytest.mark.skipif(os.name != "posix", reason="signals and fork")

TRACKED = """
import os, signal, sys, time
import rla_hooks as rla
@rla.track(task="t", log_root="root", writers=["csv"], backup="none")
def main(x=1):
    rla.log({"a": 1})
    BODY
main()
"""
IMPERATIVE = """
import os, signal, sys, time
from rla_hooks.easy_log.tester import tester
from rla_hooks.easy_log import logger
tester.configure(task_name="t", log_root="root", writers=["csv"], backup="none")
tester.log_files_gen()
logger.logkv("a", 1)
logger.dumpkvs()
BODY
"""

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def script(tmp_path):
    """Runs a script and returns its exit code, what it said, and its only run; `ready` waits for a line first."""

    def start(source, body, act=None):
        path = tmp_path / "script.py"
        path.write_text(source.replace("BODY", body.replace("\n", "\n    " if "def main" in source else "\n")))
        process = subprocess.Popen(
            [sys.executable, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
        )
        said = ""
        if act is not None:
            while "ready" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            act(process)
        said += process.communicate(timeout=120)[0]
        return process.returncode, said, *rla.runs(tmp_path / "root")

    return start


def sends(number):
    return lambda process: process.send_signal(number)


@pytest.mark.parametrize(
    "body, code, status",
    [
        ("return", 0, "finished"),
        ("sys.exit(0)", 0, "finished"),
        ("sys.exit()", 0, "finished"),
        ("sys.exit(3)", 3, "failed"),
        ("sys.exit('the disk is gone')", 1, "failed"),
        ("raise ValueError('boom')", 1, "failed"),
        ("raise KeyboardInterrupt", -2, "interrupted"),
        ("try:\n    raise KeyboardInterrupt\nexcept KeyboardInterrupt:\n    sys.exit(0)", 0, "interrupted"),
        ("try:\n    raise KeyboardInterrupt\nexcept KeyboardInterrupt:\n    raise ValueError('boom')", 1, "failed"),
        ("rla.current_run().finish()\nraise ValueError('boom')", 1, "failed"),
        ("rla.current_run().finish('failed')", 0, "failed"),
    ],
)
def test_how_a_tracked_function_ends(body, code, status, script):
    """The status follows from what leaves the function, which leaves the program as it would without rla_hooks."""
    returncode, said, run = script(TRACKED, body)
    assert returncode == code, said
    assert run.status == status and run.info["status"] == status
    assert run.info["ended"] >= run.info["started"] and run.info["seconds"] >= 0
    if "boom" in body:
        assert "ValueError: boom" in run.info["error"] and "ValueError: boom" in said
    assert run.info["rows"] == 1 and run.info["last"] == {"a": 1}


@pytest.mark.parametrize(
    "body, code, status",
    [
        ("", 0, "finished"),
        ("raise ValueError('boom')", 1, "failed"),
        ("raise KeyboardInterrupt", -2, "interrupted"),
        ("tester.finish('failed')", 0, "failed"),
    ],
)
def test_how_an_imperative_script_ends(body, code, status, script):
    """A run that nobody ends is ended with the process; an exception that ends the program fails it."""
    returncode, said, run = script(IMPERATIVE, body)
    assert (returncode, run.status) == (code, status), said
    assert ("boom" in body) == ("ValueError: boom" in (run.info["error"] or ""))


WAITS = "print('ready', flush=True)\ntime.sleep(600)"


@posix
@pytest.mark.parametrize("source", [TRACKED, IMPERATIVE], ids=["tracked", "imperative"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_signals_interrupt(source, number, script):
    """Ctrl-C and SIGTERM leave an interrupted run, and the process dies of the very signal."""
    returncode, said, run = script(source, WAITS, sends(number))
    assert returncode == -number, said
    assert run.status == "interrupted" and run.info["ended"]
    assert (run.log_dir / "progress.csv").read_text().count("\n") == 2


def test_a_forked_worker_dies_of_sigterm_by_itself(tmp_path, forked):
    """A handler of Python's may not run in a worker that waits for a lock: Pool.terminate() would wait for ever."""
    options = {"log_root": tmp_path, "writers": ["csv"], "backup": "none"}

    def child():
        handlers = [signal.getsignal(signal.SIGTERM)]
        with rla.run("own", **options):
            handlers.append(signal.getsignal(signal.SIGTERM))
        assert handlers[0] is signal.SIG_DFL is not handlers[1]

    with rla.run("parents", **options):
        ours = signal.getsignal(signal.SIGTERM)
        assert ours is not signal.SIG_DFL and forked(child).ended() == 0
        assert signal.getsignal(signal.SIGTERM) is ours


@posix
def test_a_forked_worker_dies_of_a_sigterm_that_comes_as_it_begins(tmp_path):
    """Before Python's own work after a fork is done it forgets signals; so the signal has to wait until then."""
    program = """
import os, signal, time
def first():  # as the child begins
    if signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        os._exit(3)
    os.kill(os.getpid(), signal.SIGTERM)
os.register_at_fork(after_in_child=first)
import rla_hooks as rla
with rla.run("t", log_root="root", writers=["csv"], backup="none"):
    child = os.fork()
    if not child:
        time.sleep(60)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


@posix
def test_sigterm_in_the_middle_of_a_write_leaves_no_half_file(script):
    """A preempted job: half a checkpoint may have gigabytes. A child that dies so removes nothing of its parent's."""
    body = """from rla_hooks.atomic import temporary_in
with temporary_in(rla.current_run().log_dir) as half:
    half.write_bytes(b'half')
    if os.fork() == 0:
        os.kill(os.getpid(), signal.SIGTERM)
    os.wait()
    print("left", half.exists(), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)"""
    returncode, said, run = script(TRACKED, body)
    assert returncode == -signal.SIGTERM and run.status == "interrupted", said
    assert "left True" in said and not list(run.log_dir.glob(".*"))


@posix
def test_ctrl_c_interrupts_asyncio(tmp_path, script):
    """asyncio.run makes a cancellation of Ctrl-C; the run is interrupted, not failed."""
    source = TRACKED.replace("def main", "async def main").replace("main()\n", "import asyncio\nasyncio.run(main())\n")
    source = source.replace("BODY", "print('ready', flush=True)\n    await asyncio.sleep(600)")
    returncode, said, run = script(source, "", sends(signal.SIGINT))
    assert returncode in (-signal.SIGINT, 130) and run.status == "interrupted", said


@posix
def test_kill_9_reads_as_killed(script):
    """A process that dies without a word keeps its rows; its run is read as killed, and the file still says running."""
    returncode, said, run = script(TRACKED, WAITS, sends(signal.SIGKILL))
    assert returncode == -9, said
    assert run.status == "killed"
    assert json.loads((run.log_dir / "run.json").read_text())["status"] == "running"
    assert run.metrics()["a"].tolist() == [1]


@posix
def test_a_users_own_sigterm_handler_stays(script):
    """A program that handles SIGTERM itself is asked, not overruled; its exit decides."""
    own = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
    returncode, said, run = script(own.join(["import signal, sys\n", TRACKED]), WAITS, sends(signal.SIGTERM))
    assert (returncode, run.status) == (0, "finished"), said
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_sigterm_is_given_back(tmp_path):
    """After the last run the process handles SIGTERM as before; a handler set during the run is left alone."""
    before = signal.getsignal(signal.SIGTERM)
    run = start(tmp_path)
    assert signal.getsignal(signal.SIGTERM) is process_end._on_sigterm
    run.finish()
    assert signal.getsignal(signal.SIGTERM) == before
    run = start(tmp_path)
    own = lambda *_: None  # noqa: E731
    signal.signal(signal.SIGTERM, own)
    try:
        run.finish()
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


FORKS = """
import multiprocessing
def child(how):
    rla.log({"a": 99})
    rla.current_run().add_custom_data("x", 1)
    rla.save_checkpoint({"x": 1})
    rla.save_figure("f", [[0.0]])
    if how == "term":
        os.kill(os.getpid(), signal.SIGTERM)
    rla.current_run().finish("failed") if how == "finish" else None
    os._exit(0) if how == "exit" else None
    sys.exit(0) if how == "sys" else None
context = multiprocessing.get_context("fork")
codes = []
for how in ("exit", "sys", "return", "finish", "term"):
    process = context.Process(target=child, args=(how,))
    process.start(); process.join(); codes.append(process.exitcode)
if os.fork() == 0:
    sys.exit(0)
os.wait()
import json
assert codes == [0, 0, 0, 0, -15], codes
assert json.load(open(rla.current_run().log_dir / "run.json"))["status"] == "running"
rla.log({"a": 2})
"""


@posix
@pytest.mark.parametrize("source", [TRACKED, IMPERATIVE], ids=["tracked", "imperative"])
def test_forked_children_neither_write_nor_end_the_run(source, script):
    """However a forked child ends, its parent's run goes on, and no row, file or status comes from the child."""
    body = FORKS if source is TRACKED else "import rla_hooks as rla\n" + FORKS
    returncode, said, run = script(source, body)
    assert (returncode, run.status) == (0, "finished"), said
    assert run.metrics()["a"].tolist() == [1, 2]
    assert not list(run.checkpoint_dir.iterdir()) and not list(run.results_dir.iterdir())


PLANNED = """
import os, signal, sys, time
import rla_hooks as rla
run = rla.Tester()
run.configure(task_name="t", log_root="root", writers=["csv"], backup="none")
run.plan()
if os.fork() == 0:
    run.adopt()
    run.log({"a": 1})
    run.flush()
    os._exit(0)
os.wait()
BODY
"""


@posix
@pytest.mark.parametrize(
    "body, act, code, status",
    [
        ("", None, 0, "finished"),
        ("raise ValueError('boom')", None, 1, "failed"),
        (WAITS, sends(signal.SIGTERM), -signal.SIGTERM, "interrupted"),
    ],
    ids=["end", "exception", "SIGTERM"],
)
def test_a_planned_run_ends_with_the_process_that_planned_it(body, act, code, status, script):
    """A child has started it and is gone: it is not open here, but watched, and its ending is noted all the same."""
    returncode, said, run = script(PLANNED, body, act)
    assert (returncode, run.status) == (code, status), said
    assert run.metrics()["a"].tolist() == [1] and run.info["rows"] == 1


def test_a_watched_run_is_not_open(tmp_path):
    """It is no current run before it starts, and then it is not watched any longer but open, once."""
    run = Tester()
    run.configure(task_name="t", log_root=tmp_path / "root", writers=["csv"], backup="none")
    run.plan(tell=False)
    assert rla.current_run() is None and registry.open_count() == 0
    assert registry.ending_runs().count(run.run) == 1 and not (tmp_path / "root").exists()
    run.adopt()
    assert rla.current_run() is run.run and registry.open_count() == 1
    assert registry.ending_runs().count(run.run) == 1
    run.finish()
    assert run.run not in registry.ending_runs()


CHILD_RUNS = """
import multiprocessing
def child():
    @rla.track(task="child", log_root="root", writers=["csv"], backup="none")
    def f():
        rla.log({"b": 5})
    f()
    mine = rla.Tester()
    mine.configure(task_name="own", log_root="root", writers=["csv"], backup="none")
    mine.log_files_gen()
    mine.log({"c": 6})
    os.kill(os.getpid(), signal.SIGTERM)
process = multiprocessing.get_context("fork").Process(target=child)
process.start(); process.join()
assert process.exitcode == -15, process.exitcode
"""


@posix
def test_a_forked_child_may_have_runs_of_its_own(script, tmp_path):
    """Tracked calls of worker processes are runs, know the parent, and end when their own process does."""
    returncode, said, *runs = script(TRACKED, CHILD_RUNS)
    assert returncode == 0, said
    by_task = {run.task: run for run in runs}
    assert {task: run.status for task, run in by_task.items()} == {
        "t": "finished",
        "child": "finished",
        "own": "interrupted",
    }
    assert by_task["child"].info["parent"] == by_task["t"].name
    assert by_task["own"].metrics()["c"].tolist() == [6]
    assert by_task["child"].info["pid"] != by_task["t"].info["pid"]


MANY = """
import os, sys
from rla_hooks.tester import Tester
children = []
for child in range(8):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            tester = Tester()
            tester.configure(task_name="many", log_root="root", writers=[], backup="none")
            tester.log_files_gen()
            tester.finish()
            code = 0
        finally:
            os._exit(code)
    children.append(pid)
sys.exit(max(os.waitpid(pid, 0)[1] for pid in children) != 0)
"""


@posix
def test_64_processes_make_64_runs(tmp_path):
    """Eight processes that fork eight children each, all at once, give 64 whole runs with names of their own."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", MANY]
    processes = [subprocess.Popen(command, cwd=tmp_path, env=environment) for _ in range(8)]
    assert [process.wait(120) for process in processes] == [0] * 8
    runs = rla.runs(tmp_path / "root")
    assert len({run.name for run in runs}) == 64
    assert {run.status for run in runs} == {"finished"} and not any(run.problems for run in runs)
    for tree in ("archive_tester", "checkpoint", "results", "code"):
        assert all((tmp_path / "root" / tree / run.name).is_dir() for run in runs)
    assert all(Tester.load(run.paths.tester_pkl).name == run.name for run in runs)


# --- the current run ------------------------------------------------------------------------------------------------


def start(tmp_path, **settings):
    run = Tester()
    run.configure(task_name="t", log_root=tmp_path / "root", writers=["csv"], backup="none", **settings)
    run.log_files_gen()
    return run


def test_open_runs_of_two_testers_must_be_named(tmp_path):
    """Of two Testers side by side neither is current; their own methods say which is meant."""
    one = start(tmp_path)
    assert rla.current_run() is one.run
    two = start(tmp_path)
    try:
        assert rla.current_run() is None
        with pytest.raises(RunError, match="which of the 2 open runs"):
            rla.log({"a": 1})
        one.log({"a": 1})
        two.log({"a": 2})
    finally:
        two.finish()
    assert rla.current_run() is one.run
    one.finish()
    assert rla.current_run() is None
    assert [run.metrics()["a"].tolist() for run in rla.runs(tmp_path / "root")] == [[1], [2]]


def test_a_tracked_call_in_an_imperative_run_is_its_child(tmp_path):
    """The two styles can be mixed, and the inner run ends without touching the outer one."""
    outer = start(tmp_path)

    @rla.track(task="inner", log_root=tmp_path / "root", writers=["csv"], backup="none")
    def inner():
        rla.log({"i": 1})
        return rla.current_run()

    run = inner()
    assert run.parent == outer.name and run.status == "finished"
    assert rla.current_run() is outer.run and outer.status == "running"
    outer.finish()


def test_errors_are_of_one_family():
    """One except clause catches all that rla_hooks raises."""
    with pytest.raises(RLAError):
        rla.save_checkpoint({})


def test_an_open_run_is_seen_running(tmp_path):
    """Another reader sees a live run as running."""
    run = start(tmp_path)
    assert [saved.status for saved in rla.runs(tmp_path / "root")] == ["running"]
    run.finish()
    assert [saved.status for saved in rla.runs(tmp_path / "root")] == ["finished"]


@pytest.mark.parametrize("end", ["", "raise ValueError", "import os; os.kill(os.getpid(), 15)", "run.finish()"])
def test_rows_after_the_end_are_counted_and_change_nothing_else(tmp_path, end):
    """Without a flush, however the process ends: the status stays that of the run's own end."""
    source = f"""
import rla_hooks as rla
run = rla.start(task="t", log_root={str(tmp_path)!r}, backup="none", writers=["csv"])
run.log({{"a": 1}})
run.finish()
run.log({{"a": 2}})
run.log({{"a": 3}})
{end}
"""
    subprocess.run([sys.executable, "-c", source], capture_output=True)
    (found,) = rla.runs(tmp_path)
    assert (found.status, found.info["rows"], found.info["last"]) == ("finished", 3, {"a": 3})
    assert found.info["error"] is None and found.info["last_step"] == 2


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux's list of open files")
def test_a_sweep_with_rows_after_the_ends_keeps_few_files_open(tmp_path):
    """And all rows are counted, though the process goes on."""
    runs = []
    for _ in range(40):
        runs.append(rla.start(task="t", log_root=tmp_path, backup="none", writers=["csv"]))
        runs[-1].finish()
        runs[-1].log({"a": 1})
    open_files = [Path(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    csvs = [file for file in open_files if file.is_symlink() and str(file.readlink()).endswith("progress.csv")]
    assert len(csvs) <= 20
    testing.reset()
    assert [json.loads((run.log_dir / "run.json").read_text())["rows"] for run in runs] == [1] * 40
