"""Keeps each content once, however many runs use it.

    LOG_ROOT/code/.store/<2 hex>/<sha256>     a file's content, read-only
    LOG_ROOT/code/.store/<2 hex>/<sha256>x    the same, of an executable file

A run's file and the stored one are hard links to each other. Deleting a run needs no care; what no run holds
any more has a link count of one. The store may be deleted at any time: the runs keep their files, later ones
start it anew. Where the file system has no hard links, each run gets plain copies and the store stays empty.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from rla_hooks.atomic import TEMPORARY_SUFFIX

STORE = ".store"
_IN_MEMORY = 32 * 2**20  # bytes; larger files are read in pieces
_PIECE = 2**20
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# Every stored file has this modification time (2000-01-01). Who edits a linked file in place, which root can,
# changes the time, too: the stored file is then no longer what its name says, and is not used again.
_UNTOUCHED = 946_684_800


class SourceError(OSError):
    """The file to be stored cannot be read. Trouble on the storing side is another OSError."""


class FileStore:
    """A content-addressed store. Its folder ``root`` is made when the first file comes.

    >>> store = FileStore(Path("rla_data/code/.store"))                   # doctest: +SKIP
    >>> store.put(Path("train.py"), Path("rla_data/code/run/train.py"))   # doctest: +SKIP
    1234
    """

    def __init__(self, root: str | os.PathLike[str]):
        self.root = Path(root)
        self._place = str(self.root)  # thousands of paths are made of it: text is several times faster

    def put(self, source: str | os.PathLike[str], target: str | os.PathLike[str]) -> int:
        """Make ``target`` a read-only copy of the regular file ``source``; returns its size in bytes.

        The folder of ``target`` must be there; a file at ``target`` is replaced. What is hashed is what is
        stored, even where the file changes meanwhile. The umask holds as for every new file. Raises
        SourceError where ``source`` is no readable regular file.
        """
        with _opened(source) as file:
            state = os.fstat(file.fileno())
            executable = bool(state.st_mode & 0o111)
            pieces = _pieces(file, source)
            if state.st_size > _IN_MEMORY:
                return self._put_pieces(pieces, os.fspath(target), executable)
            data = b"".join(pieces)
        self.put_bytes(data, target, executable)
        return len(data)

    def put_bytes(self, data: bytes, target: str | os.PathLike[str], executable: bool = False) -> None:
        """Make ``target`` a read-only file of ``data``, shared with every other one of the same content."""
        target = os.fspath(target)
        stored = self._stored(hashlib.sha256(data).hexdigest(), executable)
        if not (_is_sound(stored, len(data)) and _link(stored, target) == 0):
            self._put_pieces([data], target, executable)

    def _put_pieces(self, pieces: Iterable[bytes], target: str, executable: bool) -> int:
        digest = hashlib.sha256()
        size = 0
        copy = _beside(target)
        try:
            with open(os.open(copy, _NEW, 0o555 if executable else 0o444), "wb") as out:
                for piece in pieces:
                    digest.update(piece)
                    out.write(piece)
                    size += len(piece)
            with suppress(OSError):  # a file system that keeps no times still holds the content
                os.utime(copy, (_UNTOUCHED, _UNTOUCHED))
            os.replace(copy, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(copy)
            raise
        self._share(target, self._stored(digest.hexdigest(), executable), size)
        return size

    def _share(self, target: str, stored: str, size: int) -> None:
        """Bring the complete file ``target`` into the store, or share what another process brought."""
        problem = _link(target, stored, replace=False)
        if problem == errno.ENOENT:
            with suppress(OSError):  # the store saves space; where it cannot be written, the run has its copy
                os.makedirs(os.path.dirname(stored), exist_ok=True)
            problem = _link(target, stored, replace=False)
        if problem == errno.EEXIST:
            sound = _is_sound(stored, size)
            # A file can only have so many links (65,000 on ext4). The next runs then share a fresh one.
            if not sound or _link(stored, target) == errno.EMLINK:
                _link(target, stored)

    def _stored(self, digest: str, executable: bool) -> str:
        return os.path.join(self._place, digest[:2], digest + "x" * executable)


def _is_sound(stored: str, size: int) -> bool:
    try:
        state = os.lstat(stored)
    except OSError:
        return False
    return stat.S_ISREG(state.st_mode) and state.st_size == size and state.st_mtime == _UNTOUCHED


def _link(old: str, new: str, replace: bool = True) -> int:
    """Make ``new`` a hard link to ``old``. Returns 0 or the error's number; nothing is lost where it
    fails."""
    try:
        os.link(old, new)
        return 0
    except FileExistsError as error:
        if not replace:
            return error.errno or errno.EEXIST
    except OSError as error:
        return error.errno or errno.EIO
    between = _beside(new)
    try:
        os.link(old, between)
        os.replace(between, new)
        return 0
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        with suppress(OSError):  # a rename onto another link of the same file leaves both names
            os.unlink(between)


def _beside(path: str) -> str:
    """A temporary name in the folder of ``path``, as atomic.py makes them but without the cost of a Path."""
    return os.path.join(os.path.dirname(path), f".{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")


def _opened(source: str | os.PathLike[str]) -> BinaryIO:
    """A regular file, open for reading; never waits for a pipe's other end, never follows a link."""
    try:
        descriptor = os.open(source, _READ)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a regular file")
        return open(descriptor, "rb", buffering=0)
    except OSError as error:
        raise SourceError(error.errno, error.strerror, os.fspath(source)) from error


def _pieces(file: BinaryIO, source: str | os.PathLike[str]) -> Iterator[bytes]:
    while True:
        try:
            piece = file.read(_PIECE)
        except OSError as error:
            raise SourceError(error.errno, error.strerror, os.fspath(source)) from error
        if not piece:
            return
        yield piece
