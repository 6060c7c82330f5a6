"""Forks of forks: which runs a run comes from, and which were forked from it. Looked for in its log root only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.layout import LOG, RunPaths
from rla_hooks.query.entry import read_entry
from rla_hooks.query.moved import noted_name
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.selection import select

MOST = 1000  # forks of one run that are looked at
_DEEPEST = 100  # forks of forks


class Ancestor(NamedTuple):
    """A run that another one comes from: what that one says of it, and at which step it was forked."""

    id: str
    name: str | None
    step: int | None
    run: SavedRun | None  # None where it is no run of this log root (any more)


class Fork(NamedTuple):
    """A run that was forked from another one at a step, and the runs that were forked from it."""

    run: SavedRun
    step: int | None
    forks: list[Fork]


class Family(NamedTuple):
    """Where a run comes from, the first run first, and which runs were forked from it, oldest first."""

    ancestors: list[Ancestor]
    forks: list[Fork]


def family_of(run: SavedRun, most: int = MOST) -> Family:
    """Return where a run comes from, and its forks; of very many those that are nearest to the run.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     pass
    >>> family_of(rla.runs()[-1])
    Family(ancestors=[], forks=[])
    """
    root = run.paths.log_root
    if not run.run_json or not (root / LOG).is_dir():  # of RLA, or of another tool
        return Family([], [])
    forked = select(root, where="forked_from != none").runs()
    return Family(_ancestors(run, {each.id: each for each in reversed(forked)}), _forks(run, forked, most))


def origins_of(runs: Sequence[SavedRun]) -> dict[str, list[str]]:
    """Return of each fork among runs, by its id, the ids of the runs that it comes from, the nearest first.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     pass
    >>> origins_of(rla.runs())
    {}
    """
    forks = [run for run in runs if run.forked_from is not None]
    known = {run.id: run for run in forks}
    for root in {run.paths.log_root for run in forks}:
        known |= {run.id: run for run in select(root, where="forked_from != none").runs()}
    found = {}
    for run in forks:
        chain: list[str] = []
        at: SavedRun | None = run
        while at is not None and at.forked_from is not None and len(chain) < _DEEPEST:
            if at.forked_from["id"] in (run.id, *chain):  # no file is to be trusted
                break
            chain.append(at.forked_from["id"])
            at = known.get(chain[-1])
        found[run.id] = chain
    return found


def _ancestors(run: SavedRun, forked: dict[str, SavedRun]) -> list[Ancestor]:
    found: list[Ancestor] = []
    noted, seen = run.forked_from, {run.id}
    while noted is not None and noted["id"] not in seen and len(found) < _DEEPEST:
        seen.add(noted["id"])
        source = forked.get(noted["id"]) or _not_forked(run.paths.log_root, noted)
        name = noted.get("run")
        found.append(Ancestor(noted["id"], name if isinstance(name, str) else None, _step(noted), source))
        noted = source.forked_from if source else None
    return found[::-1]


def _not_forked(root: Path, noted: dict[str, Any]) -> SavedRun | None:
    """Return the run at the beginning of a family: by its name, else, as somebody may have renamed it, by its id."""
    name = noted_name({"name": noted.get("run")})
    if name is not None:
        paths = RunPaths(root, name)
        by_name = SavedRun(paths, read_entry(paths))
        if by_name.id == noted["id"] and by_name.run_json:
            return by_name
    every = select(root)
    numbers = [number for number, id in zip(every.numbers, every.column("id"), strict=True) if id == noted["id"]]
    return every.candidates.runs(numbers[:1])[0] if numbers else None


def _forks(run: SavedRun, forked: list[SavedRun], most: int) -> list[Fork]:
    of: dict[str, list[SavedRun]] = {}
    for each in forked:
        of.setdefault((each.forked_from or {})["id"], []).append(each)
    top: list[Fork] = []
    waiting, seen = [(run.id, top, 0)], {run.id}
    for id, into, depth in waiting:  # which grows
        for each in of.get(id, ()):
            if each.id not in seen and len(seen) <= most and depth < _DEEPEST:
                seen.add(each.id)
                into.append(Fork(each, _step(each.forked_from or {}), []))
                waiting.append((each.id, into[-1].forks, depth + 1))
    return top


def _step(noted: dict[str, Any]) -> int | None:
    step = noted.get("step")
    return step if type(step) is int else None
