"""Runs the command of a run again, for ``rla fork``, ``rla resume`` and ``rla rerun``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import typer

from rla_hooks.cli.objects import print_json
from rla_hooks.errors import RLAError
from rla_hooks.masking.pairs import MASK
from rla_hooks.query import SavedRun
from rla_hooks.texts import shell_path
from rla_hooks.upkeep.kept_command import KeptCommand, name_of


def print_or_start(command: KeptCommand, run: SavedRun, call: str, show: bool, as_json: bool) -> None:
    """Print the command, or what it consists of; else run it, and do not return."""
    if as_json:
        print_json({"command": command.words, "folder": command.folder, "environment": command.variables})
    elif show:
        print(command.text())
    elif command.masked:
        raise RLAError(
            f"the command of {name_of(run)} has secrets, which are masked in run.json ({MASK}). Print it with "
            f"--print, fill them in, and run it. Or from Python: {call}"
        )
    else:
        start(command)


def start(command: KeptCommand) -> NoReturn:
    """Run it in place of this process, so that signals and the exit code are its own."""
    os.chdir(command.folder)
    start_words(command.words, command.variables)


def start_words(words: Sequence[str], variables: Mapping[str, str] | None = None) -> NoReturn:
    """Run the program that these words name, in the present folder, as :func:`start` does."""
    sys.stdout.flush()
    sys.stderr.flush()
    environment = {**os.environ, **(variables or {})}
    if os.name == "nt":  # whose exec does not wait for the program
        raise typer.Exit(subprocess.call(words, env=environment))
    try:
        os.execvpe(words[0], [*words], environment)
    except OSError as error:
        raise RLAError(f"{shell_path(words[0])} cannot be run: {error.strerror}. Print the command: --print") from None
