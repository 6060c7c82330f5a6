"""The Keras examples run as a newcomer would run them, with short settings."""

import csv
import json

import pytest

pytest.importorskip("keras")


def _columns(run):
    with (run.log_dir / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows if row[name]] for name in rows[0]}


def _files(run):
    entries = json.loads((run.checkpoint_dir / "manifest.json").read_text())["checkpoints"]
    return {entry["name"]: entry["file"] for entry in entries}


def test_actor_critic(run_example, keras_python):
    """Several fits leave one curve whose steps go on, figures, and the best and the newest checkpoint."""
    pytest.importorskip("gymnasium")
    short = ["--total-steps", "1024", "--num-envs", "8", "--rollout-steps", "32", "--epochs", "2", "--minibatch", "128"]
    run, done = run_example(
        "keras_actor_critic.py", *short, "--eval-every", "2", "--info", "short", python=keras_python
    )
    assert (run.task, run.hparams["info"], run.hparams["gamma"]) == ("keras_actor_critic", "short", 0.98)
    assert "Warning" not in done.stderr and "tensorboard --logdir" in done.stdout
    columns = _columns(run)
    # 1024 / (8 * 32) = 4 fits of 2 epochs of 256 / 128 = 2 batches: a row an epoch, one a fit, and the evaluations.
    assert columns["time-step"] == [2, 4, 4, 6, 8, 8, 8, 10, 12, 12, 14, 16, 16, 16, 16]
    assert columns["epoch"] == [0, 1] * 4
    for name in ("loss", "policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction"):
        assert len(columns[name]) == 8, name
    assert columns["learning_rate"] == pytest.approx([2.5e-3 * (1 - step / 16) for step in range(2, 18, 2)], abs=1e-9)
    assert columns["perf/env_steps"] == [256, 512, 768, 1024]
    assert columns["best/return"] == [max(columns["eval/return"])]
    assert f"{max(columns['eval/return']):.1f} over 20 episodes as when saved" in done.stdout
    best_step = 8 if columns["eval/return"][0] >= columns["eval/return"][1] else 16
    assert _files(run)["best"] == f"best-{best_step}.keras.pkl"
    assert (run.checkpoint_dir / _files(run)["checkpoint"]).suffix == ".keras"
    expected = {"returns.png", "policy-4.png", "policy-8.png", "policy-12.png", "policy-16.png"}
    assert {path.name for path in run.results_dir.iterdir()} >= expected


def test_fit(run_example, keras_python):
    """A short fit leaves rows of training and validation, confusion matrices, and a best model that has been loaded."""
    pytest.importorskip("sklearn")
    options = ["--epochs", "5", "--batch-size", "128", "--width", "8"]
    run, done = run_example("keras_fit.py", *options, python=keras_python)
    assert (run.task, run.record) == ("keras_fit", {"info": "baseline", "lr": 0.003, "width": 8})
    assert "Warning" not in done.stderr and "tensorboard --logdir" in done.stdout
    columns = _columns(run)
    assert columns["time-step"] == [9, 18, 27, 36, 45, 45], "1078 digits are 9 batches"
    assert columns["val_accuracy"][-1] > columns["val_accuracy"][0]
    assert columns["test/accuracy"][0] > 0.6
    best_step = 9 * (columns["val_accuracy"].index(max(columns["val_accuracy"])) + 1)
    assert _files(run) == {"best": f"best-{best_step}.keras", "checkpoint": "checkpoint-45.keras"}
    assert f"best-{best_step}.keras reads {columns['test/accuracy'][0]:.1%} of the digits" in done.stdout
    assert {path.name for path in run.results_dir.iterdir()} >= {"confusion-45.png", "confusion_test.png"}
