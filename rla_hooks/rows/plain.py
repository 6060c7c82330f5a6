"""The cells of rows without quotes, found by their commas: only those that are asked for become objects."""

from __future__ import annotations

from typing import NamedTuple

import numpy

from rla_hooks.rows.pieces import Array

_COMMA, _NEWLINE, _ZERO = b",\n0"
_MAX_DIGITS = 9


class PlainCells(NamedTuple):
    """Rows of one width. ends: the places of the commas and of the newline of each row."""

    data: bytes
    length: int
    ends: Array

    @classmethod
    def of(cls, data: bytes, width: int) -> PlainCells | None:
        """Find the cells of rows that end with a newline each; None unless all have as many."""
        array = numpy.frombuffer(data, numpy.uint8)
        newlines = numpy.flatnonzero(array == _NEWLINE)
        commas = numpy.flatnonzero(array == _COMMA)
        length = len(newlines)
        if len(commas) != length * (width - 1):
            return None
        ends = numpy.column_stack([commas.reshape(length, width - 1), newlines])
        # Rows of one column that are empty are none. Else each comma stands behind the newline before its row.
        if (ends[1:, 0] <= newlines[:-1] + (width == 1)).any() or (width > 1 and (ends[:, -2] > newlines).any()):
            return None
        return None if width == 1 and length and ends[0, 0] == 0 else cls(data, length, ends)

    def _begins(self, place: int) -> Array:
        if place:
            begins: Array = self.ends[:, place - 1] + 1
            return begins
        begins = numpy.zeros(self.length, numpy.int64)
        begins[1:] = self.ends[:-1, -1] + 1
        return begins

    def cells(self, place: int) -> list[bytes]:
        """Return the cells of a column."""
        data = self.data
        return [data[begin:end] for begin, end in zip(self._begins(place).tolist(), self.ends[:, place].tolist())]

    def integers(self, place: int) -> Array | None:
        """Return the cells of a column as numbers where all have one to nine digits, and nothing else; else None."""
        begins, ends = self._begins(place), self.ends[:, place]
        widths = ends - begins
        if not self.length or widths.min() < 1 or widths.max() > _MAX_DIGITS:
            return None
        array = numpy.frombuffer(self.data, numpy.uint8)
        values = numpy.zeros(self.length, numpy.int64)
        for digit in range(int(widths.max())):
            inside = widths > digit
            digits = array[begins + digit * inside] - _ZERO  # the first one again where there is no further one
            if (digits > 9).any():
                return None
            values = numpy.where(inside, values * 10 + digits, values)
        return values
