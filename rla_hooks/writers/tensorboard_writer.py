"""tb/events.out.tfevents...: what TensorBoard shows."""

from __future__ import annotations

import itertools
import os
import socket
import time
from typing import Any

from rla_hooks.errors import WarnOnce
from rla_hooks.writers.appendfile import AppendFile
from rla_hooks.writers.base import Exhibit, Row, lock_of
from rla_hooks.writers.events import ScalarLayout, exhibit_record, file_version

_MAX_LAYOUTS = 256
_counter = itertools.count()
_open_files: dict[str, tuple[AppendFile, int]] = {}  # folder -> file and how many writers share it


class TensorBoardWriter:
    """Appends events to a file in ``folder``. Every time it is opened anew, it starts a further file.

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
        self._warn = WarnOnce()

    def write(self, row: Row | Exhibit) -> None:
        if isinstance(row, Row):
            data = self._scalars(row)
            if data is None:
                return
        else:
            data = exhibit_record(row)
        with self._lock:
            file = self._file or self._open()
            file.append(data)

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
            if self._file is not None:
                _release(self.folder, self._file)
            self._reset()

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.folder = state["folder"]
        self._reset()

    def _open(self) -> AppendFile:
        shared = _open_files.get(self.folder)
        if shared is None:
            shared = (_new_file(self.folder), 0)
        _open_files[self.folder] = (shared[0], shared[1] + 1)
        self._file = shared[0]
        return self._file


def _release(folder: str, file: AppendFile) -> None:
    shared, users = _open_files.get(folder, (None, 0))
    if shared is file and users > 1:
        _open_files[folder] = (file, users - 1)
        return
    if shared is file:
        del _open_files[folder]
    file.close()


def _new_file(folder: str) -> AppendFile:
    """Start an event file. Names sort by time, since TensorBoard reads the files of a folder in the order of names."""
    now = time.time_ns()
    name = f"events.out.tfevents.{now // 10**9:010d}.{socket.gethostname()}.{os.getpid()}.{now % 10**9:09d}{next(_counter)}"
    file = AppendFile(os.path.join(folder, name))
    try:
        file.append(file_version(now / 1e9))
    except OSError:
        file.close()
        raise
    return file
