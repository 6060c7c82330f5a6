"""Checks a file of rows: the last row, NULs, the encoding, quotes, the number of cells, and cells that are no numbers.

A row is as wide as the one before, or wider after a late key, and begins with a step and a time. A number has no
checksum: a bit that has flipped in a digit and made another digit of it cannot be found. A cell in which it made
something else is found, as far as the column has numbers in other rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy

from rla_hooks.texts import shown
from rla_hooks.upkeep.checking.cells import NUMBER, ODD_BYTES, QUOTED, is_flipped
from rla_hooks.upkeep.checking.found import Found, Mend
from rla_hooks.upkeep.checking.opening import BLOCK, Disk, marked, size_of, skip_hole, unreadable
from rla_hooks.writers.base import STEP, TIME
from rla_hooks.writers.csv_format import cells_of, ends_inside, lines_of, read_header, row_starts

Array = numpy.ndarray[Any, Any]
_BOM = b"\xef\xbb\xbf"  # spreadsheet programs put it before the header
_UTF_16 = b"\xff\xfe", b"\xfe\xff"
_MAX_LINE = 16 << 20  # bytes; a longer line is no row
_SOON = 2  # rows after which a wider row counts as the first one with a late key
_COMMA, _NEWLINE = b",\n"
_MAX_LOOKED = 1000  # odd cells of a block

_TEXTS = {
    "nul": "{n} NUL bytes, where a disk has lost what was there; readers pass over them",
    "encoding": "bytes that are no UTF-8: another program has saved the file, or they are damaged",
    "width": "{rows} another number of cells than the columns",
    "start": "{rows} no step and time at the beginning",
    "quote": "a quoted cell that does not end",
    "number": "a cell that is no number: {detail}, in which a bit has flipped",
    "line": "a line of more than 16 MB, which is no row",
}


class Table(NamedTuple):
    """What a file of rows is like: how many rows it has, and its columns; None where that cannot be told."""

    found: list[Found]
    rows: int | None
    columns: list[str]


def check_table(path: Path, disk: Disk, is_live: bool = False) -> Table:
    """Check a file of rows. is_live: somebody writes to it, so that half a row at the end is none."""
    try:
        with disk.open(path) as file:
            check = _Check(path, file)
            check.run(is_live)
    except OSError as error:
        return Table([unreadable(path, error)], None, [])
    return Table(check.told(), check.rows, check.columns)


class _Check:
    """The check of one file, block by block. at: where the next line begins; end: where the last whole row ends."""

    def __init__(self, path: Path, file: BinaryIO):
        self.path, self.file, self.size = path, file, size_of(file)
        self.found: list[Found] = []
        self.notes: dict[str, tuple[int, int, str]] = {}  # by kind: how many, where the first is, and what it is
        self.columns: list[str] = []
        self.rows: int | None = 0
        self.at = self.end = 0
        self.inside = False  # whether a quoted cell is open
        self.row_begin, self.row = 0, b""
        self.width = 0  # of the last row
        self.former, self.since = 0, 0  # the width before the last row that was wider, and the rows since then
        self.wider_at = 0

    def run(self, is_live: bool) -> None:
        if not self.size:
            return
        header = read_header(self.file)
        if header[:2] in _UTF_16 or (not header and self._begins_as_utf_16()):
            self._tell("is text in UTF-16: another program has saved it. Save it as UTF-8", 0)
            self.rows = None
            return
        if not header:
            if not is_live:
                self._tell("the header has no end: the file holds no whole row", 0)
            return
        self.columns = cells_of(header.removeprefix(_BOM))
        self.starts = row_starts(self.columns)
        self.ours = STEP in self.columns and TIME in self.columns
        self.first = [at for at, name in enumerate(self.columns) if name in (STEP, TIME)] if self.ours else []
        self._check_header(header)
        self.at = self.end = len(header)
        self._read()
        if not is_live and self.rows is not None:
            self._check_end()

    def _begins_as_utf_16(self) -> bool:
        self.file.seek(0)
        return self.file.read(2) in _UTF_16

    def _check_header(self, header: bytes) -> None:
        if not self.ours and len(self.columns) > 1 and all(NUMBER.fullmatch(each.encode()) for each in self.columns):
            self._tell("the header is missing: the first line is a row", 0)
        if b"\0" in header:
            self._note("nul", header.index(b"\0"), header.count(b"\0"))
        self._check_encoding(header, 0)

    def _read(self) -> None:
        self.file.seek(self.at)
        while data := self.file.read(BLOCK):
            if data[-1] != _NEWLINE:
                data += self.file.readline(_MAX_LINE)
            if data[-1] == _NEWLINE or self.at + len(data) >= self.size:
                self._block(data)
                continue
            lines = data.rfind(b"\n") + 1
            if lines:
                self._block(data[:lines])
            if not self._pass_hole(data[lines:]):
                self._note("line", self.at)
                self.rows = None
                return

    def _pass_hole(self, data: bytes) -> bool:
        """Go over many NULs to what follows; return False for another line that is too long."""
        if data.strip(b"\0"):
            return False
        behind = skip_hole(self.file, self.at + len(data), self.size)
        self._note("nul", self.at, behind - self.at)
        self.at = behind
        self.file.seek(behind)
        return True

    def _block(self, data: bytes) -> None:
        if not data.isascii():
            self._check_encoding(data, self.at)
        if self.inside or b'"' in data or b"\0" in data or b"\r" in data or data[-1] != _NEWLINE:
            self._lines(data)
            return
        array = numpy.frombuffer(data, numpy.uint8)
        is_newline = array == _NEWLINE
        ends = numpy.flatnonzero((array == _COMMA) | is_newline)
        width, rows = _width_of(data), int(numpy.count_nonzero(is_newline))
        is_known = width == self.width or (rows > _SOON and self.width < width <= len(self.columns))
        if not is_known or len(ends) != rows * width or not is_newline[ends[width - 1 :: width]].all():
            self._lines(data)
            return
        self.width, self.since = width, _SOON + 1
        self._check_cells(data, ends, None)
        self.rows = None if self.rows is None else self.rows + rows
        self.at += len(data)
        self.end = self.at

    def _lines(self, data: bytes) -> None:
        """Go line by line, and check the cells of rows of one width together; what is quoted in them is a text."""
        plain: list[bytes] = []
        begins: list[int] = []
        for line in lines_of(data):
            if self.inside and self.starts(line):
                self._note("quote", self.row_begin)
                self._count_row()
                self.inside = False
            if not self.inside:
                self.row_begin, self.row = self.at, b""
            self.inside = ends_inside(line, self.inside)
            self.at += len(line)
            if len(self.row) <= _MAX_LINE:
                self.row += line
            if not self.inside and line[-1] == _NEWLINE:
                self._whole_row(plain, begins)
        if plain:
            joined = b"".join(plain)
            array = numpy.frombuffer(joined, numpy.uint8)
            ends = numpy.flatnonzero((array == _COMMA) | (array == _NEWLINE))
            self._check_cells(joined, ends, begins)

    def _whole_row(self, plain: list[bytes], begins: list[int]) -> None:
        row, self.row = self.row, b""
        if b"\0" in row:
            self._note("nul", self.row_begin + row.index(b"\0"), row.count(b"\0"))
            row = row.replace(b"\0", b"")
        if row.endswith(b"\r\n"):
            row = row[:-2] + b"\n"
        self.end = self.at
        if row == b"\n":
            return
        self._count_row()
        if row[:1] == b'"' or b',"' in row:  # elsewhere a quote is a character like others
            row = QUOTED.sub(rb'\1"', row)
        width = row.count(b",") + 1
        is_right = self._check_width(width)
        if self.ours and not self.starts(row):
            self._note("start", self.row_begin)
        elif is_right and (not begins or plain[0].count(b",") + 1 == width):
            plain.append(row)
            begins.append(self.row_begin)

    def _count_row(self) -> None:
        self.rows = None if self.rows is None else self.rows + 1

    def _check_width(self, width: int) -> bool:
        """Whether a row may be so wide; one that was wider than the rows before and after it was not."""
        if width > len(self.columns):
            self._note("width", self.row_begin)
            return False
        if width == self.width or not self.width:
            self.width = width
            self.since = min(self.since + 1, _SOON + 1)
            return True
        if width > self.width:
            self.former, self.since, self.wider_at, self.width = self.width, 1, self.row_begin, width
            return True
        if width == self.former and self.since <= _SOON:
            self._note("width", self.wider_at, self.since)
            self.width, self.since = width, _SOON + 1
            return True
        self._note("width", self.row_begin)
        return False

    def _check_cells(self, data: bytes, ends: Array, begins: list[int] | None) -> None:
        """Look for odd cells in rows of one width. begins: where each row begins in the file; by default as in data."""
        width = _width_of(data)
        if self.ours:
            lengths = numpy.diff(ends, prepend=-1)
            for column in self.first:
                if column < width and (lengths[column::width] <= 1).any():
                    row = int(numpy.argmax(lengths[column::width] <= 1))
                    self._note("start", self._row_at(ends, row, width, begins))
        marks = data.translate(ODD_BYTES)
        if b"\1" not in marks:
            return
        cells = numpy.unique(numpy.searchsorted(ends, numpy.flatnonzero(numpy.frombuffer(marks, numpy.uint8))))
        rows, columns = numpy.divmod(cells, width)
        counts = numpy.bincount(columns, minlength=width)
        for column in numpy.flatnonzero(counts).tolist():
            filled = numpy.count_nonzero(numpy.diff(ends, prepend=-1)[column::width] > 1)
            if counts[column] * 2 > filled and filled > 1 and column not in self.first:
                continue  # a column of texts
            for row in rows[columns == column][:_MAX_LOOKED].tolist():
                cell = row * width + column
                begin = int(ends[cell - 1]) + 1 if cell else 0
                self._odd_cell(data[begin : int(ends[cell])], column, self._row_at(ends, row, width, begins))

    def _row_at(self, ends: Array, row: int, width: int, begins: list[int] | None) -> int:
        if begins is not None:
            return begins[row]
        return self.at + (int(ends[row * width - 1]) + 1 if row else 0)

    def _odd_cell(self, cell: bytes, column: int, position: int) -> None:
        if NUMBER.fullmatch(cell):
            return
        if column in self.first:
            if not NUMBER.fullmatch(cell.strip()):
                self._note("start", position)
        elif is_flipped(cell):
            name = self.columns[column] if column < len(self.columns) else str(column)
            self._note("number", position, 1, f"{shown(cell.decode('utf-8', 'replace'))} in {shown(name, 100)}")

    def _check_encoding(self, data: bytes, at: int) -> None:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            self._note("encoding", at + error.start)

    def _check_end(self) -> None:
        """Half a row at the end is what a power cut leaves."""
        if self.end >= self.size:
            return
        left = self.size - self.end
        if self.inside and not self.ours and self.size - self.row_begin > BLOCK:
            self._note("quote", self.row_begin)
            return
        mend = Mend("it is cut off", _Head(self.end), mark=marked(self.file))
        what = "the last row is torn" if self.row.strip(b"\0") else "there is nothing but NULs"
        self.found.append(Found(self.path, f"{what}: {left} bytes behind the last whole row", self.end, mend=mend))
        self.notes.pop("nul", None) if self.notes.get("nul", (0, -1))[1] >= self.end else None

    def _tell(self, problem: str, position: int) -> None:
        self.found.append(Found(self.path, problem, position))

    def _note(self, kind: str, position: int, count: int = 1, detail: str = "") -> None:
        number, first, what = self.notes.get(kind, (0, position, detail))
        self.notes[kind] = number + count, first, what

    def told(self) -> list[Found]:
        """Return what was found, in the order of the file; what comes again and again is told once."""
        for kind, (count, position, detail) in self.notes.items():
            rows = "1 row has" if count == 1 else f"{count:,} rows have"
            text = _TEXTS[kind].format(n=f"{count:,}", rows=rows, detail=detail)
            self.found.append(Found(self.path, text, position))
        return sorted(self.found, key=lambda each: each.position or 0)


def _width_of(rows: bytes) -> int:
    """Return the number of cells of the first of some rows without quotes."""
    return rows.count(b",", 0, rows.index(b"\n")) + 1


class _Head:
    """Writes the beginning of a file."""

    def __init__(self, size: int):
        self._size = size

    def __call__(self, old: BinaryIO, new: BinaryIO) -> None:
        left = self._size
        while left and (data := old.read(min(left, BLOCK))):
            new.write(data)
            left -= len(data)
