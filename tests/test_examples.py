"""The examples run as a newcomer would run them."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


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


def test_cartpole(run_example, tmp_path, torch_python):
    """A short training leaves rows, figure, checkpoints and the code, from which it runs again, on a terminal."""
    pytest.importorskip("torch")
    pytest.importorskip("gymnasium")
    short = ["--total-steps", "2048", "--info", "short"]
    run, done = run_example("cartpole.py", *short, python=torch_python)
    assert (run.task, run.hparams["info"]) == ("cartpole", "short")
    assert "tensorboard --logdir" in done.stdout
    summary = dict(line.split(":  ", 1) for line in done.stdout.splitlines()[-5:])  # and no table before it
    assert Path(summary["run"].strip()) == run.log_dir and Path(summary["figure"].strip()).parent == run.results_dir
    assert len(done.stdout.splitlines()) < 15 and "time-step" not in done.stdout
    metrics = run.metrics()
    assert metrics["time-step"].iloc[-1] == 2048
    assert metrics["perf/return"].notna().any()
    assert rla.latest_checkpoint(run).is_file()
    assert (run.results_dir / "learning_curve.png").is_file()
    _shows_one_line_of_progress([sys.executable, run.code_dir / "examples" / "cartpole.py", *short], tmp_path)
    assert [each.status for each in rla.runs(tmp_path / "rla_data")] == ["finished"] * 2


# The script, killed when it has logged its fifth row.
DIES = """
import os, runpy, signal, sys
import rla_hooks as rla

log, rows = rla.log, []

def log_or_die(*arguments, **options):
    log(*arguments, **options)
    rows.append(1)
    if len(rows) == 5:
        os.kill(os.getpid(), signal.SIGKILL)

rla.log = log_or_die
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_resume(run_example, tmp_path, read_scalars, torch_python):
    """Killed with kill -9 between two checkpoints and started again, it goes on: one run, one curve."""
    pytest.importorskip("torch")
    pytest.importorskip("gymnasium")
    python, options = torch_python, ["--updates", "6", "--save-every", "3"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
    killed = python.run("-c", DIES, EXAMPLES / "resume.py", *options, cwd=tmp_path, env=environment)
    assert killed.returncode == -signal.SIGKILL and len(before := _rows(tmp_path)) == 5, killed.stderr
    run, done = run_example("resume.py", *options, python=python)
    loaded = run.run_json["restarts"][0]["step"]
    assert loaded == 3 * 1024 and f"going on at step {loaded}, after 3 of 6 updates" in done.stdout
    steps = [1024 * number for number in range(1, 7)]
    rows = _rows(tmp_path)
    assert [int(row["time-step"]) for row in rows] == steps
    assert [step for step, _ in read_scalars(run.tensorboard_dir)["loss/policy"]] == steps
    assert rows[: loaded // 1024] == before[: loaded // 1024]
    with (run.log_dir / "cut/1/progress.csv").open(newline="") as file:
        assert [*csv.DictReader(file)] == before[loaded // 1024 :]


def _rows(folder):
    """The rows of the one run in a folder; none before it has started."""
    for path in (folder / "rla_data/log").rglob("progress.csv"):
        if "cut" not in path.parts:
            with path.open(newline="") as file:
                return list(csv.DictReader(file))
    return []


def _shows_one_line_of_progress(command, folder):
    """It is written over and over; the rows stay off the screen."""
    if sys.platform == "win32":
        assert subprocess.run(command, cwd=folder).returncode == 0
        return
    screen, terminal = os.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(
        command, cwd=folder, stdin=terminal, stdout=terminal, stderr=terminal, env=environment
    ) as process:
        os.close(terminal)
        shown = b""
        with open(screen, "rb", buffering=0) as file:
            try:
                while part := file.read(4096):
                    shown += part
            except OSError:  # Linux says so when the other end is closed
                pass
    text = shown.decode()
    assert process.returncode == 0, text
    assert "2048/2048" in text and "time-step" not in text
    assert text.count("\n") < 15 and "tensorboard --logdir" in text
