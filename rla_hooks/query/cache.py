"""Files that keep what was read once: caches, which anybody may delete at any moment, and which rebuild themselves.

    $XDG_CACHE_HOME/rla_hooks/index-<hash>.sqlite       what the small files of the runs of a log root say
                              columns-<hash>.sqlite     columns of their rows

There is one of each kind for each user, host, real log root and version of its tables; $XDG_CACHE_HOME is ~/.cache
where it is not set. Nothing is ever written into the log root. Files that were not used for 90 days are removed.

SQLite's rollback journal is used, not its WAL: so a cache is one file, works where the home is on a network disk, and
other processes that have it open go on well when it is deleted. A transaction locks readers out only while it commits.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from rla_hooks.errors import WarnOnce
from rla_hooks.locks import in_forked_child, locked
from rla_hooks.query import database
from rla_hooks.query.database import Kind, connect, is_busy, is_damage, transaction
from rla_hooks.texts import shell_path

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_KEPT = 90 * 86400.0  # seconds a file is kept that nobody uses
_FILE = re.compile(r"[a-z]+-[0-9a-f]{32}\.sqlite(-journal)?")


class Cache:
    """A cache of one kind for one log root. All threads of the process share it; a forked child opens its own.

    ``in_memory``: whether the file could not be used, for which there was a warning.
    """

    def __init__(self, kind: Kind, path: Path | None):
        self.kind = kind
        self.path = path
        self.in_memory = path is None
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._lock = threading.RLock()

    def read(self, work: Work[T]) -> T:
        """Return ``work(connection)``. A cache that is busy for too long is empty for this once.

        Damage that ``work`` finds (any ``sqlite3.Error``; it may raise ``sqlite3.DatabaseError`` itself for content
        that makes no sense) empties the cache, and ``work`` is called again.
        """
        try:
            return self._use(work, "BEGIN")
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
        with closing(connect(":memory:", self.kind)) as empty:
            return work(empty)

    def write(self, work: Work[object]) -> bool:
        """Call ``work(connection)`` in one transaction; return whether it was stored.

        It is not while another process writes for too long. What ``work`` raises rolls all back.
        """
        try:
            self._use(work, "BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if is_busy(error):
                return False
            raise
        return True

    def size(self) -> int:
        """Return the bytes in use. What was deleted does not count: its place is used again."""

        def pages(connection: sqlite3.Connection) -> int:
            one = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _PAGES]
            return int((one[0] - one[1]) * one[2])

        return self.read(pages)

    def close(self) -> None:
        """Close the file. The next use opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _use(self, work: Work[T], begin: str) -> T:
        with self._lock:
            for last in (False, False, True):
                try:
                    with transaction(self._opened(), begin) as connection:
                        return work(connection)
                except sqlite3.Error as error:
                    if is_busy(error) or (last and self.in_memory):
                        raise
                    self._mend(error, last)
            self.close()  # in memory now, and empty
            with transaction(self._opened(), begin) as connection:
                return work(connection)

    def _mend(self, error: sqlite3.Error, last: bool) -> None:
        """Make the next try a better one: on the file opened again, on a new one where it is damaged, in memory."""
        self.close()
        if self.in_memory or self.path is None:
            return
        if is_damage(error):
            with suppress(OSError), _alone(self.path.parent):
                _remove(self.path)
        if last:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.in_memory = True
        assert self.path is not None
        _tell(f"{shell_path(self.path)} cannot be used: {getattr(error, 'strerror', None) or error}")

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and not self.in_memory and self._inode != _inode_of(self.path):
            self.close()  # somebody has deleted the file
        if self._connection is None and not self.in_memory:
            assert self.path is not None
            try:
                self._connection = self._open(self.path)
            except OSError as error:
                self._give_up(error)
        if self._connection is None:
            self._connection = connect(":memory:", self.kind)
        return self._connection

    def _open(self, path: Path) -> sqlite3.Connection:
        """Open or make the file. Nobody may remove a damaged one of this name meanwhile: hence the lock."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.parent.stat()
        if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
            raise PermissionError(None, "the folder belongs to another user")
        if os.name == "posix" and status.st_mode & 0o077:
            with suppress(OSError):  # somebody has made it by hand: what stands in private runs is not for all
                path.parent.chmod(0o700)
        with _alone(path.parent):
            is_new = not path.exists()
            connection = connect(str(path), self.kind)
            self._inode = _inode_of(path)
            with suppress(OSError):
                os.utime(path)
                if is_new:
                    _sweep(path.parent)
        return connection


_PAGES = "page_count", "freelist_count", "page_size"
_caches: dict[tuple[str, Path | None], Cache] = {}
_of_parent: list[object] = []  # open files of the process that this one was forked from: never closed here
_lock = threading.Lock()
_warn = WarnOnce()


def open_cache(root: str | os.PathLike[str], kind: Kind) -> Cache:
    """Return the cache of this kind for a log root. Links to the same folder share one.

    Where its file cannot be written, the cache is one in memory, and the process is told so once.

    >>> import tempfile
    >>> kind = Kind("demo", 1, "CREATE TABLE seen (name BLOB PRIMARY KEY)")
    >>> with tempfile.TemporaryDirectory() as root:
    ...     cache = open_cache(root, kind)
    ...     _ = cache.write(lambda db: db.execute("INSERT INTO seen VALUES (?)", [b"a"]))
    ...     cache.read(lambda db: db.execute("SELECT * FROM seen").fetchall())
    [(b'a',)]
    """
    real = os.path.realpath(root)
    parts = [os.fsencode(real), socket.gethostname().encode(), str(_user()).encode(), f"{kind.version}".encode()]
    name = f"{kind.name}-{hashlib.sha256(b'/'.join(parts)).hexdigest()[:32]}.sqlite"
    folder = cache_folder()
    path = None if folder is None else folder / name
    with _lock:
        return _caches.setdefault((name, path), Cache(kind, path))


def cache_folder() -> Path | None:
    """The folder of the caches; None where there is no home folder to have it in."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        top = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
    except RuntimeError:
        _tell("this user has no home folder")
        return None
    return top / "rla_hooks"


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _tell(trouble: str) -> None:
    _warn(
        "cache",
        f"What was read of the runs cannot be kept for the next process: {trouble}. It is kept in memory, and every "
        "process reads the files of all runs again. Allowed: a folder of yours with room on a local disk. "
        "Set the variable XDG_CACHE_HOME to one.",
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Open and remove no file in the folder while another process does."""
    file = folder / "lock"
    with suppress(OSError):  # a disk that can only be read
        file.touch(mode=0o600)
    with locked(file, timeout=database.BUSY):
        yield


def _remove(path: Path) -> None:
    # The journal first: it would be played back into a new file of this name.
    for each in (path.with_name(path.name + "-journal"), path):
        each.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove the files of log roots, and of versions of rla_hooks, that nobody uses any more."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if _FILE.fullmatch(entry.name) and time.time() - entry.stat().st_mtime > _KEPT:
                _remove(Path(entry.path.removesuffix("-journal")))


def _inode_of(path: Path | None) -> tuple[int, int] | None:
    try:
        status = os.stat(path) if path is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_dev, status.st_ino)


def forget_state() -> None:
    """Close all caches and forget what was warned about, as between two tests."""
    with _lock:
        for cache in _caches.values():
            cache.close()
        _caches.clear()
    _warn.forget_all()


def _after_fork_in_child() -> None:
    # Were the parent's connections closed here, SQLite would take its locks for this process's own.
    global _lock
    _of_parent.append(dict(_caches))
    _caches.clear()
    _lock = threading.Lock()


in_forked_child(_after_fork_in_child)
