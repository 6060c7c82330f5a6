"""The tables of the cache of columns: what is known of a file of rows, and pieces of its columns.

:mod:`rla_hooks.query.column_cache` says what each table has, and when what it says of a file still counts.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rla_hooks._version import __version__
from rla_hooks.query import stored_pieces
from rla_hooks.query.cache import Cache
from rla_hooks.query.database import Kind
from rla_hooks.rows.pieces import Piece

_LARGEST = 1 << 30  # bytes of the cache; then what was not used for the longest time is deleted
_SCHEMA = """
    CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB UNIQUE NOT NULL, mark BLOB NOT NULL,
        rows INTEGER NOT NULL, end INTEGER NOT NULL, ends BLOB NOT NULL, used INTEGER NOT NULL);
    CREATE INDEX used ON files (used);
    CREATE TABLE pieces (file INTEGER NOT NULL, name BLOB NOT NULL, first INTEGER NOT NULL, rows INTEGER NOT NULL,
        end INTEGER NOT NULL, form TEXT NOT NULL, present BLOB, data BLOB NOT NULL);
    CREATE UNIQUE INDEX place ON pieces (file, name, first);
    CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, folder BLOB UNIQUE NOT NULL, marks BLOB NOT NULL,
        is_complete INTEGER NOT NULL);
    CREATE TABLE summaries (metric BLOB NOT NULL, run INTEGER NOT NULL, summary TEXT NOT NULL,
        PRIMARY KEY (metric, run)) WITHOUT ROWID;
    CREATE INDEX of_run ON summaries (run);
"""
COLUMNS = Kind("columns", zlib.crc32(f"3 {__version__}".encode()) & 0x7FFFFFFF, _SCHEMA)


class Stored(NamedTuple):
    """What the cache has of a file. columns: of each name its pieces, with their first rows, lengths and ends."""

    id: int
    mark: bytes
    length: int
    end: int
    ends: bytes
    used: int
    columns: dict[str, list[Part]]


class Part(NamedTuple):
    first: int
    length: int
    end: int
    piece: Piece | None  # None: the file has no such column


class New(NamedTuple):
    """What is to be stored of a file. whole: in place of all that is there."""

    path: bytes
    mark: bytes
    length: int
    end: int
    ends: bytes
    whole: bool
    columns: dict[str, list[Part]]


def load(db: sqlite3.Connection, keys: Iterable[bytes], names: Sequence[str]) -> dict[bytes, Stored]:
    keys = [*keys]
    marks = ",".join("?" * len(keys))
    query = f"SELECT path, id, mark, rows, end, ends, used FROM files WHERE path IN ({marks})"
    found = {
        path: Stored(id, mark, length, end, ends, used, {})
        for path, id, mark, length, end, ends, used in db.execute(query, keys)
    }
    by_id = {each.id: each.columns for each in found.values()}
    coded = {name.encode("utf-8", "surrogatepass"): name for name in names}
    ids, marks = ",".join(map(str, by_id)), ",".join("?" * len(coded))
    query = f"""SELECT file, name, first, rows, end, form, present, data FROM pieces
        WHERE file IN ({ids}) AND name IN ({marks}) ORDER BY file, name, first"""
    for file, name, first, length, end, *content in db.execute(query, [*coded]):
        part = Part(first, length, end, stored_pieces.decoded(length, *content))
        by_id[file].setdefault(coded[name], []).append(part)
    return found


def store(db: sqlite3.Connection, new: Iterable[New], old: Iterable[int], today: int) -> None:
    db.executemany("UPDATE files SET used = ? WHERE id = ?", [(today, id) for id in old])
    for each in new:
        row = db.execute("SELECT id FROM files WHERE path = ?", [each.path]).fetchone()
        is_new = row is None
        if row is not None and each.whole:
            db.execute("DELETE FROM pieces WHERE file = ?", row)
        values = (each.mark, each.length, each.end, each.ends, today)
        if row is None:
            added = db.execute("INSERT INTO files VALUES (NULL, ?, ?, ?, ?, ?, ?)", (each.path, *values))
            row = (added.lastrowid,)
        else:
            db.execute("UPDATE files SET mark = ?, rows = ?, end = ?, ends = ?, used = ? WHERE id = ?", (*values, *row))
        coded = {name.encode("utf-8", "surrogatepass"): parts for name, parts in each.columns.items()}
        if not is_new:
            db.executemany("DELETE FROM pieces WHERE file = ? AND name = ?", [(*row, name) for name in coded])
        pieces = (
            (*row, name, part.first, part.length, part.end, *stored_pieces.encoded(part.length, part.piece))
            for name, parts in coded.items()
            for part in parts
        )
        db.executemany("INSERT INTO pieces VALUES (?, ?, ?, ?, ?, ?, ?, ?)", pieces)


def make_room(cache: Cache) -> None:
    """Where the cache has become too large, delete what was not used for the longest time."""
    if cache.size() > _LARGEST:
        cache.write(_delete_half)


def _delete_half(db: sqlite3.Connection) -> None:
    """Delete the half of the files that was not used for the longest time, and the summaries that are older."""
    half = db.execute("SELECT count(*) FROM files").fetchone()[0] // 2 + 1
    ids = [row[0] for row in db.execute("SELECT id FROM files ORDER BY used, id LIMIT ?", [half])]
    db.executemany("DELETE FROM pieces WHERE file = ?", [[id] for id in ids])
    db.executemany("DELETE FROM files WHERE id = ?", [[id] for id in ids])
    half = db.execute("SELECT count(*) FROM runs").fetchone()[0] // 2
    ids = [row[0] for row in db.execute("SELECT id FROM runs ORDER BY id LIMIT ?", [half])]
    db.executemany("DELETE FROM summaries WHERE run = ?", [[id] for id in ids])
    db.executemany("DELETE FROM runs WHERE id = ?", [[id] for id in ids])
