"""The examples run as a newcomer would run them."""

import csv
import subprocess
import sys

import pytest

import rla_hooks as rla


def test_quickstart(run_example):
    """RLA's own words leave all folders of a finished run, with every row."""
    run, _ = run_example("quickstart.py")
    assert run.task == "demo_task"
    with (run.log_dir / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["time-step"]) for row in rows] == list(range(100))
    assert [path.name for path in run.checkpoint_dir.glob("*.pkl")] == ["checkpoint-99.pkl"]
    assert (run.results_dir / "test_plot.png").is_file()
    assert len(rla.Tester.load(run.paths.archive_dir).custom_data["rewards"]) == 100


def test_cartpole(run_example, tmp_path):
    """A short training leaves rows, figure, checkpoints and the code, from which it runs again."""
    pytest.importorskip("torch")
    pytest.importorskip("gymnasium")
    short = ["--total-steps", "4096", "--info", "short"]
    run, done = run_example("cartpole.py", *short)
    assert (run.task, run.hparams["info"]) == ("cartpole", "short")
    assert "tensorboard --logdir" in done.stdout
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
