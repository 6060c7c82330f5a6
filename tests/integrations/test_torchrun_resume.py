"""Workers that torchrun's agent starts again go on with their run, and with no other one's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import rla_hooks as rla

pytest.importorskip("torch")
pytestmark = [
    pytest.mark.usefixtures("quiet"),
    pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the start of a process is only known on Linux"),
]

TRAINING = """
import rla_hooks as rla

@rla.track(task="t", writers=["csv"], backup="none", resume="auto")
def main(steps=4):
    run, begin = rla.current_run(), 0
    if run.is_resumed:
        begin = rla.load_checkpoint()[0]
    for step in range(begin, steps):
        rla.log({"loss": 0.5}, step=step)
        rla.save_checkpoint({"w": [step]}, step=step + 1)
        if step == 1:
            raise RuntimeError("a worker fails")

main()
"""


@pytest.mark.parametrize("options", [["--nnodes=1", "--master-port=0"], ["--standalone"]])
def test_a_worker_that_failed_goes_on(tmp_path, options):
    """Under the same agent, by which a restart is asked for; the next torchrun is another job."""
    (tmp_path / "train.py").write_text(TRAINING)

    def torchrun(restarts):
        command = [sys.executable, "-m", "torch.distributed.run", *options, "--nproc-per-node=1"]
        command += [f"--max-restarts={restarts}", "train.py"]
        return subprocess.run(command, timeout=110, capture_output=True, text=True)

    done = torchrun(1)
    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = rla.runs()
    assert run.status == "finished" and run.metrics()["time-step"].tolist() == [0, 1, 2, 3]
    assert [each["status"] for each in run.run_json["restarts"]] == ["failed"]
    assert torchrun(0).returncode != 0
    assert torchrun(0).returncode != 0  # it does not take up the one that failed before
    assert [each.status for each in rla.runs()] == ["finished", "failed", "failed"]
