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
from typing import NamedTuple, TypeVar

from rla_hooks.errors import WarnOnce
from rla_hooks.locks import in_forked_child, locked
from rla_hooks.texts import shell_path

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_BUSY = 2.0  # seconds to wait for another process
_KEPT = 90 * 86400.0  # seconds a file is kept that nobody uses
_FILE = re.compile(r"[a-z]+-[0-9a-f]{32}\.sqlite(-journal)?")
_SETTINGS = """
    PRAGMA synchronous = off; PRAGMA journal_mode = delete; PRAGMA cache_spill = off; PRAGMA temp_store = memory;
    PRAGMA trusted_schema = off; PRAGMA cell_size_check = on;
"""
_MADE = "CREATE TABLE made (token BLOB NOT NULL)", "INSERT INTO made VALUES (randomblob(16))"


class Kind(NamedTuple):
    """A kind of cache. schema: the SQL script that makes its tables. version: another one for other tables or content.

    Texts that come from files or their names are stored as bytes: SQLite's texts take no surrogates.
    """

    name: str
    version: int
    schema: str


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
            if not _is_busy(error):
                raise
        with closing(_connect(":memory:", self.kind)) as empty:
            return work(empty)

    def write(self, work: Work[object]) -> bool:
        """Call ``work(connection)`` in one transaction; return whether it was stored.

        It is not while another process writes for too long. What ``work`` raises rolls all back.
        """
        try:
            self._use(work, "BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if _is_busy(error):
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
                    with _transaction(self._opened(), begin) as connection:
                        return work(connection)
                except sqlite3.Error as error:
                    if _is_busy(error) or (last and self.in_memory):
                        raise
                    self._mend(error, last)
            self.close()  # in memory now, and empty
            with _transaction(self._opened(), begin) as connection:
                return work(connection)

    def _mend(self, error: sqlite3.Error, last: bool) -> None:
        """Make the next try a better one: on the file opened again, on a new one where it is damaged, in memory."""
        self.close()
        if self.in_memory or self.path is None:
            return
        if _is_damage(error):
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
            self._connection = _connect(":memory:", self.kind)
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
            connection = _connect(str(path), self.kind)
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


def _connect(path: str, kind: Kind) -> sqlite3.Connection:
    """Open a database that has the tables of its kind. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        connection.executescript(_SETTINGS)
        if _version(connection) == 0:
            with _transaction(connection, "BEGIN IMMEDIATE"):
                if _version(connection) == 0:  # another process may have been faster
                    for statement in (*_MADE, *filter(str.strip, kind.schema.split(";"))):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {kind.version}")
        if _version(connection) != kind.version:
            raise sqlite3.DatabaseError(f"it is of version {_version(connection)}, not {kind.version}")
    except BaseException:
        connection.close()
        raise
    return connection


def token_of(connection: sqlite3.Connection) -> bytes:
    """Return what tells this cache from any other, also from the one that takes its place when it is made anew."""
    found = connection.execute("SELECT token FROM made").fetchone()
    if found is None:
        raise sqlite3.DatabaseError("it has no token")
    return bytes(found[0])


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[sqlite3.Connection]:
    if connection.in_transaction:  # work in work of the same thread
        yield connection
        return
    try:
        connection.execute(begin)
        yield connection
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


def _is_busy(error: sqlite3.Error) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether the file, not the disk or its rights, is what is wrong."""
    return not isinstance(error, sqlite3.OperationalError) or any(word in str(error) for word in _WRONG)


_WRONG = "no such table", "no such column", "has no column", "decode"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Open and remove no file in the folder while another process does."""
    file = folder / "lock"
    with suppress(OSError):  # a disk that can only be read
        file.touch(mode=0o600)
    with locked(file, timeout=_BUSY):
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
