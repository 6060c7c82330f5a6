"""What both sides had after the last transfer: a cache, for remotes that keep no times of files.

Where it was deleted, files of such a remote are sent once more, or fetched.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from rla_hooks.query.cache import Kind, open_cache
from rla_hooks.remote.place import Stat

_SCHEMA = """
    CREATE TABLE marks (remote BLOB NOT NULL, path BLOB NOT NULL, here_size INTEGER, here_time REAL,
        there_size INTEGER, there_time REAL, PRIMARY KEY (remote, path)) WITHOUT ROWID;
"""
_KIND = Kind("remote", 1, _SCHEMA)

Mark = tuple[Stat, Stat]  # here, there


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
