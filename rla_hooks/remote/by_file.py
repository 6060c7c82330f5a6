"""Moves the files of runs one by one, through fsspec: for remotes without rsync."""

from __future__ import annotations

import filecmp
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rla_hooks import atomic
from rla_hooks.layout import LOG
from rla_hooks.remote.errors import RemoteError
from rla_hooks.remote.marks import Mark, Marks
from rla_hooks.remote.place import INCOMING, Place, Stat
from rla_hooks.remote.planning import Plan, RunPlan, Step

_PIECE = 1 << 22  # bytes that are read at once
_EDGE = 4096  # bytes at both ends of what is there that are compared before more is appended

Tick = Callable[[], None]


class Changed(Exception):
    """What is on the other side is not the beginning of the file."""


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
    if plan.place.at_once == 1 or len(plan.runs) == 1:
        for run in plan.runs:
            work(run)
    else:
        with ThreadPoolExecutor(plan.place.at_once) as pool:
            list(pool.map(work, plan.runs))
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
                _fetch(place, stored, file, place.stat(stored))
    elif wanted and not place.is_ftp:
        there = place.files([])
        for stored in wanted:
            if stored not in there:
                place.send(plan.root / stored, stored)


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
        appended = _append(place, step, name, file)
    if not appended:
        place.send(file, name)
    here, there = _local(file), place.stat(name)
    if here != before:
        return None  # a run that goes on: the rest is sent the next time
    if there.size != here.size:
        raise RemoteError(f"{name} has {there.size} bytes there, and {here.size} here. Give the command again.")
    if place.reads_back and not appended:
        _compare(place, name, file, 0)
    return here, there


def _append(place: Place, step: Step, name: str, file: Path) -> bool:
    """Append what is missing there; False where what is there is not the beginning of the file."""
    with open(file, "rb") as source:
        for start, end in _edges(step.offset):
            source.seek(start)
            if source.read(end - start) != place.read(name, start, end):
                return False
        source.seek(step.offset)
        left = step.size - step.offset
        while left > 0 and (data := source.read(min(left, _PIECE))):
            place.append(name, data)
            left -= len(data)
    if place.reads_back:
        _compare(place, name, file, step.offset, step.size)
    return True


def _edges(offset: int) -> list[tuple[int, int]]:
    head = (0, min(offset, _EDGE))
    return [head, (max(head[1], offset - _EDGE), offset)] if offset > _EDGE else [head]


def _compare(place: Place, name: str, file: Path, start: int, end: int | None = None) -> None:
    """Raise RemoteError if the bytes there are not those here: FTP checks nothing by itself. end: None for all."""
    if end is None:
        with tempfile.TemporaryDirectory(prefix="rla-") as folder:
            copy = Path(folder, "copy")
            place.fetch(name, copy)
            is_same = filecmp.cmp(copy, file, shallow=False)
    else:
        with open(file, "rb") as source:
            source.seek(start)
            is_same = source.read(end - start) == place.read(name, start, end)
    if not is_same:
        raise RemoteError(f"{name} has other bytes there than here. Give the command again.")


def _pull(plan: Plan, step: Step, target: Path) -> Mark | None:
    place = plan.place
    target.parent.mkdir(parents=True, exist_ok=True)
    if step.stored and _link(plan.root / step.stored, target):
        return None
    there = place.stat(step.path)
    if not (step.offset and _append_here(place, step, target)):
        _fetch(place, step.path, target, there)
    size = target.stat().st_size
    if place.stat(step.path) != there:
        return None
    if size != there.size:
        raise RemoteError(f"{step.path} has {there.size} bytes there, and {size} here. Give the command again.")
    if there.time is not None:
        os.utime(target, (there.time, there.time))
    return _local(target), there


def _fetch(place: Place, name: str, target: Path, there: Stat) -> None:
    with atomic.replacing(target, sync=False) as temporary:
        place.fetch(name, temporary)
        if place.reads_back:
            _compare(place, name, temporary, 0)
        if there.time is not None:
            os.utime(temporary, (there.time, there.time))


def _append_here(place: Place, step: Step, target: Path) -> bool:
    with open(target, "r+b") as file:
        for start, end in _edges(step.offset):
            file.seek(start)
            if file.read(end - start) != place.read(step.path, start, end):
                return False
        file.seek(step.offset)
        for at in range(step.offset, step.size, _PIECE):
            file.write(place.read(step.path, at, min(at + _PIECE, step.size)))
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
