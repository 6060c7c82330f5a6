"""Takes acts back: what was deleted, archived, moved, renamed or collected goes where it was."""

from __future__ import annotations

import os
from pathlib import Path

from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import RLAError
from rla_hooks.layout import RunPaths
from rla_hooks.life import is_running
from rla_hooks.query.entry import read_entry
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import listed, printable, shell_path
from rla_hooks.upkeep.act_lock import acting
from rla_hooks.upkeep.acting import WORDS, Act, Progress, act_of, carry_all, finish_begun
from rla_hooks.upkeep.journal import UNDOING, Journal, Moved, numbers_in, read
from rla_hooks.upkeep.planning import DELETE, MOVE, RENAME, REPAIR, RESTORE
from rla_hooks.upkeep.run_parts import why_running
from rla_hooks.upkeep.swaps import renames_of

_MOST = 20  # lines of what is in the way


def undo(
    log_root: str | os.PathLike[str] | None = None, number: int | None = None, *, progress: Progress | None = None
) -> Act:
    """Take an act back: the one of this number, by default the last one; return it, with the runs that came back.

    All parts of the runs go where they were, and a run that has got a new name gets its former one. progress: as in
    ``delete``. Raises :class:`~rla_hooks.errors.RLAError` where there is no such act, and with all places at which
    there is something else by now, or runs that have started meanwhile; then nothing is changed.

    >>> import rla_hooks as rla
    >>> from rla_hooks import upkeep
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     rla.log({"loss": 0.5}, step=0)
    >>> _ = upkeep.move(rla.runs()[-1], "other")
    >>> rla.runs()[-1].task, len(upkeep.undo().runs), rla.runs()[-1].task
    ('other', 1, 'demo')
    """
    root = log_root_of(log_root)
    if not numbers_in(root):
        raise _nothing(root, number)
    with acting(root, f"undo {number or ''}".rstrip()):
        finish_begun(root)
        journal = _wanted(root, number)
        trouble = trouble_of(journal)
        if trouble:
            raise RLAError(f"act {journal.number} cannot be undone, and nothing was changed: {trouble}")
        try:
            journal = journal.set_state(UNDOING)
        except OSError as error:
            raise RLAError(
                f"act {journal.number} cannot be undone: {error.strerror} ({shell_path(error.filename or root)})"
            ) from error
        return carry_all(renames_of(journal, back=True), lambda moved: _why_running(journal, moved), progress)


def plan_undo(log_root: str | os.PathLike[str] | None = None, number: int | None = None) -> Act:
    """Return the act that :func:`undo` would take back; ``trouble`` says why it cannot. Nothing is changed."""
    root = log_root_of(log_root)
    journal = _wanted(root, number)
    return act_of(journal)._replace(trouble=trouble_of(journal))


def _wanted(root: Path, number: int | None) -> Journal:
    known = numbers_in(root)
    if not known or (number is not None and number not in known):
        raise _nothing(root, number)
    while True:
        last = known.pop() if number is None else number
        try:
            return read(root, last)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and number is None and known:
                continue  # a folder that somebody has put there
            raise RLAError(f"act {last} of {shell_path(root)} cannot be read: {error.strerror}") from error


def _nothing(root: Path, number: int | None) -> RLAError:
    known = numbers_in(root)
    if number is None or not known:
        return RLAError(f"there is nothing to undo in {shell_path(root)}: its trash is empty.")
    return RLAError(f"there is no act {number} in {shell_path(root)}. There are: {listed([*map(str, known)], _MOST)}.")


def trouble_of(journal: Journal) -> str | None:
    """Return why an act cannot be undone, a line for each reason; None where it can."""
    back, there = renames_of(journal, back=True), renames_of(journal)
    lines, gone, here = list[str](), list[str](), 0
    for moved in journal.runs:
        if back.is_left(moved):
            here += 1
            lines += back.in_the_way(moved)
            reason = _why_running(journal, moved)
            lines += [f"{printable(moved.item.name)} {reason}"] if reason else []
        elif not there.is_left(moved):
            place = shell_path(journal.root / moved.parts[0][1])
            gone.append(f"{printable(moved.item.name)} is no longer at {place}: it was moved or deleted since")
    if journal.kind != DELETE or not here:  # what somebody has taken out of the trash keeps no other run there
        lines += gone
    if not here and not lines:
        return f"none of its runs is {WORDS[journal.kind]} any more"
    shown = lines[:_MOST] + ([f"and {len(lines) - _MOST:,} more"] if len(lines) > _MOST else [])
    return "\n".join(f"  - {line}" for line in shown).replace("  - ", "\n  - ", 1) if lines else None


def _why_running(journal: Journal, moved: Moved) -> str | None:
    """Why a run is left as it is that has a new place, or was repaired: it is running, and was not then."""
    if journal.kind not in (MOVE, RENAME, RESTORE, REPAIR) or is_running(moved.item.status):
        return None
    paths = RunPaths(journal.root, moved.item.to or moved.item.name)
    return why_running(SavedRun(paths, read_entry(paths)))
