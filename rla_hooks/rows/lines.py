"""The lines of a file in blocks, and rows in a file that is damaged."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from rla_hooks.writers.csv_format import cells_of, ends_inside

_BLOCK = 1 << 20  # bytes
_MAX_LINE = 64 << 20  # bytes; a longer one is no row


class Lines:
    """The whole lines of a file in blocks, without NULs: no row has any, but a disk that was damaged or a hole does.

    ``end``: the offset behind what was given last.
    """

    def __init__(self, file: BinaryIO, begin: int, limit: int):
        self._file, self._limit = file, limit
        self._rest = b""
        self._again: bytes | None = None
        self.end = begin
        self.has_nuls = False
        file.seek(begin)

    def __iter__(self) -> Iterator[bytes]:
        while (data := self._next()) is not None:
            self.end += len(data)
            yield data

    def put_back(self, data: bytes) -> None:
        """Give this block, the last one, once more."""
        self._again, self.end = data, self.end - len(data)

    def singly(self) -> Iterator[bytes]:
        """Yield the lines one by one."""
        while (data := self._next()) is not None:
            begin = 0
            while begin < len(data):
                end = data.find(b"\n", begin) + 1
                self.end += end - begin
                yield data[begin:end]
                begin = end

    def _next(self) -> bytes | None:
        if self._again is not None:
            data, self._again = self._again, None
            return data
        pieces = [self._rest]
        length, too_long = len(self._rest), False
        while data := self._read():
            cut = data.rfind(b"\n") + 1
            if cut and too_long:
                first = data.find(b"\n") + 1
                data, cut, too_long = data[first:], cut - first, False
                pieces, length = [], 0
                if not cut:
                    pieces, length = [data], len(data)
                    continue
            if cut:
                self._rest = data[cut:]
                return b"".join([*pieces, data[:cut]]) if length else data[:cut]
            pieces.append(data)
            length += len(data)
            if too_long or length > _MAX_LINE:
                pieces, length, too_long, self.has_nuls = [], 0, True, True
        self._rest = b""
        return None

    def _read(self) -> bytes:
        """Return the next bytes that are no NULs; none at the end."""
        while data := self._file.read(max(0, min(_BLOCK, self._limit - self._file.tell()))):
            if b"\0" not in data:
                return data
            self.has_nuls = True
            if kept := data.replace(b"\0", b""):
                return kept
            if not self._pass_hole():
                break
        return b""

    def _pass_hole(self) -> bool:
        """Go to the end of a hole, which may have any size; return whether there is something behind it."""
        try:
            self._file.seek(self._file.tell(), os.SEEK_DATA)
        except AttributeError:  # Windows
            return True
        except OSError as error:
            return error.errno != errno.ENXIO
        return True


def tolerant_rows(lines: Iterable[bytes], starts: Callable[[bytes], bool]) -> Iterator[list[str]]:
    """Yield the cells of the rows that begin in the lines; the last one only as far as it is whole."""
    piece: list[bytes] = []
    length = 0
    for line in lines:
        if starts(line):
            if piece:
                yield cells_of(b"".join(piece))
            piece, length = [line], len(line)
        elif piece and length < _MAX_LINE:
            piece.append(line)
            length += len(line)
    whole, inside = 0, False
    for number, line in enumerate(piece, 1):
        inside = ends_inside(line, inside)
        whole = whole if inside else number
    if whole:
        yield cells_of(b"".join(piece[:whole]))
