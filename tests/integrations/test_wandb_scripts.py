"""Ten scripts in the style of public RL code for wandb, in wandb_scripts/, run with their import line changed only."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

import rla_hooks as rla

SCRIPTS = Path(__file__).parent / "wandb_scripts"
MODULES = ("torch", "gymnasium", "tensorboardX", "numpy", "matplotlib.figure")


@pytest.fixture
def play(torch_python, tmp_path):
    """Runs a script in a folder of its own, and returns its runs and the finished process."""
    for name in MODULES:
        pytest.importorskip(name)

    def run(name, *arguments, code=0, **environment):
        text, count = re.subn(
            "^import wandb$", "import rla_hooks.integrations.wandb as wandb", (SCRIPTS / name).read_text(), flags=re.M
        )
        assert count == 1
        (tmp_path / name).write_text(text)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("RLA_", "WANDB_"))}
        done = torch_python.run(name, *arguments, cwd=tmp_path, env={**kept, **environment})
        assert done.returncode == code, done.stderr
        return (rla.runs(tmp_path / "rla_data") if (tmp_path / "rla_data").exists() else []), done

    return run


@pytest.fixture
def rows(read_rows):
    """The steps and values of a run."""

    def read(run):
        found = read_rows(run.paths.progress_csv)
        return [(int(row.pop("time-step")), {key: row[key] for key in row if key != "timestamp"}) for row in found]

    return read


def _files(run):
    return sorted(path.relative_to(run.results_dir).as_posix() for path in run.results_dir.rglob("*") if path.is_file())


def test_ppo_with_a_summary_writer(play, rows, tmp_path):
    """What the SummaryWriter gets is in the run, too, and its own files are as without."""
    (run,), done = play("ppo.py", "--track", "--seed", "3")
    assert (run.task, run.status, run.hparams["seed"], run.hparams["clip_coef"]) == ("cleanRL", "finished", 3, 0.2)
    assert run.title.startswith("CartPole-v1__ppo__3__") and "monitor_gym=True records no videos" in done.stderr
    found = {key: [step for step, row in rows(run) if key in row] for _, row in rows(run) for key in row}
    assert found["losses/policy_loss"] == found["losses/value_loss"] == [64, 128]
    assert found["charts/episodic_return"] and len(found) == 3
    assert len(list((tmp_path / "runs").rglob("*tfevents*"))) == 1


def test_dqn_that_is_watched(play, rows):
    """Rows by the environment's step, norms of watched gradients, files that the script has put into run.dir."""
    (run,), done = play("dqn.py", "--total-steps", "60")
    assert "Warning" not in done.stderr
    assert (run.status, run.group, run.tags, run.hparams["total_steps"]) == (
        "finished",
        "baseline",
        ["dqn", "debug"],
        60,
    )
    found = rows(run)
    assert [step for step, row in found if "train/loss" in row] == [*range(15, 60)]
    norms = [step for step, row in found if "gradients/norm" in row]
    assert norms == [24, 34, 44, 54] and all("parameters/norm" in dict(found)[step] for step in norms)
    assert _files(run) == ["best.pt", "final.pt"]
    assert run.result["best_return"] == max(float(row["episode/return"]) for _, row in found if "episode/return" in row)


WATCHING = """
import torch
import rla_hooks.integrations.wandb as wandb

wandb.init(writers=["csv"], backup="none")
table, half = torch.nn.Embedding(5, 2, sparse=True), torch.nn.Linear(1, 1, bias=False).half()
wandb.watch([table, half], log_freq=1)
table(torch.tensor([1, 1, 2])).sum().backward()
(half.weight * 1000).sum().backward()  # its square is no number of 16 bits
wandb.log({"x": 1})
wandb.unwatch()
empty = torch.nn.Linear(2, 1, bias=False, device="meta")  # has no numbers
wandb.watch(empty, log_freq=1)
for _ in range(2):
    empty(torch.ones(1, 2, device="meta")).sum().backward()
    wandb.log({"x": 2})
"""


def test_watching_stops_no_training(play, rows, torch_python, tmp_path):
    """Norms of sparse gradients and of half precision are right; what cannot be read gives one warning."""
    bare = {key: value for key, value in os.environ.items() if not key.startswith(("RLA_", "WANDB_"))}
    done = torch_python.run("-c", WATCHING, cwd=tmp_path, env=bare)
    (run,) = rla.runs(tmp_path / "rla_data")
    first, *others = [row for _, row in rows(run)]
    assert done.returncode == 0 and float(first["gradients/norm"]) == pytest.approx((2 * 4 + 2 * 1 + 1e6) ** 0.5)
    assert others == [{"x": "2"}] * 2 and run.status == "finished"
    (warning,) = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert "wandb.watch: of 'weight' and maybe others the gradients are not logged (" in warning


def test_imitation_over_epochs(play, rows):
    """Validation is over epochs, training over steps; the summary has the best."""
    (run,), done = play("imitation.py")
    found = rows(run)
    assert [(step, row["epoch"]) for step, row in found if "val/accuracy" in row] == [(n, str(n)) for n in range(4)]
    assert [step for step, row in found if "train/loss" in row] == [n for n in range(35) if n % 9 != 8]
    best = max(float(row["val/accuracy"]) for _, row in found if "val/accuracy" in row)
    assert f"best {best}" in done.stdout and run.result["val/accuracy"] == {"max": best}
    assert _files(run) == ["confusion-36.png", "confusion_table-36.csv"] and run.note == "a linear policy"


def test_a_sweep(play, rows):
    """The function of the agent runs once, with the first value of each parameter."""
    (run,), done = play("sweep.py")
    assert "time-step" not in done.stdout, "wandb prints no table for each row"
    assert run.hparams == {"lr": 0.1, "steps": 50, "epsilon": 0.1, "arms": 5} and len(rows(run)) == 50
    assert done.stderr.count("RLAWarning") == 1 and "Optuna" in done.stderr


def test_a_resume(play, rows):
    """The second start goes on in the same run, with the file that the first one has saved."""
    (failed,), done = play("resume.py", code=1)
    assert (failed.status, "out of memory" in done.stderr) == ("failed", True)
    (run,), done = play("resume.py")
    assert "resumed at 6 of 6" in done.stdout and "RLAWarning" not in done.stderr
    assert (run.id, run.status, len(run.restarts)) == (failed.id, "finished", 1)
    assert [step for step, _ in rows(run)] == [*range(10)]
    assert float(rows(run)[-1][1]["x"]) == pytest.approx(0.8**10) and run.result == {
        "final_loss": pytest.approx(0.8**20)
    }


def test_tables_and_media(play, rows):
    """All become files of the run, with the step of their row."""
    (run,), done = play("tables.py")
    assert "[True, True, True] 3" in done.stdout and "RLAWarning" not in done.stderr
    charts = [f"chart/{name}{end}-3.{kind}" for name in ("bar", "histogram", "line", "scatter", "series")
              for end, kind in (("", "png"), ("_table", "csv"))]  # fmt: skip
    cells = [f"episodes/last_frame-row{row}-3.png" for row in range(3)]
    files = ["captions.csv", "cloud-3.csv", "episodes-3.csv", "report-3.html", "samples_0-3.png", "samples_1-3.png"]
    assert _files(run) == sorted([*charts, *cells, *files, *(f"eval/video-{step}.gif" for step in range(3))])
    assert (run.results_dir / "episodes-3.csv").read_text().splitlines()[0] == "episode,return,last frame,solved"
    assert [step for step, _ in rows(run)] == [0, 1, 2] and len(run.figures()) == 14


def test_nested_names_and_parts_of_a_row(play, rows):
    """Parts that are not committed come with the row that is; one that is left open is written at the end."""
    (run,), _ = play("nested.py")
    found = rows(run)
    names = ["actor/reward/mean", "actor/reward/max", "actor/length", "learner/loss", "learner/lr", "step", "phase"]
    assert [step for step, _ in found] == [*range(6)] and list(found[0][1]) == [*names, "is_eval"]
    assert found[3][1]["phase"] == "main" and found[5][1] == {"left": "open"}
    expected = {"agent.lr": 0.001, "agent.layers": [64, 64], "seed": 7, "gamma": 0.99, "horizon": 5}
    assert run.hparams == expected


def test_several_runs_in_one_program(play):
    """Each has its own rows and ending."""
    runs, done = play("seeds.py")
    assert [run.status for run in runs] == ["finished", "finished", "failed", "finished"]
    assert [run.title for run in runs] == ["seed-0", "seed-1", "diverging", "all"]
    assert [run.info["rows"] for run in runs] == [5, 5, 1, 1] and all(run.parent is None for run in runs)
    assert [run.group for run in runs] == ["lr-0.1"] * 3 + [None] and "FloatingPointError" in runs[2].info["error"]
    assert runs[0].result["final"] == runs[0].last["value"] and "caught: the value is NaN" in done.stdout


def test_workers_in_processes_of_their_own(play):
    """Each worker is a run of the group; one says that it has failed."""
    runs, _ = play("workers.py")
    workers = [run for run in runs if "worker" in run.tags]
    assert {(run.hparams["worker"], run.status, run.group) for run in workers} == {
        (0, "finished", "experiment-1"),
        (1, "failed", "experiment-1"),
    }
    assert [(run.status, run.last) for run in runs if "main" in run.tags] == [("finished", {"workers": 2})]


def test_a_script_that_ends_by_an_exception(play, rows):
    """The run has failed; all that was logged is there, and what it does not keep was said once."""
    (run,), done = play("bandit.py", code=1)
    assert run.status == "failed" and "the cluster has lost the node" in run.info["error"]
    assert len(rows(run)) == 20 and run.hparams == {"epsilon": 0.1, "arms": 4, "steps": 20, "seed": 3}
    assert set(run.result) == {"best_arm", "regret"} and done.stderr.count("RLAWarning") == 2
    assert "alert (WARN): Slow: no arm is good yet" in (run.log_dir / "log.txt").read_text()


@pytest.mark.parametrize(
    ("name", "end", "code", "status"),
    [
        ("ctrl-c", "raise KeyboardInterrupt", -2, "interrupted"),
        ("exit", "import sys; sys.exit(3)", 3, "failed"),
        ("exit well", "import sys; sys.exit(0)", 0, "finished"),
        ("sigterm", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15, "interrupted"),
        ("kill", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9, "killed"),
    ],
)
def test_how_a_program_ends(warm, tmp_path, name, end, code, status):
    """The status is right, and a row that waits is lost by kill -9 only."""
    program = (
        "import rla_hooks.integrations.wandb as wandb\n"
        "wandb.init(project='p', backup='none')\n"
        "wandb.summary['best'] = 1\n"
        "wandb.log({'x': 1}); wandb.log({'x': 2}, step=5); wandb.log({'y': 3}, commit=False)\n"
    )
    done = warm("numpy").run("-c", program + end, cwd=tmp_path, env={"PATH": os.environ["PATH"]})
    assert done.returncode in (code, 130 if name == "ctrl-c" else code), done.stderr
    (run,) = rla.runs(tmp_path / "rla_data")
    assert (run.status, run.info["rows"], run.result) == (status, 1 if name == "kill" else 2, {"best": 1})
    assert json.dumps(run.last) == ('{"x": 1}' if name == "kill" else '{"x": 2, "y": 3}')


def test_a_forked_child(warm, tmp_path):
    """It reads the config of its parent, and writes nothing to the parent's run; init starts a run of its own."""
    program = """
import multiprocessing
import rla_hooks.integrations.wandb as wandb

def child(own):
    assert wandb.run.config.lr == wandb.config.lr == 0.1
    wandb.log({"child": 1})
    if own:
        with wandb.init(project="p", name="child", config={"lr": 0.2}, backup="none") as run:
            run.log({"own": wandb.config.lr})

wandb.init(project="p", name="parent", config={"lr": 0.1}, backup="none")
wandb.log({"x": 1}, step=3)
for own in (True, False):
    process = multiprocessing.get_context("fork").Process(target=child, args=[own])
    process.start()
    process.join()
    assert process.exitcode == 0
wandb.log({"y": 2}, step=3)
"""
    done = warm("numpy").run("-c", program, cwd=tmp_path, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0 and "writes nothing to the run" in done.stderr, done.stderr
    parent, child = rla.runs(tmp_path / "rla_data")
    assert (parent.status, parent.info["rows"], parent.last) == ("finished", 1, {"x": 1, "y": 2})
    assert (child.title, child.status, child.last, child.parent) == ("child", "finished", {"own": 0.2}, parent.name)
