"""A file that only grows: every append is handed to the operating system whole, or not at all.

Ctrl-C or a signal handler that appends, too, may come between any two steps. So the numbers that belong together change
without a call in between: Python runs signal handlers only at calls and loops.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

_LOOK_AGAIN = 0.1  # seconds after which ``gone`` asks the system again
_LAST = 64 << 10
LOOK_AT_PATH = 0.02  # the same for ``is_as_left``
_lseek, _END = os.lseek, os.SEEK_END  # looked up once: they are used at every row
_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FLAGS |= getattr(os, "O_NONBLOCK", 0)  # somebody may have put a FIFO there


class AppendFile:
    """An open file for appending.

    One append is one ``write`` call on a descriptor in append mode: a process that is killed leaves the data whole.
    A write that the system cuts short is completed; where that fails, since the disk became full, the part that was
    written is removed before OSError is raised. Where even that fails, the next append begins with a newline.

    new: the file must not exist. Raises OSError, also for what is no regular file: a FIFO would block.
    """

    def __init__(self, path: str | os.PathLike[str], new: bool = False):
        self.path = os.fspath(path)
        self._descriptor = -1
        self._descriptor = os.open(self.path, _FLAGS | os.O_CREAT | (os.O_EXCL if new else 0), 0o666)
        status = os.fstat(self._descriptor)
        self._inode = status.st_ino
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OSError(errno.EINVAL, "it is no regular file", self.path)
        self.end = status.st_size  #: the size that the file has if nobody else changes it
        self._seen = self.end  # the size when the file was last seen at its path
        self._looked = 0.0
        self._gone = False
        self._torn = False  # part of an append stands at the end and could not be removed
        self.mended = False  #: whether such a part was made a line of its own, so that a blank one may be before it

    # --- append ---------------------------------------------------------------------------------------------------

    def append(self, data: bytes, now: float | None = None) -> bool:
        """Append ``data``, and return True. Raises OSError where it could not be written: nothing is in the file then.

        now: seconds since 1970, if nothing is to be appended, and False returned, unless the file :meth:`is_as_left`.
        """
        if now is not None:
            if 0 <= now - self._looked < LOOK_AT_PATH:  # as is_as_left, without the call
                end = self.end
                try:
                    if _lseek(self._descriptor, 0, _END) != end:
                        return False
                except OSError:
                    return False
            elif not self.look(now):
                return False
        if self._torn:
            data = b"\n" + data
            self.mended = True
        size = len(data)
        end = self.end = self.end + size  # before the write, so that it is right for a signal handler that appends
        try:
            written = os.write(self._descriptor, data)
            if written != size:
                self._complete(data, written, end)
        except BaseException:
            self._settle(end - size, end)
            raise
        self._torn = False
        return True

    def append_first(self, data: bytes) -> bool:
        """Append ``data`` if the file is empty, and return whether it was; see :meth:`append`."""
        if os.fstat(self._descriptor).st_size:
            return False
        size = len(data)
        if self.end:  # a signal handler was quicker
            return False
        self.end = size
        try:
            written = os.write(self._descriptor, data)
            if written != size:
                self._complete(data, written, size)
        except BaseException:
            self._settle(0, size)
            raise
        return True

    def _complete(self, data: bytes, written: int, end: int) -> None:
        """Write the rest of ``data``, of which the system has taken only a part."""
        while written < len(data):
            rest = data[written:]
            if self.end != end:  # a signal handler has appended, and has taken the part for a torn row
                self.append(data)
                return
            count = os.write(self._descriptor, rest)
            if count == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
            written += count

    def _settle(self, start: int, end: int) -> None:
        """After an error between ``start`` and ``end``: what was appended is whole, or is removed."""
        if self.end != end:  # a signal handler has appended since
            return
        with suppress(OSError):  # the error that has led here matters more
            if self.is_closed():
                self._descriptor, self._torn = -1, True
                return
            size = os.fstat(self._descriptor).st_size
            if size < end:
                self.end = size
                if size > start:
                    self._torn = True
                    os.ftruncate(self._descriptor, start)
                    self.end, self._torn = start, False

    def cut(self, size: int) -> None:
        """Cut the file to ``size`` bytes: drop the incomplete end that an interrupted write has left."""
        os.ftruncate(self._descriptor, size)
        self.end = size

    # --- what others do to the file -------------------------------------------------------------------------------

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def gone(self, now: float) -> bool:
        """Whether the file was deleted, moved away or closed by others, so that what is appended would be lost.

        Or it has a torn end. If its whole folder was moved, it is where it belongs.

        now: seconds since 1970. The file system is asked at most ten times per second, since asking at every row would
        cost as much as writing it.
        """
        if self._torn:
            return True
        if not 0 <= now - self._looked < _LOOK_AGAIN:
            self._looked, end = now, self.end
            self._gone = self._is_gone()
            if not self._gone:
                self._seen = end
        return self._gone

    def _is_gone(self) -> bool:
        try:
            held = os.fstat(self._descriptor)
        except OSError:
            return True
        if held.st_ino != self._inode:
            self._descriptor = -1
            return True
        if held.st_nlink == 0:
            return True
        try:
            return os.stat(self.path).st_ino != self._inode  # a resume has cut the run, and moved its files
        except OSError:
            return os.path.isdir(os.path.dirname(self.path))

    def is_closed(self) -> bool:
        """Whether the file is closed: by :meth:`close`, or since the program has closed all descriptors."""
        try:
            return os.fstat(self._descriptor).st_ino != self._inode
        except OSError:
            return True

    def is_as_left(self, now: float) -> bool:
        """Whether the file has the size that was left, and is still at its path.

        now: seconds since 1970. The path, which is the dearer part, is looked at once in 20 ms; what was
        appended meanwhile to a file that is not there any more, :meth:`unseen` returns.
        """
        if 0 <= now - self._looked < LOOK_AT_PATH:
            end = self.end  # before the call, after which a signal handler may append
            try:
                return _lseek(self._descriptor, 0, _END) == end
            except OSError:
                return False
        return self.look(now)

    def look(self, now: float) -> bool:
        """As :meth:`is_as_left`, and look in any case."""
        inode, end = self._inode, self.end
        try:
            held, there = os.fstat(self._descriptor), os.stat(self.path)
        except OSError:
            return False
        if self._inode != inode or self.end != end:  # a signal handler has come in between
            return self.look(now)
        if held.st_ino != inode:  # the program has closed all descriptors, and opened a file of its own
            self._descriptor = -1
            return False
        as_left = there.st_ino == inode and held.st_size == end
        if as_left:
            self._looked, self._seen = now, end
        return as_left

    def last_bytes(self, size: int) -> bytes:
        """Return the end of the file at the path: 64 KB, and ``size`` bytes more. Raises OSError."""
        with open(self.path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size - _LAST))
            return file.read()

    def unseen(self) -> bytes:
        """Return what was appended to a file that has been deleted or replaced, since it was last seen at its path."""
        try:
            held = os.fstat(self._descriptor)
            if held.st_ino != self._inode or held.st_size != self.end or self.is_at_path() or os.name == "nt":
                return b""
            return os.pread(self._descriptor, self.end - self._seen, self._seen)
        except OSError:
            return b""

    def take_unseen(self) -> bytes:
        """Return what :meth:`unseen` does, once: several writers may share the file."""
        data, self._seen = self.unseen(), self.end
        return data

    def is_at_path(self) -> bool:
        """Whether the file has been neither deleted nor replaced."""
        try:
            return os.stat(self.path).st_ino == self._inode
        except FileNotFoundError:
            return False

    def is_written_elsewhere(self) -> bool:
        """Whether this process has the file open for writing at a place of its own, as the loggers of others do."""
        try:
            import fcntl

            descriptors = [int(name) for name in os.listdir("/dev/fd")]
            ours = os.stat(self.path)
        except (ImportError, OSError, ValueError):
            return False
        for descriptor in descriptors:
            try:
                status, flags = os.fstat(descriptor), fcntl.fcntl(descriptor, fcntl.F_GETFL)
            except OSError:
                continue
            writes = flags & os.O_ACCMODE != os.O_RDONLY and not flags & os.O_APPEND
            if writes and stat.S_ISREG(status.st_mode) and os.path.samestat(status, ours):
                return True
        return False

    def take_place_of(self, old: AppendFile, size: int) -> bool:
        """Move this file to the path of ``old``, whose descriptor is one of this file from now on.

        So whoever is about to append to ``old``, such as the code that a signal handler has interrupted, appends to
        this file. Returns False, and does nothing, if the end of ``old`` is not ``size``. Raises OSError.
        """
        if os.name == "nt":  # which does not replace an open file, and has no such signal handlers
            self.close()
            old.close()
            os.replace(self.path, old.path)
            old.__init__(old.path)  # type: ignore[misc]
            return True
        if old.end != size:
            return False
        old._looked = 0.0  # a signal handler that comes before all of this is done finds another file at the path
        os.replace(self.path, old.path)
        os.dup2(self._descriptor, old._descriptor, inheritable=False)
        old._inode, old.end, old._seen = self._inode, self.end, self.end
        return True

    # --- end ------------------------------------------------------------------------------------------------------

    def __del__(self) -> None:
        try:
            self.close()  # copies of a writer are seldom closed by hand
        except AttributeError:  # Python ends, and has let go of its modules; the system closes the file
            pass

    def close(self) -> None:
        """Close the file. Its number is forgotten first: the next file that the program opens may get it.

        It may have got it already, if the program has closed all descriptors.
        """
        is_closed = self.is_closed()
        descriptor, self._descriptor = self._descriptor, -1
        if not is_closed:
            os.close(descriptor)
