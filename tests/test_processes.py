"""Several processes of one run: each writes files of its own, and nothing of any of them is lost."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

import rla_hooks as rla
from rla_hooks import layout
from rla_hooks.tester import Tester

pytestmark = pytest.mark.filterwarnings("error::rla_hooks.errors.RLAWarning")
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
    return f"progress.{layout.safe_part(os.uname().nodename)}-{pid}.csv"


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_trains_writes_a_file_of_its_own(tmp_path):
    """The parent goes on with its own; both are counted."""
    run = rla.start(task="t", log_root=tmp_path, **QUIET)
    rla.log({"loss": 0.0}, step=0)
    child = os.fork()
    if child == 0:
        run.adopt()
        run.log({"child/loss": 1.0}, step=1)
        run.finish()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    rla.log({"loss": 2.0}, step=2)
    run.finish()
    saved = the_run(tmp_path)
    assert row_files(saved) == sorted(["progress.csv", own_file(child)])
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
