"""The bytes of a progress.csv: its header, its rows, and where a row begins and ends.

A row ends with a newline outside of quoted cells. A file that was edited, or on a disk that was damaged, may hold a
stray quote, after which everything would count as one cell. So a line that begins with a step and a time, as every row
does, begins a row wherever it stands.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from rla_hooks.writers.base import STEP, TIME

MORE = "more as JSON"  # the column of late keys that are too many for columns of their own
_MAX_HEADER = 16 << 20  # bytes; a first line that is longer is no header
# A quoted cell, and the quote that ends it if there is one. Elsewhere in a cell a quote is a character like others.
_QUOTED_CELL = re.compile(rb'(?:\A|,)"[^"]*(?:""[^"]*)*("?)')
_CELL = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^,\r\n]*))(,|\r|\n|\Z)')
_BLANK_LINES = re.compile(rb"\n\n+")
_NUMBER = re.compile(rb"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")


def quoted(text: str) -> str:
    """Return a text as a cell."""
    text = text.replace("\0", "\\0")
    if not text or any(mark in text for mark in ',"\n\r') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


CELL: dict[type, Callable[[Any], str]] = {float: repr, int: repr, str: quoted}


def odd_cell(value: Any) -> str:
    """Return the cell of what is of no class in :data:`CELL`: of numpy's floats, say."""
    return float.__repr__(value) if isinstance(value, float) else quoted(str(value))


def more_of(values: Mapping[str, Any]) -> str:
    """Return the values of late keys as one cell."""
    return quoted(json.dumps(values))


def from_more(cell: object) -> dict[str, Any]:
    """Return the values of late keys that a cell holds; none where it is damaged.

    >>> from_more('{"loss/17": 0.5}'), from_more("{"), from_more(None)
    ({'loss/17': 0.5}, {}, {})
    """
    with suppress(ValueError, RecursionError):
        values = json.loads(cell) if isinstance(cell, str) else {}
        return values if isinstance(values, dict) else {}
    return {}


def line_of(cells: Iterable[str]) -> bytes:
    """Return the line of cells that are quoted already."""
    return (",".join(cells) + "\n").encode("utf-8", "backslashreplace")


def as_read(name: str) -> str:
    """A name as it reads back from the file: otherwise its column would not be found in a file that is opened again."""
    return name.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")


def cells_of(line: bytes) -> list[str]:
    """Return the cells of a row or a header; where it holds several rows, those of the first.

    >>> cells_of(b'time-step,"a, b"\\n')
    ['time-step', 'a, b']
    """
    text = line.decode("utf-8", "backslashreplace")
    try:
        return next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error:  # a NUL on Python 3.10, or a cell of more than 131,072 characters
        cells: list[str] = []
        for match in _CELL.finditer(text):
            cells.append(match[2] if match[1] is None else match[1].replace('""', '"'))
            if match[3] != ",":
                break
        return cells


def read_header(file: BinaryIO) -> bytes:
    """Read the header of a file from its beginning; the empty bytes if it has no complete one."""
    header, inside = b"", False
    while len(header) < _MAX_HEADER:
        line = file.readline(_MAX_HEADER)
        header += line
        inside = ends_inside(line, inside)
        if not line.endswith(b"\n"):
            return b""
        if not inside:
            return header
    return b""


def ends_inside(line: bytes, inside: bool) -> bool:
    """Whether a line ends in the middle of a quoted cell, given whether it starts in one."""
    if not inside and b'"' not in line:
        return False
    cells = _QUOTED_CELL.findall(b'"' + line if inside else line)
    return bool(cells) and not cells[-1]


def row_starts(columns: Sequence[str]) -> Callable[[bytes], bool]:
    """Return a function that says whether a line of a file with these columns begins a row: with a step and a time."""
    if STEP not in columns or TIME not in columns:
        return lambda line: False
    step, time = columns.index(STEP), columns.index(TIME)
    if step > 1 or time > 1:  # the original RLA sorts its columns
        return lambda line: _has_numbers(cells_of(line), step, time)

    def starts(line: bytes) -> bool:
        cells = line.split(b",", 2)
        return (
            len(cells) > 1
            and _NUMBER.fullmatch(cells[step].strip()) is not None
            and _NUMBER.fullmatch(cells[time].strip()) is not None
        )

    return starts


def _has_numbers(cells: Sequence[str], *columns: int) -> bool:
    return all(column < len(cells) and _NUMBER.fullmatch(cells[column].encode()) is not None for column in columns)


def whole_rows(data: bytes, starts: Callable[[bytes], bool]) -> int:
    """Return how many bytes of ``data``, the end of a file, are whole rows; the rest is torn.

    ``data`` begins at the beginning of a line.
    """
    begin = 0
    for begin in reversed([0, *(match.end() for match in re.finditer(rb"\n", data) if match.end() < len(data))]):
        if starts(data[begin : data.find(b"\n", begin) + 1 or None]):
            break
    else:  # no line begins a row: take only the last one for torn, if it has no end
        return data.rfind(b"\n") + 1
    end, position, inside = begin, begin, False
    for line in lines_of(data[begin:]):
        position += len(line)
        inside = ends_inside(line, inside)
        if not inside and line.endswith(b"\n"):
            end = position
    return end


def lines_of(data: bytes) -> Iterator[bytes]:
    """Yield the lines of ``data`` with their ends; a carriage return ends none."""
    begin = 0
    while begin < len(data):
        end = data.find(b"\n", begin) + 1 or len(data)
        yield data[begin:end]
        begin = end


def rows_of(data: bytes, starts: Callable[[bytes], bool]) -> Iterator[list[str]]:
    """Yield the cells of the rows that begin in ``data``; a last one without a newline may be still being written."""
    piece = b""
    for line in lines_of(data):
        if starts(line):
            if piece:
                yield cells_of(piece)
            piece = line
        elif piece:
            piece += line
    if piece.endswith(b"\n"):
        yield cells_of(piece)


def count_rows(file: BinaryIO, starts: Callable[[bytes], bool]) -> int:
    """Count the rows from the file's position to its end; a last one without a newline may be still being written."""
    rows, inside = 0, False
    while data := file.read(1 << 20):
        data += file.readline(_MAX_HEADER)
        if not inside and b'"' not in data:
            rows += data.count(b"\n") - sum(len(blank) - 1 for blank in _BLANK_LINES.findall(data))
            continue
        for line in lines_of(data):
            if inside and starts(line):  # the quote before it was a stray one
                rows, inside = rows + 1, False
            inside = ends_inside(line, inside)
            rows += not inside and line.endswith(b"\n") and line != b"\n"
    return rows
