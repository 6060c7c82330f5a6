"""progress.csv: one row per dump, readable by csv, pandas and every spreadsheet program.

    time-step,timestamp,perf/return,loss
    0,1767225600.000000,21.5,0.69
    1,1767225600.250000,,0.61

A key that comes late is added to the header: the rows are copied behind the longer header, byte for byte, and the
file is replaced. Rows from before are shorter than the header then, which readers fill with missing values. After 256
such copies, further late keys share the column ``more as JSON``, as {"key": value}. Floats are written by ``repr``, so
they read back bit-equal; NaN and infinities are ``nan``, ``inf`` and ``-inf``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from rla_hooks.writers.base import MediaEvent, Row
from rla_hooks.writers.csv_format import CELL, as_read, line_of, more_of
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
        values = row.values
        table = self._table
        with table.lock:
            sheet = table.open
            if sheet is None or not sheet.file.is_as_left(row.time):
                sheet = table.opened()
            keys = tuple(values)
            try:
                plan = sheet.plans[keys]
            except KeyError:
                sheet, plan = table.planned(keys)
            if isinstance(plan, str):
                cells = ",".join(map(repr, values.values()))
                if "'" in cells or '"' in cells:  # there is a text, which is quoted otherwise
                    cells = ",".join([CELL[type(value)](value) for value in values.values()])
                line = f"{row.step},{row.time:.6f},{cells}{plan}\n".encode("utf-8", "backslashreplace")
            else:
                line = _placed(row, sheet, keys, plan)
            sheet.file.append(line)
            if table.open is not sheet:  # a signal handler has been here
                table.rescue(sheet, line)
            if table.news:
                table.tell()
        return True

    def close(self) -> None:
        with self._table.lock, suppress(OSError):  # rows that could not be carried over, where the folder is gone
            self._table.closed()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "owner": self._owner}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["owner"] == process_token())  # type: ignore[misc]


def _placed(row: Row, sheet: Sheet, keys: Sequence[str], plan: Sequence[int]) -> bytes:
    """Return a row whose cells stand in the columns of ``plan``."""
    placed = [""] * len(sheet.columns)
    cells = [CELL[type(value)](value) for value in row.values.values()]
    for column, cell in zip(plan, (str(row.step), f"{row.time:.6f}", *cells)):
        placed[column] = cell
    if sheet.more is not None and sheet.more in plan:
        late = [key for key, column in zip(keys, plan[2:]) if column == sheet.more]
        placed[sheet.more] = more_of({as_read(key): row.values[key] for key in late})
    return line_of(placed)
