"""What both sides had after the last transfer: a cache, for remotes that keep no times of files.

Where it was deleted, files of such a remote are sent once more, or fetched.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rla_hooks.locks import is_held, locked
from rla_hooks.query.cache import cache_folder, open_cache
from rla_hooks.query.database import Kind
from rla_hooks.remote.address import Address
from rla_hooks.remote.errors import RemoteError
from rla_hooks.remote.files import Stat
from rla_hooks.texts import shell_path

_SCHEMA = """
    CREATE TABLE marks (remote BLOB NOT NULL, path BLOB NOT NULL, here_size INTEGER, here_time REAL,
        there_size INTEGER, there_time REAL, PRIMARY KEY (remote, path)) WITHOUT ROWID;
"""
_KIND = Kind("remote", 1, _SCHEMA)

Mark = tuple[Stat, Stat]  # here, there


@contextmanager
def alone(root: Path, address: Address, wait: float) -> Iterator[None]:
    """Let no other process of this machine move files between this log root and this remote during the block.

    Two would append the same rows twice. Raises RemoteError if another one does it for more than ``wait`` seconds.
    Where no cache can be had, on a full or read-only home folder say, files are moved all the same.
    """
    file = _lock_file(root, address)
    if file is None:
        yield
        return
    with locked(file, create=True, timeout=wait) as has_lock:
        if not has_lock and is_held(file):
            raise RemoteError(
                f"{address}: another process moves runs between it and {shell_path(root)}. Wait for its end"
            )
        yield


def _lock_file(root: Path, address: Address) -> Path | None:
    """Make the file that stands for a log root and a remote, in the folder of the caches; None where that cannot be."""
    folder = cache_folder()
    if folder is None:
        return None
    text = f"{os.path.realpath(root)}\n{address.url}".encode("utf-8", "surrogateescape")
    file = folder / f"remote-{hashlib.sha256(text).hexdigest()[:32]}.lock"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        file.touch()
        return file
    return None


class Marks:
    """The marks of a log root and a remote, by the paths of files."""

    def __init__(self, root: Path, url: str):
        self._cache, self._url = open_cache(root, _KIND), url.encode()

    def load(self) -> dict[str, Mark]:
        """Return all marks."""

        def work(db: sqlite3.Connection) -> dict[str, Mark]:
            query = "SELECT path, here_size, here_time, there_size, there_time FROM marks WHERE remote = ?"
            rows = db.execute(query, [self._url])
            return {os.fsdecode(path): (Stat(a, b), Stat(c, d)) for path, a, b, c, d in rows}

        return self._cache.read(work)

    def store(self, marks: Iterable[tuple[str, Mark]]) -> None:
        """Keep what both sides have of these files."""
        rows = [(self._url, os.fsencode(path), *here[:2], *there[:2]) for path, (here, there) in marks]
        if rows:
            self._cache.write(lambda db: db.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?)", rows))
