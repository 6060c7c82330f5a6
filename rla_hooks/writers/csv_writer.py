"""progress.csv: one row per dump, readable by csv, pandas and every spreadsheet program.

    time-step,timestamp,perf/return,loss
    0,1767225600.000000,21.5,0.69
    1,1767225600.250000,,0.61

A key that comes late is added to the header: the rows are copied behind the longer header, byte for byte, and the
file is replaced. Rows from before are shorter than the header then, which readers fill with missing values. Floats
are written by ``repr``, so they read back bit-equal; NaN and infinities are ``nan``, ``inf`` and ``-inf``.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rla_hooks.atomic import replacing
from rla_hooks.writers.appendfile import AppendFile
from rla_hooks.writers.base import STEP, TIME, MediaEvent, Row, lock_of

_MAX_PLANS = 256  # sets of keys that are remembered; more would be a leak, and is met by planning again


def _quoted(text: str) -> str:
    text = text.replace("\0", "\\0")
    if not text or any(mark in text for mark in ',"\n\r') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


_CELL: dict[type, Callable[[Any], str]] = {float: repr, int: repr, str: _quoted}

# How often a file was replaced in this process, by any writer: those of the same path must look for the new file.
_replacements = 0
# A quoted cell, and the quote that ends it if there is one. Elsewhere in a cell a quote is a character like others.
_QUOTED_CELL = re.compile(rb'(?:\A|,)"[^"]*(?:""[^"]*)*("?)')


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

    def write(self, row: Row | MediaEvent) -> bool:
        if not isinstance(row, Row):
            return False
        values = row.values
        cells = [repr(row.step), f"{row.time:.6f}", *[_CELL[type(value)](value) for value in values.values()]]
        with self._lock:
            file = self._file
            if file is None or file.gone(row.time, _replacements != self._seen_replacements):
                file = self._open()
            self._seen_replacements = _replacements
            keys = tuple(values)
            try:
                plan = self._plans[keys]
            except KeyError:
                plan = self._plan(keys)
                file = self._file or file  # the header may have grown
            if plan is not None:
                cells = _placed(cells, plan, len(self._columns))
            file.append((",".join(cells) + "\n").encode("utf-8", "backslashreplace"))
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
        file = AppendFile(self.path)  # which closes by itself where the following raises
        size = file.size()
        header, end = _whole_rows(self.path)
        if end < size:
            file.cut(end)
        self._header_size = len(header)
        self._columns = {name: index for index, name in enumerate(_column_names(header))}
        self._plans.clear()
        self._file = file
        return file

    def _plan(self, keys: tuple[str, ...]) -> list[int] | None:
        """Return the column of each cell of a row with these keys; None where they are all columns, in order."""
        names = (STEP, TIME, *map(_as_read, keys))
        late = [name for name in dict.fromkeys(names) if name not in self._columns]
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
        size = self._file.size()
        if size == 0:
            try:
                self._file.append(header)
            except OSError:
                self._file.close()
                self._file = None  # a copy of this writer may be luckier, so look again for a header
                raise
        else:
            import shutil  # late: few runs come here, and its import is a tenth of a run's start

            if shutil.disk_usage(self.path).free < size:  # don't copy at every row to find out
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
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


def _as_read(name: str) -> str:
    """A name as it reads back from the file: otherwise its column would not be found in a file that is opened again."""
    return name.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")


def _placed(cells: Sequence[str], plan: Iterable[int], width: int) -> list[str]:
    placed = [""] * width
    for column, cell in zip(plan, cells):
        placed[column] = cell
    return placed


def _column_names(header: bytes) -> list[str]:
    text = header.decode("utf-8", "backslashreplace")
    return next(csv.reader(io.StringIO(text, newline="")), [])


def _whole_rows(path: str) -> tuple[bytes, int]:
    """Return the header, and the size in bytes up to the end of the last whole row.

    A newline outside of quoted cells ends a row: the name of a column may hold one.
    """
    header: list[bytes] = []  # its lines
    end = position = 0
    inside = False
    with open(path, "rb") as file:
        for line in file:
            if end == 0:
                header.append(line)
            position += len(line)
            inside = _ends_inside(line, inside)
            if not inside and line.endswith(b"\n"):
                end = position
    return b"".join(header) if end else b"", end


def _ends_inside(line: bytes, inside: bool) -> bool:
    """Whether a line ends in the middle of a quoted cell, given whether it starts in one."""
    if not inside and b'"' not in line:
        return False
    cells = _QUOTED_CELL.findall(b'"' + line if inside else line)
    return bool(cells) and not cells[-1]
