"""What differs between the code of two runs, as it lies in their folders: files, texts, packages.

Everything is bounded: a run's code may be a folder that anybody has filled.
"""

from __future__ import annotations

import difflib
import filecmp
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rla_hooks.smallfiles import read_bytes

_MAX_FILES = 20_000  # of one run
_MAX_TEXT = 1 << 20  # bytes of a file whose lines are compared
_MAX_READ = 1 << 30  # bytes of a file of which only is asked whether it differs
_MAX_PRODUCT = 25_000_000  # lines of one file times lines of the other, where they differ: difflib's time grows so
_NOTES = ".rla"  # of the run's code folder: what is in no file of the project
PACKAGES = f"{_NOTES}/packages.txt"
_OF_RESUMES = f"{_NOTES}/resume-"  # what had changed when the run was resumed
_NOT_CODE = {PACKAGES, f"{_NOTES}/left_out.txt", f"{_NOTES}/git.diff"}


class Change(NamedTuple):
    """A file that differs. ``kind``: "only in the first", "only in the second", "binary", "too large", or "text"."""

    path: str
    kind: str
    lines: tuple[str, ...] = ()  # of the unified diff, without ends


def changes(first: Path, second: Path) -> Iterator[Change]:
    """Yield the files that differ between two folders of code, in the order of their names.

    Files that are links to the same data, as equal files of two runs are, are not read.
    """
    old, new = _files(first, _MAX_FILES), _files(second, _MAX_FILES)
    for path in sorted(path for path in {*old, *new} - _NOT_CODE if not path.startswith(_OF_RESUMES)):
        if path not in new:
            yield Change(path, "only in the first")
        elif path not in old:
            yield Change(path, "only in the second")
        elif (old[path].st_dev, old[path].st_ino) != (new[path].st_dev, new[path].st_ino):
            change = _compared(path, first / path, second / path)
            if change is not None:
                yield change


def has_code(folder: Path) -> bool:
    """Whether a run has any code: not after ``backup="none"``."""
    return any(path not in _NOT_CODE and not path.startswith(_OF_RESUMES) for path in _files(folder, 100))


def _files(folder: Path, most: int) -> dict[str, os.stat_result]:
    """The regular files below a folder by their paths in it; links are not followed."""
    found: dict[str, os.stat_result] = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            with suppress(OSError):
                status = os.lstat(os.path.join(place, name))
                if stat.S_ISREG(status.st_mode):
                    found[os.path.relpath(os.path.join(place, name), folder)] = status
            if len(found) >= most:
                return found
    return found


def _compared(path: str, first: Path, second: Path) -> Change | None:
    try:
        old, new = read_bytes(first, _MAX_TEXT), read_bytes(second, _MAX_TEXT)
    except ValueError:
        return None if _are_equal(first, second) else Change(path, "too large")
    except OSError:
        return Change(path, "unreadable")
    if old == new:
        return None
    if b"\0" in old or b"\0" in new:
        return Change(path, "binary")
    lines = unified(old.decode("utf-8", "replace"), new.decode("utf-8", "replace"), path)
    return Change(path, "too large") if lines is None else Change(path, "text", tuple(lines))


def _are_equal(first: Path, second: Path) -> bool:
    """Whether two large files hold the same; of huge ones nobody asks."""
    with suppress(OSError):
        return os.path.getsize(first) < _MAX_READ and filecmp.cmp(first, second, shallow=False)
    return False


def unified(old: str, new: str, path: str) -> list[str] | None:
    """Return the unified diff of two texts; None where it would take too long.

    >>> unified("a\\nb\\n", "a\\nc\\n", "x.py")[3:]
    [' a', '-b', '+c']
    """
    before, after = _lines(old), _lines(new)
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    if (len(before) - head - tail) * (len(after) - head - tail) > _MAX_PRODUCT:
        return None
    skip, keep = max(head - 3, 0), max(tail - 3, 0)  # difflib need not see what is equal at both ends
    old_part, new_part = before[skip : len(before) - keep], after[skip : len(after) - keep]
    found = difflib.unified_diff(old_part, new_part, f"a/{path}", f"b/{path}", lineterm="")
    return [part for line in found for part in _moved(line, skip).split("\n")]


def _lines(text: str) -> list[str]:
    """The lines of a text. A last one without an end is marked, as diff and git do, so that patch takes the diff."""
    lines = text.split("\n")
    last = lines.pop()
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


def _common(before: list[str], after: list[str]) -> int:
    """How many lines are equal at the beginning."""
    return next((at for at, (a, b) in enumerate(zip(before, after)) if a != b), min(len(before), len(after)))


def _moved(line: str, skipped: int) -> str:
    """The line numbers of a hunk, so many lines further down."""
    if not line.startswith("@@ ") or not skipped:
        return line
    marks = []
    for mark in line.split()[1:3]:
        start, comma, count = mark[1:].partition(",")
        marks.append(f"{mark[0]}{int(start) + skipped}{comma}{count}")
    return f"@@ {' '.join(marks)} @@"


def packages(folder: Path) -> dict[str, str]:
    """Return the versions of the packages that a run noted; none where it noted none."""
    try:
        text = read_bytes(folder / PACKAGES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return {}
    return {name: version for name, mark, version in (line.partition("==") for line in text.split("\n")) if mark}
