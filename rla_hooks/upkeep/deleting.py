"""Deletes runs: all of their folders go to the trash of their log root, from which ``undo`` brings them back."""

from __future__ import annotations

import os
from typing import Any

from rla_hooks.query.saved_run import SavedRun
from rla_hooks.upkeep.acting import Act, Progress, carry_out, check_refused
from rla_hooks.upkeep.part_checks import Checks
from rla_hooks.upkeep.planning import DELETE, Item, Part, Plan
from rla_hooks.upkeep.run_parts import parts_of, runs_given
from rla_hooks.upkeep.run_plans import item_of, plan_runs, why_not


def delete(
    runs: Any,
    *,
    log_root: str | os.PathLike[str] | None = None,
    running: bool = False,
    progress: Progress | None = None,
) -> Act:
    """Delete runs: move their folders in all trees to ``LOG_ROOT/.trash/<n>/``; ``undo`` brings them back.

    runs: one or several: of ``rla.runs()``, open ones, or texts as ``rla.open`` takes them (in ``log_root``). running:
    also those that are running, whose processes then write into nothing. progress: is called with the number of runs
    that are done and of all, after each run.

    Nothing is copied, and each run goes whole or not at all: where one cannot be moved after all, or has started again
    meanwhile, it stays, which ``problems`` of the act that is returned tells, and the others go. Raises
    :class:`~rla_hooks.errors.ConfigError` for what is no run, :class:`~rla_hooks.errors.RLAError` with all runs that
    are running or cannot be moved, before anything is changed; ActInterrupted at Ctrl-C, once the run at hand is
    whole.

    >>> import rla_hooks as rla
    >>> from rla_hooks import upkeep
    >>> for seed in range(3):
    ...     with rla.run(task="wrong-turn", writers=["csv"], backup="none", seed=seed):
    ...         rla.log({"loss": 0.5}, step=0)
    >>> act = upkeep.delete(rla.runs(task="wrong-turn", where="seed > 0"))
    >>> len(act.runs), len(rla.runs(task="wrong-turn"))
    (2, 1)
    >>> len(upkeep.undo().runs), len(rla.runs(task="wrong-turn"))
    (2, 3)
    """
    plan = plan_delete(runs, log_root=log_root, running=running)
    check_refused(plan)
    return carry_out(plan, progress=progress)


def plan_delete(runs: Any, *, log_root: str | os.PathLike[str] | None = None, running: bool = False) -> Plan:
    """Return what :func:`delete` would do. Nothing is changed."""
    root, saved = runs_given(runs, log_root, "delete")
    checks = Checks(root)

    def item(run: SavedRun) -> Item | str:
        parts = (Part(source, None, checks.anchor(source)) for source in parts_of(run))
        return why_not(run, running) or item_of(run, tuple(parts))

    return plan_runs(root, DELETE, saved, item, running)
