"""How many rows a csv file has, of which only what has come since the last time is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

from rla_hooks.writers.base import TIME, Written
from rla_hooks.writers.csv_format import cells_of, count_rows, read_header, row_starts

_NEWLINE = 10
_PIECE = 1 << 17  # bytes; what stays in a core's cache is counted in half of the time


class Hint(NamedTuple):
    """What a former process has found in the file: ``rows`` rows and ``bytes`` bytes; the rows after it came later.

    time: in seconds since 1970, when that was noted.
    """

    rows: int
    bytes: int
    time: float


class RowCount:
    """Counts the rows of a file; a signal handler may ask in between."""

    def __init__(self) -> None:
        self._known: tuple[object, int, int] | None = None  # of what, rows and bytes

    def count(self, path: str, of: object, hint: Hint | None = None, is_ours: bool = True) -> Written:
        """Return how many rows the file has. Raises OSError.

        of: while it stays the same object, nobody but this process has changed the file, and that by appending.
        is_ours: whether all that was appended meanwhile are rows, and no line is blank.
        """
        known = self._known
        with open(path, "rb") as file:
            header = read_header(file)
            if known is not None and known[0] is of:
                rows, size = known[1:]
            else:
                rows, size, is_ours = 0, len(header), False
                if hint is not None and _is_right(hint, file, header):
                    rows, size = hint.rows, hint.bytes
            end = _end_of_plain_rows(file, size) if is_ours else None
            if end is not None:
                rows, size = rows + end[0], end[1]
            else:
                file.seek(size)
                rows += count_rows(file, row_starts(cells_of(header)))
                size = file.tell()
        self._known = of, rows, size
        return Written(path, rows, size)

    def count_closed(self, path: str, hint: Hint | None = None) -> Written | None:
        """As :meth:`count` of a file that is not open here; None if it is not there."""
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return None
        mark = status.st_ino, status.st_size, status.st_mtime_ns
        known = self._known
        if known is not None and known[0] == mark:
            return Written(path, *known[1:])
        return self.count(path, mark, hint)

    def moved(self, before: object, of: object, by: int) -> None:
        """The header has become longer by ``by`` bytes; the rows behind it are the same."""
        known = self._known
        if known is not None and known[0] is before:
            self._known = of, known[1], known[2] + by

    def forget(self) -> None:
        self._known = None


def _end_of_plain_rows(file: BinaryIO, start: int) -> tuple[int, int] | None:
    """Return the number of lines from ``start`` on, and where the file ends; None if a cell is quoted.

    Its newlines end no rows.
    """
    lines = 0
    file.seek(start)
    while data := file.read(_PIECE):
        if b'"' in data:
            return None
        lines += _lines_in(data)
        start += len(data)
    return lines, start


def _lines_in(data: bytes) -> int:
    numpy: Any = sys.modules.get("numpy")  # where a framework has loaded it: up to 3.12 it is five times as fast
    try:
        return int(numpy.count_nonzero(numpy.frombuffer(data, numpy.uint8) == _NEWLINE))
    except AttributeError:  # it is not loaded, or just being loaded
        return data.count(b"\n")


def _is_right(hint: Hint, file: BinaryIO, header: bytes) -> bool:
    """Whether a hint is surely right: since it was noted, the header may have become longer, and moved the rows.

    It is if it ends with the file, or before a row that came after it was noted.
    """
    if not len(header) <= hint.bytes <= os.fstat(file.fileno()).st_size:
        return False
    file.seek(hint.bytes - 1)
    if file.read(1) != b"\n":
        return False
    line = file.readline(1 << 20)
    if not line:
        return True
    columns: Sequence[str] = cells_of(header)
    with suppress(ValueError, IndexError):
        return row_starts(columns)(line) and float(cells_of(line)[columns.index(TIME)]) >= hint.time
    return False
