"""The cells of rows without quotes, found by their commas: only those that are asked for become objects."""

from __future__ import annotations

from typing import NamedTuple

import numpy

from rla_hooks.rows.decimals import Digits
from rla_hooks.rows.pieces import Array, Piece

_COMMA, _NEWLINE = b",\n"
_FEW = 8  # one number in so many may be of a form that is read singly


class PlainCells(NamedTuple):
    """Rows of one width. ends: the places of the commas and of the newline of each row."""

    data: bytes
    length: int
    ends: Array

    @classmethod
    def of(cls, data: bytes, width: int) -> PlainCells | None:
        """Find the cells of rows that end with a newline each; None unless all have as many."""
        array = numpy.frombuffer(data, numpy.uint8)
        ends: Array = numpy.flatnonzero((array == _COMMA) | (array == _NEWLINE))
        if len(ends) % width:
            return None
        ends = ends.reshape(-1, width)
        if array[ends].tobytes() != (b"," * (width - 1) + b"\n") * len(ends):
            return None
        # A row of one column that is empty is none.
        if width == 1 and len(ends) and (ends[0, 0] == 0 or (ends[1:, 0] == ends[:-1, 0] + 1).any()):
            return None
        return cls(data, len(ends), ends)

    def _begins(self, place: int) -> Array:
        if place:
            begins: Array = self.ends[:, place - 1] + 1
            return begins
        begins = numpy.zeros(self.length, numpy.int64)
        begins[1:] = self.ends[:-1, -1] + 1
        return begins

    def cells(self, place: int) -> list[bytes]:
        """Return the cells of a column."""
        return self._texts(self._begins(place), self.ends[:, place])

    def _texts(self, begins: Array, ends: Array) -> list[bytes]:
        data = self.data
        return [data[begin:end] for begin, end in zip(begins.tolist(), ends.tolist())]

    def numbers(self, place: int) -> Piece | None:
        """Return the values of a column where they are numbers of a common form; else None."""
        begins, ends = self._begins(place), self.ends[:, place]
        is_there = ends > begins
        rows = None if is_there.all() else numpy.flatnonzero(is_there)
        if rows is not None:
            begins, ends = begins[rows], ends[rows]
        if not len(ends) or self.data[begins[0]] not in b"-.0123456789":
            return None
        digits = Digits.of(numpy.frombuffer(self.data, numpy.uint8), begins, ends)
        values = digits.integers()
        if values is None and digits.has_dots:
            values = self._floats(digits, begins, ends)
        return None if values is None else Piece(values, rows)

    def _floats(self, digits: Digits, begins: Array, ends: Array) -> Array | None:
        values, is_exact = digits.floats()
        others = numpy.flatnonzero(~is_exact)
        if len(others) * _FEW > len(values):
            return None
        cells = self._texts(begins[others], ends[others])
        whole = b"".join(cells)
        if b"_" in whole or not whole.isascii():  # Python's numbers may have these; those of a writer have not
            return None
        try:
            values[others] = [*map(float, cells)]
        except ValueError:
            return None
        return values
