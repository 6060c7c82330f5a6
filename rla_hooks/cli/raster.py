"""Dots in the cells of a terminal: eight in a cell by braille characters, else one by a letter.

A braille character is U+2800 plus a bit for each of its dots, which are 2 beside and 4 above each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy

    Floats = numpy.ndarray[Any, numpy.dtype[numpy.float64]]
    Ints = numpy.ndarray[Any, numpy.dtype[numpy.int64]]

_BRAILLE = 0x2800
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by row and column of a dot in its cell


class Span(NamedTuple):
    """The numbers from ``low`` to ``high`` that an axis shows; never empty."""

    low: float
    high: float

    def place(self, values: Floats, dots: int) -> Ints:
        """Return on which of so many dots each value lies."""
        import math

        import numpy

        if math.isfinite(self.high - self.low):
            share = (values - self.low) / (self.high - self.low)
        else:  # two large numbers, whose distance is no float
            share = (values / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return numpy.clip(numpy.rint(share * (dots - 1)), 0, dots - 1).astype(numpy.int64)


class Raster:
    """Curves drawn into cells: ``cells[row][column]`` is a character, ``owner[row][column]`` the number of its curve.

    Where curves cross, the cell belongs to the later one.
    """

    def __init__(self, width: int, height: int, braille: bool = True):
        import numpy

        self.braille = braille
        self.columns, self.rows = (2 * width, 4 * height) if braille else (width, height)
        self._bits = numpy.zeros((height, width), numpy.int64)
        self._owner = numpy.full((height, width), -1)

    def draw(self, number: int, xs: Floats, ys: Floats, x_span: Span, y_span: Span) -> None:
        """Draw a curve of points in their order. There is a gap where a value is no finite number or x goes back."""
        import numpy

        fine = numpy.flatnonzero(numpy.isfinite(xs) & numpy.isfinite(ys))
        if not len(fine):
            return
        cut = (numpy.diff(fine) > 1) | (numpy.diff(xs[fine]) < 0)
        columns = x_span.place(xs[fine], self.columns)
        rows = self.rows - 1 - y_span.place(ys[fine], self.rows)
        self._set(number, *_dots(*_outline(columns, rows, cut)))

    def _set(self, number: int, columns: Ints, rows: Ints) -> None:
        import numpy

        if not self.braille:
            self._owner[rows, columns] = number
            return
        bits = numpy.array(_BITS)[rows % 4, columns % 2]
        numpy.bitwise_or.at(self._bits, (rows // 4, columns // 2), bits)
        self._owner[rows // 4, columns // 2] = number

    def cell(self, row: int, column: int, letters: str) -> tuple[str, int]:
        """Return the character of a cell, and whose it is: -1 where there is none. letters: those of the curves."""
        owner = int(self._owner[row, column])
        if owner < 0:
            return " ", owner
        return (chr(_BRAILLE + int(self._bits[row, column])) if self.braille and not letters else letters[owner]), owner


def _outline(columns: Ints, rows: Ints, cut: Any) -> tuple[Ints, Ints, Any]:
    """Reduce a long curve to the first, lowest, highest and last point of each stretch in one column of dots.

    The picture stays the same: a million points become some thousand.
    """
    import numpy

    begin = numpy.flatnonzero(numpy.concatenate([[True], (numpy.diff(columns) != 0) | cut]))
    if len(columns) < 4 * len(begin):
        return columns, rows, cut
    end = numpy.append(begin[1:], len(columns)) - 1
    four = [rows[begin], numpy.minimum.reduceat(rows, begin), numpy.maximum.reduceat(rows, begin), rows[end]]
    inner = numpy.zeros((len(begin), 4), bool)  # whether there is a gap behind the point
    inner[:-1, 3] = cut[begin[1:] - 1]
    return numpy.repeat(columns[begin], 4), numpy.stack(four, axis=1).ravel(), inner.ravel()[:-1]


def _dots(columns: Ints, rows: Ints, cut: Any) -> tuple[Ints, Ints]:
    """Return the dots of the lines from each point to the next, where nothing cuts them, and of all points."""
    import numpy

    across, down = numpy.diff(columns), numpy.diff(rows)
    steps = numpy.where(cut, 0, numpy.maximum(abs(across), abs(down)))
    line = numpy.repeat(numpy.arange(len(steps)), steps)
    at = numpy.arange(len(line)) - numpy.repeat(numpy.cumsum(steps) - steps, steps)
    share = at / numpy.maximum(steps, 1)[line]
    x = columns[:-1][line] + numpy.rint(across[line] * share).astype(numpy.int64)
    y = rows[:-1][line] + numpy.rint(down[line] * share).astype(numpy.int64)
    return numpy.concatenate([x, columns]), numpy.concatenate([y, rows])
