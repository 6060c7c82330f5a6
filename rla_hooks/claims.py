"""Whose the files of a run are: which process owns progress.csv and log.txt, and whether a killed run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from rla_hooks import life, machine, restarts
from rla_hooks.endings import KILLED, RUNNING
from rla_hooks.life import this_process
from rla_hooks.progress import Progress


class Claim(Enum):
    """What this process is for a run: see :meth:`rla_hooks.record.RunRecord.claim`."""

    GUEST = "another process, which lives or has ended the run, owns the files"
    OWNER = "this process owns the files; the run ends with whoever started it"
    NEW_LIFE = "the run was killed, and goes on in this process"
    NEW_LIFE_BESIDE = "the run has been silent for long, and goes on in this process, in files of its own"


def claimed(
    content: dict[str, Any], folders: Iterable[Path], count: Callable[[], Progress]
) -> tuple[Claim, dict[str, Any]]:
    """Return what this process is for the run of a run.json, and what changes in there by it.

    folders, count: as in :meth:`rla_hooks.record.RunRecord.claim`.
    """
    me, owner = this_process(), content["owner"]
    if owner == me:
        return Claim.OWNER, {}
    if not isinstance(owner, Mapping):  # somebody has damaged it
        owner = {}
    is_gone = life.is_gone(owner, folders)
    if content["status"] != RUNNING or not (is_gone or life.silent_since(owner, folders) is not None):
        return Claim.GUEST, {}
    killed = life.is_gone(content, folders) or life.silent_since(content, folders) is not None
    if not (is_gone or killed):
        return Claim.GUEST, {}
    change: dict[str, Any] = {"owner": me} if is_gone else {}
    if not killed:
        return Claim.OWNER, change
    found, here = count().noted(content["rows"]), {"machine": machine.facts()}
    last_life = restarts.former_life(content | found, KILLED, "Tester.load", **here)
    change |= me | here | found | {"restarts": [*content["restarts"], last_life]}
    return Claim.NEW_LIFE if is_gone else Claim.NEW_LIFE_BESIDE, change
