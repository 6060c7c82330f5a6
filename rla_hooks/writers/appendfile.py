"""A file that only grows: every append is handed to the operating system whole, or not at all."""

from __future__ import annotations

import errno
import os


class AppendFile:
    """An open file for appending.

    One append is one ``write`` call on a descriptor in append mode: a process that is killed leaves the data whole.
    Where the disk is full in the middle of a write, the part that was written is taken back before OSError is raised.
    """

    def __init__(self, path: str):
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o666)

    def append(self, data: bytes) -> None:
        written = os.write(self._descriptor, data)
        if written != len(data):
            os.ftruncate(self._descriptor, self.size() - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def replaced(self) -> bool:
        """Whether another file stands at the path by now (or none): what is appended here would be lost."""
        return os.fstat(self._descriptor).st_nlink == 0

    def cut(self, size: int) -> None:
        """Drop what stands beyond ``size`` bytes: the torn end of a write that never returned."""
        os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
