"""``rla resume``: a run's program again, which goes on with that run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")

PROGRAM = """
import argparse, os, signal
import rla_hooks as rla

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=4)
parser.add_argument("--dies-at", type=int)
arguments = parser.parse_args()

@rla.track(task="t", log_root="root", writers=["csv"], backup="none")
def main(steps):
    begin = rla.load_checkpoint()[0] if rla.current_run().is_resumed else 0
    for step in range(begin, steps):
        rla.log({"loss": 0.5}, step=step)
        if step == arguments.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        rla.save_checkpoint({"w": [step + 1]}, step=step + 1)
    print("trained from", begin)
    if steps == 9:
        raise SystemExit(3)

main(arguments.steps)
"""


@pytest.fixture
def killed(tmp_path):
    """A run of the program that was killed after two checkpoints, in a folder of its own."""
    folder = tmp_path / "a project"
    folder.mkdir()
    (folder / "train.py").write_text(PROGRAM)
    program = [sys.executable, "train.py", "--dies-at", "2"]
    assert subprocess.run(program, cwd=folder, timeout=60).returncode == -signal.SIGKILL
    (run,) = rla.runs(folder / "root")
    change(run, command=program[:2])
    return run


def say_auto(run):
    """The run's program resumes by itself, too."""
    program = run.paths.log_root.parent / "train.py"
    program.write_text(program.read_text().replace('task="t"', 'task="t", resume="auto"'))


def change(run, **content):
    known = json.loads(run.paths.run_json.read_text())
    run.paths.run_json.write_text(json.dumps(known | content))


def test_the_program_goes_on_with_the_run(killed, rla_process):
    """In its folder, with further arguments where they are allowed; the exit code is the program's."""
    root = killed.paths.log_root
    assert rla_process("resume", killed.id, "--log-root", root)[:2] == (0, "trained from 2\n")
    (run,) = rla.runs(root)
    assert (run.id, run.status, run.metrics()["time-step"].tolist()) == (killed.id, "finished", [0, 1, 2, 3])
    code, _, told = rla_process("resume", "latest", "--log-root", root)
    assert code == 2 and "it has finished. To go on, allow a change: --allow steps" in told
    longer = ("resume", "latest", "--allow", "steps", "--log-root", root, "--", "--steps", "9")
    assert rla_process(*longer)[:2] == (3, "trained from 4\n")
    (run,) = rla.runs(root)
    assert run.hparams == {"steps": 9}
    assert [each["reason"] for each in run.run_json["restarts"]] == ["rla resume", "rla resume"]


def test_the_command_is_printed(killed, command):
    """As a shell takes it; nothing is started."""
    options = ("latest", "--log-root", killed.paths.log_root, "--allow", "steps", "--allow", "lr", "--from-start")
    found = command("resume", *options, "--json", "--", "--steps", "5").json
    assert found["command"][1:] == ["train.py", "--steps", "5"]
    assert found["environment"] == {
        "RLA_RESUME": str(killed.log_dir),
        "RLA_RESUME_REASON": "rla resume",
        "RLA_RESUME_ALLOW": "steps,lr",
        "RLA_RESUME_FROM_START": "1",
    }
    line = command("resume", "latest", "--log-root", killed.paths.log_root, "--print").out
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "trained from 2\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"command": ["python", "-m", "ipykernel_launcher"]}, "was started in a notebook. Call there: main.resume("),
        ({"command": ["python", "train.py", "--api-key=***"]}, "has secrets, which are masked in run.json"),
        ({"folder": "/nosuch/folder"}, "was started in /nosuch/folder, which is not there"),
        ({"status": "odd"}, "it is damaged: run.json cannot be read"),
    ],
)
def test_what_cannot_be_started(killed, command, content, told):
    """The error says why, and what to call instead."""
    change(killed, **content)
    done = command("resume", killed.name, "--log-root", killed.paths.log_root)
    assert done.code == 2 and told in " ".join(done.err.split())


def test_what_cannot_go_on_is_told_before_the_program_starts(killed, command):
    """A run that is alive, and one without a checkpoint."""
    root = killed.paths.log_root
    with rla.run(task="u", log_root=root, writers=[], backup="none") as alive:
        done = command("resume", alive.name, "--log-root", root)
        assert done.code == 2 and "it is still alive: process" in done.err
    for file in killed.checkpoint_dir.glob("*.pkl"):
        file.unlink()
    done = command("resume", killed.name, "--log-root", root)
    assert done.code == 2 and "it has no whole checkpoint" in done.err and "--from-start" in done.err


def test_the_named_run_comes_before_auto(killed, rla_process):
    """Of a program with resume="auto", too, which would not find it: its hyper-parameters are others."""
    say_auto(killed)
    root = killed.paths.log_root
    longer = ("resume", killed.id, "--allow", "steps", "--log-root", root, "--", "--steps", "6")
    assert rla_process(*longer)[:2] == (0, "trained from 2\n")
    (run,) = rla.runs(root)
    assert (run.id, run.restarts[-1]["reason"], run.hparams) == (killed.id, "rla resume", {"steps": 6})


@pytest.mark.parametrize("name", ["resume", "fork"])
def test_an_argument_of_the_program_without_dashes(name, rla_process):
    """The error says where it belongs, with the command to type."""
    code, _, told = rla_process(name, "latest", "--steps", "40")
    told = " ".join(told.replace("│", " ").split())
    assert code == 2 and "No such option" in told and ".." not in told.replace("...", "")
    assert f"Arguments of the program go behind --, as in: rla {name} RUN -- --steps ..." in told


def test_what_the_program_refuses_is_said_as_on_the_command_line(killed, rla_process):
    """No traceback of the program, whose code is right, and no argument of Python."""
    root, program = killed.paths.log_root, killed.paths.log_root.parent / "train.py"
    change(killed, task="t", function="train.py:main", status="finished")
    for words, told in (
        ((), "change a hyper-parameter (more steps, say) and allow it: --allow steps."),
        (("--allow", "stps"), "allow has 'stps', which is no hyper-parameter. Known: steps."),
    ):
        code, _, error = rla_process("resume", killed.id, "--allow", "x", *words, "--log-root", root)
        assert (code, error.startswith("rla: ")) == (1, True) and "Traceback" not in error and told in error
    change(killed, status="interrupted")
    other = rla_process("resume", killed.id, "--log-root", root, "--", "--steps", "5")
    assert (other[0], other[1]) == (0, "trained from 0\n") and "If this one is meant: --allow steps" in other[2]
    program.write_text(program.read_text().replace("main(arguments.steps)", "main(1 / 0)"))
    assert "Traceback" in rla_process("resume", killed.id, "--allow", "x", "--log-root", root)[2]
