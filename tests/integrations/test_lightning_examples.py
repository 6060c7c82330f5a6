"""The Lightning examples run as a newcomer would run them, with short settings."""

import csv
from pathlib import Path

import pytest

import rla_hooks as rla

pytest.importorskip("pytorch_lightning")


def _column(run, name):
    with (run.log_dir / "progress.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def test_dqn(run_example, lightning_python):
    """A short training leaves rows, figures, a video and the best and newest checkpoint, which load again."""
    pytest.importorskip("gymnasium")
    pytest.importorskip("pygame")
    from PIL import Image

    arguments = ["--total-steps", "1500", "--eval-every", "200", "--batch-size", "32", "--info", "short"]
    python = lightning_python("pytorch_lightning")
    run, done = run_example("lightning_dqn.py", *arguments, python=python)
    assert (run.task, run.hparams["info"], run.hparams["gamma"]) == ("lightning_dqn", "short", 0.99)
    evaluations = _column(run, "eval/return")
    assert len(evaluations) == 2
    assert _column(run, "best/return") == [pytest.approx(max(evaluations))]
    assert f"best checkpoint: {max(evaluations):.1f} over 20 episodes" in done.stdout
    assert "tensorboard --logdir" in done.stdout
    assert _column(run, "time-step")[-1] == 100  # (1500 - 1000 to warm up) / 4 = 125 batches: two epochs of 50
    for name in ("loss/td", "q/mean", "perf/return", "perf/epsilon", "lr-Adam"):
        assert len(_column(run, name)) == 4, name
    assert {path.name for path in run.results_dir.glob("*.png")} >= {"learning_curve-99.png", "policy-99.png"}
    with Image.open(run.results_dir / "best_episode-100.gif") as video:
        assert (video.size, video.is_animated) == ((600, 400), True)
    best, newest = sorted(run.checkpoint_dir.glob("*.ckpt"))
    assert (best.name.startswith("epoch="), newest.name) == (True, "newest.ckpt")
    assert rla.latest_checkpoint(run, "best") == best and rla.latest_checkpoint(run, "checkpoint") == newest
    steps = {each.path.name: each.step for each in run.checkpoints()}
    assert steps["newest.ckpt"] == 100 and len(_column(run, "time/seconds_per_epoch")) == 2


def test_command_line(run_example, lightning_python):
    """The YAML file alone makes a run: with config.yaml among its logs, figures, and checkpoints of both kinds."""
    pytest.importorskip("jsonargparse")
    import yaml

    arguments = ["--trainer.max_epochs", "5", "--data.number", "128", "--model.lr", "0.02"]
    config = str(Path(__file__).resolve().parents[2] / "examples" / "lightning_cli.yaml")
    python = lightning_python("pytorch_lightning")
    run, _ = run_example("lightning_cli.py", "fit", "--config", config, *arguments, python=python)
    assert (run.task, run.record) == ("moons", {"info": "baseline"})
    saved = yaml.safe_load((run.log_dir / "config.yaml").read_text())
    assert (saved["model"]["lr"], run.hparams["lr"], run.hparams["noise"]) == (0.02, 0.02, 0.15)
    assert len(_column(run, "val/accuracy")) == 5
    assert _column(run, "val/accuracy")[-1] > 0.7
    assert [path.name for path in run.results_dir.iterdir()] == ["boundary-9.png"]
    assert len(list(run.checkpoint_dir.glob("*.ckpt"))) == 2
