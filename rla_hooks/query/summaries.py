"""Summaries of metrics: the last value, the extremes and where they were, the mean of the last values.

They are made of the rows, so that they exist for runs that are running or were killed as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from rla_hooks.values import Scalar
from rla_hooks.writers.base import STEP, TIME

if TYPE_CHECKING:
    from rla_hooks.columns import Column
    from rla_hooks.rows.pieces import Array, JoinedRows

MEAN_OF = 100  # values


class Summary(NamedTuple):
    """What the values of one metric of a run come to.

    count: how many there are. last: the newest. min, max: the extremes; min_step, max_step: the step of the first row
    that has them. mean: that of the last 100 values. NaN is skipped in extremes and mean; they are None where there is
    no other value, and for texts.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     for step, value in enumerate([1.0, 4.0, float("nan"), 1.0]):
    ...         rla.log({"return": value}, step=10 * step)
    >>> rla.runs()[-1].summary("return")
    Summary(count=4, last=1.0, min=1.0, max=4.0, mean=2.0, min_step=0, max_step=10)
    """

    count: int  # type: ignore[assignment]  # not the method of tuples
    last: Scalar
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    min_step: int | None = None
    max_step: int | None = None


@runtime_checkable
class HasRows(Protocol):
    """Paths that read the rows themselves: those of other tools' folders."""

    def read_rows(self, wanted: Sequence[str] | None) -> JoinedRows: ...


def summarize(rows: JoinedRows) -> dict[str, Summary]:
    """Return the summaries of all metrics in these rows."""
    steps = rows.column(STEP) if STEP in rows.pieces else None  # the file of another program may have none
    found = {}
    for name in rows.pieces:
        values, numbers = rows.values(name)
        if name not in (STEP, TIME) and len(values):
            found[name] = _summary(values, numbers, steps)
    return found


def summary_of(column: Column, steps: Column | None) -> Summary | None:
    """Return the summary of a column that has been read already, as :meth:`SavedRun.columns` gives it; None if empty.

    >>> import numpy
    >>> from rla_hooks.columns import Column
    >>> summary_of(Column(numpy.array([4.0, 2.0])), Column(numpy.array([0, 10])))
    Summary(count=2, last=2.0, min=2.0, max=4.0, mean=3.0, min_step=10, max_step=0)
    """
    import numpy

    values, present = column
    rows = None if present is None else numpy.flatnonzero(present)
    return _summary(values if rows is None else values[rows], rows, steps) if len(values) else None


def step_of(steps: Column | None, row: int) -> int | None:
    """Return the step of a row; None where it has none: the cell is empty, NaN, or the steps are texts.

    >>> import numpy
    >>> from rla_hooks.columns import Column
    >>> steps = Column(numpy.array([0, 10]), numpy.array([False, True]))
    >>> step_of(steps, 1), step_of(steps, 0), step_of(None, 0)
    (10, None, None)
    """
    if steps is None or steps.values.dtype.kind == "O" or not (steps.present is None or steps.present[row]):
        return None
    step: int = steps.values[row].item()
    return step if step == step else None


def _summary(values: Array, rows: Array | None, steps: Column | None) -> Summary:
    """Return the summary of values that are there. rows: their numbers, None where all rows have one."""
    import numpy

    count = len(values)
    if values.dtype.kind == "O":
        return Summary(count, values[-1])
    last, tail = values[-1].item(), values[-MEAN_OF:]
    if values.dtype.kind == "f":
        real = ~numpy.isnan(values)
        tail = tail[real[-MEAN_OF:]]
        if not real.all():
            values, rows = values[real], numpy.flatnonzero(real) if rows is None else rows[real]
    if not len(values):
        return Summary(count, last)
    low, high = values.argmin(), values.argmax()
    with numpy.errstate(all="ignore"):  # infinities of both signs
        mean = tail.mean().item() if len(tail) else None
    at = [step_of(steps, int(place if rows is None else rows[place])) for place in (low, high)]
    return Summary(count, last, values[low].item(), values[high].item(), mean, *at)
