"""A database of SQLite with the tables of one kind: how it is opened and used, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

BUSY = 2.0  # seconds to wait for another process, here and in rla_hooks.query.cache
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


def connect(path: str, kind: Kind) -> sqlite3.Connection:
    """Open a database that has the tables of its kind. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    try:
        connection.executescript(_SETTINGS)
        if _version(connection) == 0:
            with transaction(connection, "BEGIN IMMEDIATE"):
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
def transaction(connection: sqlite3.Connection, begin: str) -> Iterator[sqlite3.Connection]:
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


def is_busy(error: sqlite3.Error) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file, not the disk or its rights, is what is wrong."""
    return not isinstance(error, sqlite3.OperationalError) or any(word in str(error) for word in _WRONG)


_WRONG = "no such table", "no such column", "has no column", "decode"
