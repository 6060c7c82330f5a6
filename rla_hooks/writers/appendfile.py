"""A file that only grows: every append is handed to the operating system whole, or not at all."""

from __future__ import annotations

import errno
import os

_LOOK_AGAIN = 0.1  # seconds after which the file may have been deleted or replaced


class AppendFile:
    """An open file for appending.

    One append is one ``write`` call on a descriptor in append mode: a process that is killed leaves the data whole.
    If the disk becomes full in the middle of a write, the part that was written is removed before OSError is raised.
    """

    def __init__(self, path: str):
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        flags |= getattr(os, "O_NONBLOCK", 0)  # a FIFO that lies there would wait for a reader; to a file it is nothing
        self._descriptor = -1
        self._descriptor = os.open(path, flags, 0o666)
        self._looked = 0.0
        self._gone = False

    def append(self, data: bytes) -> None:
        written = os.write(self._descriptor, data)
        if written != len(data):
            os.ftruncate(self._descriptor, self.size() - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def gone(self, now: float, look: bool = False) -> bool:
        """Whether the file was deleted or replaced, so that what is appended would be lost.

        now: seconds since 1970. The file system is asked at most ten times per second, since asking at every row would
        cost as much as writing it; look: ask in any case.
        """
        if look or not 0 <= now - self._looked < _LOOK_AGAIN:
            self._looked = now
            self._gone = os.fstat(self._descriptor).st_nlink == 0
        return self._gone

    def cut(self, size: int) -> None:
        """Cut the file to ``size`` bytes: drop the incomplete end that an interrupted write has left."""
        os.ftruncate(self._descriptor, size)

    def __del__(self) -> None:
        try:
            self.close()  # copies of a writer are seldom closed by hand
        except AttributeError:  # Python ends, and has let go of its modules; the system closes the file
            pass

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
