"""How far the files of metrics of a run have come: what a checkpoint records, so that a resume can go back to it.

    {"progress.csv": (3000, 214_310), "progress.node7-4711.csv": (80, 5_120), "tb/events.out.tfevents": (None, 99_408)}

These are rows and bytes. The file that this process appends to has its rows always; one of another process only if it
is short, else only its bytes. So has a file of JSON lines, whose bytes never move.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from rla_hooks import rowfiles
from rla_hooks.checkpoints.entry import Positions
from rla_hooks.writers import json_writer
from rla_hooks.writers.base import Writer, Written
from rla_hooks.writers.csv_count import Hint, RowCount
from rla_hooks.writers.csv_writer import CsvWriter

_EVENTS = "tfevents"
_TENSORBOARD = "tb"
_MOST = 1000  # files: each checkpoint lists them
_MOST_READ = 256 << 10  # bytes of files of other processes


def positions(
    writers: Iterable[Writer], log_dir: str | os.PathLike[str], before: tuple[Positions, float] | None = None
) -> Positions:
    """Return rows and bytes of all files of metrics in a run's log folder, by their paths there.

    Of event files only the bytes: to count records takes as long as to write them. before: what was found the last
    time, by this process or another one, and when, in seconds since 1970: a long file need not be read from its
    beginning then. Raises OSError, and ValueError if there are too many files.
    """
    folder = os.path.normpath(log_dir)
    found: Positions = {}
    for writer in writers:
        position = _position_of(writer, folder, before)
        name = None if position is None else _name_in(position.path, folder)
        if position is not None and name is not None:
            found[name] = position.rows, position.bytes
    to_read = _MOST_READ
    for name, size in _sizes(folder):
        if name not in found:
            found[name] = None, size
            if name.endswith(".csv") and 0 < size <= to_read:
                other = RowCount().count(os.path.join(folder, name), None)
                found[name] = other.rows, other.bytes
                to_read -= size
    if len(found) > _MOST:
        raise ValueError(f"there are {len(found)} files of metrics; at most {_MOST} are recorded")
    return found


def _sizes(folder: str) -> Iterator[tuple[str, int]]:
    names = [entry.name for entry in rowfiles.entries(folder)]
    for name in [*names, *(path.name for path in json_writer.files(folder))]:
        with suppress(OSError):
            status = os.stat(os.path.join(folder, name))  # Windows has old sizes in the folder
            if stat.S_ISREG(status.st_mode):
                yield name, status.st_size
    with suppress(OSError), os.scandir(os.path.join(folder, _TENSORBOARD)) as entries:
        for entry in entries:
            if _EVENTS in entry.name:
                with suppress(OSError):
                    yield f"{_TENSORBOARD}/{entry.name}", entry.stat().st_size


def _position_of(writer: Any, folder: str, before: tuple[Positions, float] | None) -> Written | None:
    """Return how far a writer's file has come; None if it has none, or an event file, whose size says it."""
    if isinstance(writer, CsvWriter):
        return writer.position(_hint(before, _name_in(writer.path, folder)))
    ask = getattr(writer, "written", None)
    found = ask() if callable(ask) and writer.name != "tensorboard" else None
    return found if isinstance(found, Written) else None


def _hint(before: tuple[Positions, float] | None, name: str | None) -> Hint | None:
    found, time = before or ({}, 0.0)
    rows, size = found.get(name or "", (None, 0))
    return None if rows is None else Hint(rows, size, time)


def _name_in(path: str, folder: str) -> str | None:
    """Return the path of a file in the folder, with slashes; None if it is elsewhere."""
    above, name = os.path.split(path)
    if above == folder and name not in ("", ".", ".."):  # the usual case, which is quicker
        return name
    name = os.path.normpath(os.path.relpath(path or "..", folder)).replace(os.sep, "/")
    return None if name.startswith("../") or name in ("..", ".") or os.path.isabs(name) else name
