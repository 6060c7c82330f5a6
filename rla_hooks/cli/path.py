"""``rla path``: where the files of a run are."""

from __future__ import annotations

import os
import sys
from enum import Enum
from typing import Annotated

import typer

from rla_hooks.cli.choose import choose
from rla_hooks.cli.common import Archived, Json, LatestRun, LogRoot, Task, Where, app
from rla_hooks.cli.objects import print_json
from rla_hooks.errors import RLAError
from rla_hooks.texts import shell_path


class Folder(str, Enum):
    """The folders of a run."""

    log = "log"
    checkpoint = "checkpoint"
    code = "code"
    results = "results"
    figures = "figures"
    tensorboard = "tensorboard"


@app.command("path")
def path(
    run: LatestRun = None,
    folder: Annotated[Folder, typer.Argument(help="Which folder; figures and results are the same.")] = Folder.log,
    log_root: LogRoot = None,
    archived: Archived = False,
    task: Task = None,
    where: Where = None,
    json: Json = False,
) -> None:
    """Print the path of a run's folder, and nothing else.

    In a pipe it is printed as it is, for $(...); on a terminal so that it can be pasted into a shell. With --json the
    paths of all folders are printed, whether they are there or not.

    Examples:

        cd "$(rla path latest)"
        ls "$(rla path 21-28-12 checkpoint)"
    """
    saved = choose(run, log_root, where, task)
    folders = {
        Folder.log: saved.log_dir,
        Folder.checkpoint: saved.checkpoint_dir,
        Folder.code: saved.code_dir,
        Folder.results: saved.results_dir,
        Folder.figures: saved.results_dir,
        Folder.tensorboard: saved.tensorboard_dir,
    }
    if json:
        print_json({each.value: os.fspath(path) for each, path in folders.items()})
        return
    found = folders[folder]
    if not os.path.isdir(found):
        raise RLAError(f"the run {saved.id} has no folder {shell_path(found)}")
    if sys.stdout.isatty():
        print(shell_path(found))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(found) + b"\n")  # whatever the name is, and the encoding of the pipe
