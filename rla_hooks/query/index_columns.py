"""The values of the runs of an index by name, for filters and tables: 1024 runs in a block.

    blocks     the version of each block: it grows when one of its rows changes
    columns    what the runs of a block have by one name, as JSON or as float64s: a value for each id, in their order;
               under the empty name all names, and those of them that are not kept

A column of an older version than its block counts for nothing. All columns of a block are made at once, when the first
one is asked for: for reading one run's JSON takes as long as reading a thousand values of a column.
"""

from __future__ import annotations

import functools
import json
import os
import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from rla_hooks.layout import RunPaths
from rla_hooks.query.cache import Cache
from rla_hooks.query.database import token_of
from rla_hooks.query.names import BUILT_IN
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.stored import StoredEntry, to_json
from rla_hooks.query.times import seconds_of

BLOCK = 1024  # runs
SCHEMA = """
    CREATE TABLE blocks (block INTEGER PRIMARY KEY, version INTEGER NOT NULL);
    CREATE TABLE columns (block INTEGER NOT NULL, name BLOB NOT NULL, version INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE UNIQUE INDEX columns_by_name ON columns (name, block);
    CREATE INDEX columns_by_block ON columns (block)
"""
_MAX_KEPT = 512  # names of a block whose columns are kept: the most frequent ones
_ALL = b""
_KEPT = "SELECT block, data FROM columns JOIN blocks USING (block, version) WHERE name = ?"
_BUILT_IN = [(name, get) for name, get in BUILT_IN.items() if name != "name"]
_FEW = 64  # changed runs of a block for which its columns are not made at once

Column = list[Any]
Table = dict[str, dict[int, Any]]  # values by name and place in the block


def keys_of(name: str) -> Sequence[str]:
    """Return the names under which the values of a name are kept, as :func:`~rla_hooks.query.names.getter` finds them.

    The first that a run has counts. None at all for values that are in no small file.
    """
    kind, _, rest = name.partition(".")
    if name in BUILT_IN:
        return (name,)
    if rest and kind in ("min", "max"):
        return ()
    if rest and kind == "hparams":
        return f"hparams.{name}", name
    return (name, f"hparams.{name}") if rest and kind == "last" else (f"hparams.{name}",)


def touch(db: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Note that these runs have changed."""
    for block in {_block_of(id) for id in ids}:
        db.execute("INSERT OR IGNORE INTO blocks VALUES (?, 0)", [block])
        db.execute("UPDATE blocks SET version = version + 1 WHERE block = ?", [block])
        db.execute("DELETE FROM columns WHERE block = ?", [block])


def fill(db: sqlite3.Connection, runs: Mapping[int, SavedRun], ended: Collection[int]) -> None:
    """Make the columns of the blocks of which all runs are here, just read, so that nobody need read them again."""
    blocks = defaultdict(list)
    for id in runs:
        blocks[_block_of(id)].append(id)
    for block, ids in blocks.items():
        (number,) = db.execute("SELECT count(*) FROM runs WHERE id BETWEEN ? AND ?", _range(block)).fetchone()
        if number == len(ids) > _FEW:
            _save(db, block, _version_of(db, block), _table((id, runs[id]) for id in ids if id in ended))


class Blocks:
    """The columns of some runs of an index. token: of the file that their ids belong to."""

    def __init__(self, cache: Cache, token: bytes, root: Path, ids: Iterable[int]):
        self._cache, self._token, self._root = cache, token, root
        self._blocks = {(id - 1) // BLOCK for id in ids if id}
        self._length = (max(self._blocks, default=-1) + 1) * BLOCK

    def column(self, name: str) -> Column | None:
        """Return the values of a name by id, None for the id 0; None for all if the file is another one by now."""
        key = _bytes(name)

        def load(db: sqlite3.Connection) -> tuple[Column, set[int]] | None:
            if token_of(db) != self._token:
                return None
            found: Column = [None] * (1 + self._length)
            lacking = {*self._blocks}
            for block, data in db.execute(_KEPT, [key]):
                if block in lacking:
                    lacking.discard(block)
                    values = _decode(data)
                    found[1 + block * BLOCK : 1 + block * BLOCK + len(values)] = values
            if lacking:  # or none of their runs has the name
                for block, data in db.execute(_KEPT, [_ALL]):
                    if block in lacking and name not in _decode(data)[1]:
                        lacking.discard(block)
            return found, lacking

        loaded = self._cache.read(load) if self._blocks else ([None], set())
        if loaded is None:
            return None
        column, lacking = loaded
        for block, table in self._made(lacking, name):
            if table is None:
                return None
            for place, value in table.get(name, {}).items():
                column[1 + block * BLOCK + place] = value
        return column

    def names(self) -> set[str] | None:
        """Return all names that any run has; None if the file is another one by now."""

        def load(db: sqlite3.Connection) -> dict[int, set[str]] | None:
            if token_of(db) != self._token:
                return None
            rows = db.execute(_KEPT, [_ALL])
            return {block: {*chain(*_decode(data))} for block, data in rows if block in self._blocks}

        loaded = self._cache.read(load) if self._blocks else {}
        if loaded is None:
            return None
        found: set[str] = set().union(*loaded.values())
        for _, table in self._made(self._blocks - loaded.keys()):
            if table is None:
                return None
            found |= table.keys()
        return found

    def _made(self, blocks: Collection[int], name: str | None = None) -> Iterator[tuple[int, Table | None]]:
        """Make the columns of these blocks, and store them: the most frequent ones, and that of the name.

        Of a block there is None if the file is another one by now, or another process holds it for too long.
        """
        for block in sorted(blocks):
            made = self._cache.read(functools.partial(self._read, block=block))
            if made is None:
                yield block, None
                return
            version, table = made
            self._cache.write(functools.partial(self._keep, block=block, version=version, table=table, also=name))
            yield block, table

    def _keep(self, db: sqlite3.Connection, block: int, version: int, table: Table, also: str | None) -> None:
        if token_of(db) == self._token:
            _save(db, block, version, table, also)

    def _read(self, db: sqlite3.Connection, block: int) -> tuple[int, Table] | None:
        if token_of(db) != self._token:
            return None
        return _version_of(db, block), _table(_runs_in(db, block, self._root))


def _runs_in(db: sqlite3.Connection, block: int, root: Path) -> Iterator[tuple[int, SavedRun]]:
    """Yield the runs of a block that have ended. What others have is known only at the moment when it is asked for."""
    query = (
        "SELECT id, name, started, content FROM runs JOIN contents USING (id) WHERE id BETWEEN ? AND ? AND has_ended"
    )
    for id, name, started, content in db.execute(query, _range(block)):
        path = os.fsdecode(name)
        yield id, SavedRun(RunPaths(root, path), StoredEntry(path, started, content))


def _table(runs: Iterable[tuple[int, SavedRun]]) -> Table:
    """Return all values of these runs."""
    table: Table = defaultdict(dict)
    hparams: Table = defaultdict(dict)
    last: Table = defaultdict(dict)
    try:
        for id, run in runs:
            place = (id - 1) % BLOCK
            for name, get in _BUILT_IN:
                table[name][place] = seconds_of(get(run))
            for key, value in run.hparams.items():
                hparams[key][place] = value
            for key, value in run.last.items():
                last[key][place] = value
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise sqlite3.DatabaseError(f"what it holds of a run makes no sense: {error}") from error
    table |= {f"hparams.{key}": values for key, values in hparams.items()}
    return table | {f"last.{key}": values for key, values in last.items()}


def _save(db: sqlite3.Connection, block: int, version: int, table: Table, also: str | None = None) -> None:
    """Keep the columns of a block, if they are of its version."""
    if version != _version_of(db, block):
        return
    kept = sorted(table, key=lambda name: -len(table[name]))[:_MAX_KEPT]
    rest = [*(table.keys() - {*kept})]
    lines = [(_ALL, _encode([kept, rest]))]
    for name in kept if also not in rest else (*kept, str(also)):
        places = table[name]
        column: Column = [None] * (max(places) + 1)
        for place, value in places.items():
            column[place] = value
        lines.append((_bytes(name), _encode(column)))
    db.executemany(
        "INSERT OR REPLACE INTO columns VALUES (?, ?, ?, ?)", [(block, name, version, data) for name, data in lines]
    )


def _encode(values: Sequence[Any]) -> bytes:
    if all(type(value) is float for value in values):
        return b"d" + array("d", values).tobytes()
    return to_json(values).encode()


def _decode(data: bytes) -> Column:
    try:
        if data[:1] != b"d":
            found: Column = json.loads(data)
            return found
        numbers = array("d")
        numbers.frombytes(data[1:])
        return numbers.tolist()
    except ValueError as error:
        raise sqlite3.DatabaseError(f"a column makes no sense: {error}") from error


def _version_of(db: sqlite3.Connection, block: int) -> int:
    found = db.execute("SELECT version FROM blocks WHERE block = ?", [block]).fetchone()
    return int(found[0]) if found else -1


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _block_of(id: int) -> int:
    return (id - 1) // BLOCK


def _range(block: int) -> tuple[int, int]:
    return block * BLOCK + 1, (block + 1) * BLOCK
