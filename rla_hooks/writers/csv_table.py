"""An open progress.csv: its columns, and what happens when it is opened, gets a column, or is changed by somebody.

What stands in the file is the truth. A :class:`Sheet` is only what is known about it, and is made anew from the file
where the two differ; a new one takes the place of the old one in one step. So Ctrl-C, a signal handler that logs, or an
error may come at any moment.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Sequence
from pathlib import Path

from rla_hooks.atomic import sweep, temporary_in
from rla_hooks.writers.appendfile import AppendFile
from rla_hooks.writers.base import STEP, TIME, Written
from rla_hooks.writers.csv_count import Hint, RowCount
from rla_hooks.writers.csv_format import (
    MORE,
    as_read,
    cells_of,
    ends_inside,
    line_of,
    lines_of,
    quoted,
    read_header,
    row_starts,
    whole_rows,
)
from rla_hooks.writers.destination import Destination, set_aside

_MAX_PLANS = 256  # sets of keys that are remembered; more would be a leak, and is met by planning again
_MAX_COPIES = 256  # of a file, for late keys; then further ones share a column: else copying would never end
_TAIL = 64 << 10, 64 << 20  # bytes from the end that hold the last row: at first, and at most
_ANOTHER = "another program"
Plan = list[int] | tuple[bytes, bytes]


class Sheet:
    """A file and its columns.

    plans: how a row with these keys is written. Where its values fill columns that follow each other, in order, the end
    of its line and what stands between the time and the values: the commas of the others, which are empty. Else the
    column of each cell.

    more: the column that holds the values of late keys as JSON, once there are too many of them; else None.
    """

    __slots__ = ("columns", "file", "more", "plans")

    def __init__(self, file: AppendFile, columns: Sequence[str]):
        self.file = file
        self.columns = {name: index for index, name in enumerate(columns)}
        self.more = self.columns.get(MORE)
        self.plans: dict[tuple[str, ...], Plan] = {}

    def plan(self, names: Sequence[str]) -> Plan:
        columns = [at for name in names if (at := self.columns.get(name, self.more)) is not None]
        assert len(columns) == len(names)
        first, width = columns[2] if len(columns) > 2 else 2, len(columns) - 2
        if first >= 2 and columns == [0, 1, *range(first, first + width)] and self.more not in columns:
            return b"," * (len(self.columns) - first - width) + b"\n", b"," * (first - 2)
        return columns


class Table(Destination):
    """The progress.csv of a run, or the file of this process beside it; ``open`` is its Sheet."""

    def __init__(self, base: str, own: bool):
        super().__init__(base, own)
        self._copies = 0  # of the present file
        self._silent = False  # whether it was us who has replaced the file
        self.news: dict[str, str] = {}  # what is to be told, by kind, once the row is written
        self._count = RowCount()
        self._hint: Hint | None = None

    # --- open -----------------------------------------------------------------------------------------------------

    def opened(self) -> Sheet:
        """Open the file, or open it again since it is not as it was left, and return what it holds. Raises OSError."""
        before: Sheet | None = self.open
        sheet = self._at_path() or Sheet(self.create_beside(), ())
        if before is not None:
            sheet = self._with_unseen_rows(before, sheet)
            if not self._silent and _ANOTHER not in self.news:
                self._tell_change(sheet)
        return self._become(before, sheet)

    def _become(self, before: Sheet | None, sheet: Sheet) -> Sheet:
        """Go on with ``sheet``, unless a signal handler has opened another one meanwhile."""
        if self.open is before:
            self.open, self.path, self._silent = sheet, sheet.file.path, False
        now: Sheet = self.open
        return now

    def _at_path(self) -> Sheet | None:
        """Open the file at the path; return None where this process needs another one."""
        if self.path is None:
            return None
        try:
            return Sheet(AppendFile(self.path, new=True), ())
        except FileExistsError:
            pass
        try:
            file = AppendFile(self.path)
        except FileNotFoundError:
            raise  # the folder is gone, or a link leads nowhere
        except OSError:  # a FIFO, a folder, or the file of another user
            self._left_to_others("cannot be opened for writing")
            return None
        sweep(Path(self.path).parent)
        columns = None if file.is_written_elsewhere() else self._columns_of(file)
        if columns is None:
            self._left_to_others("is written by another program")
            return None
        return Sheet(file, columns)

    def _columns_of(self, file: AppendFile) -> Sequence[str] | None:
        """Return the columns of an existing file, and set aside a torn end. None: the file is another program's."""
        with open(file.path, "rb") as old:
            header = read_header(old)
            columns = cells_of(header)
            if (header and not {STEP, TIME} <= set(columns)) or len(set(columns)) < len(columns):
                return None
            starts = row_starts(columns)
            size, most = _TAIL
            while True:
                at = max(len(header), file.end - size)
                old.seek(at)
                data = old.read(file.end - at)
                if at > len(header):
                    data = data[data.find(b"\n") + 1 :]
                whole = whole_rows(data, starts)
                if whole == len(data) or at == len(header) or size >= most or any(map(starts, data.splitlines())):
                    break
                size = min(size * 8, most)
        torn = data[whole:] if header else data
        if not header and torn.strip(b"\0") and not torn.startswith(STEP.encode()[: len(torn)]):
            return None
        if torn and starts(torn) and _is_row(torn, len(columns)):
            file.append(b"\n")  # an editor has left it out
        elif torn:
            self._note("torn", set_aside(file, torn))
        return columns

    def _left_to_others(self, why: str) -> None:
        self._note(
            _ANOTHER,
            f"{self.path} {why}: the rows of this run go to a file beside it, and metrics() reads both. "
            "Give other loggers a folder of their own.",
        )

    def _with_unseen_rows(self, before: Sheet, sheet: Sheet) -> Sheet:
        """Add the rows that were written to the old file when it was not at the path any more."""
        rows = before.file.unseen()
        rows = rows[len(read_header(io.BytesIO(rows))) :]  # the first one was written right after it had been seen
        return self._with_rows(sheet, before, rows) if rows else sheet

    def _with_rows(self, sheet: Sheet, before: Sheet, rows: bytes) -> Sheet:
        """Add rows of an old file that are missing: whoever has replaced it may have read some of them before."""
        columns = list(before.columns)
        if sheet.columns and list(sheet.columns)[: len(columns)] != columns:
            sheet = Sheet(self.create_beside(), ())
        if not sheet.columns:
            sheet.file.append_first(line_of(map(quoted, columns)))
            sheet = Sheet(sheet.file, columns)
        with open(sheet.file.path, "rb") as new:
            new.seek(max(0, sheet.file.end - len(rows) - _TAIL[0]))
            held = new.read()
        sheet.file.append(b"".join(line for line in lines_of(rows) if line not in held))
        return sheet

    def rescue(self, sheet: Sheet, row: bytes) -> None:
        """Keep a row that went to the file of ``sheet`` while a signal handler has found that this one is gone."""
        now: Sheet | None = self.open
        if now is not None and now.file is not sheet.file and not sheet.file.is_at_path():
            self._become(now, self._with_rows(now, sheet, row))

    def _tell_change(self, sheet: Sheet) -> None:
        self._note(
            "changed",
            f"{self.path} was deleted, replaced or changed by somebody; the rows from now on are in "
            f"{os.path.basename(sheet.file.path)}.",
        )

    def _note(self, kind: str, message: str) -> None:
        self.news[kind] = message

    def tell(self) -> None:
        """Warn once about each kind of news."""
        while self.news:
            kind, message = self.news.popitem()
            self.warn(kind, message)

    def closed(self) -> None:
        """Close the file, once nobody uses it any more: a signal handler may come here in the middle of a row."""
        if self.open is not None and self.open.file.unseen():
            self.opened()
        self.open = None
        self._count.forget()

    def written(self) -> Written | None:
        """Return how far the open file has come. Raises OSError."""
        sheet: Sheet | None = self.open
        if sheet is None:
            return None
        return self._count.count(sheet.file.path, sheet.plans, self._hint, is_ours=not sheet.file.mended)

    def position(self, hint: Hint | None) -> Written | None:
        """As :meth:`written`; also of a closed file, if it is this process's."""
        self._hint = hint
        if self.open is None:
            return None if self.path is None else self._count.count_closed(self.path, hint)
        return self.written()

    # --- columns --------------------------------------------------------------------------------------------------

    def planned(self, keys: tuple[str, ...]) -> tuple[Sheet, Plan]:
        """Return the sheet with columns for these keys, and how a row is written. Raises OSError."""
        names = (STEP, TIME, *map(as_read, keys))
        while True:
            sheet: Sheet = self.open or self.opened()
            late = [name for name in dict.fromkeys(names) if name not in sheet.columns]
            if not late or sheet.more is not None:
                break
            self._widen(sheet, late, names)
        plan = sheet.plan(names)
        if len(sheet.plans) >= _MAX_PLANS:
            sheet.plans.clear()
        sheet.plans[keys] = plan
        return sheet, plan

    def _widen(self, sheet: Sheet, late: Sequence[str], names: Sequence[str]) -> None:
        """Add columns to the header; the caller looks whether they are there."""
        file = sheet.file
        if file.end == 0:
            if file.append_first(line_of(map(quoted, late))):
                self._become(sheet, Sheet(file, late))
        elif not file.look(0.0):
            self.opened()
        else:
            try:
                self._copy_with(sheet, late if self._copies < _MAX_COPIES else [MORE])
            except OSError:  # no room for a copy: there may be some for a row
                self._go_on_beside(sheet, names)

    def _go_on_beside(self, sheet: Sheet, names: Sequence[str]) -> None:
        """Go on in a further file, which has only the columns that are needed."""
        columns = list(dict.fromkeys(names))
        file = self.create_beside()
        try:
            file.append(line_of(map(quoted, columns)))
        except BaseException:
            os.unlink(file.path)
            raise
        self._copies = 0
        self._become(sheet, Sheet(file, columns))

    def _copy_with(self, sheet: Sheet, late: Sequence[str]) -> None:
        """Copy the rows behind a longer header, byte for byte, and replace the file."""
        file, size = sheet.file, sheet.file.end
        with open(file.path, "rb") as old:
            header = read_header(old)
            columns = cells_of(header)
            if columns[: len(sheet.columns)] != list(sheet.columns):
                raise _changed(file)
            columns += [name for name in late if name not in columns]
            longer = line_of(map(quoted, columns))
            _check_room(file.path, size)
            with temporary_in(Path(file.path).parent) as temporary:
                new = AppendFile(temporary, new=True)
                new.append(longer)
                while data := old.read(1 << 20):
                    new.append(data)
                self._copies += 1
                self._silent = True
                if file.end == size and new.end != size + len(longer) - len(header):
                    raise _changed(file)
                if new.take_place_of(file, size):
                    wider = self._become(sheet, Sheet(file, columns))
                    self._count.moved(sheet.plans, wider.plans, len(longer) - len(header))
                new.close()


def _changed(file: AppendFile) -> OSError:
    return OSError(errno.ESTALE, "it was changed by somebody while it was copied", file.path)


def _check_room(path: str, size: int) -> None:
    """Raise OSError if there is no room for a copy: trying it at every row would fill the disk each time."""
    if hasattr(os, "statvfs"):
        disk = os.statvfs(path)
        if disk.f_bavail * disk.f_frsize < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def _is_row(data: bytes, width: int) -> bool:
    """Whether the end of a file without a newline is a whole row: one that was written has a cell for each column."""
    return not ends_inside(data, False) and b"\r" not in data and b"\0" not in data and len(cells_of(data)) == width
