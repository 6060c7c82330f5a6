"""Processes that write nothing, and what they are told: other ranks, and workers, however they were started."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import rla_hooks as rla
from rla_hooks import hooks

pytestmark = pytest.mark.usefixtures("quiet")

WORKERS = """
import multiprocessing, sys
import rla_hooks as rla
QUICK = {"log_root": "root", "writers": ["csv"], "backup": "none"}
def works(number):
    rla.log({"a": number})
    rla.save_checkpoint({"a": 1})
    from rla_hooks.easy_log import logger
    logger.record_tabular("a", 1)
    logger.dump_tabular()
def has_its_own(number):
    with rla.run("own", **QUICK):
        rla.log({"own": number})
    rla.log({"a": number})
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    def start(target):
        child = context.Process(target=target, args=(7,))
        child.start(); child.join()
        return child.exitcode
    codes = [start(print)]  # a fork server has the environment of now
    with rla.run("t", **QUICK):
        codes += [start(works), start(works), start(has_its_own)]
        rla.log({"a": 1})
    assert codes == [0] * 4, codes
    assert start(works) == 1  # no run is open
"""


@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_workers_pass_over_however_they_are_started(how, tmp_path):
    """What they log is left out, with one warning; runs of their own they may have; with no run it is an error."""
    if how != "spawn" and not hasattr(os, "fork"):
        pytest.skip("needs fork")
    (tmp_path / "train.py").write_text(WORKERS)
    done = subprocess.run([sys.executable, "train.py", how], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    runs = {run.task: run for run in rla.runs("root")}
    assert {task: run.status for task, run in runs.items()} == {"t": "finished", "own": "finished"}
    assert runs["t"].metrics()["a"].tolist() == [1] and runs["own"].metrics()["own"].tolist() == [7]
    assert not list(runs["t"].checkpoint_dir.iterdir())
    said = done.stderr.count("RLAWarning: a worker process writes nothing")
    assert said == 1 if how == "fork" else said == 3, done.stderr  # once in each process that shares nothing
    assert done.stderr.count("rla.log was called outside a run") == 1


BEGINS_AT_THE_TOP = """
import multiprocessing, sys
import rla_hooks as rla
run = rla.start("t", log_root="root", writers=["csv"], backup="none", lr=0.1)
file = run.log_dir / "file of mine"
def works(number):
    rla.log({"worker": number})
if __name__ == "__main__":
    child = multiprocessing.get_context(sys.argv[1]).Process(target=works, args=(7,))
    child.start(); child.join()
    assert child.exitcode == 0
    rla.log({"a": 1})
"""


@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_a_worker_that_imports_the_script_anew_starts_no_second_run(how, tmp_path):
    """Where a run is started at the top of the script, workers that are spawned run that line, too."""
    if how != "spawn" and not hasattr(os, "fork"):
        pytest.skip("needs fork")
    (tmp_path / "train.py").write_text(BEGINS_AT_THE_TOP)
    done = subprocess.run([sys.executable, "train.py", how], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert [(run.status, run.metrics()["a"].tolist()) for run in rla.runs("root")] == [("finished", [1])]
    assert done.stderr.count("RLAWarning: a worker process writes nothing") == 1, done.stderr


def test_locks_of_the_parents_threads_hang_no_child(tmp_path):
    """A thread of the parent is in the middle of everything when a child is forked that starts a run of its own."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    program = """
import os, sys, threading
import rla_hooks as rla
from rla_hooks.core import handover, registry
from rla_hooks.figures import saving
from rla_hooks.writers import base
path = []
def hold():
    with registry._lock, handover.one_at_a_time(), saving.drawing, base._locks_lock:
        held.set()
        done.wait()
held, done = threading.Event(), threading.Event()
with rla.run("t", log_root="root", writers=["csv", "tensorboard"], backup="none") as run:
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if not child:
        with rla.run("own", log_root="root", writers=["csv"], backup="none") as own:
            rla.log({"a": 1})
            own.save_figure("f", [[0.0]])
        os._exit(0)
    code = os.waitpid(child, 0)[1]
    done.set()
    thread.join()
sys.exit(code)
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=120)


FARM = """
import os
import rla_hooks as rla
@rla.track(log_root="root", backup="none", writers=["csv"], record=["seed"]OPTION)
def main(seed):
    rla.log({"a": seed})
main(int(os.environ["SLURM_PROCID"]))
main(int(os.environ["SLURM_PROCID"]))
"""


@pytest.mark.parametrize(
    "option, variable, kept", [("", {}, 2), (", independent=True", {}, 4), ("", {"RLA_RANK": "0"}, 4)]
)
def test_independent_tasks_of_one_launch(option, variable, kept, tmp_path):
    """srun with tasks that have nothing to do with each other: rank one says once that it records nothing, and why."""
    for rank in ("0", "1"):
        environment = os.environ | {"SLURM_PROCID": rank} | variable
        command = [sys.executable, "-c", FARM.replace("OPTION", option)]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        said = done.stderr.count("this process is rank 1 (SLURM_PROCID=1) and records no run")
        assert said == (rank == "1" and kept == 2), done.stderr
    assert len(rla.runs("root")) == kept


def test_a_rank_that_the_recording_process_has_started_is_told_nothing(tmp_path):
    """It is no trap: the launcher of the training has started it."""
    program = """
import os, subprocess, sys
import rla_hooks as rla
def main():
    with rla.run("t", log_root="root", writers=["csv"], backup="none") as run:
        rla.log({"a": 1})
        return run.name
if len(sys.argv) == 1:
    with rla.run("t", log_root="root", writers=["csv"], backup="none"):
        subprocess.run([sys.executable, __file__, "rank"], check=True, env=os.environ | {"LOCAL_RANK": "1"})
else:
    main()
"""
    (tmp_path / "train.py").write_text(program)
    done = subprocess.run([sys.executable, "train.py"], check=True, capture_output=True, text=True)
    assert "RLAWarning" not in done.stderr and len(rla.runs("root")) == 1


def test_independent_must_be_true_or_false():
    """Told before anything is created."""
    with pytest.raises(rla.ConfigError, match="independent is 'yes'"), rla.run(independent="yes", backup="none"):
        pass


def test_a_hook_may_be_independent_and_know_what_is_pruned(monkeypatch):
    """Options of a run that a hook opens by itself: it records on every rank, and the user's exceptions prune it."""
    monkeypatch.setenv("SLURM_PROCID", "3")
    own = hooks.OwnRun("Hook", independent=True, pruned_by=KeyError, backup="none", writers=["csv"], log_root="root")
    run = hooks.attach_or_plan(own).ensure_started()
    run.log({"a": 1})
    error = KeyError("too slow")
    run.report(hooks.ending_of(error), error)
    run.finish()
    (saved,) = rla.runs("root")
    assert (saved.status, saved.info["rows"]) == ("pruned", 1) and "too slow" in saved.info["error"]
    assert hooks.OwnRun("Hook", independent=3).problems() == ["independent is 3 (int). Allowed: True, False."]
