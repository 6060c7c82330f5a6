"""tb/events.out.tfevents...: what TensorBoard shows."""

from __future__ import annotations

import itertools
import os
import socket
import time
import weakref
from typing import Any

from rla_hooks.locks import in_forked_child
from rla_hooks.writers.appendfile import AppendFile
from rla_hooks.writers.base import MediaEvent, Row, lock_of
from rla_hooks.writers.events import ScalarLayout, file_version, media_record

_MAX_LAYOUTS = 256
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
        self._reset()

    def _reset(self) -> None:
        self._lock = lock_of(self.folder)
        self._file: AppendFile | None = None
        self._layouts: dict[tuple[str, ...], ScalarLayout] = {}

    def write(self, row: Row | MediaEvent) -> bool:
        if isinstance(row, Row):
            data = self._scalars(row)
            if data is None:
                return False
        else:
            data = media_record(row)
        with self._lock:
            file = self._file
            if file is None or file.gone(row.time):
                file = self._open(row.time)
            file.append(data)
        return True

    def _scalars(self, row: Row) -> bytes | None:
        values = row.values
        if str in map(type, values.values()):  # strings stay in the csv file and on the console
            values = {key: value for key, value in values.items() if type(value) is not str}
            if not values:
                return None
        keys = tuple(values)
        layout = self._layouts.get(keys)
        if layout is None:
            if len(self._layouts) >= _MAX_LAYOUTS:
                self._layouts.clear()
            layout = self._layouts[keys] = ScalarLayout(keys)
        return layout.record(row.step, row.time, list(values.values()))  # type: ignore[arg-type]

    def close(self) -> None:
        with self._lock:
            self._reset()

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.folder = state["folder"]
        self._reset()

    def _open(self, now: float) -> AppendFile:
        file = _open_files.get(self.folder)
        if file is None or file.gone(now):
            file = _open_files[self.folder] = _new_file(self.folder)
        self._file = file
        return file


def _new_file(folder: str) -> AppendFile:
    """Start an event file. Names sort by time, since TensorBoard reads the files of a folder in the order of names."""
    now = time.time_ns()
    second, nanosecond = divmod(now, 10**9)
    name = f"{second:010d}.{nanosecond:09d}.{socket.gethostname()}.{os.getpid()}.{next(_counter)}"
    file = AppendFile(os.path.join(folder, f"events.out.tfevents.{name}"), new=True)
    try:
        file.append(file_version(now / 1e9))
    except OSError:
        file.close()
        os.unlink(file.path)
        raise
    return file
