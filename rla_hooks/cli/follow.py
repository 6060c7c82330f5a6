"""The rows that a run has written last, and those that it goes on writing: only new bytes are read.

A file is followed by how much of it has been shown. When a late key comes, the run replaces progress.csv by a copy with
a longer header; the rows in it are the same bytes, so its place is found again by the row that was shown last. A resume
may have cut rows: then what comes behind those that it has kept is new. A file that holds something else is a new one,
and is shown from its beginning.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from rla_hooks import rowfiles
from rla_hooks.columns import Column
from rla_hooks.smallfiles import open_regular
from rla_hooks.values import Scalar
from rla_hooks.writers.base import STEP, TIME
from rla_hooks.writers.csv_format import MORE, cells_of, from_more, read_header, row_starts, rows_of, whole_rows

if TYPE_CHECKING:
    from rla_hooks.query import SavedRun

_FIRST = 64 << 10  # bytes from the end in which the last rows are looked for at first
_BLOCK = 4 << 20  # bytes that are read at once
_MOST = 64 << 20  # bytes of one row, or of the last rows: what is longer is passed over
_MARK = 200  # bytes before a place by which it is found again


class Row(NamedTuple):
    """A row as it was written: ``values`` has its metrics, without those that are missing."""

    step: Scalar
    time: float
    values: dict[str, Scalar]


class Follower:
    """The rows of one run, as they come.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
    ...     rla.log({"loss": 0.5}, step=0)
    ...     rla.log({"loss": 0.25}, step=1)
    ...     follower = Follower(run.log_dir)
    ...     print([row.step for row in follower.last(1)], follower.new())
    ...     rla.log({"loss": 0.125}, step=2)
    ...     print([row.values for row in follower.new()])
    [1] []
    [{'loss': 0.125}]
    """

    def __init__(self, log_dir: Path):
        self.log_dir = log_dir
        self._files: dict[Path, _File] = {}

    def last(self, count: int) -> list[Row]:
        """Return the last rows that are there now; :meth:`new` goes on behind them."""
        rows: list[Row] = []
        for path in rowfiles.files(self.log_dir):
            self._files[path] = _File(path)
            rows += self._files[path].last(count)
        return _in_order(rows)[-count:] if count else []

    def new(self) -> list[Row]:
        """Return the rows that were written since the last call: at most some megabytes of each file."""
        rows: list[Row] = []
        for path in rowfiles.files(self.log_dir):
            rows += self._files.setdefault(path, _File(path)).new()
        return _in_order(rows)


class ReadRows:
    """The rows of a run without run.json, of RLA or another tool: whatever files they are in. They are not followed."""

    def __init__(self, run: SavedRun):
        self._run = run

    def last(self, count: int) -> list[Row]:
        """Return the last rows."""
        columns = dict(self._run.columns())
        length = max((len(column.values) for column in columns.values()), default=0)
        times, steps = columns.pop(TIME, None), columns.pop(STEP, None)
        rows = []
        for number in range(max(0, length - count), length):
            values = {name: value for name, column in columns.items() if (value := _at(column, number)) is not None}
            if values:
                time = _at(times, number) if times else None
                rows.append(Row(_at(steps, number) if steps else number, math.nan if time is None else time, values))
        return rows

    def new(self) -> list[Row]:
        """Return nothing: a program that is no longer known may write in any way."""
        return []


def _at(column: Column, number: int) -> Any:
    """The value of a column in a row; None where there is none."""
    if column.present is not None and not column.present[number]:
        return None
    value = column.values[number]
    return value if isinstance(value, str) else value.item()


def _in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.time)


class _File:
    """How far one file has been read. What cannot be read has no rows."""

    def __init__(self, path: Path):
        self._path = path
        self._at = 0  # where the first row begins that has not been returned
        self._mark = b""  # the bytes before it
        self._inode = -1
        self._cuts = 0  # the number of the last cut that the file has been through
        self._header = b""
        self._columns: list[str] = []
        self._starts: Callable[[bytes], bool] = bool

    def last(self, count: int) -> list[Row]:
        rows: list[Row] = []
        with suppress(OSError), open_regular(self._path) as file:
            self._take_header(file)
            end, size = os.fstat(file.fileno()).st_size, _FIRST
            while self._header:
                self._at = max(len(self._header), end - size)
                rows = self._read(file, end - self._at, self._at > len(self._header))
                if len(rows) >= count or size >= end or size >= _MOST:
                    break
                size *= 4
        return rows[-count:] if count else []

    def new(self) -> list[Row]:
        rows: list[Row] = []
        with suppress(OSError), open_regular(self._path) as file:
            if not self._header or not self._is_same(file):
                self._find_place(file)
            size = _BLOCK
            while self._header:
                rows = self._read(file, size)
                if rows or os.fstat(file.fileno()).st_size <= self._at + size:
                    break
                if size >= _MOST:  # what holds no row
                    self._at += size
                size = min(4 * size, _MOST)
        return rows

    def _is_same(self, file: BinaryIO) -> bool:
        return os.fstat(file.fileno()).st_ino == self._inode and self._is_marked(file, self._at)

    def _is_marked(self, file: BinaryIO, at: int) -> bool:
        file.seek(max(at - len(self._mark), 0))
        return file.read(len(self._mark)) == self._mark and os.fstat(file.fileno()).st_size >= at

    def _find_place(self, file: BinaryIO) -> None:
        """Find the place in a file that was replaced: behind what was shown last and is still there."""
        shown, cuts = self._at - len(self._header), self._cuts
        self._take_header(file)
        if not self._is_marked(file, at := len(self._header) + shown):
            at, self._mark = len(self._header) + self._kept(shown, cuts), b""
        self._at = at if os.fstat(file.fileno()).st_size >= at else len(self._header)

    def _kept(self, shown: int, cuts: int) -> int:
        """Return how many of the bytes of rows that were shown the cuts since this one have kept; 0 without any."""
        if self._cuts == cuts:
            return 0
        from rla_hooks.cutting.journal import kept_bytes

        return min(shown, *(kept_bytes(self._path, number) for number in range(cuts + 1, self._cuts + 1)))

    def _last_cut(self) -> int:
        folder = self._path.parent / "cut"
        if not folder.is_dir():
            return 0
        from rla_hooks.cutting.journal import numbers_in

        return max(numbers_in(folder), default=0)

    def _take_header(self, file: BinaryIO) -> None:
        file.seek(0)
        self._inode = os.fstat(file.fileno()).st_ino
        self._cuts = self._last_cut()
        self._header = read_header(file)
        self._columns = cells_of(self._header)
        is_ours = STEP in self._columns and TIME in self._columns
        self._starts = row_starts(self._columns) if is_ours else bool  # of another program: each line is a row
        self._at = len(self._header)

    def _read(self, file: BinaryIO, size: int, in_row: bool = False) -> list[Row]:
        """Read whole rows from the place on, and move it behind them. in_row: the first line may be half of one."""
        file.seek(self._at)
        data = file.read(size)
        if in_row:
            skipped = data.find(b"\n") + 1
            self._at += skipped
            data = data[skipped:]
        data = data[: whole_rows(data, self._starts)]
        self._at += len(data)
        if data:
            self._mark = data[-_MARK:]
        return [row for cells in rows_of(data, self._starts) if (row := self._row(cells)) is not None]

    def _row(self, cells: list[str]) -> Row | None:
        texts = {name: cell for name, cell in zip(self._columns, cells) if cell}
        more = from_more(texts.pop(MORE, None))
        step, time = texts.pop(STEP, None), texts.pop(TIME, None)
        values = {name: rowfiles.scalar_of(cell) for name, cell in texts.items()} | more
        try:
            return Row(rowfiles.scalar_of(step or ""), float(time) if time else 0.0, values)
        except ValueError:  # no row
            return None
