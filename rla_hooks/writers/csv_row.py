"""The line of a row whose values fill columns of a progress.csv that follow each other, in order.

Ten floats take Python's ``repr`` several microseconds, most of what a row costs, and orjson a third of one. Both write
the shortest digits that read back bit-equal; a few exponents are spelled otherwise (``1e16`` for ``1e+16``). orjson
knows neither NaN and infinities nor integers beyond 64 bits: such rows are Python's. So are those with texts, unless a
row of the same keys and types has come before: then the cells of texts, which seldom change, are at hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_format import CELL, odd_cell, quoted

L, R, QUOTE = b'lr"'  # in what orjson makes of no number: null, for NaN, too; true and false; a text
NULL = b"null"
LOAD_AFTER = 256  # rows of this process: the import takes 10 ms, and short runs shall start and end quickly
MAX_TEXTS, _MAX_TEXT = 1024, 128  # texts whose cells are kept, and their characters
_Dumps = Callable[[Any], bytes]
_dumps: _Dumps | None = None  # orjson's, once it is loaded
_rows = 0  # that were written without it
_tried = False


def row_line(row: Row, tail: bytes, gap: bytes = b"") -> bytes:
    """Return the line of a row; ``tail`` is what follows its cells, ``gap`` what stands before those of its values.

    >>> row_line(Row(3, 0.25, {"loss": 0.5, "return": 21}), b",\\n")
    b'3,0.25,0.5,21,\\n'
    """
    values = row.values.values()
    if _dumps is None:
        _count_row()
        return python_line(row.step, row.time, values, tail, gap)
    try:
        cells = _dumps([row.step, row.time, *values])
    except Exception:  # TypeError: an integer beyond 64 bits, or a lone surrogate
        return python_line(row.step, row.time, values, tail, gap)
    if QUOTE in cells or L in cells or R in cells:
        return python_line(row.step, row.time, values, tail, gap, QUOTE in cells)
    return (with_gap(cells, gap) if gap else cells[1:-1]) + tail


def with_gap(cells: bytes, gap: bytes) -> bytes:
    """Return what orjson makes of a step, a time and numbers, with ``gap`` after the time."""
    at = cells.index(b",", cells.index(b",") + 1)
    return cells[1:at] + gap + cells[at:-1]


def python_line(
    step: int, time: float, values: Collection[Any], tail: bytes, gap: bytes = b"", texts: bool = False
) -> bytes:
    """Return the line of any values; ``texts``: whether there is one, if that is known."""
    cells = "'" if texts else ",".join(map(repr, values))
    if "'" in cells or '"' in cells or "(" in cells:  # a text, which is quoted otherwise; or a float of another class
        cells = ",".join([CELL.get(type(value), odd_cell)(value) for value in values])
    return f"{step},{float(time)!r}{gap.decode()},{cells}".encode("utf-8", "backslashreplace") + tail


def native() -> _Dumps | None:
    """Return what formats a list of numbers as JSON, once it is loaded."""
    return _dumps


def native_with_texts(places: Sequence[int]) -> _Dumps | None:
    """Return what formats a step, a time and values; those in ``places`` are texts, which become cells of csv."""
    dumps = _dumps
    if dumps is None:
        return None
    cells, places = TextCells(), [at + 2 for at in places]

    def with_cells(row: list[Any]) -> bytes:
        for at in places:
            row[at] = cells[row[at]]
        return dumps(row)

    return with_cells


class TextCells(dict[str, Any]):
    """The cells of texts, as orjson puts them into JSON without a change."""

    def __missing__(self, text: str) -> Any:
        from orjson import Fragment

        cell = Fragment(quoted(text).encode("utf-8", "backslashreplace"))
        if len(text) <= _MAX_TEXT:
            if len(self) >= MAX_TEXTS:
                self.clear()
            self[text] = cell
        return cell


def _count_row() -> None:
    """Load orjson once there are so many rows that it pays; where that fails, Python goes on."""
    global _dumps, _rows, _tried
    _rows += 1
    if _rows >= LOAD_AFTER and not _tried:
        _tried = True
        try:
            from orjson import dumps

            if dumps([3, 0.25, math.nan]) != b"[3,0.25,null]":  # a file of the user's, or a mock, of the same name
                return
        except (Exception, SystemExit):  # there is none for this system; or no file handle is left; or a script is run
            return
        _dumps = dumps
