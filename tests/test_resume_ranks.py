"""Ranks that do not write wait for rank zero, and go on with what it goes on with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

import rla_hooks as rla
from rla_hooks import ranks, resume_ranks

pytestmark = pytest.mark.usefixtures("quiet")
OPTIONS = {"task": "t", "writers": ["csv"], "backup": "none"}
LAUNCH = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "4711"}
PROGRAM = """
import os, sys, time
import rla_hooks as rla
from rla_hooks import resume_ranks

resume_ranks.WAIT = 600.0

def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.01)

for number in range(2 if sys.argv[1] == "auto" else 1):  # a finished run is not resumed by name
    with rla.run(task="t", writers=["csv"], backup="none", resume=sys.argv[1]) as run:
        found = [run.name, run.is_resumed, str(run.checkpoint_dir)]
        if run.is_writing:
            found += [rla.load_checkpoint()[0] if run.is_resumed else None]
            rla.log({"loss": 0.5}, step=7)
            rla.save_checkpoint({"w": [2.0]}, step=8)
            open(f"saved-{number}", "w").close()
            wait_for(f"loaded-{number}")
        else:
            wait_for(f"saved-{number}")
            found += [rla.load_checkpoint()[0] if run.is_resumed else None]
            rla.log({"loss": 0.5}, step=7)
            assert rla.load_checkpoint()[0] == 8  # in the middle of the training it is the newest
            open(f"loaded-{number}", "w").close()
    print(*found, flush=True)
"""


def killed(**content):
    """A run that was killed after a checkpoint of step 6, and has a row after it; ``content``: of its run.json."""
    with rla.run(**OPTIONS) as run:
        rla.log({"loss": 1.0}, step=5)
        rla.save_checkpoint({"w": [1.0]}, step=6)
        rla.log({"loss": 1.0}, step=6)
    known = json.loads(run.paths.run_json.read_text())
    known |= {"status": "running", "ended": None, "pid": 2**22 - 1, "process": "boot/1", "owner": None}
    run.paths.run_json.write_text(json.dumps(known | content, indent=2))
    return run


def rank(number, resume, launcher):
    of_torch = LAUNCH | {"RANK": str(number)}
    task = {"type": "worker", "index": number}
    of_tensorflow = {"TF_CONFIG": json.dumps({"cluster": {"worker": ["localhost:1", "localhost:2"]}, "task": task})}
    environment = os.environ | (of_torch if launcher == "torch" else of_tensorflow)
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, resume]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("resume, launcher", [("auto", "torch"), ("name", "torch"), ("auto", "tensorflow")])
def test_a_rank_loads_what_rank_zero_began_with(resume, launcher):
    """It comes first, and loads when a newer checkpoint is there. A second run is not taken for the first one."""
    run = killed(launch="127.0.0.1:4711 of None try 0" if launcher == "torch" else None)  # of a try of the same name
    follower = rank(1, run.name if resume == "name" else resume, launcher)
    writer = rank(0, run.name if resume == "name" else resume, launcher)
    told = [process.communicate(timeout=120)[0] for process in (writer, follower)]
    assert told[0] == told[1] and (writer.returncode, follower.returncode) == (0, 0)
    first, *second = told[0].splitlines()
    assert first == f"{run.name} True {run.checkpoint_dir} 6"
    if resume == "auto":
        assert second[0].split(" ")[1] == "False" and len(rla.runs()) == 2
    assert rla.runs()[0].metrics()["time-step"].tolist() == [5, 7]


def test_without_rank_zero_it_goes_by_itself(monkeypatch, warnings_as_text):
    """After a while, with a warning; where the launcher names no launch, at once."""
    run = killed()
    monkeypatch.setattr(resume_ranks, "WAIT", 0.02)
    monkeypatch.setenv("RLA_RANK", "1")
    with rla.run(**OPTIONS, resume="auto") as follower:
        assert (follower.name, follower.is_resumed, rla.load_checkpoint()[0]) == (run.name, True, 6)
    assert not any("waited" in text for text in warnings_as_text)
    for name, value in LAUNCH.items():
        monkeypatch.setenv(name, value)
    with rla.run(**OPTIONS, resume="auto") as follower:
        assert (follower.name, follower.is_resumed) == (run.name, True)
    assert any("rank 1 has waited 0.02 s for the run of rank 0" in text for text in warnings_as_text)
    warnings_as_text.clear()


def test_a_run_of_another_host_counts_from_its_start(monkeypatch, run_paths):
    """TF_CONFIG names all tries alike: what has begun long before this process is of an earlier try."""

    def found(**content):
        elsewhere = {"host": "node7", "pid": 7, "pid_namespace": "another/one", "process": "boot/1"}
        known = {"status": "running", "launch": "cluster 1"} | elsewhere | content
        return resume_ranks.wait_for_rank_zero(lambda: [(run_paths, known)], wait=False)

    monkeypatch.setattr(resume_ranks, "launch_identity", lambda: "cluster 1")
    now = datetime.fromtimestamp(ranks.BEGUN)
    old, new = (now - timedelta(hours=1)).isoformat(), (now + timedelta(seconds=1)).isoformat()
    assert found(started=old) is None and found(started="?") is None and found(started=new, launch="other") is None
    assert found(started=new, status="failed") is None
    assert found(started=old, resumed=new).paths == run_paths
    assert found(started=old, resumed=new) is None  # it has been followed
