"""A list of saved runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

from rla_hooks.query.saved_run import SavedRun


class Runs(Sequence[SavedRun]):
    """Saved runs, in the order in which they were asked for. Slices and ``+`` give Runs.

    ``query``: the Python text that chose the runs.

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

    @overload
    def __getitem__(self, index: int) -> SavedRun: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> SavedRun | Runs:
        if not isinstance(index, slice):
            return self._runs[index]
        begin, end, step = ("" if part is None else str(part) for part in (index.start, index.stop, index.step))
        return Runs(self._runs[index], f"{self.query}[{begin}:{end}{':' if step else ''}{step}]")

    def __add__(self, other: Sequence[SavedRun]) -> Runs:
        if not isinstance(other, (Runs, list, tuple)):
            return NotImplemented
        query = other.query if isinstance(other, Runs) else f"<{len(other)} runs>"
        return Runs([*self._runs, *other], f"{self.query} + {query}")

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, (Runs, list)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # like a list, it is equal to others by its content

    def __repr__(self) -> str:
        return f"Runs({self._runs!r})"
