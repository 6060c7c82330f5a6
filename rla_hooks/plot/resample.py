"""Runs on one grid of x: smoothed where that is asked for, interpolated, and nothing where a run has no data.

run 1   .   .   .   .   .   .        rows at steps of its own
run 2     .   .   .                  it ended early
grid    | | | | | | | | | | |
n       1 2 2 2 2 2 2 1 1 1 1        runs that have data there
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy

from rla_hooks.plot.checks import Mistakes, is_growing, is_number
from rla_hooks.plot.gather import Array, Points

MOST = 1000  # points of a curve where nobody asks for another number: more than a page has dots for
_MOST_ASKED = 100_000  # points that somebody may ask for: 500 runs of them take 400 MB
_EDGE = 0.05  # of the whole range: what a run's last rows may lie apart from those of others without counting as an end


def check_resample(mistakes: Mistakes, resample: Any) -> None:
    """Note what is neither ``"auto"``, nor a number of points, nor numbers of x that grow."""
    is_count = isinstance(resample, int) and not isinstance(resample, bool) and 2 <= resample <= _MOST_ASKED
    if not is_count and not (isinstance(resample, str) and resample == "auto") and not is_growing(resample, least=1):
        allowed = '"auto", a number of points from 2 to 100,000, or numbers of x that grow.'
        mistakes.wrong("resample", resample, allowed)


def check_smooth(mistakes: Mistakes, smooth: Any) -> None:
    """Note what is neither None, nor a weight between 0 and 1, nor a number of rows."""
    is_rows = isinstance(smooth, int) and not isinstance(smooth, bool) and smooth >= 2
    if smooth is None or is_rows or (is_number(smooth) and 0 < smooth < 1):
        return
    mistakes.wrong(
        "smooth", smooth, "a weight between 0 and 1, such as 0.9, a number of rows from 2 on, or None for none."
    )


def smoothed(points: Points, smooth: float | int | None) -> Points:
    """Return points with smoothed y: by a debiased exponential mean of this weight, or the mean of so many rows.

    Both look back only, and not beyond a gap: behind what is not finite, which stays, they begin anew. Debiased: row
    ``t`` is divided by the sum of the weights so far, ``1 - smooth**t``, as Adam's moments are, so that the first rows
    do not start at 0.

    >>> points = Points(numpy.arange(5.0), numpy.array([4.0, 4.0, 8.0, numpy.nan, 1.0]))
    >>> smoothed(points, 0.5).y.round(3).tolist(), smoothed(points, 2).y.tolist()
    ([4.0, 4.0, 6.286, nan, 1.0], [4.0, 4.0, 6.0, nan, 1.0])
    """
    if smooth is None:
        return points
    is_there = numpy.isfinite(points.y)
    edges = numpy.flatnonzero(numpy.diff(is_there, prepend=False, append=False)).tolist()
    y = points.y.copy()
    for begin, end in zip(edges[::2], edges[1::2]):  # of each part without a gap
        part = y[begin:end]
        part[:] = _mean_of(part, smooth) if isinstance(smooth, int) else _exponential(part, float(smooth))
    return points._replace(y=y)


def _exponential(values: Array, weight: float) -> Array:
    sums = itertools.accumulate(((1 - weight) * values).tolist(), lambda before, value: weight * before + value)
    weights = -numpy.expm1(numpy.arange(1, len(values) + 1) * numpy.log(weight))
    means: Array = numpy.fromiter(sums, float, len(values)) / weights
    return means


def _mean_of(values: Array, rows: int) -> Array:
    """The mean of the last so many rows, of the first ones fewer. Sums of each window: a running sum loses digits."""
    rows = min(rows, len(values))
    head = values[: rows - 1].cumsum() / numpy.arange(1, rows)
    windows = numpy.lib.stride_tricks.sliding_window_view(values, rows)
    return numpy.concatenate([head, windows.mean(axis=1)])


def grid_of(
    curves: Sequence[Points], resample: Any, x_range: tuple[float | None, float | None], overlap: bool = False
) -> Array:
    """Return the x at which runs are compared, of the range that they have.

    ``"auto"``: the steps of the runs; of more than 1,000 every second, third and so on. A number: so many, evenly
    spaced. An array: these. x_range cuts the others; where it ends between two steps, there is a point at its end.
    overlap: only where all runs are.
    """
    firsts, lasts = [points.x[0] for points in curves], [points.x[-1] for points in curves]
    low, high = (max(firsts), min(lasts)) if overlap else range_of(curves)
    if not isinstance(resample, (str, int)):
        grid = numpy.asarray(resample, float)
        first, last = (low, high) if overlap else (min(firsts), max(lasts))
        return _within(grid, first, last, x_range)
    begin, end = _cut(low, high, x_range)
    if begin > end:
        return numpy.empty(0)
    if not isinstance(resample, str):
        return numpy.asarray(numpy.linspace(begin, end, resample if end > begin else 1))
    first = curves[0].x
    if all(points.x is first or numpy.array_equal(points.x, first) for points in curves):
        steps = first
    else:
        steps = numpy.unique(numpy.concatenate([points.x for points in curves]))
    steps = steps[(steps > begin) & (steps < end)]
    if len(steps) > MOST - 2:
        steps = steps[numpy.linspace(0, len(steps) - 1, MOST - 2).round().astype(int)]
    return numpy.unique(numpy.concatenate([[begin], steps, [end]]))


def _cut(low: float, high: float, x_range: tuple[float | None, float | None]) -> tuple[float, float]:
    begin, end = x_range
    return (low if begin is None else max(low, begin)), (high if end is None else min(high, end))


def _within(grid: Array, low: float, high: float, x_range: tuple[float | None, float | None]) -> Array:
    begin, end = _cut(low, high, x_range)
    inside: Array = grid[(grid >= begin) & (grid <= end)]
    return inside


def range_of(curves: Sequence[Points]) -> tuple[float, float]:
    """Return the first and the last x of the curve of these runs.

    Runs that log at steps of their own, such as at the ends of episodes, do not end at the same one. That is no drop of
    seeds: where a run ends less than its longest interval (and 5 % of the range) before the last one, the curve ends
    with it; likewise at the beginning.

    >>> rows = [Points(numpy.array(x), numpy.zeros(len(x))) for x in ([0.0, 50, 99], [1.0, 48, 100], [0.0, 30, 60])]
    >>> range_of(rows)
    (1.0, 99.0)
    """
    firsts = numpy.array([points.x[0] for points in curves])
    lasts = numpy.array([points.x[-1] for points in curves])
    low, high = firsts.min(), lasts.max()
    longest = numpy.array([numpy.diff(points.x).max() if len(points.x) > 1 else 0.0 for points in curves])
    near = numpy.minimum(longest, _EDGE * (high - low))
    return float(firsts[firsts - low <= near].max()), float(lasts[high - lasts <= near].min())


def on_grid(curves: Sequence[Points], grid: Array) -> Array:
    """Return y of each run at these x, (runs, points): NaN before its first point, after its last one, and in gaps.

    Between two points it is the line between them; next to a NaN or an infinity there is none.

    >>> points = Points(numpy.array([0.0, 1, 2, 3]), numpy.array([0.0, 1, numpy.nan, 3]))
    >>> on_grid([points], numpy.array([-0.5, 0.5, 1, 1.5, 3, 3.5])).tolist()
    [[nan, 0.5, 1.0, nan, 3.0, nan]]
    """
    rows = numpy.empty((len(curves), len(grid)))
    for row, (x, y, _) in zip(rows, curves):
        finite = numpy.where(numpy.isfinite(y), y, numpy.nan)
        if len(x) == len(grid) and numpy.array_equal(x, grid):
            row[:] = finite
        else:
            row[:] = numpy.interp(grid, x, finite, left=numpy.nan, right=numpy.nan)
            _exact(row, grid, x, finite)
    return rows


def _exact(row: Array, grid: Array, x: Array, y: Array) -> None:
    """Take points that lie on the grid as they are: numpy makes NaN of one whose neighbour is NaN."""
    places = numpy.searchsorted(x, grid)
    places[places == len(x)] = 0
    hit = x[places] == grid
    row[hit] = y[places[hit]]
