"""A list of saved runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, overload

from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import counted, cut, shown

if TYPE_CHECKING:
    import pandas

_SHOWN = 6  # runs in the repr
_LONGEST_QUERY = 2000  # characters of a text that + makes longer and longer


class Runs(Sequence[SavedRun]):
    """Saved runs, in the order in which they were asked for. Slices and ``+`` give Runs.

    ``query``: the Python text that chose the runs. Equal to a list of the same runs.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["seed"], task="demo", writers=["csv"], backup="none")
    ... def main(seed):
    ...     rla.log({"return": 10.0 * seed}, step=0)
    >>> for seed in range(3):
    ...     main(seed)
    >>> chosen = rla.runs(task="demo")[-2:]
    >>> [run.hparams["seed"] for run in chosen], chosen.query
    ([1, 2], "rla.runs(task='demo')[-2:]")
    """

    def __init__(self, runs: Iterable[SavedRun] = (), query: str = ""):
        self._runs = list(runs)
        self.query = query

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[SavedRun]:
        return iter(self._runs)

    @overload
    def __getitem__(self, index: int) -> SavedRun: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> SavedRun | Runs:
        if isinstance(index, slice):
            begin, end, step = ("" if part is None else str(part) for part in (index.start, index.stop, index.step))
            query = f"({self.query})" if " + " in self.query else self.query
            return Runs(self._runs[index], f"{query}[{begin}:{end}{':' if step else ''}{step}]")
        try:
            return self._runs[index]
        except IndexError:
            raise IndexError(
                f"There is no run {index}: {self.query or 'Runs'} has {counted(len(self), 'run')}. "
                "Its log root, and other tasks: rla runs"
            ) from None
        except TypeError:
            raise TypeError(
                f"The index is {shown(index, 100)}. Allowed: numbers and slices. "
                f"""To find a run by its id or name: rla.runs(where="id == '...'"), rla.runs(name="*...*")"""
            ) from None

    def __add__(self, other: Sequence[SavedRun]) -> Runs:
        if not isinstance(other, (Runs, list, tuple)):
            return NotImplemented
        return Runs([*self._runs, *other], _sum_of(self, other))

    def __radd__(self, other: Sequence[SavedRun]) -> Runs:
        if not isinstance(other, (list, tuple)):
            return NotImplemented
        return Runs([*other, *self._runs], _sum_of(other, self))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, (Runs, list)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # like a list, it is equal to others by its content

    def __repr__(self) -> str:
        texts = [*map(repr, self._runs)] if len(self) <= _SHOWN else []
        if not texts and self._runs:
            head, tail = self._runs[: _SHOWN // 2], self._runs[-_SHOWN // 2 :]
            texts = [*map(repr, head), f"... {len(self) - len(head) - len(tail):,} more ...", *map(repr, tail)]
        return f"Runs([{', '.join(texts)}])"

    def _repr_html_(self) -> str:
        """Return a table of the runs for notebooks: of thousands the first and the last."""
        from rla_hooks.query.html import runs_html
        from rla_hooks.query.tables import differing

        return runs_html(self, self.query, differing)

    def table(
        self,
        metrics: str | Iterable[str] | None = None,
        params: str | Iterable[str] = "differing",
        frame: str = "pandas",
    ) -> pandas.DataFrame:
        """Return a DataFrame with one row a run, in this order.

        Its columns: id, task, status, started (UTC), seconds, rows, then the parameters, then the metrics.

        metrics: names; ``"loss"`` and ``"last.loss"`` are the last value, ``"min.loss"`` and ``"max.loss"`` the
        extremes. By default the last values of all metrics, at most 100. params: ``"differing"``, those that do not
        have the same value in all runs (one that is missing counts as None), ``"all"``, or names, also built-in ones
        such as ``"host"``. One with the name of another column is called ``hparams.<name>``, and a metric with the name
        of one of the first columns ``last.<name>``. frame: ``"pandas"`` or ``"polars"``.

        Types come from the values: integers (Int64 where some are missing), float64, bool, UTC times, texts. Lists, and
        parameters with values of several kinds, are texts: JSON, but a text stays as it is.
        Raises :class:`~rla_hooks.errors.ConfigError` for a name that no run has, and
        :class:`~rla_hooks.errors.RLAError` if pandas or polars is not installed.

        >>> import rla_hooks as rla
        >>> for lr in (0.1, 0.2):
        ...     with rla.run(task="demo", writers=["csv"], backup="none", lr=lr, width=64) as run:
        ...         rla.log({"loss": lr / 4}, step=0)
        >>> rla.runs(task="demo")[-2:].table()[["status", "rows", "lr", "loss"]]
             status  rows   lr   loss
        0  finished     1  0.1  0.025
        1  finished     1  0.2  0.050
        """
        from rla_hooks.query import frames, tables

        frames.check_frame(frame)
        return frames.to_frame(tables.table(self, metrics, params), frame)

    def metrics(
        self,
        metrics: str | Iterable[str] | None = None,
        x: str = "time-step",
        params: str | Iterable[str] = "differing",
        frame: str = "pandas",
    ) -> pandas.DataFrame:
        """Return a long DataFrame with one row for each value of each of these metrics, of all runs.

        Its columns: id, the parameters, x, metric, value (float64). The rows come run by run, and in a run metric by
        metric. A row that lacks x takes that of the nearest row of its step; rows that lack the metric or x are left
        out; a NaN that was logged stays.

        metrics: names; by default all that are numbers. x: any numeric column, such as ``"timestamp"`` or a metric (one
        that is called id, metric or value stands in the column ``last.<name>``).
        params and frame: as in :meth:`table`, but of the parameters that differ at most 100.
        Raises :class:`~rla_hooks.errors.ConfigError` for a metric that no run has, that is a text in one, or that
        has no step in common with x, and :class:`~rla_hooks.errors.RLAError` if pandas or polars is not installed.

        >>> import rla_hooks as rla
        >>> for lr in (0.1, 0.2):
        ...     with rla.run(task="demo", writers=["csv"], backup="none", lr=lr) as run:
        ...         for step in (0, 10):
        ...             rla.log({"loss": lr / (step + 1)}, step=step)
        >>> rla.runs(task="demo")[-2:].metrics("loss").drop(columns="id")
            lr  time-step metric     value
        0  0.1          0   loss  0.100000
        1  0.1         10   loss  0.009091
        2  0.2          0   loss  0.200000
        3  0.2         10   loss  0.018182
        """
        from rla_hooks.query import frames, tables

        frames.check_frame(frame)
        return frames.to_frame(tables.long_table(self, metrics, x, params), frame)


def _sum_of(*parts: Sequence[SavedRun]) -> str:
    texts = [part.query if isinstance(part, Runs) else f"<{counted(len(part), 'run')}>" for part in parts]
    return cut(" + ".join(filter(None, texts)), _LONGEST_QUERY)
