"""Whether the files of checkpoints are as they were written: their sizes, and their checksums."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rla_hooks.checkpoints import staging
from rla_hooks.checkpoints.checksum import measure
from rla_hooks.checkpoints.entry import Entry
from rla_hooks.texts import printable

MISSING = "is missing"
_SPARSE = 1 << 30  # bytes; reading larger files that hold nothing would take minutes
_MAX_KNOWN = 1000
_known_whole: dict[Any, None] = {}  # files that were whole when this process last read them


def has_size(folder: Path, entry: Entry) -> bool:
    """What :meth:`Manifest.has_size` does."""
    try:
        return sum(file.stat().st_size for file in staging.files_of(folder / entry.file)) == entry.size
    except (OSError, RecursionError):
        return False


def trouble(folder: Path, entry: Entry, meanwhile: Callable[[], object] | None = None) -> str | None:
    """What :meth:`Manifest.trouble` does."""
    path = folder / entry.file
    try:
        found = [file.stat() for file in staging.files_of(path)]
        size = sum(each.st_size for each in found)
        if size != entry.size:
            return f"has {size} bytes instead of the {entry.size} that were written"
        if size > _SPARSE and sum(getattr(each, "st_blocks", size) for each in found) * 512 < size // 100:
            return f"is a sparse file: next to none of its {size} bytes were written"
        crc = measure(path, meanwhile)[1]
        now = [file.stat() for file in staging.files_of(path)]
        if meanwhile and _identity(found) != _identity(now):
            if [each.st_ino for each in found] != [each.st_ino for each in now]:
                return MISSING  # another saver has deleted it and used its name again: two files have been read
            crc = measure(path)[1]  # somebody has touched or changed it: one after the other, then
            if crc == entry.crc32c:
                meanwhile()
    except FileNotFoundError:
        return MISSING
    except (OSError, RecursionError) as error:  # folders in folders, thousands of levels deep
        return f"cannot be read ({printable(error)})"
    return None if crc == entry.crc32c else f"has changed since it was written (crc32c {crc}, not {entry.crc32c})"


def trouble_once(folder: Path, entry: Entry, trouble: Callable[[Entry], str | None]) -> str | None:
    """What :meth:`Manifest.trouble_once` does. trouble: its :meth:`Manifest.trouble`."""
    try:
        found = [file.stat() for file in staging.files_of(folder / entry.file)]
    except (OSError, RecursionError):
        return trouble(entry)
    key = str(folder), entry, _identity(found)
    problem = None if key in _known_whole else trouble(entry)
    if problem is None:
        _known_whole[key] = None
        while len(_known_whole) > _MAX_KNOWN:
            _known_whole.pop(next(iter(_known_whole)), None)
    return problem


def _identity(found: Iterable[os.stat_result]) -> tuple[tuple[int, ...], ...]:
    """Return what is another one for other files, and for files that somebody has written to."""
    return tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in found)
