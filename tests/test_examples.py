"""The examples run as a newcomer would run them."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def _run(folder, script, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
    command = [sys.executable, EXAMPLES / script, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quickstart(tmp_path):
    """RLA's own words leave all folders of a finished run, with every row."""
    _run(tmp_path, "quickstart.py")
    (run,) = rla.runs(tmp_path / "rla_data")
    assert (run.status, run.task, run.problems) == ("finished", "demo_task", ())
    with (run.log_dir / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["time-step"]) for row in rows] == list(range(100))
    assert [path.name for path in run.checkpoint_dir.glob("*.pkl")] == ["checkpoint-99.pkl"]
    assert (run.results_dir / "test_plot.png").is_file()
    assert (run.code_dir / "examples" / "quickstart.py").is_file()
    assert len(rla.Tester.load(run.paths.archive_dir).custom_data["rewards"]) == 100


def test_cartpole(tmp_path):
    """A short training leaves rows, figure, checkpoints and the code, from which it runs again."""
    pytest.importorskip("torch")
    pytest.importorskip("gymnasium")
    short = ["--total-steps", "4096", "--info", "short"]
    printed = _run(tmp_path, "cartpole.py", *short)
    (run,) = rla.runs(tmp_path / "rla_data")
    assert (run.status, run.task, run.problems) == ("finished", "cartpole", ())
    assert run.hparams["info"] == "short"
    assert "tensorboard --logdir" in printed
    metrics = run.metrics()
    assert metrics["time-step"].iloc[-1] == 4096
    assert metrics["perf/return"].notna().any()
    assert rla.latest_checkpoint(run).is_file()
    assert (run.results_dir / "learning_curve.png").is_file()
    again = subprocess.run(
        [sys.executable, run.code_dir / "examples" / "cartpole.py", *short],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0, again.stderr
    assert len(rla.runs(tmp_path / "rla_data")) == 2
