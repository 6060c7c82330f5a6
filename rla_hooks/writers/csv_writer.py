"""progress.csv: one row a dump, read by csv, pandas and every spreadsheet.

    time-step,timestamp,perf/return,loss
    0,1767225600.000000,21.5,0.69
    1,1767225600.250000,,0.61

A key that comes late is added to the header: the rows are copied behind the longer header, byte for byte, and the
file is replaced. Rows from before are shorter than the header then, which readers fill with missing values. Floats
are written by ``repr``, so they read back bit-equal; NaN and infinities are ``nan``, ``inf`` and ``-inf``.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

from rla_hooks.atomic import replacing
from rla_hooks.writers.appendfile import AppendFile
from rla_hooks.writers.base import STEP, TIME, Exhibit, Row, lock_of

_MAX_PLANS = 256  # sets of keys that are remembered; more would be a leak, and is met by planning again


def _quoted(text: str) -> str:
    text = text.replace("\0", "\\0")
    if not text or any(mark in text for mark in ',"\n\r') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


_CELL = {float: repr, int: repr, str: _quoted}

# How often a file was replaced in this process, by any writer: those of the same path must look for the new file.
_replacements = 0
_LOOK_AGAIN = 0.1  # seconds without a row, after which another process may have taken over and replaced the file


class CsvWriter:
    """Appends rows to a CSV file."""

    name = "csv"

    def __init__(self, path: str | os.PathLike[str]):
        self.path = os.fspath(path)
        self._reset()

    def _reset(self) -> None:
        self._lock = lock_of(self.path)
        self._file: AppendFile | None = None
        self._columns: dict[str, int] = {}
        self._header_size = 0
        self._plans: dict[tuple[str, ...], list[int] | None] = {}
        self._seen_replacements = 0
        self._last_time = 0.0

    def write(self, row: Row | Exhibit) -> None:
        if not isinstance(row, Row):
            return
        values = row.values
        cells = [repr(row.step), f"{row.time:.6f}", *[_CELL[type(value)](value) for value in values.values()]]
        with self._lock:
            file = self._file
            if file is None or self._may_be_replaced(row.time) and file.replaced():
                file = self._open()
            keys = tuple(values)
            plan = self._plans.get(keys, False)
            if plan is False:
                plan = self._plan(keys)
                file = self._file  # type: ignore[assignment]  # the header may have grown
            if plan is not None:
                cells = _placed(cells, plan, len(self._columns))
            file.append((",".join(cells) + "\n").encode("utf-8", "backslashreplace"))

    def _may_be_replaced(self, now: float) -> bool:
        """Whether the system must be asked. Asking at every row would cost as much as writing it."""
        last, self._last_time = self._last_time, now
        if _replacements == self._seen_replacements and 0 <= now - last < _LOOK_AGAIN:
            return False
        self._seen_replacements = _replacements
        return True

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._reset()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path = state["path"]
        self._reset()

    def _open(self) -> AppendFile:
        if self._file is not None:
            self._file.close()
            self._file = None
        file = AppendFile(self.path)
        try:
            size = file.size()
            end = _whole_rows(self.path) if size else 0
            if end < size:
                file.cut(end)
            columns, self._header_size = _read_header(self.path)
        except BaseException:
            file.close()
            raise
        self._columns = {name: index for index, name in enumerate(columns)}
        self._plans.clear()
        self._file = file
        return file

    def _plan(self, keys: tuple[str, ...]) -> list[int] | None:
        """Return the column of each cell of a row with these keys; None where they are all columns, in order."""
        names = (STEP, TIME, *keys)
        late = [name for name in names if name not in self._columns]
        if late:
            self._grow_header(late)
        columns = [self._columns[name] for name in names]
        plan = None if columns == list(range(len(self._columns))) else columns
        if len(self._plans) >= _MAX_PLANS:
            self._plans.clear()
        self._plans[keys] = plan
        return plan

    def _grow_header(self, late: Sequence[str]) -> None:
        global _replacements
        columns = [*self._columns, *late]
        header = (",".join(map(_quoted, columns)) + "\n").encode("utf-8", "backslashreplace")
        assert self._file is not None
        if self._file.size() == 0:
            self._file.append(header)
        else:
            with replacing(self.path) as temporary, open(self.path, "rb") as old, open(temporary, "wb") as new:
                new.write(header)
                old.seek(self._header_size)
                shutil.copyfileobj(old, new, 1 << 20)
            _replacements += 1
            self._file.close()
            self._file = None
            self._file = AppendFile(self.path)
        self._columns = {name: index for index, name in enumerate(columns)}
        self._header_size = len(header)
        self._plans.clear()


def _placed(cells: Sequence[str], plan: Iterable[int], width: int) -> list[str]:
    placed = [""] * width
    for column, cell in zip(plan, cells):
        placed[column] = cell
    return placed


def _read_header(path: str) -> tuple[list[str], int]:
    """Return the names of the columns and the size of the header in bytes (a name may hold a newline)."""
    header = b""
    with open(path, "rb") as file:
        for line in file:
            header += line
            if header.count(b'"') % 2 == 0:
                break
    text = header.decode("utf-8", "backslashreplace")
    return next(csv.reader(io.StringIO(text, newline="")), []), len(header)


def _whole_rows(path: str) -> int:
    """Return the size in bytes up to the end of the last whole row: a newline that stands in no quoted cell."""
    end = position = 0
    inside = False
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            for index, piece in enumerate(chunk.split(b'"')):
                if index:
                    inside = not inside
                    position += 1
                newline = -1 if inside else piece.rfind(b"\n")
                if newline >= 0:
                    end = position + newline + 1
                position += len(piece)
    return end
