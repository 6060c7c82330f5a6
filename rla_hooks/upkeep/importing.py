"""Imports the runs of a log root that the original RLA wrote: copies of them, in our form, in another log root."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.layout import ARCHIVED, LOG, TRASH, TREES, RunPaths
from rla_hooks.query.moved import parsed
from rla_hooks.query.near_root import near_root
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.selection import select
from rla_hooks.run_name import check_task, run_leaf
from rla_hooks.texts import counted, shell_path, size_text
from rla_hooks.upkeep.act_lock import acting
from rla_hooks.upkeep.acting import DoneRun, Progress, finish_begun
from rla_hooks.upkeep.import_run import Origin, as_noted, import_run
from rla_hooks.upkeep.planning import Refused
from rla_hooks.upkeep.run_parts import parts_of
from rla_hooks.upkeep.sizes import Sizes

_MOST_NAMELESS = 20  # folders that are told
_DISK_IS_FULL = {errno.ENOSPC, errno.EDQUOT}


class ImportItem(NamedTuple):
    """A run that is to be imported. to: its new name. files, bytes: what there is of it."""

    run: SavedRun
    to: str
    files: int
    bytes: int


class ImportPlan(NamedTuple):
    """What an import will do: its ``items``; ``there``: how many runs were imported before; ``refused``: the others."""

    old_root: Path
    log_root: Path
    items: tuple[ImportItem, ...]
    there: int = 0
    refused: tuple[Refused, ...] = ()

    @property
    def bytes(self) -> int:
        """How many bytes are copied."""
        return sum(item.bytes for item in self.items)


class Imported(NamedTuple):
    """What was imported. there: how many runs were there already. problems: what is left, a line each."""

    log_root: Path
    runs: tuple[DoneRun, ...]
    there: int = 0
    problems: tuple[str, ...] = ()


def import_runs(
    old_root: str | os.PathLike[str],
    *,
    log_root: str | os.PathLike[str] | None = None,
    task: str | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Copy the runs of a log root that the original RLA wrote into another one, as runs of rla_hooks.

    log_root: where they go; by default that of the config. task: only its runs. progress: as in ``delete``.

    The old root stays as it is. What is there already is passed over, so a call that was killed can be made again, and
    so can one for a root that has got more runs. A run whose files cannot all be read is imported with the others,
    which ``problems`` tells. Raises :class:`~rla_hooks.errors.ConfigError` where there are no such runs, or the new
    root is the old one or in it; :class:`~rla_hooks.errors.RLAError` where the disk is too small.

    >>> import rla_hooks as rla
    >>> from pathlib import Path
    >>> old = Path("old/log/demo/2022/03/01/21-13-03-230208 10.0.0.7 &lr=0.1")
    >>> old.mkdir(parents=True)
    >>> _ = (old / "progress.csv").write_text("loss,time-step\\n0.5,0\\n0.25,100\\n")
    >>> _ = (old / "backup.txt").write_text("[BACKUP] 0 : key: lr, value: 0.1\\n")
    >>> done = import_runs("old", log_root="rla_data")
    >>> run = rla.runs("rla_data", task="demo")[-1]
    >>> run.name, run.hparams, run.info["last_step"]
    ('demo/2022/03/01/21-13-03-230208_10.0.0.7_&lr=0.1', {'lr': 0.1}, 100)
    >>> len(import_runs("old", log_root="rla_data").runs)
    0
    """
    return carry_out_import(plan_import(old_root, log_root=log_root, task=task), progress=progress)


def plan_import(
    old_root: str | os.PathLike[str], *, log_root: str | os.PathLike[str] | None = None, task: str | None = None
) -> ImportPlan:
    """Return what :func:`import_runs` would do. Nothing is changed."""
    old, new = Path(os.path.abspath(old_root)), Path(os.path.abspath(log_root_of(log_root)))
    _check_places(old, new)
    runs = [*select(old, task=task).runs()]
    of_rla = [run for run in runs if type(run.paths) is RunPaths and not os.path.lexists(run.paths.run_json)]
    if not of_rla:
        raise ConfigError(_nothing(old, runs, task))
    before = {origin.name: (run, origin) for run in _runs_in(new) if (origin := Origin.of(run))}
    items, refused, taken = list[ImportItem](), list[Refused](), set[str]()
    for run in of_rla:
        found = Sizes(old).count(parts_of(run))  # each by itself: code may be shared by hard links
        reason = None
        if (name := as_noted(run.name)) in before:
            imported, origin = before[name]
            if (found.files, found.bytes) != (origin.files, origin.bytes):
                reason = f"has changed since it was imported. For the new state: rla rm {imported.id}, and import again"
        elif link := _link_of(run):
            reason = f"is a link to {shell_path(link)}: import the log root that it leads to"
        else:
            name = _new_name(run, new, taken)
            taken.add(name)
            items.append(ImportItem(run, name, found.files, found.bytes))
        if reason:
            refused.append(Refused(run.id, run.name, reason))
    if task is None:
        refused += _nameless(old, {run.name for run in runs})
    there = sum(as_noted(run.name) in before for run in of_rla)
    return ImportPlan(old, new, tuple(items), there, tuple(refused))


def carry_out_import(plan: ImportPlan, *, progress: Progress | None = None) -> Imported:
    """Do what a plan says. Raises RLAError where the disk is full; the runs that were imported stay."""
    root, there, done = plan.log_root, plan.there, list[DoneRun]()
    problems = [f"{each.id or each.name} {each.reason}" for each in plan.refused]
    if not plan.items:
        return Imported(root, (), plan.there, tuple(problems))
    _check_room(plan)
    root.mkdir(parents=True, exist_ok=True)
    with acting(root, f"import {counted(len(plan.items), 'run')}"):
        finish_begun(root)
        for number, item in enumerate(plan.items, 1):
            run = item.run
            if os.path.lexists(root / LOG / item.to):  # another import has done it since the plan
                there += 1
                continue
            origin = Origin(as_noted(str(plan.old_root)), as_noted(run.name), item.files, item.bytes)
            try:
                left = import_run(run, RunPaths(root, item.to), origin)
                done.append(DoneRun(run.id, run.name, item.to, item.files, item.bytes))
                problems += [f"{run.id} ({item.to}) without a part: {line}" for line in left]
            except OSError as error:
                if error.errno in _DISK_IS_FULL:
                    raise RLAError(
                        f"the disk of {shell_path(root)} is full: {len(done)} of {len(plan.items)} runs were imported. "
                        "Make room, and give the same command again: it goes on."
                    ) from error
                where = f" ({shell_path(error.filename)})" if error.filename else ""
                problems.append(f"{run.id} ({run.name}) was not imported: {error.strerror or error}{where}")
            if progress:
                progress(number, len(plan.items))
    return Imported(root, tuple(done), there, tuple(problems))


def _check_places(old: Path, new: Path) -> None:
    if not (old / LOG).is_dir():
        near = near_root(old) if old.is_dir() else None
        hint = f" Did you mean {shell_path(near)}?" if near and near != old else ""
        what = "has no folder log/, so it is no log root" if old.is_dir() else "is no folder"
        raise ConfigError(f"{shell_path(old)} {what}.{hint} Allowed: the data root that RLA wrote, with log/<task>/...")
    olds = {os.path.realpath(place) for place in (old, *(old / tree for tree in TREES))}  # a tree may be a link
    for place in (new, *(new / tree for tree in TREES), new / TRASH):
        real = os.path.realpath(place)
        if any(os.path.commonpath([each, real]) == each for each in olds):
            what = "the new log root" if place == new else "of the new log root"
            raise ConfigError(
                f"{what} {shell_path(place)} is {'' if real in olds else 'in '}the old one, which stays as it is. "
                "Give another folder: --log-root FOLDER, or log_root= in Python."
            )


def _nothing(old: Path, runs: Iterable[SavedRun], task: str | None) -> str:
    count = sum(1 for _ in runs)
    of_task = f" of the task {task!r}" if task is not None else ""
    ours = f" It has {counted(count, 'run')} of rla_hooks, or of another tool, which need no import." if count else ""
    return f"{shell_path(old)} has no runs of the original RLA{of_task}.{ours}"


def _runs_in(root: Path) -> list[SavedRun]:
    """The runs of a log root, and those that were archived in it."""
    return [run for place in (root, root / ARCHIVED) if (place / LOG).is_dir() for run in select(place).runs()]


def _nameless(root: Path, names: set[str]) -> list[Refused]:
    """The folders with a progress.csv that are no run, by their names: nobody knows their task and their time."""
    found = list[Refused]()
    for top, folders, files in os.walk(root / LOG):
        name = os.path.relpath(top, root / LOG).replace(os.sep, "/")
        if name in names:
            folders.clear()
        elif "progress.csv" in files and len(found) < _MOST_NAMELESS:
            folders.clear()
            reason = "has rows, and no name of a run: <task>/<YYYY>/<mm>/<dd>/<HH-MM-SS-ffffff>_<ip>. Rename it so"
            found.append(Refused("", name, reason))
    return found


def _link_of(run: SavedRun) -> str | None:
    """Where a part of a run leads to, if it is a link."""
    paths = (run.paths.log_root / part for part in parts_of(run))
    return next((os.path.realpath(path) for path in paths if path.is_symlink()), None)


def _new_name(run: SavedRun, root: Path, taken: set[str]) -> str:
    """Return the name of a run as we write it; a clash gives it the next microsecond that is free."""
    found = parsed(run.name)
    assert found is not None  # a run without run.json is found by its name only
    time = found.time
    while True:
        leaf = run_leaf(time, found.ip, found.record)
        name = f"{check_task(found.task or 'imported')}/{time:%Y/%m/%d}/{leaf}"
        if name not in taken and not os.path.lexists(root / LOG / name):
            return name
        time += timedelta(microseconds=1)


def _check_room(plan: ImportPlan) -> None:
    place = plan.log_root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if plan.bytes > free:
        raise RLAError(
            f"the disk of {shell_path(plan.log_root)} has {size_text(free)} free, and the runs have "
            f"{size_text(plan.bytes)}. Give a log root on another disk, or import one task after the other: --task. "
            "Nothing was changed."
        )
