"""Stores files with the same content once, however many runs use them.

    LOG_ROOT/code/.store/<sha256>     a file's content, read-only
    LOG_ROOT/code/.store/<sha256>x    the same, of an executable file
    LOG_ROOT/code/.store/<sha256>-400 the same, of a private file: copies may be read by whom the original may be

A run's file and the stored file are hard links to the same data. A run can be deleted like any folder; a stored
file that no run uses any more has a link count of one, and ``rla gc`` removes it. The store may be deleted at any time:
the runs keep their files, and later runs create it again. On a file system without hard links, each run gets plain
copies and the store stays empty.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from rla_hooks.atomic import TEMPORARY_SUFFIX
from rla_hooks.layout import CODE

STORE = ".store"
_IN_MEMORY = 32 * 2**20  # bytes; larger files are read in pieces
_PIECE = 2**20
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class SourceError(OSError):
    """The file to be stored cannot be read. Trouble on the storing side is another OSError."""


class FileStore:
    """A content-addressed store. Its folder ``root`` is made when the first file comes.

    >>> store = FileStore.of("rla_data")                                  # doctest: +SKIP
    >>> store.put(Path("train.py"), Path("rla_data/code/run/train.py"))   # doctest: +SKIP
    1234
    """

    def __init__(self, root: str | os.PathLike[str]):
        self.root = Path(root)
        self._place = str(self.root)  # thousands of paths are made of it: text is several times faster

    @classmethod
    def of(cls, log_root: str | os.PathLike[str]) -> FileStore:
        """The store that all runs of a log root share."""
        return cls(Path(log_root) / CODE / STORE)

    def put(
        self,
        source: str | os.PathLike[str],
        target: str | os.PathLike[str],
        kept: Callable[[bytes], bytes] = lambda data: data,
        ask_always: bool = False,
    ) -> int:
        """Make ``target`` a read-only copy of the regular file ``source``; returns its size in bytes.

        The folder of ``target`` must be there; a file at ``target`` is replaced. What is hashed is what is
        stored, even where the file changes meanwhile. The permissions are those of ``source`` without writing, and the
        umask holds as for every new file. ``kept``: returns what is stored of a file's content; unless ``ask_always``,
        content that is in the store already is not asked about again, which takes longer than all else. Raises
        SourceError where ``source`` is no readable regular file, and what ``kept`` raises.
        """
        descriptor, state = _opened(source)
        try:
            mode = readable(state.st_mode)
            pieces = _pieces(descriptor, state.st_size, source)
            if state.st_size > _IN_MEMORY:
                return self._write(pieces, os.fspath(target), mode)
            data = b"".join(pieces)
        finally:
            os.close(descriptor)
        stored, target = self._stored(_sha256(data), mode), os.fspath(target)
        with suppress(FileExistsError):
            if not ask_always and _shares(stored, target, len(data)):
                return len(data)
        changed = kept(data)
        stored = stored if changed is data else self._stored(_sha256(changed), mode)
        self._put(changed, stored, target, mode)
        return len(changed)

    def put_bytes(self, data: bytes, target: str | os.PathLike[str], mode: int = 0o444) -> None:
        """Make ``target`` a read-only file of ``data``, shared with every other one of the same content and mode."""
        self._put(data, self._stored(_sha256(data), mode), os.fspath(target), mode)

    def _put(self, data: bytes, stored: str, target: str, mode: int) -> None:
        with suppress(FileExistsError):
            if _shares(stored, target, len(data)):
                return
        self._write([data], target, mode)

    def _write(self, pieces: Iterable[bytes], target: str, mode: int) -> int:
        """Write ``target`` itself, which no other process does, and bring it into the store once it is whole."""
        import hashlib

        digest = hashlib.sha256()
        size = 0
        try:
            descriptor = os.open(target, _NEW, mode)
        except FileExistsError:
            os.unlink(target)
            descriptor = os.open(target, _NEW, mode)
        try:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                while piece:
                    piece = piece[os.write(descriptor, piece) :]
        except BaseException:
            with suppress(OSError):
                os.unlink(target)
            raise
        finally:
            os.close(descriptor)
        self._publish(target, self._stored(digest.hexdigest(), mode), size)
        return size

    def _publish(self, target: str, stored: str, size: int) -> None:
        """Store the whole file ``target``. The store only saves space: without it the run has its own copy."""
        try:
            try:
                os.link(target, stored)
            except FileNotFoundError:
                os.makedirs(self._place, exist_ok=True)
                os.link(target, stored)
        except FileExistsError:
            with suppress(OSError):
                between = os.path.join(os.path.dirname(target), f".{os.urandom(16).hex()}{TEMPORARY_SUFFIX}")
                if _shares(stored, between, size):  # another process was first
                    os.replace(between, target)
                else:
                    # Damaged, or it has all the links a file can have (65,000 on ext4): runs now share this one.
                    os.unlink(stored)
                    os.link(target, stored)
        except OSError:
            pass

    def _stored(self, digest: str, mode: int) -> str:
        return os.path.join(self._place, digest + {0o444: "", 0o555: "x"}.get(mode, f"-{mode:03o}"))


def readable(mode: int) -> int:
    """The permissions of a copy: those of the original without writing, and reading for its owner.

    >>> oct(readable(0o100644)), oct(readable(0o100600)), oct(readable(0o100755))
    ('0o444', '0o400', '0o555')
    """
    return mode & 0o555 | 0o400


def _sha256(data: bytes) -> str:
    import hashlib  # late: it loads OpenSSL

    return hashlib.sha256(data).hexdigest()


def _shares(stored: str, target: str, size: int) -> bool:
    """Make ``target`` a link to a stored file of ``size`` bytes; False where there is no such file or no link.

    Raises FileExistsError where there is a file at ``target``.
    """
    try:
        os.link(stored, target)
    except FileExistsError:
        raise
    except OSError:
        return False
    state = os.lstat(target)
    if stat.S_ISREG(state.st_mode) and state.st_size == size:
        return True
    os.unlink(target)  # a power failure can leave a file shorter than its name promises
    return False


def _opened(source: str | os.PathLike[str]) -> tuple[int, os.stat_result]:
    """A regular file, open for reading; never waits for a pipe's other end, never follows a link."""
    try:
        descriptor = os.open(source, _READ)
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a regular file")
        return descriptor, state
    except OSError as error:
        raise SourceError(error.errno, error.strerror, os.fspath(source)) from error


def _pieces(descriptor: int, size: int, source: str | os.PathLike[str]) -> Iterator[bytes]:
    """All that can be read of a file that said to have ``size`` bytes."""
    length = min(size + 1, _PIECE)  # one more than expected, so that mostly one call tells that this was all
    while True:
        try:
            piece = os.read(descriptor, length)
        except OSError as error:
            raise SourceError(error.errno, error.strerror, os.fspath(source)) from error
        yield piece
        size -= len(piece)
        if not piece or (len(piece) < length and size <= 0):
            return
