"""What a call asks of a fork, and the run and the checkpoint that were found for it. core/forking.py makes the fork."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rla_hooks.fields import Fields, made_by
from rla_hooks.layout import RunPaths

if TYPE_CHECKING:
    from pathlib import Path

    from rla_hooks.checkpoints.manifest import Entry


# What ``rla fork`` sets in the environment, for the first run of the original's task and function.
_FORK = "RLA_FORK"
_FORK_STEP = "RLA_FORK_STEP"


def asked() -> tuple[str, str] | None:
    """Return the run and the step that the environment asks a fork of; None where it asks none."""
    run = os.environ.get(_FORK, "").strip()
    return (run, os.environ.get(_FORK_STEP, "").strip()) if run else None


def forget_asked() -> None:
    """The fork begins: further runs of this program, and its children, are no forks."""
    os.environ.pop(_FORK, None)
    os.environ.pop(_FORK_STEP, None)


class ForkRequest(Fields):
    """Which run is forked (see ``rla_hooks.query.given``), and at the checkpoint of which step; None: the newest.

    >>> ForkRequest("k3xq7aod", 3000).step
    3000
    """

    run: Any
    step: int | None = None


class Fork(Fields):
    """A run that is to be forked: its name and id, where it is, and the checkpoint that the fork begins with.

    entry: None for a run without checkpoints, of which only the rows are taken. checkpoints: those that the fork takes
    over, oldest first; that one is the last of them. changes: a text of each hyper-parameter that the fork has another
    value of.
    """

    id: str
    name: str
    paths: RunPaths
    checkpoint_dir: Path
    entry: Entry | None
    checkpoints: list[Entry]
    changes: list[str] = made_by(list)

    def note(self, last_step: int | None = None) -> dict[str, Any]:
        """Return what run.json of the fork says. last_step: of its rows, for a fork without a checkpoint."""
        step, file = (last_step, None) if self.entry is None else (self.entry.step, self.entry.file)
        return {"run": self.name, "id": self.id, "step": step, "file": file}
