"""Brings archived runs back into the lists."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rla_hooks.errors import ConfigError
from rla_hooks.layout import ARCHIVED, RUN_JSON, TREES
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import shell_path
from rla_hooks.upkeep.acting import Act, Progress, carry_out, check_refused
from rla_hooks.upkeep.archiving import place_of
from rla_hooks.upkeep.part_checks import Checks
from rla_hooks.upkeep.planning import RESTORE, Item, Part, Plan
from rla_hooks.upkeep.run_parts import parts_of, runs_given, seen_of
from rla_hooks.upkeep.run_plans import plan_runs, why_not


def restore(
    runs: Any,
    *,
    log_root: str | os.PathLike[str] | None = None,
    running: bool = False,
    progress: Progress | None = None,
) -> Act:
    """Bring archived runs back: the reverse of ``archive``, for any of them, in any order.

    runs: one or several: of ``rla.runs("rla_data/archived")``, or texts (in ``log_root``, which is that folder then).
    Arguments and errors are else as in ``delete``; a run whose name is taken is refused.

    >>> import rla_hooks as rla
    >>> from rla_hooks import upkeep
    >>> for seed in range(2):
    ...     with rla.run(task="paper", writers=["csv"], backup="none", seed=seed):
    ...         rla.log({"loss": 0.5}, step=0)
    >>> archived = upkeep.archive(rla.runs(task="paper")).log_root / "archived"
    >>> act = upkeep.restore(rla.runs(archived, where="seed == 1"))
    >>> [run.hparams["seed"] for run in rla.runs(task="paper")], len(rla.runs(archived))
    ([1], 1)
    """
    plan = plan_restore(runs, log_root=log_root, running=running)
    check_refused(plan)
    return carry_out(plan, progress=progress)


def plan_restore(runs: Any, *, log_root: str | os.PathLike[str] | None = None, running: bool = False) -> Plan:
    """Return what :func:`restore` would do. Nothing is changed."""
    archived, saved = runs_given(runs, log_root, "restore")
    if archived.name != ARCHIVED:
        raise ConfigError(
            f"restore got runs of {shell_path(archived)}. Allowed: archived ones: rla.runs('rla_data/{ARCHIVED}')."
        )
    root = archived.parent
    checks = Checks(root)
    return plan_runs(root, RESTORE, saved, lambda run: why_not(run, running) or _item(run, root, checks), running)


def _item(run: SavedRun, root: Path, checks: Checks) -> Item:
    """Return a run with its parts, at the places to which ``archive`` has put them: each on its own disk."""
    here = parts_of(run)
    names = dict.fromkeys(source.partition("/")[2] for source in here)
    sources = [*here, *(f"{kind}/{name}" for name in names for kind in TREES[1:])]
    parts = [
        Part(place, source, anchor)
        for source in dict.fromkeys(sources)
        if os.path.lexists(root / (place := place_of(source, anchor := _anchor(source, root, checks))))
    ]
    run_json = f"{parts[0].source}/{RUN_JSON}" if run.run_json else ""
    return Item(run.id, run.name, tuple(parts), status=run.status, run_json=run_json, seen=seen_of(run))


def _anchor(source: str, root: Path, checks: Checks) -> str:
    """Return the anchor of a part that is not there yet: that of the nearest folder which is."""
    folder = source.rpartition("/")[0]
    while folder and not os.path.isdir(root / folder):
        folder = folder.rpartition("/")[0]
    return checks.anchor(f"{folder}/x") if folder else ""
