"""Moves the files of runs one by one, through fsspec: for remotes without rsync."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rla_hooks import atomic
from rla_hooks.layout import LOG
from rla_hooks.remote import parts
from rla_hooks.remote.errors import RemoteError
from rla_hooks.remote.files import INCOMING, Stat
from rla_hooks.remote.marks import Mark, Marks
from rla_hooks.remote.place import PIECE, Place
from rla_hooks.remote.planning import Plan, RunPlan, Step
from rla_hooks.remote.together import together

Tick = Callable[[], None]


def move(plan: Plan, tick: Tick) -> dict[str, str]:
    """Move the files of a plan; return what has gone wrong, by the names of runs."""
    problems: dict[str, str] = {}
    marks = Marks(plan.root, plan.place.address.url)

    def work(run: RunPlan) -> None:
        found: list[tuple[str, Mark]] = []
        try:
            for step in run.steps:
                mark = _move(plan, run, step)
                if mark is not None:
                    found.append((step.path, mark))
                tick()
        except (OSError, RemoteError) as error:
            problems[run.name] = _text(error)
        marks.store(found)

    _bring_store(plan)
    together(work, plan.runs, plan.place.at_once, plan.place.stopped)
    return problems


def _text(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or ''}: {error.strerror or error}".removeprefix(": ")
    return str(error)


def _bring_store(plan: Plan) -> None:
    """Move the contents of code that the other store lacks, where files there can be made of them."""
    place = plan.place
    wanted = sorted({step.stored for run in plan.runs for step in run.steps if step.stored})
    if not plan.is_push:
        for stored in wanted:
            file = plan.root / stored
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                _fetch(plan, stored, file, place.stat(stored))
    elif wanted and place.has_links:
        there = place.files([])
        for stored in wanted:
            if stored not in there:
                parts.send(place, plan.root / stored, stored, plan.root)


def _move(plan: Plan, run: RunPlan, step: Step) -> Mark | None:
    """Move a file, and check it; return what both sides have of it now, None where it changes meanwhile."""
    other = f"{INCOMING}/{step.path}" if run.is_new and step.path.startswith(f"{LOG}/") else step.path
    if plan.is_push:
        return _push(plan, step, other if plan.place.has_rename else step.path)
    return _pull(plan, step, plan.root / other)


def _push(plan: Plan, step: Step, name: str) -> Mark | None:
    place, file = plan.place, plan.root / step.path
    if step.stored and place.link(step.stored, name):
        return _local(file), place.stat(name)
    before = _local(file)
    appended = False
    if step.offset and place.can_append:
        appended = _append(place, step, name, file, before.size)
    if not appended:
        parts.send(place, file, name, plan.root)
    here, there = _local(file), place.stat(name)
    if here != before:
        return None  # a run that goes on: the rest is sent the next time
    if there.size != here.size:
        raise RemoteError(f"{name} has {there.size} bytes there, and {here.size} here. Give the command again.")
    return here, there


def _append(place: Place, step: Step, name: str, file: Path, end: int) -> bool:
    """Append what is missing there, up to a byte; False where what is there is not the beginning of the file.

    end: how long the file is by now: it may have grown since the plan was made.
    """
    with open(file, "rb") as source:
        state = os.fstat(source.fileno())
        if not parts.is_beginning(place, name, source, step.offset):
            return False
        source.seek(step.offset)
        for at in range(step.offset, end, PIECE):
            place.append(name, source.read(min(PIECE, end - at)), at)
    if place.reads_back and not parts.is_same(place, name, file, step.offset, end):
        return False
    place.date(name, state.st_mtime)
    return True


def _pull(plan: Plan, step: Step, target: Path) -> Mark | None:
    place = plan.place
    target.parent.mkdir(parents=True, exist_ok=True)
    if step.stored and _link(plan.root / step.stored, target):
        return None
    there = place.stat(step.path)
    if not (step.offset and _append_here(place, step, target, there.size)):
        _fetch(plan, step.path, target, there)
    size = target.stat().st_size
    if place.stat(step.path) != there:
        return None
    if size != there.size:
        raise RemoteError(f"{step.path} has {there.size} bytes there, and {size} here. Give the command again.")
    if there.time is not None:
        os.utime(target, (there.time, there.time))
    return _local(target), there


def _fetch(plan: Plan, name: str, target: Path, there: Stat) -> None:
    place = plan.place
    if there.size > parts.LARGE:
        part = parts.fetch(place, name, target, there, plan.root)
        _finish(place, name, part, there)
        os.replace(part, target)
        return
    with atomic.replacing(target, sync=False) as temporary:
        place.fetch(name, temporary)
        _finish(place, name, temporary, there)


def _finish(place: Place, name: str, file: Path, there: Stat) -> None:
    """Check a file that has come, and give it its time."""
    if place.reads_back and not parts.is_same(place, name, file, 0, file.stat().st_size):
        file.unlink()
        raise RemoteError(f"{name} has other bytes here than there. Give the command again.")
    if there.time is not None:
        os.utime(file, (there.time, there.time))


def _append_here(place: Place, step: Step, target: Path, end: int) -> bool:
    with open(target, "r+b") as file:
        if not parts.is_beginning(place, step.path, file, step.offset):
            return False
        file.seek(step.offset)
        for data in place.pieces(step.path, step.offset, end):
            file.write(data)
    return True


def _link(stored: Path, target: Path) -> bool:
    """Make a file of the store that is here the run's: what the store has is not fetched again."""
    try:
        target.unlink(missing_ok=True)
        os.link(stored, target)
    except OSError:
        return False
    return True


def _local(file: Path) -> Stat:
    state = file.stat()
    return Stat(state.st_size, state.st_mtime)
