"""A sweep on a real Slurm of one node, where its daemons are installed: see tests/cluster/node.sh."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla

pytest.importorskip("submitit")
NODE = Path(__file__).resolve().parents[1] / "cluster/node.sh"
NEEDED = ("slurmctld", "slurmd", "sbatch", "munged")

PROGRAM = """
import os, signal
import rla_hooks as rla


@rla.track(task="t", log_root="root", writers=["csv"], backup="none")
def main(lr, steps=2):
    first = rla.load_checkpoint()[0] if rla.is_resumed() else 0
    for step in range(first, steps):
        rla.log({"perf/return": lr + step}, step=step)
        rla.save_checkpoint({"step": step}, step=step + 1)
        if lr == 2.0 and step == 0:  # the job ends without a result, as when its memory or its time is over
            os.kill(os.getpid(), signal.SIGKILL)
    return lr


if __name__ == "__main__":
    rla.sweep(main, {"lr": [1.0, 2.0]}, on="slurm", retries=1, cluster={"timeout_min": 2}, group="g")
    try:
        rla.sweep(main, {"lr": [3.0]}, on="slurm", cluster={"timeout_min": 2, "slurm_partition": "nope"})
    except rla.RLAError as error:
        print(f"refused: {error}")
"""


def test_a_sweep_on_slurm(tmp_path):
    """A job that is killed is seen, though accounting is off, and its run goes on in a further job."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or os.geteuid():
        pytest.skip(f"a Slurm of its own needs root, and {', '.join(NEEDED)}: tests/cluster/slurm.sh --install")
    (tmp_path / "train.py").write_text(PROGRAM)
    command = ["bash", NODE, sys.executable, "train.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    runs = rla.runs(tmp_path / "root", group="g", sort="lr")
    assert [run.status for run in runs] == ["finished", "finished"], done.stderr
    assert [run.metrics(merge=True)["perf/return"].tolist() for run in runs] == [[1.0, 2.0], [2.0, 3.0]]
    assert [[each["status"] for each in run.restarts] for run in runs] == [[], ["killed"]]
    assert "killed: its process died. It is tried again" in done.stderr
    assert "refused: slurm has refused the jobs: " in done.stdout and "nope" in done.stdout
