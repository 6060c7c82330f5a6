"""Preemption: signals that ask a program to stop and to go on later. Real processes and real signals throughout.

A thread of the program, its main thread and the test may each stand still for seconds. So the grace time is ten minutes
where it is not tested; where it is, ``Hold`` keeps the thread that measures it until the main thread is where it has to
be.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import timeit
from types import SimpleNamespace

import pytest

import rla_hooks as rla
from rla_hooks.core import preemption, preemption_settings, registry

pytestmark = [
    pytest.mark.usefixtures("quiet"),
    pytest.mark.skipif(os.name != "posix", reason="signals"),
]

START = """
import faulthandler, os, signal, sys, threading, time
import rla_hooks as rla
from rla_hooks.core import preemption
HERE = os.getpid()
OPTIONS = dict(task="t", log_root="root", writers=["csv"], backup="none")
def ready(): os.write(1, b"ready\\n")
class Hold:
    def __init__(self):
        self.gone = threading.Event()
        preemption.watch(rla.current_run(), self.wait)
    def wait(self): self.gone.wait()
    def go(self): self.gone.set()
"""
ASKS = """
@rla.track(**OPTIONS)
def main(x=1):
    for step in range(200_000):
        rla.log({"a": 1}, step=step)
        if rla.should_stop():
            BODY
            return step
        if step == 3: ready()
        time.sleep(0.005)
main()
print("went on")
"""


@pytest.fixture
def program(tmp_path):
    """Runs a program; sends the signals, each when it has printed one more ``ready``. Returns its code, text, runs.

    until: its input ends when it has printed this.
    """

    def run(source, *signals, body="pass", until="", **environment):
        path = tmp_path / "program.py"
        path.write_text(START + source.replace("BODY", body))
        process = subprocess.Popen(
            [sys.executable, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"RLA_GRACE": "600"} | {name: str(value) for name, value in environment.items()},
        )
        said = ""

        def read_until(text):
            nonlocal said
            begin = len(said)
            while text not in said[begin:]:
                line = process.stdout.readline()
                said += line
                assert line, said

        try:
            for number in signals:
                read_until("ready\n")
                process.send_signal(number)
            read_until(until)
            said += process.communicate(timeout=120)[0]
        finally:
            process.kill()
        has_runs = (tmp_path / "root").exists()
        return process.returncode, said, rla.runs(tmp_path / "root") if has_runs else []

    return run


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1", "SIGUSR2"])
def test_a_training_that_asks_is_preempted(program, name):
    """It leaves its loop; the status and the signal are noted; the program ends with 128 + signal, and runs no more."""
    number = getattr(signal, name)
    told = f"{name}: the run is preempted, and has 600 s to save and stop (RLA_GRACE)"
    code, said, [run] = program(ASKS, number, body='sys.stdin.read(); print("saved")', until=told)
    assert code == 128 + number and "saved" in said and "went on" not in said, said
    assert (run.status, run.info["signal"], run.info["error"]) == ("preempted", name, None)
    assert run.info["rows"] == len(run.metrics()) and preemption_settings.from_environment().grace == 20


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_training_that_does_not_ask_dies_as_ever(program, name):
    """SIGTERM interrupts the run, and SIGUSR1 kills the process: nothing catches it."""
    source = "with rla.run(**OPTIONS):\n    ready()\n    time.sleep(600)"
    code, said, [run] = program(source, getattr(signal, name))
    assert code == -getattr(signal, name), said
    assert run.status == {"SIGTERM": "interrupted", "SIGUSR1": "killed"}[name]


def test_the_status_is_noted_at_once(program):
    """Before the training has stopped, and whatever comes later."""
    body = """
            for _ in range(6000):
                status = rla.runs("root")[0].status
                if status == "preempted": break
                time.sleep(0.01)
            print("then:", status, flush=True)
            os._exit(0)"""
    _, said, [run] = program(ASKS, signal.SIGUSR1, body=body)
    assert "then: preempted" in said and run.status == "preempted" and run.info["reported"]


@pytest.mark.norerun
def test_a_kill_in_the_grace_time_hides_no_row(program):
    """run.json was written at the signal, so rows, step and last values are those of the files."""
    body = """
            rla.log({"a": 7}, step=3000)
            for _ in range(6000):  # a thread notes it, which may come after this row
                if rla.runs("root")[0].status == "preempted": break
                time.sleep(0.01)
            os.kill(HERE, signal.SIGKILL)"""
    code, _, (run,) = program(ASKS, signal.SIGTERM, body=body)
    assert (code, run.status, run.last) == (-signal.SIGKILL, "preempted", {"a": 7})
    assert run.info["last_step"] == 3000 and run.info["rows"] > 4


def test_a_second_signal_ends_the_process(program, tmp_path):
    """It dies of that signal at once, with all rows and the status; the first one, sent twice at once, counts once."""
    source = """
preemption._SAME = 600.0  # seconds that count as at once
with rla.run(**OPTIONS):
    rla.should_stop()
    ready()
    while not rla.should_stop(): time.sleep(0.001)
    os.kill(HERE, signal.SIGUSR1); os.kill(HERE, signal.SIGTERM)   # what a launcher passes on
    for step in range(100): rla.log({"a": step}, step=step)
    preemption._SAME = 0.0
    ready()
    time.sleep(600)
"""
    code, said, [run] = program(source, signal.SIGUSR1, signal.SIGTERM)
    assert code == -signal.SIGTERM, said
    assert run.status == "preempted" and run.info["signal"] == "SIGUSR1" and run.info["rows"] == 100


@pytest.mark.parametrize("how", ["sleeps", "hangs in C", "handles"])
def test_the_grace_time_ends(program, how):
    """A training that does not stop is ended after RLA_GRACE; also one that reacts to no signal."""
    waits = {
        "sleeps": "preemption._STUCK = 600; hold.go(); time.sleep(600)",
        "hangs in C": "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]); hold.go(); c.sleep(600)",
        "handles": "signal.signal(signal.SIGUSR1, lambda *_: None); hold.go(); time.sleep(600)",
    }[how]
    source = f"""
import ctypes
c = ctypes.CDLL(None)
with rla.run(**OPTIONS):
    hold = Hold()
    ready()
    while not rla.should_stop(): time.sleep(0.001)
    rla.log({{"a": 1}}, step=7)
    {waits}
"""
    code, said, [run] = program(source, signal.SIGUSR1, RLA_GRACE=0.5)
    assert code == (-signal.SIGUSR1 if how == "sleeps" else 128 + signal.SIGUSR1), said
    assert run.status == "preempted" and run.info["last_step"] == 7
    told = "has 0.5 s" in said, said.count("the grace time is over: ended without waiting for the program")
    assert told == (True, 1) or how != "sleeps", said  # there, the program waits for what is said


def test_what_is_said_is_one_write(monkeypatch):
    """Python may write the parts of a line one by one, and others between them: with PYTHONUNBUFFERED."""
    written = []
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(write=written.append, flush=lambda: None))
    preemption._say("the run is preempted")
    assert written == ["rla_hooks: the run is preempted\n"]


def test_a_stderr_that_nobody_reads_does_not_hold_the_grace_time(program):
    """What is to be said of it is not waited for."""
    source = """
with rla.run(**OPTIONS):
    rla.should_stop()
    _, full = os.pipe()
    os.set_blocking(full, False)
    try:
        while True: os.write(full, b"x" * 4096)
    except BlockingIOError: pass
    os.set_blocking(full, True)
    os.dup2(full, 2)
    ready()
    time.sleep(600)
"""
    code, said, [run] = program(source, signal.SIGUSR1, RLA_GRACE=0.3)
    assert code in (-signal.SIGUSR1, 128 + signal.SIGUSR1) and run.status == "preempted", said


@pytest.mark.parametrize(
    "body, status, says",
    [
        ("return 3", "preempted", ""),
        ("sys.exit(1)", "preempted", ""),
        ("raise SystemExit(0)", "preempted", ""),
        ("class Stop(SystemExit): pass\n            raise Stop", "preempted", ""),
        ("raise ValueError('boom')", "failed", "ValueError: boom"),
    ],
)
def test_however_it_ends_the_program_is_left(program, body, status, says):
    """A real error is shown, and makes the run fail; whatever raises SystemExit obeys the signal."""
    code, said, [run] = program(ASKS, signal.SIGTERM, body=body)
    assert code == 143 and run.status == status and says in said and "went on" not in said
    assert ("boom" in str(run.info["error"])) == (status == "failed")


def test_ctrl_c_is_still_ctrl_c(program):
    """Who interrupts a preempted training by hand has interrupted it."""
    code, said, [run] = program(ASKS, signal.SIGUSR1, body="os.kill(HERE, signal.SIGINT); time.sleep(600)")
    assert code == -signal.SIGINT and run.status == "interrupted" and "KeyboardInterrupt" in said


def test_all_open_runs_are_preempted_and_no_further_one_goes_on(program):
    """A run around it, one beside it in a thread, and one that starts afterwards since SystemExit was caught.

    A line is printed by one write: print writes its parts one by one, and the watcher's message, from a thread of its
    own and after a flush, may come between any two of them.
    """
    source = """
@rla.track(**OPTIONS | {"task": "inner"})
def inner():
    rla.should_stop()
    ready()
    while not rla.should_stop(): time.sleep(0.001)
@rla.track(**OPTIONS | {"task": "beside"})
def beside():
    opened.set()
    while not stop.is_set(): time.sleep(0.001)
opened, stop = threading.Event(), threading.Event()
thread = threading.Thread(target=beside)
thread.start(); opened.wait()
try:
    with rla.run(**OPTIONS | {"task": "outer"}):
        inner()
except SystemExit as error: print(f"code {error.code}\\n", end="")
stop.set(); thread.join()
with rla.run(**OPTIONS | {"task": "later"}):
    print(f"asked to stop: {rla.should_stop()}\\n", end="", flush=True)
"""
    code, said, runs = program(source, signal.SIGTERM)
    assert code == 143 and "code 143" in said and "asked to stop: True" in said, said
    assert {run.task: run.status for run in runs} == dict.fromkeys(["outer", "inner", "beside", "later"], "preempted")


def test_a_run_that_needs_no_block_makes_the_exit_code_too(program):
    """rla.start: the end of the process does it; what was registered for the end is called, once, and text is shown."""
    source = """
import atexit
atexit.register(print, "registered before")
run = rla.start(**OPTIONS)
atexit.register(print, "registered later")
rla.should_stop()
ready()
while not rla.should_stop(): time.sleep(0.001)
print("left ", end="")
"""
    code, said, [run] = program(source, signal.SIGUSR1)
    assert code == 138 and run.status == "preempted", said
    assert said.count("registered before") == said.count("registered later") == 1 and "left" in said


@pytest.mark.parametrize("end, expected", [("sys.exit(7)", 7), ("raise ValueError('boom')", 1), ("sys.exit(0)", 138)])
def test_an_exit_code_of_the_programs_own_stays(program, end, expected):
    """Only that of a program that ends well is replaced."""
    source = "run = rla.start(**OPTIONS)\nrla.should_stop()\nready()\nwhile not rla.should_stop(): time.sleep(0.001)\n"
    code, said, [run] = program(source + end, signal.SIGUSR1)
    assert code == expected, said
    assert run.status == ("failed" if "boom" in end else "preempted")


def test_the_exit_code_can_be_chosen(program):
    """RLA_EXIT_CODE; Python's 0 is a code as well."""
    assert program(ASKS, signal.SIGUSR1, RLA_EXIT_CODE=75)[0] == 75
    source = "run = rla.start(**OPTIONS)\nrla.should_stop()\nready()\nwhile not rla.should_stop(): time.sleep(0.001)\n"
    assert program(source, signal.SIGTERM, RLA_EXIT_CODE=0)[0] == 0


def test_wrong_variables_are_told_before_anything_is_created(program):
    """All at once, with the other mistakes."""
    wrong = {"RLA_GRACE": "long", "RLA_EXIT_CODE": "256", "RLA_REQUEUE": "yes"}
    code, said, runs = program("with rla.run(**OPTIONS, pruned_by=3): pass", **wrong)
    assert code == 1 and not runs
    for text in ("RLA_GRACE is 'long'", "RLA_EXIT_CODE is '256'", "RLA_REQUEUE is 'yes'", "pruned_by is 3"):
        assert text in said
    assert "seconds above 0" in said


def test_handlers_of_the_programs_own_stay(program):
    """Of Python's and of faulthandler's, set before or after the first question; SIGTERM's, too."""
    source = """
faulthandler.register(signal.SIGUSR2, chain=False)
own = lambda *_: print("mine", flush=True)
signal.signal(signal.SIGUSR1, own)
with rla.run(**OPTIONS):
    rla.should_stop()
    assert signal.getsignal(signal.SIGUSR1) is own
    os.kill(HERE, signal.SIGUSR1); os.kill(HERE, signal.SIGUSR2)
    assert not rla.should_stop()
signal.signal(signal.SIGUSR1, signal.SIG_DFL); faulthandler.unregister(signal.SIGUSR2)
with rla.run(**OPTIONS):
    rla.should_stop()
    signal.signal(signal.SIGTERM, own)
    faulthandler.register(signal.SIGUSR1, chain=False)
    os.kill(HERE, signal.SIGTERM); os.kill(HERE, signal.SIGUSR1)
    assert not rla.should_stop()
os.kill(HERE, signal.SIGUSR1); os.kill(HERE, signal.SIGTERM)
print("lives")
"""
    code, said, runs = program(source)
    assert code == 0 and said.count("mine") == 3 and "lives" in said, said
    assert said.count("program.py") >= 3 and {run.status for run in runs} == {"finished"}


def test_the_handlers_are_given_back(program):
    """After the run, and the next run is asked anew."""
    source = """
before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)]
with rla.run(**OPTIONS):
    assert not rla.should_stop() and signal.getsignal(signal.SIGUSR1) not in before
assert before == [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)]
with rla.run(**OPTIONS):
    assert signal.getsignal(signal.SIGUSR1) in before
    ready()
    time.sleep(600)
"""
    code, said, runs = program(source, signal.SIGTERM)
    assert code == -signal.SIGTERM and [run.status for run in runs] == ["finished", "interrupted"], said


def test_another_rank_lives_as_long(program):
    """It writes no run, and gets the signal as well: it is asked to stop, and ends with the same code."""
    code, said, runs = program(ASKS, signal.SIGTERM, body='print("saved")', RANK=1)
    assert code == 143 and "saved" in said and not runs, said
    source = "with rla.run(**OPTIONS):\n    rla.should_stop()\nready()\ntime.sleep(600)"
    assert program(source, signal.SIGUSR1, RANK=1)[0] == -signal.SIGUSR1  # the handlers are gone with the block


def test_where_tracking_is_off_nothing_is_caught(program):
    """should_stop is false, and the signal does what it does without rla_hooks."""
    source = """
with rla.run(**OPTIONS) as run:
    assert not rla.should_stop() and not run.should_stop()
    ready()
    time.sleep(600)
"""
    assert program(source, signal.SIGUSR1, RLA_MODE="off")[0] == -signal.SIGUSR1


def test_outside_of_a_run_it_changes_nothing():
    """It answers, and sets no handler."""
    assert rla.should_stop() is False
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_asked_in_a_thread(program):
    """Then SIGTERM is a preemption, for which a run's handler is there anyway; the main thread's call adds the rest."""
    source = """
with rla.run(**OPTIONS) as run:
    thread = threading.Thread(target=run.should_stop)
    thread.start(); thread.join()
    ready()
    while not rla.should_stop(): time.sleep(0.001)
"""
    code, said, [run] = program(source, signal.SIGTERM)
    assert code == 143 and run.status == "preempted", said
    assert said.count("asked in a thread") == 1 and "SIGUSR1, SIGUSR2 will end this program" in said
    source = source.replace("ready()", "rla.should_stop(); ready()")
    code, said, [_, run] = program(source, signal.SIGUSR1)
    assert code == 138 and run.status == "preempted", said


@pytest.mark.parametrize("options", ["resume='auto'", "x=1"])
def test_a_run_in_a_thread_is_told_that_no_signal_preempts_it(program, options):
    """Python has no way to set the handlers there; else the user would learn it when the machine is taken away."""
    source = f"""
def train():
    with rla.run(**OPTIONS, {options}):
        for step in range(100_000):
            rla.log({{"a": 1}}, step=step)
            if rla.should_stop(): return
            if step == 3: ready()
            time.sleep(0.01)
thread = threading.Thread(target=train)
thread.start(); thread.join()
"""
    code, said, _ = program(source, signal.SIGTERM)
    assert code == -signal.SIGTERM and said.count("Start the run in the main thread") == 1, said
    assert "SIGTERM, SIGUSR1, SIGUSR2 will end this program without a preemption" in said


def test_children_that_were_forked(program):
    """Signals that a launcher sends to the whole group: a worker that did not ask leaves SIGUSR1 to its parent."""
    source = """
with rla.run(**OPTIONS):
    rla.should_stop()
    for number, expected in ((signal.SIGUSR1, 5), (signal.SIGTERM, -signal.SIGTERM)):
        is_up, up = os.pipe()  # Python forgets signals that come while a child begins
        child = os.fork()
        if not child:
            os.write(up, b"1")
            for _ in range(50 if number == signal.SIGUSR1 else 10_000): time.sleep(0.01)
            os._exit(5)
        os.read(is_up, 1)
        os.kill(child, number)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == expected
    assert not rla.should_stop()
print("good")
"""
    code, said, [run] = program(source)
    assert code == 0 and "good" in said and run.status == "finished", said


WORKERS = """
import multiprocessing
context = multiprocessing.get_context("fork")
def works(pipe):
    while True: pipe.send(pipe.recv() + 1)
def begin():
    here, there = context.Pipe()
    worker = context.Process(target=works, args=(there,), daemon=True)
    worker.start()
    there.close()
    return worker, here
def ask(pipe):
    pipe.send(1)
    return pipe.recv()
"""


def test_a_daemonic_worker_stays_until_the_training_has_saved(program):
    """SIGTERM for all processes of a job: an environment in a worker takes steps until the end of the run."""
    source = f"""{WORKERS}
os.setpgid(0, 0)
with rla.run(**OPTIONS):
    rla.should_stop()
    worker, pipe = begin()
    ask(pipe)
    os.killpg(0, signal.SIGTERM)
    while not rla.should_stop(): time.sleep(0.01)
    for step in range(20):
        rla.log({{"a": ask(pipe)}}, step=step)
        time.sleep(0.01)
    assert worker.is_alive()
print("never")
"""
    code, said, [run] = program(source)
    assert code == 143 and "never" not in said and run.status == "preempted", said
    assert run.metrics()["a"].tolist() == [2] * 20


def test_a_worker_that_is_terminated_dies(program):
    """By its parent, which was asked for nothing, and after its runs have ended; a Pool's at once."""
    source = f"""{WORKERS}
with rla.run(**OPTIONS):
    rla.should_stop()
    with context.Pool(1) as pool:
        assert pool.apply(signal.getsignal, (signal.SIGTERM,)) is signal.SIG_DFL
    worker, pipe = begin()
    other, its_pipe = begin()
    ask(pipe), ask(its_pipe)
    worker.terminate()
    worker.join()
other.terminate()
other.join()
assert worker.exitcode == other.exitcode == -signal.SIGTERM
print("good")
"""
    code, said, [run] = program(source)
    assert code == 0 and "good" in said and run.status == "finished", said


@pytest.mark.norerun
def test_rows_that_are_being_written_when_signals_come(program):
    """A thousand rows and a signal at any moment of them: each row is there, once."""
    source = """
with rla.run(**OPTIONS):
    rla.should_stop()
    threading.Thread(target=lambda: (time.sleep(0.02), os.kill(HERE, signal.SIGUSR2)), daemon=True).start()
    step = 0
    while not rla.should_stop() or step < 3000:
        rla.log({"a": step, "b": str(step)}, step=step)
        step += 1
print(step)
"""
    code, said, [run] = program(source)
    steps = run.metrics()["time-step"].tolist()
    assert code == 128 + signal.SIGUSR2 and steps == list(range(len(steps))) and run.info["rows"] == len(steps), said


@pytest.mark.parametrize("shell", ["python", "ipython"])
def test_in_a_session_only_a_line_is_printed(tmp_path, shell):
    """The prompt stays, and the next run begins anew."""
    lines = START + ASKS.replace("BODY", "pass").replace("ready()", "os.kill(HERE, signal.SIGUSR1)")
    (tmp_path / "program.py").write_text(lines)
    ran = 'exec(compile(open("program.py").read(), "program.py", "exec"))\nprint("still", rla.should_stop())\n'
    arguments = ["-i", "-q"] if shell == "python" else ["-m", "IPython", "--no-banner", "--simple-prompt"]
    if shell == "ipython":
        pytest.importorskip("IPython")
    done = subprocess.run(
        [sys.executable, *arguments],
        input=ran,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"RLA_GRACE": "600"},
    )
    said = done.stdout + done.stderr
    assert "went on" in said and "still False" in said and "SIGUSR1: the run was preempted" in said, said
    assert rla.runs(tmp_path / "root")[0].status == "preempted"


def test_asking_costs_less_than_a_microsecond():
    """The usual answer is two comparisons; a bound ten times that, for a machine that is busy."""
    with rla.run(task="t", writers=[], backup="none") as run:
        rla.should_stop()
        for asked in (preemption.should_stop, run.should_stop):
            assert min(timeit.repeat(asked, number=1000, repeat=20)) / 1000 < 1e-6
    assert not registry.open_count()


def test_a_sigterm_that_a_framework_passes_on(program):
    """Its own handler calls the one that it found: the run is preempted, not interrupted."""
    source = ASKS.replace(
        "    for step",
        """    rla.should_stop()
    found = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *given: found(*given))
    for step""",
    )
    code, said, [run] = program(source, signal.SIGTERM)
    assert code == 143 and run.status == "preempted" and run.info["signal"] == "SIGTERM", said


def test_time_is_left_to_a_run_that_has_ended(program):
    """What the program does after its last run is its own: the grace time is over with the run."""
    source = ASKS.replace("main()\nprint", "try: main()\nfinally: hold.go(); time.sleep(1); print('saved')\nprint")
    source = source.replace("    for step", "    global hold; hold = Hold()\n    for step")
    code, said, [run] = program(source, signal.SIGUSR1, RLA_GRACE=0.3)
    assert code == 138 and run.status == "preempted" and "saved" in said, said


@pytest.fixture
def scontrol(tmp_path):
    """A stand-in for Slurm's command, which notes how it was called; and the variables of a job."""
    script = tmp_path / "bin/scontrol"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\necho refused >&2\nexit ${{REFUSES:-0}}\n')
    script.chmod(0o755)
    return {"PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}", "RLA_REQUEUE": 1, "SLURM_JOB_ID": 17}


HOOK = "run = rla.start(**OPTIONS)\nrla.should_stop()\nready()\nwhile not rla.should_stop(): time.sleep(0.001)\n"
DEAF = "preemption._STUCK = 600\nwith rla.run(**OPTIONS):\n    rla.should_stop()\n    ready()\n    time.sleep(600)"


@pytest.mark.parametrize(
    "source, more, called",
    [
        (ASKS, {}, "requeue 17\n"),
        (ASKS, {"SLURM_ARRAY_JOB_ID": 12, "SLURM_ARRAY_TASK_ID": 3}, "requeue 12_3\n"),
        (HOOK, {}, "requeue 17\n"),
        (DEAF, {"RLA_GRACE": 0.2}, "requeue 17\n"),
        (ASKS, {"SLURM_PROCID": 1}, ""),
        (ASKS, {"RLA_REQUEUE": 0}, ""),
    ],
    ids=["job", "array", "no block", "grace", "rank 1", "not asked for"],
)
def test_the_job_is_queued_again(program, scontrol, tmp_path, source, more, called):
    """Once, by rank zero, when the runs have ended."""
    program(source, signal.SIGUSR1, **(scontrol | more))
    assert (tmp_path / "called").exists() == bool(called)
    assert not called or (tmp_path / "called").read_text() == called


@pytest.mark.parametrize(
    "more, says", [({"REFUSES": 1}, "scontrol said 'refused'"), ({"PATH": "/nowhere"}, "scontrol")]
)
def test_a_job_that_cannot_be_queued_again(program, scontrol, more, says):
    """A warning with the command; the run and the exit code are as ever."""
    code, said, [run] = program(ASKS, signal.SIGUSR1, **(scontrol | more))
    assert code == 138 and run.status == "preempted"
    assert "the job 17 was not queued again" in said and says in said and "by hand: scontrol requeue 17" in said


@pytest.mark.parametrize("rank", [0, 1])
def test_a_run_that_can_be_resumed_need_not_ask(program, rank):
    """With ``resume=`` the signals are a preemption from the start, on all ranks; the grace time ends the run."""
    source = (
        "preemption._STUCK = 600\nwith rla.run(**OPTIONS, resume='auto'):\n    ready()\n    while True: time.sleep(0.1)"
    )
    code, said, runs = program(source, signal.SIGUSR1, RLA_GRACE=0.2, RANK=rank)
    assert code == -signal.SIGUSR1 and "SIGUSR1: the run is preempted" in said, said
    assert [run.status for run in runs] == ["preempted"][rank:]
