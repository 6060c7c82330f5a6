"""Runs the command of a run again, in the folder in which it was started, for ``rla fork`` and ``rla resume``."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import typer

from rla_hooks.cli.objects import print_json
from rla_hooks.errors import RLAError
from rla_hooks.masking.pairs import MASK
from rla_hooks.query import SavedRun
from rla_hooks.texts import printable, shell_path

_NOTEBOOKS = ("ipykernel", "ipykernel_launcher", "jupyter", "colab_kernel_launcher")


class Rerun:
    """The command of a run, with further arguments and variables of the environment. Raises RLAError without one.

    call: what does the same from Python, for the errors.
    """

    def __init__(self, run: SavedRun, arguments: Sequence[str], variables: Mapping[str, str], call: str):
        noted, folder = run.run_json.get("command"), run.run_json.get("folder")
        if not isinstance(noted, list) or not noted or not all(isinstance(word, str) for word in noted):
            raise RLAError(f"{_name(run)} does not say by which command it was started. From Python: {call}")
        if any(word.rpartition("/")[2].removesuffix(".py") in _NOTEBOOKS for word in noted):
            raise RLAError(f"{_name(run)} was started in a notebook. Call there: {call}")
        if not isinstance(folder, str) or not os.path.isdir(folder):
            raise RLAError(f"{_name(run)} was started in {printable(folder)}, which is not there. From Python: {call}")
        self.folder, self.words, self.variables = folder, [*noted, *arguments], dict(variables)
        self._call, self._run = call, run

    def print_or_start(self, show: bool, as_json: bool) -> None:
        """Print the command, or what it consists of; else run it, and do not return."""
        if as_json:
            print_json({"command": self.words, "folder": self.folder, "environment": self.variables})
        elif show:
            print(self.text())
        else:
            self.start()

    def text(self) -> str:
        """Return it as a shell takes it. What was masked as a secret stands there as it is in run.json."""
        variables = "".join(f"{name}={shell_path(value)} " for name, value in self.variables.items())
        words = " ".join(
            shell_path(word) if not word.isprintable() or "\\" in word else shlex.quote(word) for word in self.words
        )
        return f"cd {shell_path(self.folder)} && {variables}{words}"

    def start(self) -> NoReturn:
        """Run it in place of this process, so that signals and the exit code are its own."""
        if any(MASK in word for word in self.words):
            raise RLAError(
                f"the command of {_name(self._run)} has secrets, which are masked in run.json ({MASK}). Print it with "
                f"--print, fill them in, and run it. Or from Python: {self._call}"
            )
        sys.stdout.flush()
        sys.stderr.flush()
        environment = os.environ | self.variables
        os.chdir(self.folder)
        if os.name == "nt":  # whose exec does not wait for the program
            raise typer.Exit(subprocess.call(self.words, env=environment))
        try:
            os.execvpe(self.words[0], self.words, environment)
        except OSError as error:
            raise RLAError(
                f"{shell_path(self.words[0])} cannot be run: {error.strerror}. Print the command: --print"
            ) from None


def _name(run: SavedRun) -> str:
    return f"the run {printable(run.id)} ({printable(run.name)})"
