"""States that were moved into their place by a process that was killed before it listed them: nobody finds them.

A state is moved and listed while the manifest's lock is held, so that with this lock nothing is just being listed. What
state.json does not call the run's own stays: somebody has put it there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from rla_hooks import atomic
from rla_hooks.checkpoints import Manifest
from rla_hooks.checkpoints.entry import STATE
from rla_hooks.patterns import pattern
from rla_hooks.smallfiles import read_json

_NAME = pattern(rf"{STATE}-(\d+)(\.\d+)?")
_LONGEST = 1 << 30  # bytes of state.json


def unlisted_states(paths: Iterable[tuple[Path, str]], age: float) -> Iterator[Path]:
    """Yield those that no manifest lists, of paths in checkpoint folders, each with its run's name.

    They have not changed for ``age`` seconds: an undone act puts files back before it lists them.
    """
    before = time.time() - age
    for path, run in paths:
        with suppress(OSError):
            is_old = _NAME.fullmatch(path.name) and path.stat().st_ctime <= before
            if is_old and _is_unlisted(path) and _is_of(path, run):
                yield path


def remove_unlisted(path: Path) -> bool:
    """Remove one, if it is not listed; return whether it has gone. Raises OSError."""
    with Manifest(path.parent).locked() as has_lock:
        if not has_lock or not _is_unlisted(path):
            return False
        with atomic.temporary_in(path.parent) as temporary:
            os.replace(path, temporary)  # a folder disappears as a whole
    return True


def _is_unlisted(path: Path) -> bool:
    entries = Manifest(path.parent).readable()
    return entries is not None and path.name not in [entry.file for entry in entries]


def _is_of(path: Path, run: str) -> bool:
    match = _NAME.fullmatch(path.name)
    try:
        content = read_json(path / f"{STATE}.json", _LONGEST)
    except ValueError:
        return False
    return match is not None and content.get("run") == run and str(content.get("step")) == match[1]
