"""What the acts on runs have in common: which runs they leave alone, and how a run is part of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rla_hooks.query.saved_run import SavedRun
from rla_hooks.upkeep.planning import Item, Part, Plan, Refused, plan_items
from rla_hooks.upkeep.run_parts import fresh, runs_inside, seen_of, why_running


def plan_runs(
    root: Path, kind: str, runs: Iterable[SavedRun], item: Callable[[SavedRun], Item | str], running: bool
) -> Plan:
    """Return the plan of an act on runs.

    item: returns a run as the act has it, or, as the end of a sentence, why it leaves it alone.
    """
    refused, items = list[Refused](), list[Item]()
    for run in runs:
        found = item(run)
        if isinstance(found, str):
            refused.append(Refused(run.id, run.name, found))
        else:
            items.append(found)
    return plan_items(root, kind, items, refused, running)


def why_not(run: SavedRun, running: bool) -> str | None:
    """Return why an act leaves a run alone, as the end of a sentence: it is running, or holds other runs."""
    inside = runs_inside(run)
    if inside:
        return f"holds {len(inside)} other runs, such as {inside[0]}"
    if running or not why_running(run):
        return None
    return why_running(fresh(run))  # it may have ended since it was listed


def item_of(run: SavedRun, parts: tuple[Part, ...], **more: Any) -> Item:
    """Return a run as an act has it."""
    run_json = f"log/{run.name}/run.json" if run.run_json else ""
    return Item(run.id, run.name, parts, status=run.status, run_json=run_json, seen=seen_of(run), **more)
