"""Lets a list of runs be one of a moment: folders are read one after the other, and a run that is moved to another task
meanwhile (``rla mv``, or the undo of it) would be in the list twice, or not at all.

Whoever acts on a log root stands in ``.trash/lock`` for that time (rla_hooks/upkeep/act_lock.py), which so is another
file after each act.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from rla_hooks.layout import TRASH
from rla_hooks.life import is_gone
from rla_hooks.smallfiles import read_json

TRIES = 3  # lists that are made until no act has come between
LONGEST = 2.0  # seconds to wait for a move: a thousand runs take one
_PAUSE = 0.02
_MOVES = ("move", "rename", "undo")  # all else only lets runs go, or come

Stamp = tuple[int, int] | None


def stamp(root: Path) -> Stamp:
    """Return what is another one after each act on a log root; None where there was none."""
    try:
        state = os.stat(f"{root}/{TRASH}/lock")
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def wait_for_moves(root: Path) -> Stamp:
    """Wait until nobody moves runs of a log root, but not for long; return its stamp."""
    end = time.monotonic() + LONGEST
    now = stamp(root)
    while now is not None and now[1] and _is_moving(root) and time.monotonic() < end:
        time.sleep(_PAUSE)
        now = stamp(root)
    return now


def _is_moving(root: Path) -> bool:
    try:
        noted = read_json(f"{root}/{TRASH}/lock")
    except (OSError, ValueError):  # it is being written
        return True
    is_other = noted.get("pid") != os.getpid()  # else it would wait for itself
    return is_other and str(noted.get("what")).startswith(_MOVES) and not is_gone(noted)
