"""Lets the system write the files of a state to the disk while the next ones are made, and syncs them all at the end.

A sync of each file as soon as it is complete takes twice as long: each waits for the disk's journal. Where the bytes of
all files are on the disk before the first sync, that one waits, and the others find nothing left to do.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from rla_hooks import atomic

STEP = 16 << 20  # bytes of a large file after which it is worth to begin
_BEGIN, _WAIT = 2, 7  # of sync_file_range: to begin to write, to wait until all is written
_NOT_HERE = (errno.ENOSYS, errno.EINVAL, errno.ESPIPE, errno.EBADF)


class Syncing:
    """The files of one state that is being written; :meth:`close` ends the thread."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._files: dict[Path, None] = {}

    def begin(self, path: Path) -> None:
        """Let the system begin with what is in a file now, in a thread: where much waits already, it may block."""
        self._files[path] = None
        if _sync_file_range is None:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "writes a state to the disk")
        with suppress(RuntimeError):  # the interpreter ends, and starts no threads any more
            self._pool.submit(_write_back, path, _BEGIN)

    def finish(self) -> None:
        """Sync all files. Raises OSError."""
        for path in self._files:
            _write_back(path, _WAIT)
        for path in self._files:
            atomic.fsync(path)
        self._files.clear()

    def close(self) -> None:
        """End the thread; what it has not begun is left."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _write_back(path: Path, how: int) -> None:
    """Begin to write a file to the disk, or wait for that. Raises OSError: a sync does not tell it a second time."""
    if _sync_file_range is None:
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if _sync_file_range(descriptor, 0, 0, how) and ctypes.get_errno() not in _NOT_HERE:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(descriptor)


def _found() -> Callable[[int, int, int, int], int] | None:
    """Return the function of Linux, for which Python has none; None on other systems."""
    try:
        function = ctypes.CDLL(None, use_errno=True).sync_file_range
    except (AttributeError, OSError, TypeError):
        return None
    function.argtypes = ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint
    return function


_sync_file_range = _found()
