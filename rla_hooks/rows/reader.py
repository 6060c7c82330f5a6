"""Reads some columns of a file of rows.

Three ways, from the fastest to the most patient, give the same rows:

    plain      a block without quotes: split at its commas
    quoted     from the first quote on: Python's csv module
    tolerant   a damaged file: every line that begins with a step and a time begins a row, and what is torn is left out
"""

from __future__ import annotations

import csv
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy

from rla_hooks.rows.lines import Lines, tolerant_rows
from rla_hooks.rows.pieces import FileRows, Piece, joined, of_json, piece_of
from rla_hooks.rows.plain import PlainCells
from rla_hooks.writers.base import STEP, TIME
from rla_hooks.writers.csv_format import MORE, cells_of, from_more, read_header, row_starts

_ROWS = 20_000  # of a block of cells that the csv module has split
_FEW = 16  # rows; the numbers of fewer are read sooner one by one: rows of 100,000 columns come singly
_BOM = b"\xef\xbb\xbf"  # spreadsheet programs put it before the header
_END = "\x1a the end \x1a"  # a line that is added behind the last one


class _Block(NamedTuple):
    length: int
    pieces: dict[str, Piece]


class _Damaged(Exception):
    """The file is not what a writer wrote."""


def names_of(file: BinaryIO) -> tuple[list[str], int]:
    """Return the columns in the header of a file, and its length in bytes; no columns where it has no complete one.

    A column that stands there twice has a number the second time: :func:`numbered`.
    """
    file.seek(0)
    header = read_header(file)
    return numbered(cells_of(header.removeprefix(_BOM))), len(header)


def numbered(cells: Iterable[str]) -> list[str]:
    """Return the cells of a header as names: one that stands there twice is the second time ``<name>.1``, as in pandas.

    >>> numbered(["loss", "acc", "loss", "loss.1"])
    ['loss', 'acc', 'loss.1', 'loss.1.1']
    """
    names: dict[str, int] = {}  # and the number that the last of its repetitions has; there may be 100,000
    for name in cells:
        number, unique = names.get(name, 0), name
        while unique in names:
            number += 1
            unique = f"{name}.{number}"
        if unique != name:
            names[name] = number
        names[unique] = 0
    return [*names]


def read_file(
    file: BinaryIO, wanted: Iterable[str] | None = None, begin: int = 0, limit: int | None = None
) -> FileRows:
    """Return the rows of a file: these columns, or all. Raises OSError.

    begin: the offset of the first row to read, as :class:`FileRows` had it in ``end``. limit: read no byte from there
    on. A last row without its end is left out: it may be still being written, or torn. Late keys, which share a column,
    are columns of their own.
    """
    columns, header = names_of(file)
    size = os.fstat(file.fileno()).st_size if limit is None else limit
    keys = None if wanted is None else [*wanted]
    texts: set[str] = set()
    tolerant = False
    while True:
        reader = _Reader(file, columns, keys, texts)
        try:
            blocks = [*reader.blocks(begin or header, size, tolerant)]
        except _Damaged:
            if begin:  # what was read before may have been wrong, too
                return read_file(file, keys, 0, size)
            tolerant = True
            continue
        count, pieces, mixed = joined([(block.length, block.pieces) for block in blocks])
        if not mixed:
            names = [name for name in dict.fromkeys([*columns, *pieces]) if name != MORE]
            return FileRows(names, count, pieces, reader.end, begin)
        texts |= mixed


class _Reader:
    """Reads some columns of a file. ``end``: the offset behind the last row; None where it cannot be read on there."""

    def __init__(self, file: BinaryIO, columns: list[str], wanted: list[str] | None, texts: set[str]):
        self._file, self._columns, self._wanted, self._texts = file, columns, wanted, texts
        self.end: int | None = None
        self._ours = STEP in columns and TIME in columns
        asked = {*columns} if wanted is None else {*wanted, MORE}
        names = [name for name in columns if name in asked]
        if self._ours and STEP not in names:
            names = [STEP, *names]  # it shows whether the lines are rows
        places = {name: place for place, name in enumerate(columns)}  # no name stands there twice
        self._places = {name: places[name] for name in names}

    def blocks(self, begin: int, limit: int, tolerant: bool) -> Iterator[_Block]:
        """Yield the rows in blocks. Raises _Damaged, unless ``tolerant``."""
        lines = Lines(self._file, begin, limit)
        self.end = begin
        if not self._columns:
            return
        if tolerant:
            starts = row_starts(self._columns) if self._ours else lambda line: bool(line.strip())
            yield from self._blocks_of(tolerant_rows(lines.singly(), starts))
            self.end = None
            return
        for data in lines:
            has_returns = b"\r" in data
            if b'"' in data or (has_returns and b"\r" in data.replace(b"\r\n", b"")):
                lines.put_back(data)
                yield from self._blocks_of(self._csv_rows(lines))
                break
            yield self._plain(data.replace(b"\r\n", b"\n") if has_returns else data)
            self.end = lines.end
        if lines.has_nuls:
            self.end = None

    def _plain(self, data: bytes) -> _Block:
        """Read rows without quotes."""
        width = len(self._columns)
        found = PlainCells.of(data, width)
        if found is None:
            lines = []
            for line in data.split(b"\n"):
                missing = width - 1 - line.count(b",")
                if missing < 0:
                    raise _Damaged
                if line:
                    lines.append(line + b"," * missing if missing else line)
            found = PlainCells.of(b"\n".join([*lines, b""]), width)
            if found is None:
                raise _Damaged
        if found.length < _FEW:
            return self._checked(found.length, found.cells)
        return self._checked(found.length, found.cells, found.numbers)

    def _csv_rows(self, lines: Lines) -> Iterator[list[str]]:
        """Yield the cells of rows. Raises _Damaged where one has too many cells, or where a quote is not closed."""
        width = len(self._columns)

        def texts() -> Iterator[str]:
            for line in lines.singly():
                yield line.decode("utf-8", "backslashreplace")
            yield _END

        cells: list[str] = []
        try:
            for cells in csv.reader(texts()):
                if len(cells) > width:
                    raise _Damaged
                if cells and cells != [_END]:
                    yield cells
                    self.end = lines.end
        except csv.Error as error:  # a cell of more than 131,072 characters, or a carriage return outside of quotes
            raise _Damaged from error
        if cells != [_END]:
            raise _Damaged

    def _blocks_of(self, rows: Iterator[list[str]]) -> Iterator[_Block]:
        while batch := [*itertools.islice(rows, _ROWS)]:
            yield self._checked(len(batch), functools.partial(_cells, batch))

    def _checked(
        self,
        count: int,
        cells: Callable[[int], list[Any]],
        numbers: Callable[[int], Piece | None] = lambda place: None,
    ) -> _Block:
        """Make a block of the cells of each column. numbers: finds a column of numbers faster, where it can."""
        pieces = {}
        for name, place in self._places.items():
            found = None if name in self._texts else numbers(place)
            pieces[name] = found or piece_of(cells(place), name in self._texts)
        if self._ours:
            steps = pieces[STEP]
            if steps.rows is not None or steps.values.dtype.kind == "O":
                raise _Damaged
            if self._wanted is not None and STEP not in self._wanted:
                del pieces[STEP]
        if MORE in self._places:
            self._add_late(pieces, cells(self._places[MORE]))
        return _Block(count, pieces)

    def _add_late(self, pieces: dict[str, Piece], cells: list[Any]) -> None:
        """Give the values of late keys, which share a column, columns of their own."""
        if self._wanted is None or MORE not in self._wanted:
            del pieces[MORE]
        wanted = None if self._wanted is None else {*self._wanted}
        found: dict[str, tuple[list[Any], list[int]]] = {}
        for row, cell in enumerate(cells):
            if cell:
                text = cell.decode("utf-8", "backslashreplace") if isinstance(cell, bytes) else cell
                for name, value in from_more(text).items():
                    if isinstance(value, (int, float, str)) and (wanted is None or name in wanted):
                        values, rows = found.setdefault(name, ([], []))
                        values.append(value)
                        rows.append(row)
        for name, (values, rows) in found.items():
            if name not in pieces:
                pieces[name] = Piece(of_json(values, name in self._texts), numpy.array(rows, numpy.int64))


def _cells(rows: list[list[str]], place: int) -> list[str]:
    """Return the cells of a column; rows from before a late key are too short for it."""
    return [row[place] if place < len(row) else "" for row in rows]
