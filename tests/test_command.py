"""The command in run.json starts the same program again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import rla_hooks as rla

PROGRAM = """
import json, sys
from multiprocessing import get_context
from rla_hooks.command import command_line
def show(file):
    with open(file, "a") as out: print(json.dumps([command_line(), sys.argv[1:], sys.flags.dev_mode]), file=out)
if __name__ == "__main__":
    show("seen.txt")
    sys.argv.append("added by the program")
    for way in ("fork", "spawn", "forkserver"):
        child = get_context(way).Process(target=show, args=(f"{way}.txt",))
        child.start(); child.join()
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "proj").mkdir()
    (tmp_path / "proj" / "__init__.py").touch()
    for name in ("proj/train.py", "proj/__main__.py", "train.py"):
        (tmp_path / name).write_text(PROGRAM)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["train.py"],
        ["-X", "dev", "train.py", "--lr", "0.1", "a b", "it's", ""],
        ["-X", "dev", "-u", "-m", "proj.train", "--lr", "0.1"],
        ["-m", "proj", "x"],
    ],
)
def test_the_command_can_be_run_again(project, command):
    """Options of the interpreter, -m and odd arguments included; a second start sees just what the first one saw."""
    for number in (1, 2):
        done = subprocess.run([sys.executable, *command], cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        seen = [json.loads(line) for line in (project / "seen.txt").read_text().splitlines()]
        assert len(seen) == number and seen[-1] == seen[0] and seen[0][0] == [sys.executable, *command]
        command = seen[0][0][1:]
    ((fork, _, _), *_) = [json.loads(line) for line in (project / "fork.txt").read_text().splitlines()]
    assert fork == seen[0][0]


@pytest.mark.parametrize("command", [["train.py", "a"], ["-m", "proj.train", "a"]])
def test_a_spawned_child_names_the_program_of_its_parent(project, command):
    """Not the helper that multiprocessing has started."""
    subprocess.run([sys.executable, *command], cwd=project, check=True)
    for way in ("spawn", "forkserver"):
        found, *_ = json.loads((project / f"{way}.txt").read_text().splitlines()[0])
        assert found[1:] == [*command, "added by the program"]


def test_a_worker_of_joblib_names_the_program(tmp_path):
    """It has the program's arguments, and a module of loky's as its own program."""
    pytest.importorskip("joblib")
    (tmp_path / "train.py").write_text(
        "import json, joblib\n"
        "from rla_hooks.command import command_line\n"
        "if __name__ == '__main__':\n"
        "    print(json.dumps(joblib.Parallel(n_jobs=2)(joblib.delayed(command_line)() for _ in range(2))))\n"
    )
    command = [sys.executable, "train.py", "--lr", "0.1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [command, command]


def test_it_stands_in_run_json(tmp_path):
    """With the code of ``python -c``, too; secrets are masked there as elsewhere."""
    code = "import rla_hooks as rla\nwith rla.run(task='t', log_root='logs', backup='none', writers=[]): pass\n"
    command = [sys.executable, "-X", "dev", "-c", code, "--api-key", "hunter2"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert rla.runs(tmp_path / "logs")[0].info["command"] == [*command[:-1], "***"]
