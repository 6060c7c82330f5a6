"""The runs of a log root, before some of them are chosen."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from rla_hooks.layout import RunPaths
from rla_hooks.query import live_rows
from rla_hooks.query.entry import read_entry, status_of
from rla_hooks.query.index import Index, Row
from rla_hooks.query.index_columns import Blocks, keys_of
from rla_hooks.query.names import BUILT_IN, getter, values_of
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.stored import StoredEntry
from rla_hooks.query.times import seconds_of
from rla_hooks.run_folders import run_names


class Candidates(Protocol):
    """The runs of a log root, in the order of their starts. A run is made only when it is asked for."""

    def __len__(self) -> int: ...

    def column(self, name: str) -> Sequence[Any]:
        """Return the value of this name of each run, None where it has none; see :mod:`rla_hooks.query.names`."""

    def names(self) -> Iterable[str]:
        """Return all names that any of the runs has."""

    def runs(self, numbers: Iterable[int]) -> list[SavedRun]:
        """Return the runs of these numbers: many at once take less time."""


def candidates_of(root: Path, task: str | None = None) -> Candidates:
    """Return the runs of a log root, or of one task of it, from the index of the root; else those of other tools."""
    found = IndexCandidates(Index.of_now(root, task))
    return found if len(found) else _of_other_tools(root, task) or found


def _of_other_tools(root: Path, task: str | None) -> Candidates | None:
    """The runs of other tools in a folder, where it is none of ours."""
    from rla_hooks.query.foreign.scan import is_ours  # late: few folders are other tools'

    if not os.path.isdir(root) or is_ours(root) or (task is not None and next(run_names(root), None) is not None):
        return None
    from rla_hooks.query.foreign.run import foreign_runs

    return GivenCandidates(foreign_runs(root, task))


class GivenCandidates:
    """Candidates that are runs already."""

    def __init__(self, runs: Sequence[SavedRun]):
        self._runs = runs

    def __len__(self) -> int:
        return len(self._runs)

    def column(self, name: str) -> Sequence[Any]:
        return values_of(self._runs, name)

    def names(self) -> Iterable[str]:
        hparams = {name for run in self._runs for name in run.hparams}
        return {*BUILT_IN, *hparams, *(f"last.{name}" for run in self._runs for name in run.last)}

    def runs(self, numbers: Iterable[int]) -> list[SavedRun]:
        return [self._runs[number] for number in numbers]


class IndexCandidates:
    """Candidates whose values come from an index. Runs are made, and their JSON is read, when somebody asks.

    ``started`` and ``ended`` are seconds since 1970 in its columns.
    """

    def __init__(self, index: Index):
        self._index, self._root = index, index.root
        self._ids = [id for _, _, id, _ in index.rows]
        self._has_rows = False
        self._blocks = Blocks(index.cache, index.token, index.root, self._ids)

    def __len__(self) -> int:
        return len(self._index.rows)

    def column(self, name: str) -> Sequence[Any]:
        if name == "name":
            return [name for _, name, _, _ in self._index.rows]
        by_id = self._kept(keys_of(name))
        get = getter(name)
        if by_id is None:  # it is in no small file, or somebody has deleted the cache
            return [*map(seconds_of, values_of(self.runs(range(len(self))), name))]
        if name in ("rows", "step") or name.startswith("last."):
            self._find_rows()
        found = [*map(by_id.__getitem__, self._ids)]
        for number, run in self._live.items():
            found[number] = seconds_of(get(run))
        return found

    def _kept(self, keys: Sequence[str]) -> list[Any] | None:
        """Return the values that the index has under the first of these keys that a run has, by id; None for none."""
        found: list[Any] | None = None
        for key in keys:
            column = self._blocks.column(key)
            if column is None:
                return None
            found = column if found is None else [b if a is None else a for a, b in zip(found, column)]
        return found

    def names(self) -> Iterable[str]:
        found = self._blocks.names()
        live = range(len(self)) if found is None else self._live
        runs = self.runs(live)
        hparams = {name for run in runs for name in run.hparams}
        last = {f"last.{name}" for run in runs for name in run.last}
        return {*BUILT_IN, *hparams, *last, *(each.removeprefix("hparams.") for each in found or ())}

    def runs(self, numbers: Iterable[int]) -> list[SavedRun]:
        rows = self._index.rows
        asked = [*numbers]
        stored = iter(self._made([rows[number] for number in asked if number not in self._live]))
        for number in self._live.keys() & {*asked}:
            self._live[number].status  # noqa: B018  is found now: a saved run does not change
        return [self._live.get(number) or next(stored) for number in asked]

    def _find_rows(self) -> None:
        """Let the runs that have not ended know their rows: each file is read once as long as it does not change."""
        if not self._has_rows:
            ids = {self._ids[number]: run for number, run in self._live.items() if self._ids[number]}
            live_rows.find(self._index.cache, self._index.token, ids)
            self._has_rows = True

    @functools.cached_property
    def _live(self) -> dict[int, SavedRun]:
        """The runs whose values are in no block: those that have not ended, as they are now, and the unstored ones."""
        live = [number for number, (_, _, id, has_ended) in enumerate(self._index.rows) if not (id and has_ended)]
        return dict(zip(live, self._made([self._index.rows[number] for number in live])))

    def _made(self, rows: Sequence[Row]) -> list[SavedRun]:
        contents = self._index.contents([id for _, _, id, _ in rows])
        return [self._saved(row, contents.get(row[2])) for row in rows]

    def _saved(self, row: Row, content: bytes | None) -> SavedRun:
        started, name, _, has_ended = row
        paths, entry = RunPaths(self._root, name), self._index.unstored.get(name)
        if entry is not None:
            return SavedRun(paths, entry)
        if content is None:  # somebody has deleted the cache, or the run
            return SavedRun(paths, read_entry(paths))
        judge = None if has_ended else functools.partial(status_of, paths=paths)
        return SavedRun(paths, StoredEntry(name, started, content, judge))
