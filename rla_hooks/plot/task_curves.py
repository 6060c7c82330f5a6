"""The curves of runs and the tasks they belong to, with what a reader has to know about them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy

from rla_hooks.errors import ConfigError, RLAError, did_you_mean, warn
from rla_hooks.plot.checks import Mistakes
from rla_hooks.plot.gather import points_of_runs
from rla_hooks.query.names import BUILT_IN, values_of
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import listed, printable, shown

Array = numpy.ndarray[Any, Any]
Curve = tuple[Array, Array]  # x, which grows, and y

_NAMED = 6  # runs in a message
_HUGE = 1e150  # from here on squares are no floats: such values count as infinities
_EARLY = 0.9  # a run whose last x is below this part of the largest of its task ended early
Range = tuple[float | None, float | None] | None


def curves_of(runs: Sequence[SavedRun], metric: str, x: str, x_range: Range = None) -> list[Curve | None]:
    """Return the curve of each run, in the order of x, of the points in the range; None for one without the metric.

    Raises :class:`~rla_hooks.errors.ConfigError` for a metric of texts, one that no run has, and an empty range.
    """
    low, high = range_of(x_range)
    found: list[Curve | None] = []
    for points in points_of_runs(runs, [metric], x):
        if metric not in points:
            found.append(None)
            continue
        xs, ys = points[metric].x, points[metric].y
        is_used = (xs >= low) & (xs <= high)
        found.append((xs[is_used], bounded(ys[is_used])))
    if not any(curve is not None and len(curve[0]) for curve in found):
        raise ConfigError(
            f"x_range is {shown(x_range, 100)}, and no row of {printable(repr(metric))} has {printable(repr(x))} in it."
        )
    return found


def bounded(y: Array) -> Array:
    """Return values, of which those that no float can square are infinite: no axis and no interval could hold them.

    >>> bounded(numpy.array([1.0, -1e200, numpy.nan])).tolist()
    [1.0, inf, nan]
    """
    found: Array = numpy.where((abs(y) < _HUGE) | numpy.isnan(y), y, numpy.inf)
    return found


def range_of(x_range: Range) -> tuple[float, float]:
    """Return the bounds that ``x_range`` means: None is no bound. Raises ConfigError.

    >>> range_of((0, None))
    (0.0, inf)
    """
    mistakes = Mistakes("")
    mistakes.range("x_range", x_range)
    mistakes.raise_any()
    low, high = x_range or (None, None)
    return -float("inf") if low is None else float(low), float("inf") if high is None else float(high)


def tasks_of(runs: Sequence[SavedRun], column: str | None) -> list[Any]:
    """Return the task of each run: the value of this name, plain or as a text; None for all without a name."""
    if column is None:
        return [None] * len(runs)
    values = values_of(runs, column)
    if all(value is None for value in values) and column not in BUILT_IN:
        known = sorted({name for run in runs for name in run.hparams} | BUILT_IN.keys())
        raise ConfigError(
            f"tasks is {printable(repr(column))}, which no run has. Known: {printable(listed(known, 20))}."
            f"{printable(did_you_mean(column, known))}"
        )
    nothing = "no value" if "none" in values else "none"
    plain = [nothing if value is None else _plain(value) for value in values]
    kinds = {type(value) for value in plain}
    if bool not in kinds or not kinds & {int, float}:
        return plain
    return [str(value).lower() if isinstance(value, bool) else value for value in plain]  # Python takes True for 1


def _plain(value: Any) -> Any:
    if isinstance(value, (str, bool, int)) or (isinstance(value, float) and value == value):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def in_order(tasks: Iterable[Any]) -> list[Any]:
    """Return tasks in order: numbers by their size, then texts.

    >>> in_order({"b", 10, "a", 2})
    [2, 10, 'a', 'b']
    """
    return sorted(tasks, key=lambda task: (isinstance(task, str), 0 if task is None else task))


def left_out(runs: Sequence[SavedRun], curves: Sequence[Curve | None], values: Sequence[Any], metric: str) -> list[str]:
    """Warn of runs without a score, and return what the figure says of it. Those without the metric are named already.

    Raises :class:`~rla_hooks.errors.RLAError` where no run has a score.
    """
    without = [at for at, value in enumerate(values) if not numpy.isfinite(value).all()]
    those = [runs[at].id for at in without if curves[at] is not None]
    if len(without) == len(runs):
        raise RLAError(
            f"None of the {len(runs):,} runs has a score of {printable(repr(metric))}: their values are not finite, "
            "or their steps have nothing in common. score='max' and score='mean' skip values that are not finite."
        )
    if those:
        why = f"no {printable(repr(metric))} there, or it is not finite"
        warn(f"{_runs(those)} without a score, and left out: {why}.")
    return [f"{len(without)} of {len(runs)} runs have no score"] if without else []


def not_finite(runs: Sequence[SavedRun], curves: Sequence[Curve | None], metric: str) -> list[str]:
    """Warn of values that are skipped, and return what the figure says of them."""
    counts = [0 if curve is None else int((~numpy.isfinite(curve[1])).sum()) for curve in curves]
    those = [run.id for run, count in zip(runs, counts) if count]
    if not those:
        return []
    text = f"{sum(counts):,} values that are not finite" if sum(counts) > 1 else "1 value that is not finite"
    warn(f"{printable(repr(metric))} has {text}, skipped, in {_runs(those)}.")
    return [text]


def too_short(runs: Sequence[SavedRun], curves: Sequence[Curve | None], window: int) -> list[str]:
    """Warn of runs that have fewer finite values than the window, and return what the figure says of them."""
    counts = {at: int(numpy.isfinite(curve[1]).sum()) for at, curve in enumerate(curves) if curve is not None}
    those = [f"{runs[at].id}: {count}" for at, count in counts.items() if 0 < count < window]
    if not those:
        return []
    warn(
        f"{len(those)} run{'s have' if len(those) > 1 else ' has'} fewer than window={window} values "
        f"({listed(those, _NAMED)}): the mean of all that they have is taken."
    )
    return [f"{len(those)} run{'s' if len(those) > 1 else ''} with fewer than {window} values"]


def ended_early(
    runs: Sequence[SavedRun], curves: Sequence[Curve | None], tasks: Sequence[Any], x: str, is_area: bool = False
) -> list[str]:
    """Warn of runs that ended before the others of their task, and return what the figure says of them.

    is_area: whether scores are areas, which all runs of a task have over the same steps.
    """
    ends = [-float("inf") if curve is None or not len(curve[0]) else curve[0][-1].item() for curve in curves]
    longest: dict[Any, float] = {}
    for task, end in zip(tasks, ends):
        longest[task] = max(end, longest.get(task, end))
    early = [at for at, end in enumerate(ends) if 0 <= end < longest[tasks[at]] * _EARLY]
    if not early:
        return []
    many = len(early) > 1
    which = [f"{runs[at].id} at {ends[at]:,g} of {longest[tasks[at]]:,g}" for at in early]
    warn(
        f"{len(early)} run{'s' if many else ''} ended early, by {printable(x)} ({listed(which, _NAMED)}): "
        + (
            "the areas of all runs of the task end there. Leave these out to have those of whole runs."
            if is_area
            else "scores are of what a run has. Compare all at one step by x_range=(None, step), or leave these out."
        )
    )
    return [f"{len(early)} run{'s' if many else ''} ended early"]


def _runs(ids: Sequence[str]) -> str:
    return f"{len(ids)} run{'s' if len(ids) > 1 else ''} ({printable(listed(ids, _NAMED))})"
