"""Several processes of one run: each writes files of its own, and nothing of any of them is lost."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import nullcontext

import pytest

import rla_hooks as rla
from rla_hooks import errors
from rla_hooks.filenames import safe_part
from rla_hooks.tester import Tester

pytestmark = [pytest.mark.norerun, pytest.mark.filterwarnings("error::rla_hooks.errors.RLAWarning")]
QUIET = {"writers": ["csv", "log"], "backup": "none"}
TRAINING = """
import os, signal, sys
import rla_hooks as rla
run = rla.start(task="t", log_root=sys.argv[1], writers=["csv", "log"], backup="none", lr=0.1)
for step in range(5):
    rla.log({"loss": step / 3}, step=step)
rla.save_checkpoint({"step": [4]}, step=4)
print(run.pkl_file, flush=True)
command = sys.stdin.readline().strip()
if command == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
rla.log({"loss": 5 / 3}, step=5)
run.finish()
"""


@pytest.fixture
def training(tmp_path):
    """A training in another process, which has logged five rows, and its tester.pkl."""
    command = [sys.executable, "-c", TRAINING, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.tester_pkl = process.stdout.readline().strip()
    yield process
    process.kill()
    process.communicate()


def the_run(tmp_path):
    (run,) = rla.runs(tmp_path)
    assert run.problems == ()
    return run


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def row_files(run):
    return sorted(path.name for path in run.log_dir.glob("progress*"))


def own_file(pid):
    return f"progress.{safe_part(os.uname().nodename)}-{pid}.csv"


def _worker(tester, name, rows):
    for step in range(rows):
        tester.log({f"{name}/loss": step / 7, **({f"{name}/late{step}": 1.0} if step % 20 == 19 else {})}, step=step)
    tester.add_hyper_params({name: rows})


def test_workers_with_copies_lose_nothing(tmp_path, spawnable):
    """Each has keys of its own, also late ones: all rows are there under their keys, and run.json counts them."""
    tester = Tester()
    tester.configure("t", log_root=tmp_path, **QUIET)
    tester.log_files_gen()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_worker, args=(tester, name, 100)) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for step in range(100):
        tester.log({"loss": step / 7}, step=2 * step)
    for worker in workers:
        worker.join()
    tester.finish()
    run = the_run(tmp_path)
    assert row_files(run) == sorted(["progress.csv", *(own_file(worker.pid) for worker in workers)])
    assert [float(row["loss"]) for row in rows_of(run.log_dir / "progress.csv")] == [step / 7 for step in range(100)]
    frame = run.metrics()
    assert len(frame) == run.info["rows"] == 300 and run.info["last_step"] == 198
    for name in ("a", "b"):
        assert frame[f"{name}/loss"].dropna().tolist() == [step / 7 for step in range(100)]
        assert frame[f"{name}/late99"].sum() == 1
    assert frame["timestamp"].is_monotonic_increasing
    assert run.hparams == {"a": 100, "b": 100}  # neither took away what the other had added


def test_an_evaluation_beside_the_training_writes_a_file_of_its_own(training, tmp_path):
    """The training lives: its files are not touched, also where it ends well before the evaluation."""
    evaluation = Tester.load(training.tester_pkl)
    before = (the_run(tmp_path).log_dir / "log.txt").read_bytes()
    evaluation.log({"eval/return": 1.0}, step=4)
    assert the_run(tmp_path).log_dir.joinpath("log.txt").read_bytes() == before
    training.communicate("end\n")
    evaluation.log({"eval/return": 2.0, "eval/late": 1.0}, step=5)
    evaluation.finish()
    run = the_run(tmp_path)
    assert row_files(run) == sorted(["progress.csv", own_file(os.getpid())])
    assert run.status == "finished" and (run.info["rows"], run.info["last_step"]) == (8, 5)
    assert [row["loss"] for row in rows_of(run.log_dir / "progress.csv")] == [repr(step / 3) for step in range(6)]
    assert run.metrics()["eval/return"].dropna().tolist() == [1.0, 2.0]
    assert run.info["restarts"] == []


def test_reading_a_killed_run_changes_nothing(training, tmp_path):
    """A loaded Tester that only looks at the run does not bring it to life."""
    training.communicate("kill\n")
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    tester = Tester.load(training.tester_pkl)
    assert tester.load_checkpoint() == (4, {"step": [4]})
    tester.finish()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files
    assert the_run(tmp_path).status == "killed"


def test_a_killed_run_goes_on_on_its_curve(training, tmp_path):
    """From its first row on it reads as running, then as finished; its rows are in one file and all counted."""
    training.communicate("kill\n")
    tester = Tester.load(training.tester_pkl)
    for step in range(5, 8):
        tester.log({"loss": step / 3, "late": 1.0}, step=step)
    run = the_run(tmp_path)
    assert run.status == "running" and run.info["pid"] == os.getpid()
    tester.finish()
    run = the_run(tmp_path)
    assert (run.status, run.info["rows"], run.info["last_step"]) == ("finished", 8, 7)
    assert row_files(run) == ["progress.csv"]
    assert [float(row["loss"]) for row in rows_of(run.log_dir / "progress.csv")] == [step / 3 for step in range(8)]
    assert [life["status"] for life in run.info["restarts"]] == ["killed"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_the_ending_of_a_run_that_went_on_is_the_new_one(training, tmp_path):
    """A process that goes on with a killed run and dies of an exception leaves a failed run."""
    training.communicate("kill\n")
    program = (
        "import sys; from rla_hooks.tester import Tester\n"
        "tester = Tester.load(sys.argv[1]); tester.log({'loss': 1.0}, step=5); raise ValueError('no such optimizer')"
    )
    subprocess.run([sys.executable, "-c", program, training.tester_pkl], stderr=subprocess.DEVNULL)
    run = the_run(tmp_path)
    assert run.status == "failed" and "no such optimizer" in run.info["error"] and run.info["rows"] == 6


def test_a_forked_child_of_a_test_ends_whatever_it_raises(forked):
    """Else it would go on with the tests that come after."""

    def raises():
        raise KeyboardInterrupt

    assert forked(raises).ended() == forked(lambda: sys.exit(0)).ended() == 1
    assert forked(lambda: os.kill(os.getpid(), signal.SIGKILL)).ended() == -signal.SIGKILL
    assert forked(os.getpid).ended() == 0


def test_a_forked_child_that_trains_writes_a_file_of_its_own(tmp_path, forked):
    """The parent goes on with its own; both are counted."""
    run = rla.start(task="t", log_root=tmp_path, **QUIET)
    rla.log({"loss": 0.0}, step=0)

    def train():
        run.adopt()
        run.log({"child/loss": 1.0}, step=1)
        run.finish()

    child = forked(train)
    assert child.ended() == 0
    rla.log({"loss": 2.0}, step=2)
    run.finish()
    saved = the_run(tmp_path)
    assert row_files(saved) == sorted(["progress.csv", own_file(child.pid)])
    assert saved.metrics()["time-step"].tolist() == [0, 1, 2] and saved.info["rows"] == 3


def test_a_copy_in_this_process_shares_the_files(tmp_path):
    """Several objects of one process are one writer."""
    run = rla.start(task="t", log_root=tmp_path, **QUIET)
    rla.log({"loss": 0.0}, step=0)
    loaded = Tester.load(run.pkl_file)
    loaded.log({"late": 1.0}, step=1)
    loaded.finish()
    rla.log({"loss": 2.0}, step=2)
    run.finish()
    saved = the_run(tmp_path)
    assert row_files(saved) == ["progress.csv"] and saved.info["rows"] == 3 and saved.status == "finished"


def test_two_processes_change_run_json_at_once(training, tmp_path):
    """Neither writes over the other's rows, gaps or warnings."""
    tester = Tester.load(training.tester_pkl)
    program = (
        "import sys; from rla_hooks.tester import Tester\n"
        "tester = Tester.load(sys.argv[1])\n"
        "for step in range(100): tester.log({'b': step}, step=step); tester.flush()"
    )
    other = subprocess.Popen([sys.executable, "-c", program, training.tester_pkl])
    for step in range(100):
        tester.log({"a": step}, step=step)
        tester.flush()
    assert other.wait() == 0
    tester.finish()
    training.communicate("end\n")
    assert training.returncode == 0
    content = json.loads((the_run(tmp_path).log_dir / "run.json").read_text())
    assert (content["rows"], content["status"]) == (206, "finished")
    assert content["last"] == {"a": 99, "b": 99, "loss": 5 / 3}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_of_several_processes_that_go_on_one_owns_the_curve(training, tmp_path):
    """The others write beside it, and no row is lost."""
    training.communicate("kill\n")
    program = (
        "import sys; from rla_hooks.tester import Tester\n"
        "tester = Tester.load(sys.argv[1]); print(flush=True); sys.stdin.readline()\n"
        "for step in range(5, 55): tester.log({sys.argv[2]: step}, step=step)\n"
        "print(flush=True); sys.stdin.readline(); tester.finish()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", program, training.tester_pkl]
    others = [subprocess.Popen([*command, name], **pipes) for name in ("a", "b")]
    for _ in range(2):
        for other in others:
            assert other.stdout.readline() == "\n"
        for other in others:
            other.stdin.write("\n")
            other.stdin.flush()
    assert [other.communicate() and other.returncode for other in others] == [0, 0]
    run = the_run(tmp_path)
    assert run.status == "finished" and run.info["rows"] == len(run.metrics()) == 105
    assert len(row_files(run)) == 2 and "progress.csv" in row_files(run)


# --- a resumed run ----------------------------------------------------------------------------------------------------


def _interrupted(tmp_path):
    """A run that was interrupted: a checkpoint of step 3, and rows of steps 0 to 4; returns its name."""
    run = rla.start(task="t", log_root=tmp_path, **QUIET)
    for step in range(5):
        rla.log({"loss": 1.0}, step=step)
        if step == 2:
            rla.save_checkpoint({"w": [1.0]}, step=3)
    run.finish("interrupted")
    return run.name


def _train_on(run, trains=True):
    """Load and train on, in another process."""
    if trains:
        run.adopt()
    begin, _ = run.load_checkpoint()
    for step in range(begin, 6):
        run.log({"loss": 2.0}, step=step)
    run.save_checkpoint({"w": [2.0]}, step=6)
    run.finish()


def _evaluate(run):
    run.load_checkpoint(step=1)
    run.log({"eval": 1.0}, step=1)
    run.finish()


def _check_one_cut(tmp_path, last):
    run = the_run(tmp_path)
    assert run.status == "finished" and run.metrics()["time-step"].tolist() == [*range(last + 1)]
    (former,) = run.info["restarts"]
    assert (former["step"], former["rows_cut"], former["cut"]) == (3, 2, 1)
    assert sorted(path.name for path in (run.log_dir / "cut").iterdir()) == ["1"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver", "loky"])
def test_a_resumed_run_is_cut_where_it_is_loaded(tmp_path, spawnable, method):
    """In the child process that trains, whatever starts it; its parent goes on behind that, and cuts nothing."""
    name = _interrupted(tmp_path)
    joblib = pytest.importorskip("joblib") if method == "loky" else None
    if joblib is None and method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    with rla.run(task="t", log_root=tmp_path, resume=name, **QUIET) as run:
        if joblib is not None:
            joblib.Parallel(n_jobs=2, backend="loky", timeout=60)([joblib.delayed(_train_on)(run, False)])
            joblib.externals.loky.get_reusable_executor().shutdown()
        else:
            child = multiprocessing.get_context(method).Process(target=_train_on, args=(run,))
            child.start()
            child.join(120)
            assert child.exitcode == 0
        assert not rows_of(run.log_dir / "progress.csv")[3:]
        rla.load_checkpoint()
        rla.log({"loss": 3.0}, step=6)
        rla.log({"loss": 3.0})
    _check_one_cut(tmp_path, 7)


def test_a_parent_that_only_logs_goes_on_behind_the_cut_of_its_child(tmp_path, forked):
    """It warns of nothing: the child has loaded the checkpoint. Its file is the new one."""
    name = _interrupted(tmp_path)
    with rla.run(task="t", log_root=tmp_path, resume=name, **QUIET) as run:
        assert forked(lambda: _train_on(run)).ended() == 0
        rla.log({"loss": 3.0}, step=6)
    _check_one_cut(tmp_path, 6)
    assert len(rows_of(the_run(tmp_path).log_dir / "progress.csv")) == 4


def test_a_child_cuts_nothing_after_the_first_row(tmp_path, forked):
    """The parent has gone on already: with a load, or without one, of which it warns."""
    for loads in (True, False):
        root = tmp_path / str(loads)
        name = _interrupted(root)
        with rla.run(task="t", log_root=root, resume=name, **QUIET) as run:
            waits, begin = os.pipe()
            child = forked(lambda run=run, waits=waits: os.read(waits, 1) and _train_on(run))
            if loads:
                rla.load_checkpoint()
            with (
                pytest.warns(errors.RLAWarning, match="before a checkpoint was loaded") if not loads else nullcontext()
            ):
                rla.log({"loss": 3.0}, step=3)
            os.write(begin, b"x")
            assert child.ended() == 0
        steps = [0, 1, 2, 3, 3, 4, 5] if loads else [0, 1, 2, 3, 4, 3, 3, 4, 5]
        assert the_run(root).metrics()["time-step"].tolist() == steps


def test_an_evaluation_of_an_older_checkpoint_does_not_go_back_to_it(tmp_path, spawnable):
    """A copy in a worker process loads what it likes: only a training goes back."""
    run = rla.start(task="t", log_root=tmp_path, **QUIET)
    for step in range(5):
        rla.log({"loss": 1.0}, step=step)
        rla.save_checkpoint({"w": [1.0]}, step=step)
    run.finish("interrupted")
    with rla.run(task="t", log_root=tmp_path, resume=run.name, **QUIET) as on:
        child = multiprocessing.get_context("spawn").Process(target=_evaluate, args=(on,))
        child.start()
        child.join(120)
        assert child.exitcode == 0
    saved = the_run(tmp_path)
    assert saved.metrics()["loss"].count() == 5 and not (saved.log_dir / "cut").exists()


TWICE = """
import sys
from contextlib import nullcontext
import rla_hooks as rla
from rla_hooks import resumable

choose = resumable.choose
def chosen_by_both(settings, wait=True):  # each has found the run before the other one has taken it
    found = choose(settings, wait)
    print("found", found.paths.name, flush=True)
    sys.stdin.readline()
    return found

resumable.choose = chosen_by_both
with rla.run(task="t", log_root=sys.argv[1], writers=["csv"], backup="none", resume=sys.argv[2]):
    print("resumed", flush=True)
    sys.stdin.readline()
    rla.load_checkpoint()
    rla.log({"loss": 3.0}, step=3)
"""


@pytest.mark.parametrize("resume", ["auto", "name"])
def test_a_resume_that_is_started_twice_at_once(tmp_path, resume):
    """One goes on; the other says so, and stops before it writes."""
    name = _interrupted(tmp_path)
    command = [sys.executable, "-c", TWICE, str(tmp_path), name if resume == "name" else resume]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    both = [subprocess.Popen(command, text=True, **pipes) for _ in range(2)]
    assert [each.stdout.readline() for each in both] == [f"found {name}\n"] * 2
    for each in both:
        each.stdin.write("\n")
        each.stdin.flush()
    lines = [each.stdout.readline() for each in both]
    assert sorted(lines) == ["", "resumed\n"]
    winner, loser = (both[lines.index(line)] for line in ("resumed\n", ""))
    _, told = loser.communicate(timeout=60)
    assert loser.returncode == 1 and f"it is still alive: process {winner.pid}" in told
    assert the_run(tmp_path).status == "running" and len(rows_of(the_run(tmp_path).log_dir / "progress.csv")) == 5
    winner.communicate("\n", timeout=60)
    assert winner.returncode == 0
    _check_one_cut(tmp_path, 3)
