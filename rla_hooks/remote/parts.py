"""Large files, whose transfer goes on where it broke off: they wait beside their place until they are whole.

    checkpoint/<run name>/.0f3a9c21-77d04e5b.rla-part

The first half of the name is of the file, and of who moves it; the second of its size and time: what was moved of
another content, or by another machine, is not gone on with.
"""

from __future__ import annotations

import os
import platform
import posixpath
import zlib
from pathlib import Path
from typing import BinaryIO

from rla_hooks.remote.errors import RemoteError
from rla_hooks.remote.files import PART, Stat
from rla_hooks.remote.place import PIECE, Place

LARGE = PIECE  # bytes; of a smaller file nothing is gone on with
_EDGE = 4096  # bytes at both ends of what is there that are compared before more is written


def send(place: Place, file: Path, name: str, root: Path) -> None:
    """Make a file there: whole, or not at all. root: the log root from which it comes. Raises RemoteError, OSError."""
    if not place.has_rename:
        place.put(file, name)
        return
    before = file.stat()
    folder, leaf = posixpath.split(name)
    stamp = f"{before.st_size} {before.st_mtime_ns}" if before.st_size > LARGE else ""
    found = place.parts(folder) if stamp else {}
    each, old = _part(leaf, stamp, root, found)
    for former in old:
        place.remove_part(f"{folder}/{former}")
    part = f"{folder}/{each}"
    if stamp:
        _send_rest(place, file, part, found.get(each, 0))
    else:
        place.put(file, part)
    if place.reads_back and not is_same(place, part, file, 0, before.st_size) and not _has_changed(file, before):
        place.remove_part(part)
        raise RemoteError(f"{name} has other bytes there than here. Give the command again.")
    place.date(part, before.st_mtime)
    place.rename(part, name)


def _has_changed(file: Path, before: os.stat_result) -> bool:
    """Whether somebody has written into a file since; that it was read changes its access time."""
    now = file.stat()
    return (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns)


def _send_rest(place: Place, file: Path, part: str, size: int) -> None:
    with open(file, "rb") as source:
        start = place.good_until(size)
        start = start if is_beginning(place, part, source, start) else 0
        source.seek(start)
        place.write(part, source, start)


def fetch(place: Place, name: str, target: Path, there: Stat, root: Path) -> Path:
    """Copy a file from there to one beside the target, and return this: the caller moves it to its place."""
    stamp = place.stamp(name)
    here = {each.name: each.stat().st_size for each in target.parent.glob(f".*{PART}") if each.is_file()}
    leaf, old = _part(target.name, stamp or "", root, here)
    part = target.with_name(leaf)
    for each in old if stamp else here:
        target.with_name(each).unlink(missing_ok=True)
    with open(part, "a+b") as copy:
        start = os.fstat(copy.fileno()).st_size
        if start > there.size or not is_beginning(place, name, copy, start):
            start = 0
            copy.truncate(0)
        for data in place.pieces(name, start, there.size):
            copy.write(data)
    if (size := part.stat().st_size) != there.size:
        raise RemoteError(f"{name} has {there.size} bytes there, and {size} have come. Give the command again.")
    return part


def _part(leaf: str, stamp: str, root: Path, found: dict[str, int]) -> tuple[str, list[str]]:
    """Return the name of the part, and those that are there of other contents of the file."""
    who = f"{platform.node()} {os.path.realpath(root)} {leaf}"
    start = f".{zlib.crc32(os.fsencode(who)):08x}-"
    name = f"{start}{zlib.crc32(stamp.encode()):08x}{PART}"
    return name, [each for each in found if each.startswith(start) and each != name]


def is_beginning(place: Place, name: str, file: BinaryIO, end: int) -> bool:
    """Whether a file there and one here have the same first ``end`` bytes, by a look at both ends of these."""
    head = min(end, _EDGE)
    for first, last in ((0, head), (max(head, end - _EDGE), end)):
        file.seek(first)
        if first < last and file.read(last - first) != place.read(name, first, last):
            return False
    return True


def is_same(place: Place, name: str, file: Path, start: int, end: int) -> bool:
    """Whether a file there and one here have the same bytes between two places: FTP checks nothing by itself."""
    with open(file, "rb") as source:
        source.seek(start)
        return all(source.read(len(data)) == data for data in place.pieces(name, start, end)) and source.tell() == end
