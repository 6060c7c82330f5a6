"""A PPO on CartPole that kill -9 ends at fixed points, and a new process resumes: one run, one curve, nothing lost."""

from __future__ import annotations

import csv
import json
import os
import signal
import textwrap
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest

pytest.importorskip("torch")
pytest.importorskip("gymnasium")
pytestmark = [pytest.mark.norerun, pytest.mark.skipif(os.name != "posix", reason="kill -9")]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
UPDATES, BETWEEN = 12, 4
# Trains to the end, or kills itself: in an update, or when it has written a part of the n-th checkpoint's file.
TRAINING = """
    import os, signal, sys, warnings
    from pathlib import Path
    sys.path.insert(0, {examples!r})
    warnings.simplefilter("ignore")
    import torch
    from cartpole import Agent, Collector, update
    import rla_hooks as rla

    dies_in, dies_saving = map(int, sys.argv[1:])
    torch.set_num_threads(1)

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def in_the_middle(descriptor):
        [file] = Path("rla_data/checkpoint").rglob("*.tmp/*.pt")
        os.truncate(file, file.stat().st_size // 2)
        die()

    @rla.track(task="ppo", resume="auto", writers=["csv", "tensorboard", "log"], backup="none")
    def main(seed=1):
        torch.manual_seed(seed)
        collector, agent = Collector(2, seed), Agent(4, 2, width=8)
        objects = {{"policy": agent, "optimizer": torch.optim.Adam(agent.parameters())}}
        done = 0
        if rla.current_run().is_resumed:
            collector.step, content = rla.load_checkpoint(objects=objects)
            done = content["done"]
        for number in range(done, {updates}):
            losses = update(agent, objects["optimizer"], collector.rollout(agent, 16), 0.98, 0.9, 1, 16, 0.2, 0.01)
            rla.log({{"life": os.getpid(), "perf/return": collector.mean_return(), **losses}}, step=collector.step)
            if number == dies_in:
                die()
            if number % {between} == {between} - 1:
                if number == dies_saving:
                    os.fsync = in_the_middle
                rla.save_checkpoint({{**objects, "done": number + 1}}, step=collector.step)

    main()
"""


@pytest.fixture
def train(tmp_path, torch_python):
    """Runs the training in a process of its own; returns its number."""
    program = TRAINING.format(examples=str(EXAMPLES), updates=UPDATES, between=BETWEEN)

    def run(dies_in=-1, dies_saving=-1):
        process = torch_python.start("-c", textwrap.dedent(program), dies_in, dies_saving, cwd=tmp_path)
        done = process.ended()
        assert done.returncode == (0 if dies_in == dies_saving == -1 else -signal.SIGKILL), done.stderr
        return process.pid

    return run


POINTS = {
    "before the first checkpoint": ({"dies_in": 2}, 3, None),
    "between two checkpoints": ({"dies_in": 6}, 7, 4),
    "while a checkpoint is written": ({"dies_saving": 7}, 8, 4),
}


@pytest.mark.parametrize("point", POINTS)
def test_killed_and_resumed(train, tmp_path, read_scalars, point):
    """The rows are those of the first life up to its last whole checkpoint, and those of the second after it."""
    import pandas

    dies, logged, saved = POINTS[point]
    first = train(**dies)
    runs = rla.runs(tmp_path / "rla_data")
    before = pandas.read_csv(runs[0].log_dir / "progress.csv")
    assert (len(runs), runs[0].status, len(before)) == (1, "killed", logged)
    second = train()
    *others, run = rla.runs(tmp_path / "rla_data")
    if saved is None:  # nothing to go on from: "auto" starts anew, says so, and leaves the old run as it was
        assert [each.name for each in others] == [runs[0].name] and run.run_json["restarts"] == []
        assert "has no whole checkpoint: this run is new" in (run.log_dir / "log.txt").read_text()
        assert pandas.read_csv(runs[0].log_dir / "progress.csv").equals(before)
    else:
        assert others == [] and run.name == runs[0].name
        entry = next(each for each in Manifest(run.checkpoint_dir).entries() if each.step == saved * 32)
        assert entry.written["progress.csv"][0] == saved
        cut = pandas.read_csv(run.log_dir / "cut/1/progress.csv")
        assert cut.equals(before[saved:].reset_index(drop=True))
        assert [(each["status"], each["step"], each["rows_cut"]) for each in run.run_json["restarts"]] == [
            ("killed", saved * 32, logged - saved)
        ]
    kept = saved or 0
    with (run.log_dir / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["life"]) for row in rows] == [first] * kept + [second] * (UPDATES - kept)
    steps = [32 * (number + 1) for number in range(UPDATES)]
    assert [int(row["time-step"]) for row in rows] == steps
    frame = pandas.read_csv(run.log_dir / "progress.csv")
    assert frame[:kept].equals(before[:kept])
    shown = read_scalars(run.tensorboard_dir)
    for metric in ("life", "loss/policy", "loss/value"):
        assert [step for step, _ in shown[metric]] == steps
        assert [value for _, value in shown[metric]] == pytest.approx(frame[metric].tolist(), rel=1e-6)
    content = json.loads(run.paths.run_json.read_text())
    assert (run.status, content["rows"], content["last_step"]) == ("finished", UPDATES, steps[-1])
    assert [each.step for each in Manifest(run.checkpoint_dir).complete()] == [128, 256, 384]
    assert not [*run.log_dir.rglob("*.tmp"), *run.checkpoint_dir.rglob("*.tmp")]
