"""Archives runs: out of the lists, into a log root of their own in the log root, which is never emptied."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rla_hooks.layout import ARCHIVED
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import shell_path
from rla_hooks.upkeep.acting import Act, Progress, carry_out, check_refused
from rla_hooks.upkeep.part_checks import Checks
from rla_hooks.upkeep.planning import ARCHIVE, Item, Part, Plan
from rla_hooks.upkeep.run_parts import parts_of, runs_given
from rla_hooks.upkeep.run_plans import item_of, plan_runs, why_not


def archive(
    runs: Any,
    *,
    log_root: str | os.PathLike[str] | None = None,
    running: bool = False,
    progress: Progress | None = None,
) -> Act:
    """Archive runs: move their folders in all trees to ``LOG_ROOT/archived/``, a log root by itself.

    They are no longer listed, and nothing empties the folder; ``undo`` brings them back. Arguments and errors are as
    in ``delete``; a run whose name is in the archive already is refused.

    >>> import rla_hooks as rla
    >>> from rla_hooks import upkeep
    >>> with rla.run(task="paper", writers=["csv"], backup="none") as run:
    ...     rla.log({"loss": 0.5}, step=0)
    >>> act = upkeep.archive(rla.runs(task="paper"))
    >>> len(rla.runs(task="paper")), len(rla.runs(act.log_root / "archived", task="paper"))
    (0, 1)
    >>> len(upkeep.undo().runs)
    1
    """
    plan = plan_archive(runs, log_root=log_root, running=running)
    check_refused(plan)
    return carry_out(plan, progress=progress)


def plan_archive(runs: Any, *, log_root: str | os.PathLike[str] | None = None, running: bool = False) -> Plan:
    """Return what :func:`archive` would do. Nothing is changed."""
    root, saved = runs_given(runs, log_root, "archive")
    checks = Checks(root)

    def item(run: SavedRun) -> Item | str:
        parts = [(source, checks.anchor(source)) for source in parts_of(run)]
        reason = why_not(run, running) or next(filter(None, (_no_link(root, anchor) for _, anchor in parts)), None)
        return reason or item_of(run, tuple(Part(source, place_of(source, at), at) for source, at in parts))

    return plan_runs(root, ARCHIVE, saved, item, running)


def _no_link(root: Path, anchor: str) -> str | None:
    """Why the archive cannot lead to a tree on another disk: a folder is there, which would hide what is archived."""
    link = root / ARCHIVED / anchor
    if not anchor or link.is_symlink() or not link.exists():
        return None
    there = shell_path(root / anchor / f".{ARCHIVED}")
    return f"cannot be archived: {shell_path(link)} is not on the disk of {anchor}: move it to that disk, to {there}"


def place_of(source: str, anchor: str) -> str:
    """Return the place in the archive of a part: on its own disk.

    >>> place_of("log/demo/x", ""), place_of("checkpoint/demo/x", "checkpoint")
    ('archived/log/demo/x', 'checkpoint/.archived/demo/x')
    """
    return f"{anchor}/.{ARCHIVED}/{source[len(anchor) + 1 :]}" if anchor else f"{ARCHIVED}/{source}"
