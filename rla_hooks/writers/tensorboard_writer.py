"""tb/events.out.tfevents...: what TensorBoard shows."""

from __future__ import annotations

import itertools
import os
import socket
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from rla_hooks.errors import WarnOnce
from rla_hooks.locks import in_forked_child
from rla_hooks.patterns import pattern
from rla_hooks.writers.appendfile import AppendFile
from rla_hooks.writers.base import MediaEvent, Row, ValuesWriter, Written, lock_of
from rla_hooks.writers.events import START_RECORDS, ScalarLayout, file_start, media_record, whole_records

_MAX_LAYOUTS = 256
_TIME_IN_NAME = pattern(r"events\.out\.tfevents\.([0-9]{10})\.")  # seconds since 1970
_counter = itertools.count()
# folder -> the file that its writers share; it closes with the last of them
_open_files: weakref.WeakValueDictionary[str, AppendFile] = weakref.WeakValueDictionary()
in_forked_child(_open_files.clear)  # those of the parent


class TensorBoardWriter:
    """Appends events to a file in ``folder``. Each time it is opened again, it starts another file.

    Writers of one folder in one process share the file: TensorBoard follows the newest file of a folder only.
    """

    name = "tensorboard"

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = os.fspath(folder)
        self._warn = WarnOnce()
        self._reset()

    def _reset(self) -> None:
        self._lock = lock_of(self.folder)
        self._file: AppendFile | None = None
        self._layouts: dict[tuple[str, ...], ScalarLayout] = {}
        self._counted: Written | None = None  # what was found in the file the last time

    def write(self, row: Row | MediaEvent) -> bool:
        if isinstance(row, Row):
            layout, data = self._layouts.get(row.keys), None
            if layout is not None:
                with suppress(TypeError):  # there is a text now
                    data = layout.record(row.step, row.time, [*row.values.values()])
            if data is None:
                data = self._scalars(row)
            if data is None:
                return False
        else:
            data = media_record(row)
        with self._lock:
            file = self._file
            if file is None or file.gone(row.time):
                return self._append_to_another(data, row.time)
            file.append(data)
        return True

    def values_writer(self, keys: tuple[str, ...], types: Sequence[type]) -> ValuesWriter:
        """Return a function that writes a row with these keys and types of values, as :meth:`write` does."""
        record = self._numbers_record(keys, types) if str in types else self._layout(keys).record
        if {*types} == {str}:
            return lambda step, time, values: False

        def write(step: int, time: float, values: list[Any]) -> bool:
            data = record(step, time, values)
            with self._lock:
                file = self._file
                if file is None or file.gone(time):
                    return self._append_to_another(data, time)
                file.append(data)
            return True

        return write

    def _numbers_record(self, keys: tuple[str, ...], types: Sequence[type]) -> Callable[[int, float, list[Any]], bytes]:
        """Return a function that makes the record of a row whose texts are left out."""
        is_number = [kind is not str for kind in types]
        record = self._layout(tuple(itertools.compress(keys, is_number))).record
        return lambda step, time, values: record(step, time, [*itertools.compress(values, is_number)])

    def _scalars(self, row: Row) -> bytes | None:
        """Return the record of a row that may have texts; None if there is nothing else."""
        numbers: dict[str, Any] = {key: value for key, value in row.values.items() if type(value) is not str}
        if not numbers:  # texts stay in the csv file and on the console
            return None
        keys = row.keys if len(numbers) == len(row.keys) else tuple(numbers)
        return self._layout(keys).record(row.step, row.time, [*numbers.values()])

    def _layout(self, keys: tuple[str, ...]) -> ScalarLayout:
        """Return how a row of these keys is written, and remember it."""
        layout = self._layouts.get(keys)
        if layout is None:
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[keys] = ScalarLayout(keys)
        return layout

    def written(self) -> Written | None:
        """Return how far the event file has come, media included; None while it is not open. Raises OSError.

        What has come since the last call is read.
        """
        with self._lock:
            file = self._file
            if file is None:
                return None
            before = self._counted
            with open(file.path, "rb") as held:
                if before is not None and before.path == file.path:
                    rows = before.rows
                    held.seek(before.bytes)
                else:
                    rows = -START_RECORDS
                rows += whole_records(held)
                self._counted = Written(file.path, rows, held.tell())
            return self._counted

    def has_written(self, row: Row) -> bool:
        """Whether the row is among the last ones of the open file: Ctrl-C may come right after it was written."""
        with self._lock:
            data = None if self._file is None else self._scalars(row)
            return data is not None and self._file is not None and data in self._file.last_bytes(len(data))

    def close(self) -> None:
        with self._lock:
            self._reset()

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["folder"])  # type: ignore[misc]

    def _append_to_another(self, data: bytes, now: float) -> bool:
        """Append to another file than before: none is open, or it is gone."""
        before = self._file
        file = self._open(now)
        file.append((before.take_unseen() if before is not None else b"") + data)
        if before is not None and before.is_closed():
            self._warn(
                "closed",
                f"the program has closed {before.path}, which TensorBoardWriter had open; the events from now on are "
                f"in {os.path.basename(file.path)}. Those of the tenth of a second before may be missing.",
            )
        return True

    def _open(self, now: float) -> AppendFile:
        file = _open_files.get(self.folder)
        if file is None or file.gone(now):
            file = _open_files[self.folder] = _new_file(self.folder)
        self._file = file
        return file


def _new_file(folder: str) -> AppendFile:
    """Start an event file."""
    now = time.time_ns()
    file = AppendFile(os.path.join(folder, new_name(folder, now)), new=True)
    try:
        file.append(file_start(now / 1e9))
        file.gone(now / 1e9)  # so that the start is none of what was not seen at its path
    except OSError:
        file.close()
        os.unlink(file.path)
        raise
    return file


def new_name(folder: str, now: int) -> str:
    """Return a name for a new event file at this time, in nanoseconds.

    TensorBoard reads the files of a folder in the order of their names, which is that of their times. So the name
    comes after those that are there, also if a clock was set back since.
    """
    second, nanosecond = divmod(now, 10**9)
    with suppress(OSError):
        newest = max(filter(_TIME_IN_NAME.match, os.listdir(folder)), default="")
        if newest > _name(second, nanosecond):
            second, nanosecond = int(newest.split(".")[3]) + 1, 0
    return f"{_name(second, nanosecond)}.{socket.gethostname()}.{os.getpid()}.{next(_counter)}"


def _name(second: int, nanosecond: int) -> str:
    return f"events.out.tfevents.{second:010d}.{nanosecond:09d}"
