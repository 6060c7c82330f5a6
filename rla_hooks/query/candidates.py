"""The runs of a log root, before some of them are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from rla_hooks.layout import RunPaths, run_names
from rla_hooks.query.entry import read_entry
from rla_hooks.query.names import BUILT_IN, getter
from rla_hooks.query.saved_run import SavedRun


class Candidates(Protocol):
    """The runs of a log root, in the order of their starts. A run is made only when it is asked for."""

    def __len__(self) -> int: ...

    def column(self, name: str) -> Sequence[Any]:
        """Return the value of this name of each run, None where it has none; see :mod:`rla_hooks.query.names`."""

    def names(self) -> Iterable[str]:
        """Return all names that any of the runs has."""

    def run(self, number: int) -> SavedRun:
        """Return the run of this number in the order."""


def candidates_of(root: Path, task: str | None = None) -> Candidates:
    """Return the runs of a log root, or of one task of it."""
    return ReadCandidates(root, task)


class ReadCandidates:
    """Candidates whose small files are all read now."""

    def __init__(self, root: Path, task: str | None = None):
        paths = [RunPaths(root, name) for name in run_names(root, task)]
        self._runs = [SavedRun(each, read_entry(each)) for each in paths]
        self._runs.sort(key=lambda run: (run.entry.started, run.name))

    def __len__(self) -> int:
        return len(self._runs)

    def column(self, name: str) -> Sequence[Any]:
        return [*map(getter(name), self._runs)]

    def names(self) -> Iterable[str]:
        hparams = {name for run in self._runs for name in run.hparams}
        return {*BUILT_IN, *hparams, *(f"last.{name}" for run in self._runs for name in run.last)}

    def run(self, number: int) -> SavedRun:
        return self._runs[number]
