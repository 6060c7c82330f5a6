"""What rows the runs have that did not end, such as killed ones: run.json does not tell, so their files are read.

live_rows    of each such run the signature of its files of rows, and their summary as JSON
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rla_hooks import rowfiles
from rla_hooks.endings import KILLED
from rla_hooks.life import is_running
from rla_hooks.query.cache import Cache, token_of
from rla_hooks.query.saved_run import SavedRun

SCHEMA = "CREATE TABLE live_rows (id INTEGER PRIMARY KEY, signature BLOB NOT NULL, summary BLOB NOT NULL)"
_TICK = 2.0  # seconds; see rla_hooks.query.signatures


def find(cache: Cache, token: bytes, runs: Mapping[int, SavedRun]) -> None:
    """Let these runs know what rows they have. runs: by their ids in the index of this token."""
    kept = cache.read(lambda db: _kept(db, token))
    new = []
    for id, run in runs.items():
        if not is_running(run.status) and run.status != KILLED:
            continue
        files, moment = rowfiles.files(run.log_dir), time.time()
        signature, newest = _signature(files)
        stored = kept.get(id)
        if stored is not None and stored[0] == signature:
            run.take_rows(stored[1])
        elif files and newest < moment - _TICK:
            found = rowfiles.summary(files)
            run.take_rows(found)
            new.append((id, signature, json.dumps(found).encode()))
    if new:
        cache.write(lambda db: _keep(db, token, new))


def _kept(db: sqlite3.Connection, token: bytes) -> dict[int, tuple[bytes, rowfiles.Summary]]:
    if token_of(db) != token:
        return {}
    try:
        rows = db.execute("SELECT id, signature, summary FROM live_rows")
        return {id: (signature, rowfiles.Summary(*json.loads(data))) for id, signature, data in rows}
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"a summary makes no sense: {error}") from error


def _keep(db: sqlite3.Connection, token: bytes, new: Sequence[tuple[int, bytes, bytes]]) -> None:
    if token_of(db) == token:
        db.executemany("INSERT OR REPLACE INTO live_rows VALUES (?, ?, ?)", new)


def _signature(files: Sequence[Path]) -> tuple[bytes, float]:
    """Return what identifies the content of these files, and when the newest of them was written."""
    found, newest = [], 0.0
    for file in files:
        try:
            status = os.stat(file)
        except OSError:
            continue
        found.append(
            (
                file.name,
                status.st_size,
                status.st_mtime_ns,
                status.st_ctime_ns,
                status.st_ino,
            )
        )
        newest = max(newest, status.st_mtime, status.st_ctime)
    return json.dumps(found).encode(), newest
