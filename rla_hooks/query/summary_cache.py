"""Summaries of metrics, kept in the cache of columns: a filter over ten thousand runs reads their rows once."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rla_hooks import rowfiles
from rla_hooks.layout import LOG, RunPaths
from rla_hooks.progress import Progress
from rla_hooks.query.cache import open_cache
from rla_hooks.query.column_cache import read_rows
from rla_hooks.query.column_tables import COLUMNS, make_room
from rla_hooks.query.signatures import TICK
from rla_hooks.query.summaries import HasRows, Summary, summarize
from rla_hooks.rowfiles import Recent
from rla_hooks.writers.base import STEP, TIME

_AT_ONCE = 500  # runs, and metrics, of one statement
_LARGE = 4 << 20  # bytes; the columns of a larger file are kept, so that only its new rows are read
_SHOWN = 200  # runs; when so many are read, a terminal shows how far it is

Summaries = dict[str, Summary]


class _Run(NamedTuple):
    """The log folder of a run as it is now. marks: of its files; empty where they are too young to be relied on."""

    folder: Path
    key: bytes
    marks: bytes
    files: list[rowfiles.MarkedFile]


def summaries_of(runs: Sequence[RunPaths], metrics: Iterable[str] | None = None) -> list[Summaries]:
    """Return the summaries of each run: of these metrics, or of all; those that a run lacks are left out.

    A run whose rows cannot be read has none. What was read is kept: the first time, a terminal shows how far it is.
    """
    wanted = None if metrics is None else [*dict.fromkeys(metrics)]
    found: list[Summaries] = [{}] * len(runs)
    numbers: dict[Path, list[int]] = {}
    for number, paths in enumerate(runs):
        if isinstance(paths, HasRows):  # of another tool
            with suppress(OSError):
                found[number] = summarize(paths.read_rows(None if wanted is None else [STEP, TIME, *wanted]))
        else:
            numbers.setdefault(paths.log_root, []).append(number)
    for root, some in numbers.items():
        top = os.path.join(root, LOG, "")
        for number, each in zip(some, _of_root(root, [top + runs[number].name for number in some], wanted)):
            found[number] = each
    return found


def progress_of(runs: Sequence[tuple[RunPaths, Recent]]) -> list[Progress]:
    """Return the progress of runs, of which the last rows are known: all rows tell the metrics that they lack."""
    found = [recent.progress for _, recent in runs]
    for all_metrics in (False, True):
        some = [number for number, (_, each) in enumerate(runs) if (each.metrics() is None) is all_metrics]
        names = None if all_metrics else {name for number in some for name in runs[number][1].older}
        for number, summaries in zip(some, summaries_of([runs[number][0] for number in some], names)):
            last = {name: summary.last for name, summary in summaries.items()}
            found[number] = runs[number][1].with_older(last)
    return found


def _of_root(root: Path, folders: list[str], wanted: list[str] | None) -> list[Summaries]:
    cache = open_cache(root, COLUMNS)
    looked = [_look(folder, len(os.fspath(root))) for folder in folders]
    found: dict[bytes, Summaries] = {}
    for begin in range(0, len(looked), _AT_ONCE):
        some = {run.key: run for run in looked[begin : begin + _AT_ONCE] if run.files and run.marks}
        if some:
            found |= cache.read(lambda db, some=some: _load(db, some, wanted))  # type: ignore[misc]
    missing = [run for run in looked if run.files and run.key not in found]
    for batch in _batches(missing):
        read = {run.key: _read(root, run, wanted) for run in batch}
        kept = [run for run in batch if run.marks]
        if kept:
            cache.write(lambda db, read=read, kept=kept: _store(db, kept, read, wanted))  # type: ignore[misc]
            make_room(cache)
        found |= read
    return [found.get(run.key, {}) for run in looked]


def _look(folder: str, root: int) -> _Run:
    files = rowfiles.marked_files(folder)
    young = time.time() - TICK
    marks = b"" if any(file.written > young for file in files) else b"\n".join(file.mark for file in files)
    return _Run(Path(folder), os.fsencode(folder[root:]), marks, files)


def _batches(missing: list[_Run]) -> Iterator[list[_Run]]:
    """Yield runs that are to be read, some at a time; where they are many, a terminal shows how far it is."""
    steps: Iterable[int] = range(0, len(missing), 50)
    if len(missing) >= _SHOWN:
        from rich.console import Console
        from rich.progress import track

        console = Console(stderr=True)
        steps = track([*steps], "Reading metrics", console=console, disable=not console.is_terminal, transient=True)
    for begin in steps:
        yield missing[begin : begin + 50]


def _read(root: Path, run: _Run, wanted: list[str] | None) -> Summaries:
    names = None if wanted is None else [STEP, *wanted]
    if names is not None and any(file.size >= _LARGE for file in run.files):
        (rows,) = read_rows(root, [run.folder], names)
        return {} if isinstance(rows, OSError) else summarize(rows)
    try:
        return summarize(rowfiles.read_rows([Path(file.path) for file in run.files], names))
    except OSError:
        return {}


def _load(db: sqlite3.Connection, runs: Mapping[bytes, _Run], wanted: list[str] | None) -> dict[bytes, Summaries]:
    """Return what is known of runs; those of which something is missing are left out."""
    marks = ",".join("?" * len(runs))
    known: dict[int, tuple[bytes, bool]] = {}
    query = f"SELECT id, folder, marks, is_complete FROM runs WHERE folder IN ({marks})"
    for id, key, stored, is_complete in db.execute(query, [*runs]):
        if runs[key].marks == stored and (wanted is not None or is_complete):
            known[id] = key, bool(is_complete)
    found: dict[int, dict[str, Summary | None]] = {id: {} for id in known}
    query = f"SELECT run, metric, summary FROM summaries WHERE run IN ({','.join(map(str, known))})"
    names = [name.encode("utf-8", "surrogatepass") for name in wanted or ()]
    if wanted is not None and len(wanted) <= _AT_ONCE:
        query += f" AND metric IN ({','.join('?' * len(names))})"
        rows = db.execute(query, names)
    else:
        rows = db.execute(query)
    asked = {*names}
    for run, metric, text in rows:
        if wanted is None or metric in asked:
            found[run][metric.decode("utf-8", "surrogatepass")] = _decoded(text)
    return {
        known[id][0]: {name: summary for name, summary in each.items() if summary is not None}
        for id, each in found.items()
        if wanted is None or known[id][1] or len(each) == len(wanted)
    }


def _decoded(text: str) -> Summary | None:
    try:
        values = json.loads(text)
        return None if values is None else Summary(*values)
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"a summary cannot be decoded: {error}") from error


def _store(
    db: sqlite3.Connection, runs: Iterable[_Run], read: Mapping[bytes, Summaries], wanted: list[str] | None
) -> None:
    for run in runs:
        row = db.execute("SELECT id, marks FROM runs WHERE folder = ?", [run.key]).fetchone()
        if row is None:
            id = db.execute("INSERT INTO runs VALUES (NULL, ?, ?, 0)", [run.key, run.marks]).lastrowid
        else:
            id = row[0]
            if row[1] != run.marks:
                db.execute("UPDATE runs SET marks = ?, is_complete = 0 WHERE id = ?", [run.marks, id])
                db.execute("DELETE FROM summaries WHERE run = ?", [id])
        if wanted is None:
            db.execute("UPDATE runs SET is_complete = 1 WHERE id = ?", [id])
        found = read[run.key]
        names = found if wanted is None else wanted
        rows = [(name.encode("utf-8", "surrogatepass"), id, json.dumps(found.get(name))) for name in names]
        db.executemany("INSERT OR REPLACE INTO summaries VALUES (?, ?, ?)", rows)
