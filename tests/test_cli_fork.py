"""``rla fork``: a run's program again, as a new run that begins with one of its checkpoints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest

pytestmark = pytest.mark.usefixtures("quiet")

PROGRAM = """
import argparse
import rla_hooks as rla

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--steps", type=int, default=4)
parser.add_argument("--api-key")

@rla.track(task="t", log_root="root", writers=["csv"], backup="none")
def main(lr, steps):
    begin = rla.load_checkpoint()[0] if rla.current_run().is_resumed else 0
    for step in range(begin, steps):
        rla.log({"loss": lr}, step=step)
        rla.save_checkpoint({"w": [step + 1]}, step=step + 1)
    print("trained from", begin)
    if steps == 9:
        raise SystemExit(3)

arguments = parser.parse_args()
main(arguments.lr, arguments.steps)
"""


@pytest.fixture
def first(tmp_path):
    """A run of the program, which was started in a folder of its own."""
    folder = tmp_path / "a project"
    folder.mkdir()
    (folder / "train.py").write_text(PROGRAM)
    subprocess.run([sys.executable, "train.py"], cwd=folder, check=True, timeout=60, capture_output=True)
    (run,) = rla.runs(folder / "root")
    return run


def test_the_program_makes_a_fork(first, rla_process):
    """In the folder in which it was started, with further arguments; the exit code is its own."""
    root = first.paths.log_root
    assert rla_process("fork", first.id, "--step", 2, "--log-root", root, "--", "--lr", "0.5")[:2] == (
        0,
        "trained from 2\n",
    )
    forked = rla.runs(root)[-1]
    assert forked.forked_from["id"] == first.id and forked.forked_from["step"] == 2
    assert (forked.hparams, forked.metrics()["loss"].tolist()) == ({"lr": 0.5, "steps": 4}, [0.1, 0.1, 0.5, 0.5])
    code, out, _ = rla_process("fork", "latest", "--log-root", root, "--", "--steps", "9")
    assert (code, out) == (3, "trained from 4\n") and rla.runs(root)[-1].forked_from["id"] == forked.id


def test_the_command_is_printed(first, command):
    """As a shell takes it; nothing is started."""
    root = first.paths.log_root
    line = command("fork", "latest", "--step", 2, "--print", "--log-root", root, "--", "--lr", "0.5").out
    assert len(rla.runs(root)) == 1
    found = command("fork", "latest", "--json", "--log-root", root, "--", "--lr", "0.5").json
    assert found["command"][1:] == ["train.py", "--lr", "0.5"] and found["folder"] == str(root.parent)
    assert found["environment"] == {"RLA_FORK": str(first.log_dir)}
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "trained from 2\n")
    assert rla.runs(root)[-1].forked_from["step"] == 2 and rla.runs(root)[-1].hparams["lr"] == 0.5


def _edit(run, **changes):
    content = json.loads((run.log_dir / "run.json").read_text())
    (run.log_dir / "run.json").write_text(json.dumps(content | changes))


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"command": None}, r"does not say by which command it was started\. From Python: main\.fork\('\w+'\)"),
        ({"command": ["python", "-m", "ipykernel_launcher"]}, r"was started in a notebook\. Call there: main\.fork"),
        ({"folder": "/nosuch/folder"}, r"was started in /nosuch/folder, which is not there\. From Python"),
        ({"command": ["/nosuch/python", "x.py"]}, r"/nosuch/python cannot be run: No such file or directory\. Print"),
        ({"command": ["python", "x.py", "--api-key=***"]}, r"has secrets, which are masked .*--print, fill them in"),
    ],
)
def test_a_command_that_cannot_be_run(first, command, changes, said):
    """Says why, and what to call instead."""
    import re

    _edit(first, **changes)
    here = os.getcwd()
    done = command("fork", "latest", "--log-root", first.paths.log_root)
    os.chdir(here)
    assert done.code == 2 and re.search(said, " ".join(done.err.split())), done.err


def test_what_cannot_be_forked_is_told_before_the_program_starts(first, command):
    """A step without a checkpoint, a run without any, a damaged one."""
    root = first.paths.log_root
    done = command("fork", "latest", "--step", 7, "--log-root", root)
    assert done.code == 2 and "step 7: it has those of steps 1, 2, 3, 4. The nearest before it: --step 4" in done.err
    manifest = Manifest(first.checkpoint_dir)
    manifest.mark_cut([each for each in manifest.entries() if each.step > 2], 1)
    assert "has no whole checkpoint of step 4" in command("fork", "latest", "--step", 4, "--log-root", root).err
    for entry in manifest.entries():
        (first.checkpoint_dir / entry.file).unlink()
    done = command("fork", "latest", "--log-root", root)
    assert done.code == 2 and "it has no whole checkpoint in" in done.err
    Path(first.log_dir, "run.json").write_text("{")
    assert "cannot be forked: it is damaged" in command("fork", first.name, "--log-root", root).err
    assert len(rla.runs(root)) == 1


def test_a_program_that_resumes_by_itself_is_forked(first, rla_process):
    """resume="auto" looks for no run in the start that is the fork."""
    root = first.paths.log_root
    program = root.parent / "train.py"
    program.write_text(program.read_text().replace('task="t"', 'task="t", resume="auto"'))
    forked = ("fork", first.id, "--step", 2, "--log-root", root, "--", "--lr", "0.5")
    assert rla_process(*forked)[:2] == (0, "trained from 2\n")
    run = rla.runs(root)[-1]
    assert (run.forked_from["id"], run.restarts) == (first.id, []) and run.id != first.id
