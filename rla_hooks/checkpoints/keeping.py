"""Which checkpoints of a run stay when a new one was saved: the newest, and the best. One rule for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rla_hooks.checkpoints.entry import Entry

SCORE, MONITOR, MODE = "score", "monitor", "mode"  # keys of ``info``: a number, what it is of, and "max" or "min"


class Keep(NamedTuple):
    """How many stay: so many of the newest, and so many of the best by their score. None: all.

    >>> Keep(newest=3, best=1)
    Keep(newest=3, best=1)
    """

    newest: int | None = None
    best: int | None = 0


def surplus(entries: Sequence[Entry], new: Entry, keep: Keep) -> list[Entry]:
    """Return the entries whose files have to go: of the step of the new one, and those that are not kept.

    Only what was saved under the same name by the same writer is looked at; what a resume has cut stays.

    >>> saved = [Entry(f"a-{n}", "a", n, 0.0, 1, "", {"score": s}) for n, s in enumerate([5, 9, 1, 2])]
    >>> [entry.file for entry in surplus(saved, saved[-1], Keep(newest=2, best=1))]
    ['a-0']
    """
    writer = new.info.get("writer")  # files of a framework's hook and of the program are counted apart
    others = [
        entry
        for entry in entries
        if entry.cut is None
        and entry.name == new.name
        and entry.file != new.file
        and entry.info.get("writer") == writer
    ]
    same_step = [entry for entry in others if entry.step == new.step]
    older = [entry for entry in others if entry.step != new.step]
    if keep.newest is None or keep.best is None:
        return same_step
    newest = older[max(0, len(older) - keep.newest + 1) :]
    best = _best([*older, new], keep.best)
    return same_step + [entry for entry in older if entry not in newest and entry not in best]


def _best(entries: list[Entry], count: int) -> list[Entry]:
    """Return the best ones; of equal ones the newest."""
    scored = [entry for entry in entries if _score(entry) is not None]
    return sorted(scored, key=lambda entry: _score(entry) or 0.0)[len(scored) - min(count, len(scored)) :]


def _score(entry: Entry) -> float | None:
    """Return the score, the higher the better; None for an entry without one."""
    score = entry.info.get(SCORE)
    if not isinstance(score, (int, float)) or score != score:
        return None
    return -float(score) if entry.info.get(MODE) == "min" else float(score)
