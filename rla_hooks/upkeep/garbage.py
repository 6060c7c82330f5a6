"""Deletes what no run needs, and puts old checkpoints and trees without a run into the trash.

What has nothing of a run in it is deleted: code in the store that no run has any more, temporary files of dead
processes, states that such have not listed, copies of code in the cache, what sweeps have left, the rest of a trash
that was half emptied, empty folders. What somebody may want back goes to the trash, as an act that can be undone, and
only where it is asked for: old checkpoints, and trees whose run has no log folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.layout import LOG, TREES
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.selection import runs as all_runs
from rla_hooks.texts import printable, shown
from rla_hooks.upkeep.acting import GONE, Act, carry_out
from rla_hooks.upkeep.leftovers import FOLDERS, Leftover, Removal, leftovers_of
from rla_hooks.upkeep.old_checkpoints import OldCheckpoints, named_elsewhere, old_checkpoints
from rla_hooks.upkeep.orphaned import Orphan, orphans_of
from rla_hooks.upkeep.planning import COLLECT, Item, Plan, listed_refusals, plan_items, trash_part
from rla_hooks.upkeep.run_parts import seen_of
from rla_hooks.upkeep.survey import Progress, Survey

CHECKPOINTS, ORPHANS = "old checkpoints", "trees without a run"
DAY = 86_400.0  # seconds


class Found(NamedTuple):
    """Garbage of one kind. bytes: what it takes on the disk; of what goes to the trash the lengths of the files."""

    kind: str
    paths: tuple[Path, ...]
    files: int
    bytes: int
    to_trash: bool = False


class GarbagePlan(NamedTuple):
    """What would be collected: each kind of garbage, the largest first. Nothing is changed by it.

    offered: trees without a run, where they were not asked for. left: why something stays that may look like garbage, a
    line each. problems: what cannot be read or moved. leftovers: what is deleted; plan: what goes to the trash;
    checkpoints: the runs whose old ones go.
    """

    log_root: Path
    found: tuple[Found, ...]
    offered: Found | None
    left: tuple[str, ...]
    problems: tuple[str, ...]
    leftovers: tuple[Leftover, ...]
    plan: Plan | None
    checkpoints: tuple[OldCheckpoints, ...] = ()


class Garbage(NamedTuple):
    """What :func:`collect_garbage` has done, or with ``dry_run`` what it would do.

    found: each kind of garbage. act: what went to the trash, None for nothing: ``rla_hooks.upkeep.undo`` brings it
    back. left: why something stays that may look like garbage. problems: what could not be read, moved or deleted.
    """

    found: tuple[Found, ...]
    act: Act | None = None
    left: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def freed(self) -> int:
        """The bytes of what is deleted."""
        return sum(each.bytes for each in self.found if not each.to_trash)


def collect_garbage(
    log_root: str | os.PathLike[str] | None = None,
    runs: Iterable[SavedRun] | None = None,
    *,
    checkpoints: bool = False,
    orphans: bool = False,
    keep_checkpoints: int = 1,
    age: float = DAY,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Garbage:
    """Delete what no run needs, and return what it was.

    That is code that no run has any more, temporary files of dead processes, whole states that such have not listed,
    copies of code for runs that are over, claims and jobs of sweeps, the rest of an emptied trash, and empty folders.
    What may be wanted back is put into the trash, where it is asked for:

    checkpoints: old ones, all but the newest of each name, ``keep_checkpoints`` of them, and the best. Those that
    rla_hooks has not written itself stay, and all of runs that are running. runs: only those of these runs; then
    nothing else is collected. orphans: trees of runs that have no log folder.

    age: of trees without a run, unlisted states, files of sweeps and empty folders, in seconds; younger ones stay, for
    a run may be starting in them. dry_run: change nothing. progress: called as ``progress(done, total)``. Raises
    :class:`~rla_hooks.errors.ConfigError` for mistakes, :class:`~rla_hooks.errors.RLAError` if another process tidies
    this log root.

    >>> import rla_hooks as rla
    >>> from rla_hooks import upkeep
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     for step in range(3):
    ...         _ = rla.save_checkpoint({"weights": [0.5, step]}, step=step)
    >>> garbage = upkeep.collect_garbage(checkpoints=True)
    >>> [(each.kind, each.files) for each in garbage.found], [each.step for each in rla.runs()[-1].checkpoints()]
    ([('old checkpoints', 2)], [2])
    >>> _ = upkeep.undo()
    >>> [each.step for each in rla.runs()[-1].checkpoints()]
    [0, 1, 2]
    """
    planned = plan_garbage(
        log_root, runs, checkpoints=checkpoints, orphans=orphans, keep_checkpoints=keep_checkpoints, age=age
    )
    if dry_run:
        return Garbage(planned.found, None, planned.left, planned.problems)
    return carry_out_garbage(planned, progress=progress)


def plan_garbage(
    log_root: str | os.PathLike[str] | None = None,
    runs: Iterable[SavedRun] | None = None,
    *,
    checkpoints: bool = False,
    orphans: bool = False,
    keep_checkpoints: int = 1,
    age: float = DAY,
    progress: Progress | None = None,
) -> GarbagePlan:
    """Return what :func:`collect_garbage` would do with these arguments. It reads all folders, and changes nothing."""
    chosen = None if runs is None else list(runs)
    root = _root_of(log_root, chosen)
    _check(chosen, checkpoints, keep_checkpoints)
    every = all_runs(root)
    left, problems = list[str](), list[str]()
    leftovers: tuple[Leftover, ...] = ()
    without_run: list[Orphan] = []
    if chosen is None:
        survey, log_is_read = _surveyed(root, every, progress)
        leftovers = tuple(leftovers_of(survey, age))
        without_run, notes = orphans_of(survey, age, log_is_read)
        left, problems = notes, survey.tally.problems
    old = [*_old(every if chosen is None else chosen, every, keep_checkpoints, left)] if checkpoints else []
    plan = plan_items(root, COLLECT, [_checkpoint_item(root, each) for each in old])
    orphaned = plan_items(root, COLLECT, [_orphan_item(root, each) for each in without_run])
    kinds = [*_found_leftovers(leftovers), *_found_items(plan, CHECKPOINTS)]
    offered = next(iter(_found_items(orphaned, ORPHANS)), None)
    if orphans:
        plan, kinds, offered = _joined(plan, orphaned), [*kinds, *([offered] if offered else [])], None
    problems += listed_refusals(plan.refused, len(plan.refused))
    lines, found = (tuple(left), tuple(problems)), tuple(sorted(kinds, key=lambda each: -each.bytes))
    return GarbagePlan(root, found, offered, *lines, leftovers, plan if plan.items else None, tuple(old))


def _surveyed(root: Path, every: Sequence[SavedRun], progress: Progress | None) -> tuple[Survey, bool]:
    """Return what is in the trees, and whether all of log/ could be read."""
    survey = Survey(root, every, progress)
    survey.add_tree(LOG)
    log_is_read = not survey.tally.problems
    for kind in TREES[1:]:
        survey.add_tree(kind)
    return survey, log_is_read


def carry_out_garbage(planned: GarbagePlan, *, asked: str = "", progress: Progress | None = None) -> Garbage:
    """Collect what was planned, as far as it still is garbage. asked: the words for it, for the journal of the act."""
    left, problems, act = list(planned.left), list(planned.problems), None
    folders = [each for each in planned.leftovers if each.kind == FOLDERS]
    removal = Removal()
    for each in planned.leftovers:  # first: on a full disk this makes room for the journal of the act
        if each.kind != FOLDERS:
            removal.remove(each)
    plan = planned.plan and _with_whole_newest(planned.plan, planned.checkpoints, left)
    if plan is not None and plan.items:
        try:
            act = carry_out(plan, asked=asked, progress=progress)
            problems += [line for line in act.problems if not line.endswith(GONE)]  # another cleaner was first
        except RLAError as error:
            problems.append(str(error))
    for each in folders:
        removal.remove(each)
    found = [*_found_leftovers(removal.gone)]
    if plan is not None and act is not None:
        gone = {run.name for run in act.runs}
        items = tuple(item for item in plan.items if item.name in gone)
        for kind, is_of_run in ((CHECKPOINTS, True), (ORPHANS, False)):
            these = tuple(item for item in items if bool(item.run_json) is is_of_run)
            found += _found_items(plan._replace(items=these), kind)
    found.sort(key=lambda each: -each.bytes)
    act = act if act is not None and act.runs else None
    return Garbage(tuple(found), act, tuple(left), (*problems, *removal.problems))


def _root_of(log_root: str | os.PathLike[str] | None, chosen: Sequence[SavedRun] | None) -> Path:
    roots = {run.paths.log_root for run in chosen or ()} or {log_root_of(log_root)}
    if len(roots) > 1:
        raise ConfigError(f"the runs are of {len(roots)} log roots. Give those of one: rla.runs(log_root).")
    return roots.pop()


def _check(chosen: Sequence[SavedRun] | None, checkpoints: bool, keep: object) -> None:
    problems = []
    if not isinstance(keep, int) or isinstance(keep, bool) or keep < 1:
        problems.append(f"keep_checkpoints is {shown(keep, 100)}. Allowed: a whole number from 1 up.")
    if chosen is not None and not checkpoints:
        problems.append("runs are given, but only checkpoints are collected of some runs. Pass checkpoints=True, too.")
    if problems:
        raise ConfigError(problems)


def _old(chosen: Iterable[SavedRun], every: Iterable[SavedRun], keep: int, left: list[str]) -> Iterator[OldCheckpoints]:
    """Yield the old checkpoints of each run; add to ``left`` why those of others stay."""
    named = named_elsewhere(every)
    for run in chosen:
        old, reason = old_checkpoints(run, keep, named)
        if old is not None:
            yield old
        elif reason is not None:
            left.append(f"the checkpoints of {run.id}, which {reason}")


def _checkpoint_item(root: Path, each: OldCheckpoints) -> Item:
    run, folder = each.run, each.folder
    return Item(
        run.id,
        run.name,
        tuple(trash_part(root, f"{folder}/{entry.file}") for entry in each.old),
        status=run.status,
        run_json=f"{LOG}/{run.name}/run.json",
        seen=seen_of(run),
        manifest=folder,
        checkpoints=tuple(json.loads(entry.line) for entry in each.old),
    )


def _orphan_item(root: Path, each: Orphan) -> Item:
    return Item("", each.name, tuple(trash_part(root, part) for part in each.parts), absent=f"{LOG}/{each.name}")


def _joined(first: Plan, second: Plan) -> Plan:
    return first._replace(items=(*first.items, *second.items), refused=(*first.refused, *second.refused))


def _with_whole_newest(plan: Plan, checkpoints: Iterable[OldCheckpoints], left: list[str]) -> Plan:
    """Return the plan without the runs whose newest checkpoint turns out to be damaged when it is read."""
    damaged = set()
    for each in checkpoints:
        reason = each.damage()
        if reason is not None:
            damaged.add(each.run.name)
            left.append(f"the checkpoints of {each.run.id}, which {printable(reason)}")
    return plan._replace(items=tuple(item for item in plan.items if item.name not in damaged))


def _found_leftovers(leftovers: Iterable[Leftover]) -> Iterator[Found]:
    kinds: dict[str, list[Leftover]] = {}
    for each in leftovers:
        kinds.setdefault(each.kind, []).append(each)
    for kind, some in kinds.items():
        files, size = sum(each.size.files for each in some), sum(each.size.on_disk for each in some)
        yield Found(kind, tuple(each.path for each in some), files, size)


def _found_items(plan: Plan, kind: str) -> Iterator[Found]:
    paths = tuple(plan.log_root / part.source for item in plan.items for part in item.parts)
    if paths:
        yield Found(kind, paths, plan.files, plan.bytes, to_trash=True)
