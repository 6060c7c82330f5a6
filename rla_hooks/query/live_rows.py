"""What rows the runs have that did not end, or that somebody adds to: run.json does not tell, so their files are read.

live_rows    of each such run the signature of its files of rows, and their summary as JSON
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence

from rla_hooks import rowfiles
from rla_hooks.layout import RunPaths
from rla_hooks.progress import Progress
from rla_hooks.query.cache import Cache
from rla_hooks.query.database import token_of
from rla_hooks.query.entry import is_complete
from rla_hooks.query.saved_run import SavedRun, set_progress
from rla_hooks.query.signatures import TICK

SCHEMA = "CREATE TABLE live_rows (id INTEGER PRIMARY KEY, signature BLOB NOT NULL, summary BLOB NOT NULL)"


def find(cache: Cache, token: bytes, runs: Mapping[int, SavedRun]) -> None:
    """Let these runs know what rows they have. runs: by their ids in the index of this token."""
    kept = cache.read(lambda db: _kept(db, token))
    read: list[tuple[int, bytes, rowfiles.Recent]] = []
    for id, run in runs.items():
        if is_complete(run.run_json, run.status):
            continue
        files, moment = rowfiles.marked_files(run.log_dir), time.time()
        signature, stored = b"\n".join(file.mark for file in files), kept.get(id)
        if stored is not None and stored[0] == signature:
            set_progress(run, stored[1])
        elif files and max(file.written for file in files) < moment - TICK:
            read.append((id, signature, rowfiles.recent(file.path for file in files)))
    found = _progress([(runs[id].paths, recent) for id, _, recent in read])
    for (id, _, _), progress in zip(read, found):
        set_progress(runs[id], progress)
    if read:
        new = [(id, signature, json.dumps(each).encode()) for (id, signature, _), each in zip(read, found)]
        cache.write(lambda db: _keep(db, token, new))


def _progress(runs: Sequence[tuple[RunPaths, rowfiles.Recent]]) -> list[Progress]:
    found = [recent.progress for _, recent in runs]
    rare = [number for number, (_, recent) in enumerate(runs) if recent.older]
    if rare:
        from rla_hooks.query.summary_cache import progress_of  # late: it needs numpy

        for number, progress in zip(rare, progress_of([runs[number] for number in rare])):
            found[number] = progress
    return found


def _kept(db: sqlite3.Connection, token: bytes) -> dict[int, tuple[bytes, Progress]]:
    if token_of(db) != token:
        return {}
    try:
        rows = db.execute("SELECT id, signature, summary FROM live_rows")
        return {id: (signature, Progress(*json.loads(data))) for id, signature, data in rows}
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"a summary makes no sense: {error}") from error


def _keep(db: sqlite3.Connection, token: bytes, new: Sequence[tuple[int, bytes, bytes]]) -> None:
    if token_of(db) == token:
        db.executemany("INSERT OR REPLACE INTO live_rows VALUES (?, ?, ?)", new)
