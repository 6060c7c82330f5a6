"""What is made of the rows of a run: those of one step joined, the best mean over a window, checks of names."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

from rla_hooks.columns import Column, Columns
from rla_hooks.errors import ConfigError, RLAError, did_you_mean
from rla_hooks.query.summaries import step_of
from rla_hooks.texts import listed, printable
from rla_hooks.writers.base import STEP, TIME

if TYPE_CHECKING:
    from rla_hooks.rows.pieces import Array

MODES = ("max", "min")
_LISTED = 10  # metrics in a message


class Best(NamedTuple):
    """The best value of a metric. value: the mean of the window; step, first_step: of its last and its first row.

    A step is None where the row has none, as in files of other programs.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     for step, value in enumerate([1.0, 9.0, 6.0, 7.0, 2.0]):
    ...         rla.log({"return": value}, step=10 * step)
    >>> rla.runs()[-1].best("return"), rla.runs()[-1].best("return", window=3)
    (Best(value=9.0, step=10, first_step=10), Best(value=7.333333333333333, step=30, first_step=10))
    """

    value: float
    step: int | None
    first_step: int | None


def check_keys(keys: Iterable[str], columns: Columns, known: Iterable[str], where: str) -> None:
    """Raise RLAError for a key that no row has. known: all that the rows have."""
    missing = [key for key in keys if key not in columns]
    if missing:
        metrics = [name for name in known if name not in (STEP, TIME)]
        raise RLAError(f"{where}: no row of the run has {printable(repr(missing[0]))}. {_known(missing[0], metrics)}")


def _known(word: str, metrics: Collection[str]) -> str:
    """The sentence that lists the metrics there are, and the one that may be meant."""
    if not metrics:
        return "It has no rows of metrics in its csv files."
    return printable(f"Its metrics: {listed(sorted(metrics), _LISTED)}.{did_you_mean(word, metrics)}")


def merged(columns: Columns) -> Columns:
    """Join the rows of one step to one: of each column the last value that is there. In the order of the steps.

    A row without a step stays by itself, behind the others. Raises RLAError for a table without a column of steps.
    """
    import numpy

    if not columns:
        return columns
    if STEP not in columns or columns[STEP].values.dtype.kind == "O":
        raise RLAError(f"merge=True joins rows of one step, but these have no column {STEP!r} of numbers.")
    count, places = _places(columns[STEP])
    found: dict[str, Column] = {}
    for name, (values, present) in columns.items():
        rows = numpy.arange(len(values)) if present is None else numpy.flatnonzero(present)
        last = numpy.full(count, -1)
        last[places[rows]] = rows  # of several for one place, the last stays
        found[name] = Column(values[last], None if (last >= 0).all() else last >= 0)
    return found


def _places(steps: Column) -> tuple[int, Array]:
    """Return how many rows there are when those of one step are joined, and which one each row goes to."""
    import numpy

    has_step = numpy.ones(len(steps.values), bool) if steps.present is None else steps.present
    if steps.values.dtype.kind == "f":
        has_step = has_step & ~numpy.isnan(steps.values)
    distinct, inverse = numpy.unique(steps.values[has_step], return_inverse=True)
    count = len(distinct) + len(has_step) - len(inverse)
    places = numpy.empty(len(has_step), numpy.int64)
    places[has_step] = inverse
    places[~has_step] = numpy.arange(len(distinct), count)
    return count, places


def with_step(names: Iterable[str], x: str) -> list[str]:
    """Return the columns to read for these metrics over ``x``: the steps, too, by which a row may be given its x."""
    return list(dict.fromkeys([*names, x, *([] if x in (STEP, TIME) else [STEP])]))


def x_of_rows(columns: Columns, x: str) -> Column:
    """Return the column ``x``, where a row that lacks it has that of the nearest row of its step.

    So metrics that were logged by one call stand over what another call has logged at the same step. The nearest one,
    since a step may come again after others: in a second training of the same run, say.
    """
    import numpy

    values, present = columns[x]
    steps = columns.get(STEP)
    if x in (STEP, TIME) or present is None or steps is None or steps.values.dtype.kind == "O":
        return columns[x]
    places = _places(steps)[1]
    order = numpy.argsort(places, kind="stable")  # the rows of one step side by side, as they were logged
    begins = numpy.flatnonzero(numpy.diff(places[order], prepend=-1))
    first, last = (numpy.repeat(at, numpy.diff([*begins, len(order)])) for at in (begins, [*begins[1:], len(order)]))
    at, has_x = numpy.arange(len(order)), present[order]
    before = numpy.maximum.accumulate(numpy.where(has_x, at, -1))
    behind = numpy.minimum.accumulate(numpy.where(has_x, at, len(order))[::-1])[::-1]
    there, ahead = before >= first, behind < last
    rows_before, rows_behind = order[numpy.maximum(before, 0)], order[numpy.minimum(behind, len(order) - 1)]
    is_before = there & (~ahead | (order - rows_before <= rows_behind - order))
    nearest = numpy.empty_like(order)
    nearest[order] = numpy.where(is_before, rows_before, rows_behind)
    found = numpy.empty(len(order), bool)
    found[order] = there | ahead
    return Column(values[nearest], None if found.all() else found)


def seconds_in(times: Column, resumed: Iterable[float] = ()) -> Array:
    """Return the seconds since the first row, whatever metrics it has, without the pauses of a run that was resumed.

    resumed: when its further lives began, in seconds since 1970. A pause goes from the last row before that to it.
    """
    import numpy

    values, present = times
    there = numpy.isfinite(values) if present is None else numpy.isfinite(values) & present
    known, passed = values[there], values.astype("float64")
    if not known.size:
        return passed
    before = known.min()
    for at in sorted(resumed):
        if at > before:
            before = max(before, known[known < at].max())
            passed[values >= at] -= at - before
            before = at  # a life may have no rows
    first: Array = passed - passed[there].min()
    return first


def rows_with(columns: Columns, x: str) -> Columns:
    """Return the rows in which all columns have a value. Raises RLAError where none is left, and for texts as ``x``."""
    import numpy

    if columns[x].values.dtype.kind == "O":
        raise RLAError(f"x is {printable(repr(x))}, a column of texts. Allowed: any numeric column, such as {STEP!r}.")
    masks = [present for _, present in columns.values() if present is not None]
    if not masks:
        return columns
    kept = numpy.logical_and.reduce(masks)
    if not kept.any():
        names = " and ".join(printable(repr(name)) for name in columns)
        raise RLAError(f"No row has both {names}, and no step either. Log them at the same steps.")
    return {name: Column(values[kept]) for name, (values, _) in columns.items()}


def best_of(columns: Columns, metric: str, mode: str, window: int) -> Best:
    """Return the best mean over so many values of a metric; over all where there are fewer. Raises RLAError."""
    import numpy

    if mode not in MODES:
        raise ConfigError(f"mode is {mode!r}. Known: {', '.join(MODES)}.{did_you_mean(mode, MODES)}")
    if not isinstance(window, int) or isinstance(window, bool) or window < 1:
        raise ConfigError(f"window is {window!r}. Allowed: the number of rows of the mean, 1 or more.")
    values, present = columns[metric]
    if values.dtype.kind == "O":
        raise RLAError(f"best({metric!r}): its values are texts, which have no mean. Allowed: metrics of numbers.")
    rows = numpy.arange(len(values)) if present is None else numpy.flatnonzero(present)
    window = min(window, len(rows))
    means = _window_means(values[rows].astype(float), window)
    if not len(rows) or numpy.isnan(means).all():
        raise RLAError(f"best({metric!r}): all means over {window} of its {len(rows)} values are NaN. Try window=1.")
    place = int(numpy.nanargmax(means) if mode == "max" else numpy.nanargmin(means))
    first, last = (step_of(columns.get(STEP), rows[number]) for number in (place, place + window - 1))
    return Best(means[place].item(), last, first)


def _window_means(values: Array, window: int) -> Array:
    """Return the mean of each ``window`` values in a row.

    Sums of 1, 2, 4, ... values make it up: a running sum would lose all digits after one value of 1e30.
    """
    import numpy

    total, at, size, length = numpy.zeros(max(0, len(values) - window + 1)), 0, 1, window
    with numpy.errstate(all="ignore"):  # infinities of both signs
        while length:
            if length & 1:
                total = total + values[at : at + len(total)]
                at += size
            length >>= 1
            if length:
                values = values[:-size] + values[size:]
                size *= 2
        means: Array = total / window
    return means
