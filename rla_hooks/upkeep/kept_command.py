"""The command of a run, as run.json has it, and the folder in which it was started."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence

from rla_hooks.errors import RLAError
from rla_hooks.masking.pairs import MASK
from rla_hooks.query import SavedRun
from rla_hooks.texts import printable, shell_path

_NOTEBOOKS = ("ipykernel", "ipykernel_launcher", "jupyter", "colab_kernel_launcher")


class KeptCommand:
    """The command of a run, with further arguments and variables of the environment.

    Raises RLAError where run.json has none that can be started. call: what does the same from Python, for the errors;
    None where nothing does. folder: in place of the one in run.json.
    """

    def __init__(
        self,
        run: SavedRun,
        arguments: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        call: str | None = None,
        folder: str | None = None,
    ):
        noted, place = run.run_json.get("command"), folder or run.run_json.get("folder")
        python = f" From Python: {call}" if call else ""
        if not isinstance(noted, list) or not noted or not all(isinstance(word, str) for word in noted):
            raise RLAError(f"{name_of(run)} does not say by which command it was started.{python}")
        if any(word.rpartition("/")[2].removesuffix(".py") in _NOTEBOOKS for word in noted):
            instead = f"Call there: {call}" if call else f"Run its cells again; they are kept: rla path {run.id} code"
            raise RLAError(f"{name_of(run)} was started in a notebook. {instead}")
        if not isinstance(place, str) or not os.path.isdir(place):
            instead = python or " Say in which folder it is to run: --in FOLDER"
            raise RLAError(f"{name_of(run)} was started in {printable(place)}, which is not there.{instead}")
        self.folder, self.words, self.variables = place, [*noted, *arguments], dict(variables or {})

    @property
    def masked(self) -> list[int]:
        """The numbers of the words in which a secret was masked."""
        return [number for number, word in enumerate(self.words) if MASK in word]

    def text(self) -> str:
        """Return it as a shell takes it. What was masked as a secret stands there as it is in run.json."""
        variables = "".join(f"{name}={shell_path(value)} " for name, value in self.variables.items())
        words = " ".join(
            shell_path(word) if not word.isprintable() or "\\" in word else shlex.quote(word) for word in self.words
        )
        return f"cd {shell_path(self.folder)} && {variables}{words}"


def name_of(run: SavedRun) -> str:
    """Return how a message names a run."""
    return f"the run {printable(run.id)} ({printable(run.name)})"
