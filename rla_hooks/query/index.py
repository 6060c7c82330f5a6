"""An index of the small files of the runs of a log root, so that a list of them need not read them all again.

    runs       a row a run: its signature (:mod:`rla_hooks.query.signatures`), its start, and whether it had ended
    contents   what was read, as JSON
    live_rows  what rows the runs have that did not end: see :mod:`rla_hooks.query.live_rows`
    blocks, columns    the values of 1024 runs each: see :mod:`rla_hooks.query.index_columns`

It is only a cache. Each listing looks at all files again, and reads those that have changed. Processes that make it at
the same moment do the same work, and each stores what it has read.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from rla_hooks._version import __version__
from rla_hooks.endings import RUNNING
from rla_hooks.layout import LOG, RunPaths
from rla_hooks.query import index_columns, live_rows, moves
from rla_hooks.query.cache import open_cache
from rla_hooks.query.database import Kind, token_of
from rla_hooks.query.entry import Entry, is_complete, read_entry
from rla_hooks.query.names import BUILT_IN
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.signatures import Folder, trusted
from rla_hooks.query.stored import content_of
from rla_hooks.run_folders import run_folders, task_starts

_AT_ONCE = index_columns.BLOCK  # runs that are stored in one transaction
_LARGEST = 8 << 20  # bytes of a run that are stored; a larger one is read each time
_SCHEMA = f"""
    CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB UNIQUE NOT NULL, signature BLOB NOT NULL,
        started REAL NOT NULL, has_ended INTEGER NOT NULL);
    CREATE TABLE contents (id INTEGER PRIMARY KEY, content BLOB NOT NULL);
    {index_columns.SCHEMA};
    {live_rows.SCHEMA}
"""
# What rla_hooks reads out of the files may change with each of its versions, and columns lack a name that is new.
INDEX = Kind("index", zlib.crc32(f"6 {__version__} {' '.join(BUILT_IN)}".encode()) & 0x7FFFFFFF, _SCHEMA)

_Known = dict[str, tuple[int, bytes, float, int]]  # id, signature, started, has_ended


# A run of the root: started, name, id, has_ended. A plain tuple, as there may be a million. The id is its place in the
# index, 0 if it could not be stored.
Row = tuple[float, str, int, bool]


class NewRow(NamedTuple):
    """A run as it is stored. content: None for one that cannot be."""

    name: str
    signature: bytes
    started: float
    has_ended: bool
    entry: Entry
    content: bytes | None


class Index:
    """The runs of a log root, or of one task of it, as they are now.

    ``rows``: in the order of their starts. ``unstored``: those that are in no file, by name. ``token``: of the file
    that the ids of the rows belong to. When the cache is made anew, its token is another one, and the ids are void.
    """

    def __init__(self, root: Path):
        self.root = root
        self.rows: list[Row] = []
        self.unstored: dict[str, Entry] = {}
        self.token = b""
        self.cache = open_cache(root, INDEX)

    @classmethod
    def of_now(cls, root: Path, task: str | None = None) -> Index:
        """Return the runs as their files are now."""
        starts = task_starts(task)
        for _ in range(moves.TRIES):
            before, index = moves.wait_for_moves(root), cls(root)
            if any(os.path.isdir(root / LOG / start) for start in starts):
                with _without_collector():
                    index._refresh(task, starts)
            if moves.stamp(root) == before:
                break
        return index

    @classmethod
    def of_before(cls, root: Path) -> Index:
        """Return the runs as the last list of them has left the index, without a look at the files."""
        index = cls(root)
        query = "SELECT started, name, id, has_ended FROM runs"
        with _without_collector():
            index.token, found = index.cache.read(lambda db: (token_of(db), db.execute(query).fetchall()))
            if found:
                started, names, ids, ended = zip(*found)
                texts = os.fsdecode(b"\0".join(names)).split("\0")  # in one go: no name has this letter
                index.rows = sorted(zip(started, texts, ids, map(bool, ended)))
        return index

    def _refresh(self, task: str | None, starts: Iterable[str]) -> None:
        self.token, known = self.cache.read(lambda db: (token_of(db), _known(db, starts)))
        changed = self._look(task, known)
        while some := list(islice(changed, _AT_ONCE)):
            ids = store(self, some)
            for each in some:
                id = ids.get(each.name, 0)
                self.rows.append((each.started, each.name, id, each.has_ended))
                if not id:
                    self.unstored[each.name] = each.entry
        if known:
            self.cache.write(lambda db: self._delete(db, [id for id, *_ in known.values()]))
        self.rows.sort()

    def _look(self, task: str | None, known: _Known) -> Iterator[NewRow]:
        """Add the rows of runs that are as they were; read and yield the others. What is gone stays in ``known``."""
        take, add = known.pop, self.rows.append
        for folder, leaves in run_folders(self.root, task):
            with Folder(self.root, folder) as here:
                for leaf in leaves:
                    name = f"{folder}/{leaf}" if folder else leaf
                    signature = here.signature(leaf)
                    row = take(name, None)
                    if row is not None and signature and row[1] == signature:
                        add((row[2], name, row[0], bool(row[3])))
                    else:
                        yield _read(self.root, name, signature)

    def contents(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Return what was stored of the runs with these ids, by id; nothing if the file is another one by now."""

        def load(db: sqlite3.Connection) -> dict[int, bytes]:
            if token_of(db) != self.token:
                return {}
            found: dict[int, bytes] = {}
            for begin in range(0, len(ids), _AT_ONCE):
                some = ids[begin : begin + _AT_ONCE]
                found.update(db.execute(f"SELECT * FROM contents WHERE id IN ({','.join(map(str, some))})"))
            return found

        return self.cache.read(load) if ids else {}

    def _delete(self, db: sqlite3.Connection, ids: list[int]) -> None:
        if token_of(db) == self.token:
            db.executemany("DELETE FROM runs WHERE id = ?", [[id] for id in ids])
            db.executemany("DELETE FROM contents WHERE id = ?", [[id] for id in ids])
            db.executemany("DELETE FROM live_rows WHERE id = ?", [[id] for id in ids])
            index_columns.touch(db, ids)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Let Python not look for circles of objects meanwhile: millions are made, none in a circle.

    It saves a tenth or two of the time. It is off for all threads; what they leave is found afterwards.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def store(index: Index, some: Iterable[NewRow]) -> dict[str, int]:
    """Store runs, and return their ids by name: of none if another process writes for too long."""
    ids: dict[str, int] = {}

    def work(db: sqlite3.Connection) -> None:
        ids.clear()
        if token_of(db) != index.token:
            return
        changed: dict[int, NewRow] = {}
        for each in some:
            if each.content is not None and len(each.content) <= _LARGEST:
                ids[each.name], has_changed = _put(db, each, each.content)
                if has_changed:
                    changed[ids[each.name]] = each
        index_columns.touch(db, changed)
        runs = {id: SavedRun(RunPaths(index.root, row.name), row.entry) for id, row in changed.items()}
        index_columns.fill(db, runs, {id for id, row in changed.items() if row.has_ended})

    return ids if index.cache.write(work) else {}


def _put(db: sqlite3.Connection, row: NewRow, content: bytes) -> tuple[int, bool]:
    """Store a run; return its id, and whether it is not as it was."""
    name = os.fsencode(row.name)
    query = "SELECT id, signature, started, has_ended, content FROM runs LEFT JOIN contents USING (id) WHERE name = ?"
    found = db.execute(query, [name]).fetchone()
    values = row.signature, row.started, row.has_ended
    if found is None:
        cursor = db.execute(
            "INSERT INTO runs (name, signature, started, has_ended) VALUES (?, ?, ?, ?)", [name, *values]
        )
        id = int(cursor.lastrowid or 0)
    else:
        id = found[0]
        if found[1:] == (*values, content):
            return id, False
        db.execute("UPDATE runs SET signature = ?, started = ?, has_ended = ? WHERE id = ?", [*values, id])
        if found[2:] == (*values[1:], content):
            return id, False
    db.execute("INSERT OR REPLACE INTO contents VALUES (?, ?)", [id, content])
    return id, True


def _known(db: sqlite3.Connection, starts: Iterable[str]) -> _Known:
    """The rows of all runs below these folders, by name."""
    query = "SELECT name, id, signature, started, has_ended FROM runs"
    found: _Known = {}
    for start in starts:
        rows = db.execute(query)
        if start:  # and what is in it; 0 is the letter after /
            name = os.fsencode(start)
            rows = db.execute(f"{query} WHERE name = ? OR (name > ? AND name < ?)", [name, name + b"/", name + b"0"])
        found.update((os.fsdecode(row[0]), row[1:]) for row in rows)
    return found


def _read(root: Path, name: str, signature: bytes) -> NewRow:
    moment = time.time()  # before reading: what changes meanwhile is read again the next time
    entry = read_entry(RunPaths(root, name))
    if any("[Errno" in problem for problem in entry.problems):
        signature = b""  # of a disk that fails, say: it may be mended
    try:
        content: bytes | None = content_of(entry)
    except (TypeError, ValueError, RecursionError):  # what another program's files held
        content = None
    has_ended = entry.run_json.get("status") != RUNNING and is_complete(entry.run_json, entry.status)
    return NewRow(name, signature and trusted(signature, moment), entry.started, has_ended, entry, content)
