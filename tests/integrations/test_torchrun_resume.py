"""Workers that torchrun's agent starts again go on with their run, and with no other one's."""

from __future__ import annotations

import os

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


TORCHRUN = "from torch.distributed.run import main; main()"


@pytest.fixture
def torchrun(torch_python, tmp_path):
    """Starts a program with so many ranks, waits for its end, and returns that. forks: the ranks import no torch."""

    def run(program, *arguments, ranks=2, restarts=1, options=("--standalone",), forks=False):
        options = [*options, f"--nproc-per-node={ranks}", f"--max-restarts={restarts}"]
        options += ["--run-path", "--start-method=fork"] if forks else []
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        words = ["-c", TORCHRUN, *options, tmp_path / program, *arguments]
        return torch_python.run(*words, cwd=tmp_path, env=environment)

    return run


@pytest.mark.parametrize("options", [["--nnodes=1", "--master-port=0"], ["--standalone"]])
def test_a_worker_that_failed_goes_on(tmp_path, torchrun, options):
    """Under the same agent, by which a restart is asked for; the next torchrun is another job."""
    (tmp_path / "train.py").write_text(TRAINING)
    launch = {"ranks": 1, "options": options}
    done = torchrun("train.py", **launch)
    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = rla.runs()
    assert run.status == "finished" and run.metrics()["time-step"].tolist() == [0, 1, 2, 3]
    assert [each["status"] for each in run.run_json["restarts"]] == ["failed"]
    assert torchrun("train.py", restarts=0, **launch).returncode != 0
    assert torchrun("train.py", restarts=0, **launch).returncode != 0  # it does not take up the one that failed before
    assert [each.status for each in rla.runs()] == ["finished", "failed", "failed"]


RANKS = """
import os, signal, sys, time
import torch, torch.distributed as dist
import rla_hooks as rla

rank, world, attempt = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT"))
killed_at = int(sys.argv[1 + attempt])
weights = torch.zeros(2)

@rla.track(task="t", writers=["csv"], backup="none", resume="auto")
def main(steps=8):
    run, step = rla.current_run(), 0
    if run.is_resumed:
        if rank:
            time.sleep(0.3)  # rank 0 loads, cuts, logs and saves meanwhile
        step = rla.load_checkpoint(objects={"weights": weights})[0]
    print(f"rank {rank} of {world}: {run.is_resumed} {step} {weights[0]:g} {run.name}", flush=True)
    if run.is_resumed:
        rla.log({"loss": 0.5}, step=step)
        rla.save_checkpoint({"weights": weights + 1}, step=step + 1)
        step += 1
    store = f"file://{os.getcwd()}/store-{os.getppid()}-{attempt}"
    dist.init_process_group("gloo", store, rank=rank, world_size=world)
    for step in range(step, steps):
        dist.all_reduce(weights.fill_((step + 1) / world))
        rla.log({"loss": 0.5}, step=step)
        if step % 3 == 2:
            rla.save_checkpoint({"weights": weights}, step=step + 1)
        dist.barrier()
        if step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
    dist.destroy_process_group()

main()
"""
PREEMPTED = """
import os, signal, sys, time
import rla_hooks as rla

rank, attempt = int(os.environ["RANK"]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])

@rla.track(task="t", writers=["csv"], backup="none", resume="auto")
def main():
    run, begin = rla.current_run(), 0
    if run.is_resumed:
        begin = rla.load_checkpoint()[0]
    for step in range(begin, 1_000_000):
        rla.log({"loss": 0.5}, step=step)
        if rank == 0 and step == begin + 2:
            while not os.path.exists(f"ready-{attempt}"):  # else rank 1 may not have started
                time.sleep(0.01)
            os.kill(os.getppid() if attempt else os.getpid(), signal.SIGTERM)  # the agent sends it to all of its ranks
        if rank == 1 and not run.should_stop():
            open(f"ready-{attempt}", "w").close()
        if rla.should_stop():
            print(f"rank {rank} stops in try {attempt}", flush=True)
            rla.save_checkpoint({"w": [step]}, step=step + 1)
            return
        time.sleep(0.01)

main()
"""


def test_ranks_that_were_killed_go_on_together(tmp_path, torchrun):
    """All load what rank zero begins with, also one that comes late; at last, in another torchrun, there are fewer."""
    (tmp_path / "train.py").write_text(RANKS)
    killed = torchrun("train.py", "4", "6", forks=True)
    assert killed.returncode != 0
    (run,) = rla.runs()
    told = [line for line in killed.stdout.splitlines() if "of 2: True" in line]
    assert sorted(told) == [f"rank {n} of 2: True 3 3 {run.name}" for n in (0, 1)], killed.stderr[-3000:]
    assert run.status == "killed" and run.metrics()["time-step"].tolist() == [*range(7)]
    done = torchrun("train.py", "-1", ranks=1, restarts=0, forks=True)
    assert (done.returncode, done.stdout) == (0, f"rank 0 of 1: True 6 6 {run.name}\n"), done.stderr[-3000:]
    (run,) = rla.runs()
    assert run.status == "finished" and run.metrics()["time-step"].tolist() == [*range(8)]
    former = [(each["status"], each["step"], each["rows_cut"]) for each in run.run_json["restarts"]]
    assert former == [("killed", 3, 2), ("killed", 6, 1)]


def test_ranks_are_preempted_together(tmp_path, torchrun):
    """A signal to rank zero alone: the agent stops the others and starts all again. One to the agent is one to all."""
    (tmp_path / "train.py").write_text(PREEMPTED)
    done = torchrun("train.py")
    assert done.returncode != 0
    told = sorted(line for line in done.stdout.splitlines() if line.startswith("rank "))
    assert told == [f"rank {rank} stops in try {attempt}" for rank in (0, 1) for attempt in (0, 1)], done.stderr[-3000:]
    (run,) = rla.runs()
    assert (run.status, run.run_json["signal"]) == ("preempted", "SIGTERM")
    assert [each["status"] for each in run.run_json["restarts"]] == ["preempted"]
    assert run.metrics()["time-step"].tolist() == [*range(run.run_json["last_step"] + 1)]
    assert "exitcode  : 143" in done.stderr or "SignalException" in done.stderr
