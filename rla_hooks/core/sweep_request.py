"""What a sweep says of one of its runs: which sweep it is of, and the run that goes on in place of a new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rla_hooks.fields import Fields, made_by
from rla_hooks.masking import masked_command


class SweepMember(Fields):
    """One setting of a sweep, for the call that is its run, maybe in another process.

    id: of the sweep; its runs share it. config: the file that the sweep has read, since a worker may stand elsewhere.
    parent: the name of the run around the sweep. command, folder: of the program that sweeps. resume: the folder of the
    run that goes on; from_start: whether nothing of it is kept; keeps_rows: whether the program restores by itself what
    it trains. is_again: whether an earlier try has ended, as who runs it knows. claim: the file that lets one process
    begin the setting. title: of the run, in place of the decorator's.
    quiet: whether it prints nothing. report: takes an intermediate value and its step.

    >>> SweepMember("k3xq7aod", 3, "lr sweep", "/logs", command=["python", "train.py"]).note()["sweep"]
    {'id': 'k3xq7aod', 'index': 3}
    """

    id: str
    index: int
    group: str
    log_root: Any
    config: str | None = None
    parent: str | None = None
    command: list[str] = made_by(list)
    folder: str | None = None
    resume: str | None = None
    from_start: bool = False
    keeps_rows: bool = False
    is_again: bool = False
    claim: str | None = None
    title: str | None = None
    quiet: bool = False
    report: Callable[[float, int], None] | None = None

    def note(self) -> dict[str, Any]:
        """Return what run.json says."""
        noted = {"id": self.id, "index": self.index}
        return {"sweep": noted, "command": masked_command(self.command), "folder": self.folder}
