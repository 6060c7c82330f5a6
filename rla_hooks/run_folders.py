"""Which runs are in a log root: its folders are looked through, and nothing of a run is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from rla_hooks.errors import warn
from rla_hooks.layout import LOG, OUT_OF_LISTS, RUN_JSON
from rla_hooks.run_name import DATE, LEAF, is_run_name, parse, task_spellings
from rla_hooks.texts import shell_path

_OF_RUN = {"tb", "cut"}  # folders in the log folder of a run
_DEEPEST = 64  # parts of a run's name: beyond, nobody has grouped tasks


def run_names(log_root: Path, task: str | None = None) -> Iterator[str]:
    """Yield the names of all runs below ``LOG_ROOT/log`` (of one task, and of tasks grouped in it).

    They come in the order of the times in the names, which are local times of the machines that gave them; the order
    of the starts is that of ``started`` in run.json. A folder with a run.json that somebody has renamed, or moved to
    another depth, is a run, too: it comes first, and its name is where it lies. What cannot be read is passed over, and
    so are circles of links.
    """
    found = []
    for folder, leaves in run_folders(log_root, task):
        for leaf in leaves:
            name = f"{folder}/{leaf}" if folder else leaf
            try:
                found.append((parse(name).time, name))
            except ValueError:
                found.append((datetime.min, name))
    yield from (name for _, name in sorted(found))


def run_folders(log_root: Path, task: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder below ``LOG_ROOT/log`` in which runs are, and the last parts of their names, in any order.

    Folders in it that may not be read, and may hide runs, give one warning.
    """
    root, unread = log_root / LOG, _Unread()
    waiting = [start for start in task_starts(task) if os.path.isdir(root / start)]
    while waiting:
        folder = waiting.pop()
        folders, is_run = _folders_in(root / folder, unread if folder else None)
        if is_run and folder:  # and other runs may still lie below: a stray file must not hide a task
            parent, _, leaf = folder.rpartition("/")
            yield parent, [leaf]
        leaves, is_date = [], DATE.search(folder) is not None
        for child, is_link in folders:
            name = f"{folder}/{child}" if folder else child
            if (is_date and LEAF.fullmatch(child)) or is_run_name(name):  # a run holds no runs
                leaves.append(child)
            elif is_link or child in OUT_OF_LISTS or (is_run and child in _OF_RUN):
                continue
            elif name.count("/") < _DEEPEST:
                waiting.append(name)
        if leaves:
            yield folder, leaves
    unread.tell()


def task_starts(task: str | None) -> set[str]:
    """Return the folders below ``LOG_ROOT/log`` in which the runs of a task are; the empty one for all tasks."""
    return {""} if task is None else {Path(each).as_posix() for each in task_spellings(task)}


def is_listable(name: str) -> bool:
    """Whether lists find a run of this name: they look neither into the folders of runs nor into very deep ones.

    >>> is_listable("demo/2026/01/31/12-00-00-000000_10.0.0.5"), is_listable("a/" * 70 + "b")
    (True, False)
    """
    parts = name.split("/")
    return len(parts) <= _DEEPEST + 1 and not any(is_run_name("/".join(parts[:end])) for end in range(1, len(parts)))


class _Unread:
    """The folders that cannot be read: how many, and the first of them."""

    def __init__(self) -> None:
        self._count = 0
        self._first = ""

    def add(self, folder: Path, error: OSError) -> None:
        self._count += 1
        self._first = self._first or f"{shell_path(folder)} cannot be read: {error.strerror}"

    def tell(self) -> None:
        if self._count:
            more = f" So it is with {self._count - 1:,} more." if self._count > 1 else ""
            warn(f"the runs in a folder are not listed: {self._first}.{more} Ask its owner for access.")


def _folders_in(folder: Path, unread: _Unread | None) -> tuple[list[tuple[str, bool]], bool]:
    """Return the name of each folder in a folder, and whether it is a link; and whether there is a run.json."""
    found, is_run = [], False
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                is_run = is_run or entry.name == RUN_JSON
                with suppress(OSError):
                    if entry.is_dir():
                        found.append((entry.name, entry.is_symlink()))
    except (FileNotFoundError, NotADirectoryError):  # it was just deleted
        pass
    except OSError as error:
        if unread is not None:
            unread.add(folder, error)
    return found, is_run
