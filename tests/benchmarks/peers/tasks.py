"""The same tasks of a researcher with rla_hooks and with other trackers: how many lines, how many seconds.

python tests/benchmarks/peers/tasks.py [rla_hooks|guild|mlflow|dvc|aim|trackio|wandb ...]

A tool's tasks are the sections of ``tasks/<tool>.sh``, which run one after the other in a folder of their own: first a
program without a tracker is given one (its lines that are new or other than in BARE are counted), then it is run, then
the runs are looked at. Each peer is installed into an environment of its own; no account and no server is used. A task
that a file lacks is one for which we found no way without a server or a web page: corrections are welcome.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
INSTALLS = {
    "rla_hooks": None,  # this environment
    "guild": ("guildai==0.9.0", "pandas", "setuptools<81"),
    "mlflow": ("mlflow==3.17.2", "matplotlib"),
    "dvc": ("dvc==3.67.1", "dvclive==3.49.1", "pandas"),
    "aim": ("aim==3.29.1", "pandas"),
    "trackio": ("trackio==0.43.0",),
    "wandb": ("wandb==0.31.0",),
}
BARE = """\
import random
import sys


def train(lr=0.1, seed=0, steps=100):
    noise, reward = random.Random(seed), 0.0
    for step in range(steps):
        reward += lr * (10 - reward) + noise.gauss(0, 0.1)
    return reward


if __name__ == "__main__":
    train(lr=float(sys.argv[1]), seed=int(sys.argv[2]))
"""
LIMIT = 900  # seconds for a task


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tools", nargs="*", metavar="|".join(INSTALLS), help="those to measure; all without")
    parser.add_argument("--environments", type=Path, default=HERE.parents[2] / ".venv-peers", metavar="FOLDER")
    arguments = parser.parse_args()
    if unknown := set(arguments.tools) - set(INSTALLS):
        parser.error(f"no such tool: {', '.join(sorted(unknown))}. Known: {', '.join(INSTALLS)}")
    table = Table("tool", "task", "lines", "seconds")
    for tool in arguments.tools or INSTALLS:
        binaries = environment(tool, arguments.environments)
        with tempfile.TemporaryDirectory(prefix="tasks-", ignore_cleanup_errors=True) as folder:
            for task, lines, seconds in measure(tool, binaries, Path(folder)):
                table.add_row(tool, task, str(lines), seconds)
    Console().print(table)


def environment(tool, environments):
    """The folder of the tool's programs; it is installed if it is not there."""
    if INSTALLS[tool] is None:
        return Path(sys.executable).parent
    folder = environments / f"tasks-{tool}"
    if not (folder / ".ready").is_file():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", *INSTALLS[tool]], check=True)
        (folder / ".ready").touch()
    return folder / "bin"


def measure(tool, binaries, folder):
    """Yield task, lines and seconds (as a text) of each section of the tool's file."""
    variables = {
        **{key: value for key, value in os.environ.items() if key in ("LANG", "LC_ALL", "TMPDIR")},
        **{f"GIT_{who}_{what}": "bench@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        "PATH": f"{binaries}:/usr/bin:/bin",
        "HOME": str(folder),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "WANDB_MODE": "offline",
        "DVC_NO_ANALYTICS": "1",
    }
    sections = re.split(r"^# task: (.*)\n", (HERE / "tasks" / f"{tool}.sh").read_text(), flags=re.MULTILINE)[1:]
    for task, commands in zip(sections[::2], sections[1::2], strict=True):
        begin = time.perf_counter()
        done = subprocess.run(
            ["bash", "-e", "-c", commands],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
        )
        seconds = time.perf_counter() - begin
        if done.returncode:
            print(f"{tool}: {task}: exit code {done.returncode}\n{done.stdout[-1000:]}", file=sys.stderr)
        yield task, lines_of(task, commands), f"{seconds:.1f}" if done.returncode == 0 else "failed"


def lines_of(task, commands):
    """The lines that a user writes: of a program, those that the one without a tracker has not."""
    if task.startswith("track"):
        program = re.search(r"<<'PY'\n(.*?)^PY$", commands, re.DOTALL | re.MULTILINE)[1]
        before, after = ([line for line in text.splitlines() if line.strip()] for text in (BARE, program))
        return sum(line.startswith("+ ") for line in difflib.ndiff(before, after))
    marks = ("PY", "SQL")
    return sum(bool(line.strip()) and line not in marks and "<<'" not in line for line in commands.splitlines())


if __name__ == "__main__":
    main()
