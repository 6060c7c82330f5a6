"""Columns in pieces: cells become arrays, and those of blocks and of files are joined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy

from rla_hooks.columns import Column
from rla_hooks.writers.base import TIME

Array = numpy.ndarray[Any, Any]


class Piece(NamedTuple):
    """Some rows of a column. values: those that are there; rows: their numbers, None where all rows have one."""

    values: Array
    rows: Array | None


class FileRows(NamedTuple):
    """The rows of a file, or those from ``begin`` on.

    end: the offset behind the last one, None where reading on from there would not be right. begin: that of the first
    one that was to be read; 0 where the whole file was read after all, since it is damaged.
    """

    names: list[str]
    length: int
    pieces: dict[str, Piece]
    end: int | None
    begin: int = 0


def joined(blocks: Sequence[tuple[int, dict[str, Piece]]]) -> tuple[int, dict[str, Piece], set[str]]:
    """Join blocks of rows, each with its number of rows. Return their number, the columns, and those of mixed kinds.

    A column that has numbers in some blocks and texts in others is mixed: the file knows how its numbers were written.
    """
    total = sum(count for count, _ in blocks)
    parts: dict[str, list[tuple[int, int, Piece]]] = {}
    first = 0
    for count, pieces in blocks:
        for name, piece in pieces.items():
            parts.setdefault(name, []).append((first, count, piece))
        first += count
    found, mixed = dict[str, Piece](), set[str]()
    for name, each in parts.items():
        kinds = {piece.values.dtype.kind for _, _, piece in each if len(piece.values)}
        if "O" in kinds and len(kinds) > 1:
            mixed.add(name)
        else:
            found[name] = _join(each, total, kinds)
    return total, found, mixed


def _join(parts: list[tuple[int, int, Piece]], total: int, kinds: set[str]) -> Piece:
    if len(parts) == 1 and parts[0][1] == total:
        return parts[0][2]
    with_values = [part for part in parts if len(part[2].values)]
    kind: Any = object if "O" in kinds else numpy.int64 if kinds == {"i"} else numpy.float64
    values = numpy.concatenate([numpy.empty(0, kind), *(piece.values.astype(kind) for _, _, piece in with_values)])
    if len(values) == total:
        return Piece(values, None)
    rows = [
        numpy.arange(first, first + count) if piece.rows is None else piece.rows + first
        for first, count, piece in with_values
    ]
    return Piece(values, numpy.concatenate([numpy.empty(0, numpy.int64), *rows]))


def dense(piece: Piece, count: int) -> Column:
    """Return a piece of so many rows as a column with a value in each: NaN, 0 or None where there is none."""
    values, rows = piece
    if rows is None:
        return Column(values)
    filler: Any = {"f": numpy.nan, "i": 0}.get(values.dtype.kind)
    full = numpy.full(count, filler, values.dtype)
    full[rows] = values
    present = numpy.zeros(count, bool)
    present[rows] = True
    return Column(full, present)


class JoinedRows(NamedTuple):
    """The rows of several files. ``order``: the numbers of the rows in the order of their times; None as they are."""

    names: list[str]
    length: int
    pieces: dict[str, Piece]
    order: Array | None

    def column(self, name: str) -> Column:
        """Return a column with a value in each row: NaN, 0 or None where there is none."""
        values, present = dense(self.pieces[name], self.length)
        if self.order is None:
            return Column(values, present)
        return Column(values[self.order], None if present is None else present[self.order])

    def columns(self, wanted: Iterable[str]) -> dict[str, Column]:
        """Return those of these columns that are there."""
        return {name: self.column(name) for name in wanted if name in self.pieces}

    def values(self, name: str) -> Piece:
        """Return the values that a column has, in order."""
        values, rows = self.pieces[name]
        if self.order is None:
            return self.pieces[name]
        if rows is None:
            return Piece(values[self.order], None)
        ranks = numpy.argsort(self.order)[rows]
        order = numpy.argsort(ranks)
        return Piece(values[order], ranks[order])


def join_files(files: Sequence[FileRows]) -> JoinedRows:
    """Join the rows of several files by time; the rows of each keep their order."""
    files = [each for each in files if each.length]
    count, pieces, mixed = joined([(each.length, each.pieces) for each in files])
    for name in mixed:  # numbers in one file, texts in another
        parts = [(each.length, {name: _as_texts(each.pieces[name])} if name in each.pieces else {}) for each in files]
        pieces |= joined(parts)[1]
    names = [*dict.fromkeys(name for each in files for name in each.names if name in pieces)]
    if len(files) < 2:
        return JoinedRows(names, count, pieces, None)
    return JoinedRows(names, count, pieces, numpy.argsort(numpy.concatenate([*map(_times, files)]), kind="stable"))


def _as_texts(piece: Piece) -> Piece:
    kind = piece.values.dtype.kind
    return piece if kind == "O" else Piece(texts_of([*map(repr, piece.values.tolist())]), piece.rows)


def _times(file: FileRows) -> Array:
    """The latest time up to each row: a clock that was set back must not change the order of a file."""
    times = numpy.full(file.length, -numpy.inf)  # of the file of another program
    piece = file.pieces.get(TIME)
    if piece is not None and piece.values.dtype.kind != "O":
        column = dense(piece, file.length)
        times = numpy.nan_to_num(column.values.astype(float), nan=-numpy.inf, posinf=numpy.inf, neginf=-numpy.inf)
        if column.present is not None:
            times[~column.present] = -numpy.inf
    latest: Array = numpy.maximum.accumulate(times)
    return latest


def piece_of(cells: list[Any], as_text: bool) -> Piece:
    """Return the cells of a column, as csv has them, as a piece; an empty one has no value. as_text: no numbers."""
    empty: Any = b"" if cells and isinstance(cells[0], bytes) else ""
    if empty not in cells:
        return Piece(_values(cells, as_text), None)
    rows = [row for row, cell in enumerate(cells) if cell]
    return Piece(_values([cells[row] for row in rows], as_text), numpy.array(rows, numpy.int64))


def _values(cells: list[Any], as_text: bool) -> Array:
    if not cells:
        return numpy.empty(0, numpy.float64)
    is_bytes = isinstance(cells[0], bytes)
    nothing, underscore = (b"", b"_") if is_bytes else ("", "_")
    whole: Any = nothing.join(cells)  # type: ignore[attr-defined]
    # Python's numbers may have underscores, and digits of other alphabets; those of a writer have not.
    if not as_text and whole.isascii() and underscore not in whole:
        with suppress(ValueError, OverflowError):
            return numpy.fromiter(map(int, cells), numpy.int64, len(cells))
        with suppress(ValueError):
            return numpy.fromiter(map(float, cells), numpy.float64, len(cells))
    if is_bytes:
        cells = b"\n".join(cells).decode("utf-8", "backslashreplace").split("\n")
    return texts_of(cells)


def texts_of(texts: Sequence[str]) -> Array:
    """Return texts as an array of objects."""
    array = numpy.empty(len(texts), object)
    array[:] = texts
    return array


def of_json(values: list[Any], as_text: bool) -> Array:
    """Return values that JSON gave as an array: of integers, floats or texts. as_text: of texts whatever they are."""
    kinds = {*map(type, values)}
    if not as_text and str not in kinds:
        with suppress(OverflowError):
            if float not in kinds:
                return numpy.array([*map(int, values)], numpy.int64)
        with suppress(OverflowError):
            return numpy.array([*map(float, values)], numpy.float64)
    return texts_of([value if isinstance(value, str) else repr(value) for value in values])
