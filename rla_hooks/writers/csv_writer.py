"""progress.csv: one row per dump, readable by csv, pandas and every spreadsheet program.

    time-step,timestamp,perf/return,loss
    0,1767225600.0,21.5,0.69
    1,1767225600.25,,0.61

A key that comes late is added to the header: the rows are copied behind the longer header, byte for byte, and the
file is replaced. Rows from before are shorter than the header then, which readers fill with missing values. After 256
such copies, further late keys share the column ``more as JSON``, as {"key": value}. Floats have the digits that read
back bit-equal (rla_hooks/writers/csv_row.py); NaN and infinities are ``nan``, ``inf`` and ``-inf``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from rla_hooks.writers.base import MediaEvent, Row, ValuesWriter, Written
from rla_hooks.writers.csv_count import Hint
from rla_hooks.writers.csv_format import CELL, as_read, line_of, more_of, odd_cell
from rla_hooks.writers.csv_row import NULL, L, native, native_with_texts, python_line, row_line, with_gap
from rla_hooks.writers.csv_table import Sheet, Table
from rla_hooks.writers.destination import destination_of, process_token


class CsvWriter:
    """Appends rows to a CSV file.

    own: whether this process may write to ``path``. Otherwise, and in another process that gets a copy of this writer,
    it writes to a file of its own beside ``path``: see rla_hooks/writers/destination.py.
    """

    name = "csv"

    def __init__(self, path: str | os.PathLike[str], own: bool = True):
        self.path = os.fspath(path)
        self._owner = process_token() if own else None
        self._table: Table = destination_of(self.path, own, Table)

    def write(self, row: Row | MediaEvent) -> bool:
        if not isinstance(row, Row):
            return False
        table = self._table
        with table.lock:
            sheet = table.open
            plan = None if sheet is None else sheet.plans.get(row.keys)
            line = row_line(row, *plan) if type(plan) is tuple else None  # before the file is looked at: no gap then
            if sheet is None or not sheet.file.is_as_left(row.time):
                table.opened()
                line = None
            if line is None:
                sheet, line = _planned_line(table, row)
            sheet.file.append(line)
            if table.open is not sheet:  # a signal handler has been here
                table.rescue(sheet, line)
            if table.news:
                table.tell()
        return True

    def values_writer(self, keys: tuple[str, ...], types: Sequence[type]) -> ValuesWriter:
        """Return a function that writes a row with these keys and types of values: as :meth:`write`, or by it."""
        table = self._table
        texts = [at for at, kind in enumerate(types) if kind is str]
        null = NULL if texts else L  # what shows that there is a NaN
        # the plans of the sheet for which the rest is right; the sheet itself would keep its file open
        ready: tuple[Any, Any, bytes, bytes] = None, None, b"", b""

        def write(step: int, time: float, values: list[Any]) -> bool:
            nonlocal ready
            with table.lock:
                sheet = table.open
                plans, dumps, tail, gap = ready
                if sheet is not None and sheet.plans is plans:
                    try:
                        cells = dumps([step, time, *values])
                    except Exception:  # a float of a class of its own
                        cells = NULL
                    if null in cells:
                        line = python_line(step, time, values, tail, gap)
                    else:
                        line = (with_gap(cells, gap) if gap else cells[1:-1]) + tail
                    if sheet.file.append(line, time):
                        if table.open is not sheet:  # a signal handler has been here
                            table.rescue(sheet, line)
                        if table.news:
                            table.tell()
                        return True
                self.write(Row(step, time, dict(zip(keys, values)), keys))
                sheet, dumps = table.open, native_with_texts(texts) if texts else native()
                if dumps is not None and sheet is not None and type(plan := sheet.plans.get(keys)) is tuple:
                    ready = sheet.plans, dumps, *plan
                return True

        return write

    def written(self) -> Written | None:
        """Return how far the file has come; None while it is not open: before the first row, after ``close``.

        What has come since the last call is read; nothing is counted while rows are written. Rows of earlier processes
        count. A column that comes late makes the header longer, and so moves all rows. Raises OSError.

        >>> import tempfile
        >>> writer = CsvWriter(f"{tempfile.mkdtemp()}/progress.csv")
        >>> writer.write(Row(0, 0.25, {"loss": 0.5})) and writer.written()[1:]
        (1, 36)
        """
        with self._table.lock:
            return self._table.written()

    def position(self, hint: Hint | None = None) -> Written | None:
        """Return what :meth:`written` does; also while the file is closed, or has no row of this process yet.

        None if there is no file of this process's. hint: what is known of the file from an earlier process, with which
        a long file need not be read from its beginning. Raises OSError.
        """
        with self._table.lock:
            return self._table.position(hint)

    def has_written(self, row: Row) -> bool:
        """Whether the row is among the last ones of the open file: Ctrl-C may come right after it was written."""
        table = self._table
        with table.lock:
            sheet: Sheet | None = table.open
            if sheet is None or (sheet.more is None and not {*map(as_read, row.keys)} <= sheet.columns.keys()):
                return False
            line = b"\n" + _planned_line(table, row)[1].rstrip(b",\n")
            _, found, rest = sheet.file.last_bytes(len(line)).partition(line)
            return bool(found) and rest.lstrip(b",").startswith(b"\n")  # columns may have come behind it

    def close(self) -> None:
        with self._table.lock, suppress(OSError):  # rows that could not be carried over, where the folder is gone
            self._table.closed()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "owner": self._owner}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["owner"] == process_token())  # type: ignore[misc]


def _planned_line(table: Table, row: Row) -> tuple[Sheet, bytes]:
    """Return the sheet that has columns for a row, and its line there. Raises OSError."""
    sheet = table.open
    plan = None if sheet is None else sheet.plans.get(row.keys)
    if plan is None:
        sheet, plan = table.planned(row.keys)
    return sheet, row_line(row, *plan) if isinstance(plan, tuple) else _placed(row, sheet, plan)


def _placed(row: Row, sheet: Sheet, plan: Sequence[int]) -> bytes:
    """Return a row whose cells stand in the columns of ``plan``."""
    placed = [""] * len(sheet.columns)
    cells = [CELL.get(type(value), odd_cell)(value) for value in row.values.values()]
    for column, cell in zip(plan, (str(row.step), repr(float(row.time)), *cells)):
        placed[column] = cell
    if sheet.more is not None and sheet.more in plan:
        late = [key for key, column in zip(row.keys, plan[2:]) if column == sheet.more]
        placed[sheet.more] = more_of({as_read(key): row.values[key] for key in late})
    return line_of(placed)
