"""What a rank that does not write goes on with: the run that rank zero has begun to write, and its checkpoint.

All ranks start at once. Each of them could look for the run by itself, but rank zero changes what there is to find: it
takes the run up, cuts it, and saves newer checkpoints. So the others wait until run.json says that rank zero has begun,
in this launch (``launch``), and take from there what it has begun with (``begins_with``); that a new run has started
they know in the same way. Where a launch has no name, or nothing comes, they look by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from rla_hooks import life, ranks
from rla_hooks.checkpoints.entry import DEFAULT_NAME, STATE
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.core import not_writing
from rla_hooks.core.job import launch_identity
from rla_hooks.core.resume_request import Resumable
from rla_hooks.endings import RUNNING
from rla_hooks.errors import warn
from rla_hooks.layout import RunPaths
from rla_hooks.smallfiles import read_json

WAIT = 30.0  # seconds for rank zero
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25
_SKEW = 60.0  # seconds between the starts, and the clocks, of two ranks

Candidates = Iterable[tuple[RunPaths, Mapping[str, Any]]]
_followed: set[tuple[str, Any]] = set()  # runs of this launch, and their lives, that have been followed already


def told_by_environment() -> Resumable | None:
    """Return the run that rank zero has started this process from; None where it has not, or where that run is new."""
    paths = not_writing.exported_run()
    try:
        content = None if paths is None else read_json(paths.run_json)
    except (OSError, ValueError):
        return None
    return None if paths is None or content is None else begun(paths, content)


def begun(paths: RunPaths, content: Mapping[str, Any]) -> Resumable | None:
    """Return the run as rank zero has begun it; None where it has not begun."""
    if content.get("status") != RUNNING:
        return None
    listed, stored = Manifest(paths.checkpoint_dir).entries(), content.get("begins_with")
    files = stored if isinstance(stored, dict) else {}
    entries = [entry for entry in listed if files.get(entry.name) == entry.file]
    newest = next((entry for name in (STATE, DEFAULT_NAME) for entry in reversed(entries) if entry.name == name), None)
    return Resumable(paths, newest or (entries[-1] if entries else None), begins_with=dict(files))


def wait_for_rank_zero(candidates: Callable[[], Candidates], wait: bool = True) -> Resumable | None:
    """Return the run that rank zero has begun in this launch, of those that may be it; None where nobody knows.

    candidates: called again and again. wait: False where rank zero may wait for this process.
    """
    launch, pause = launch_identity(), _FIRST_PAUSE
    if launch is None:
        return None
    end = time.monotonic() + (WAIT if wait else 0.0)
    while True:
        for paths, content in candidates():
            key = paths.name, content.get("life")
            if key not in _followed and _is_of_launch(content, launch) and (found := begun(paths, content)):
                _followed.add(key)
                return found
        if time.monotonic() >= end:
            break
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    if wait:
        warn(
            f"rank {ranks.global_rank()} has waited {WAIT:g} s for the run of rank 0, which has not begun, and takes "
            "what it finds itself. All ranks must come to the same call.",
            note=lambda text: None,
        )
    return None


def _is_of_launch(content: Mapping[str, Any], launch: str) -> bool:
    """Whether a run is noted as running, in this launch, by a process that has not died meanwhile."""
    if content.get("status") != RUNNING or content.get("launch") != launch:
        return False
    alive = life.lives(content)
    if alive is None:  # on another host: some launchers name all tries alike
        try:
            began = datetime.fromisoformat(str(content.get("resumed") or content.get("started"))).timestamp()
        except ValueError:
            return False
        return began > ranks.BEGUN - _SKEW
    return alive


def forget_state() -> None:
    """As in a process that has just begun."""
    _followed.clear()
