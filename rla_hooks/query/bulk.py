"""Rows and summaries of many runs at once: what is kept of them is found with a few statements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rla_hooks.columns import Columns
from rla_hooks.query.column_cache import read_rows
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.summaries import Summary
from rla_hooks.query.summary_cache import summaries_of

T = TypeVar("T")


def columns_of_runs(runs: Sequence[SavedRun], names: Iterable[str]) -> Iterator[Columns | OSError]:
    """Yield these columns of the rows of each run, without those that it lacks. ``time-step`` is one like others.

    Of a run whose rows cannot be read the error. Runs of one log root are best given together.

    >>> import rla_hooks as rla
    >>> for seed in range(2):
    ...     with rla.run(task="demo", writers=["csv"], backup="none", seed=seed):
    ...         rla.log({"loss": 0.5 + seed, "return": 1}, step=10)
    >>> [columns["loss"].values.tolist() for columns in columns_of_runs(rla.runs(), ["time-step", "loss"])]
    [[0.5], [1.5]]
    """
    wanted = [*dict.fromkeys(names)]

    def together(some: Sequence[SavedRun], root: Path) -> Iterator[Columns | OSError]:
        for rows in read_rows(root, [run.log_dir for run in some], wanted):
            yield rows if isinstance(rows, OSError) else rows.columns(wanted)

    def alone(run: SavedRun) -> Columns | OSError:
        try:
            columns = run.columns(wanted)
        except OSError as error:
            return error
        return {name: columns[name] for name in wanted if name in columns}

    return _each(runs, together, alone)


def summaries_of_runs(runs: Sequence[SavedRun], metrics: Iterable[str]) -> list[dict[str, Summary]]:
    """Return the summaries of these metrics of each run, without those that it lacks.

    The first time a terminal shows how far it is; then they are found in the cache.
    """
    wanted = [*dict.fromkeys(metrics)]

    def together(some: Sequence[SavedRun], root: Path) -> Iterator[dict[str, Summary]]:
        yield from summaries_of([run.paths for run in some], wanted)

    def alone(run: SavedRun) -> dict[str, Summary]:
        found = {name: run.summary(name) for name in wanted}
        return {name: summary for name, summary in found.items() if summary is not None}

    return [*_each(runs, together, alone)]


def _each(
    runs: Sequence[SavedRun], together: Callable[[Sequence[SavedRun], Path], Iterator[T]], alone: Callable[[Any], T]
) -> Iterator[T]:
    """Treat runs in a row that belong to one log root together; those of other tools, which read themselves, alone."""
    begin = 0
    while begin < len(runs):
        first, end = runs[begin], begin + 1
        if type(first) is not SavedRun:
            yield alone(first)
        else:
            root = first.paths.log_root
            while end < len(runs) and type(runs[end]) is SavedRun and runs[end].paths.log_root == root:
                end += 1
            yield from together(runs[begin:end], root)
        begin = end
