"""Parts of files: what of a file stays, and what is cut."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from rla_hooks.fields import Fields, made_by

Range = tuple[int, int]  # begin and end, in bytes
_AT_ONCE = 1 << 20  # bytes


class Part(Fields):
    """What is done with one file of a run.

    path: in the log folder, with slashes. size: before the cut. action: ``replace`` it by what stays of it, ``move`` it
    into the folder of the cut, ``drop`` it since all of it is in the new event file, or ``add`` it: that one.
    header: bytes of a csv file's header. kept, lost: the parts of the file that stay, and those that do not.
    rows: how many rows are cut. stub: whether an event file without events takes its place.
    """

    path: str
    action: str
    size: int = 0
    header: int = 0
    kept: list[Range] = made_by(list)
    lost: list[Range] = made_by(list)
    rows: int = 0
    stub: bool = False

    def entry(self) -> dict[str, Any]:
        """Return it as cut.json has it."""
        content: dict[str, Any] = {"action": self.action, "size": self.size}
        if self.action == "replace":
            content |= {"header": self.header, "kept": self.header + sum(end - begin for begin, end in self.kept)}
        if not self.path.startswith("tb/"):
            content["rows"] = self.rows
        return content | ({"stub": True} if self.stub else {})


def is_cut(part: Part) -> bool:
    """Whether rows of a file are cut, or it is moved away with something in it."""
    return bool(part.rows or (part.action == "move" and part.lost))


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Return the ranges in their order; those that touch become one, and empty ones are left out.

    >>> joined([(0, 4), (4, 4), (4, 9), (12, 14)])
    [(0, 9), (12, 14)]
    """
    found: list[Range] = []
    for begin, end in ranges:
        if found and found[-1][1] == begin:
            found[-1] = found[-1][0], end
        elif begin < end:
            found.append((begin, end))
    return found


def is_regular(path: Path) -> bool:
    """Whether there is a regular file: no FIFO, no folder, no link to what is not there. Raises OSError."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def copy(source: BinaryIO, target: BinaryIO, ranges: Iterable[Range]) -> None:
    """Append these parts of ``source`` to ``target``, which has no buffer. Raises OSError."""
    for begin, end in ranges:
        while begin < end:
            begin += _copy_some(source, target, begin, end - begin)


def _copy_some(source: BinaryIO, target: BinaryIO, begin: int, size: int) -> int:
    if hasattr(os, "copy_file_range"):  # by the system; some file systems share the blocks
        try:
            count = os.copy_file_range(source.fileno(), target.fileno(), size, begin)
            if count:
                return count
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
    source.seek(begin)
    data = source.read(min(size, _AT_ONCE))
    if not data:
        raise OSError(errno.ESTALE, "it was changed by somebody while it was copied", source.name)
    rest = memoryview(data)
    while rest:
        count = target.write(rest)
        if not count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target.name)
        rest = rest[count:]
    return len(data)
