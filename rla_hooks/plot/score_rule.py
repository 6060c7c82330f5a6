"""One number of a run's curve: its last value, the mean of its last values, the best one, the area under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from rla_hooks.columns import Column
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.query.curves import best_of
from rla_hooks.query.summaries import MEAN_OF
from rla_hooks.texts import shown

Array = numpy.ndarray[Any, Any]
KINDS = ("last", "mean", "max", "min", "area")


class ScoreRule(NamedTuple):
    """How a curve becomes one number. ``window``: how many values ``mean``, ``max`` and ``min`` take together.

    >>> str(score_rule("last")), str(score_rule("mean", 10)), str(score_rule("max", 10)), str(score_rule("area"))
    ('last value', 'mean of the last 10 values', 'best mean of 10 values', 'mean height (area / length)')
    """

    kind: str
    window: int

    def __str__(self) -> str:
        best = {"max": "best", "min": "lowest"}.get(self.kind)
        if best:
            return f"{best} value" if self.window == 1 else f"{best} mean of {self.window:,} values"
        return {
            "last": "last value",
            "mean": f"mean of the last {self.window:,} values",
            "area": "mean height (area / length)",
        }[self.kind]

    def of(self, x: Array, y: Array, low: float, high: float) -> float:
        """Return the score of a curve; NaN where it has none.

        x, y: shape (points,), x grows. low, high: where the area begins and ends on the x
        axis. Values that are not finite are skipped; if the last value is asked for and is one, there is no score.

        >>> x, y = numpy.array([0.0, 10.0, 20.0]), numpy.array([1.0, 3.0, 2.0])
        >>> score_rule("last").of(x, y, 0, 20), score_rule("max", 2).of(x, y, 0, 20), score_rule("area").of(x, y, 0, 20)
        (2.0, 2.5, 2.25)
        """
        if self.kind == "area":
            return mean_height(x, y, low, high)
        if self.kind == "last":
            return float(y[-1]) if len(y) and numpy.isfinite(y[-1]) else numpy.nan
        y = y[numpy.isfinite(y)]
        if not len(y):
            return numpy.nan
        if self.kind == "mean":
            return float(y[-self.window :].mean())
        return best_of({"y": Column(y)}, "y", self.kind, self.window).value


def score_rule(score: object = "last", window: object = None) -> ScoreRule:
    """Return the rule that the arguments ``score`` and ``window`` mean. Raises ConfigError."""
    problems = []
    if not isinstance(score, str) or score not in KINDS:
        problems.append(f"score is {shown(score, 100)}. Known: {', '.join(KINDS)}.{did_you_mean(score, KINDS)}")
    elif window is not None and score in ("last", "area"):
        problems.append(f"window is {shown(window, 100)}, but score={score!r} has none. Allowed with: mean, max, min.")
    elif window is not None and (not isinstance(window, int) or isinstance(window, bool) or window < 1):
        problems.append(f"window is {shown(window, 100)}. Allowed: the number of values of the mean, 1 or more.")
    if problems:
        raise ConfigError(problems)
    default = MEAN_OF if score == "mean" else 1
    return ScoreRule(str(score), window if isinstance(window, int) else default)


def common_range(curves: Sequence[tuple[Array, Array]]) -> tuple[float, float]:
    """Return the part of the x axis that all curves have, of those with two points at least; (NaN, NaN) without any.

    >>> common_range([(numpy.arange(5), numpy.ones(5)), (numpy.arange(2, 9), numpy.ones(7))])
    (2.0, 4.0)
    """
    used = [x[numpy.isfinite(y)] for x, y in curves]
    ends = [(x.min(), x.max()) for x in used if len(x) and x.min() < x.max()]
    if not ends:
        return numpy.nan, numpy.nan
    return float(max(low for low, _ in ends)), float(min(high for _, high in ends))


def mean_height(x: Array, y: Array, low: float, high: float) -> float:
    """Return the area under a curve from ``low`` to ``high``, divided by its length: the mean of y over x.

    x grows. Values that are not finite are skipped. NaN where the curve does not reach from low to high.

    >>> mean_height(numpy.array([0, 10, 20]), numpy.array([0.0, 10.0, 10.0]), 5, 15)
    8.75
    """
    is_real = numpy.isfinite(y)
    x, y = x[is_real], y[is_real]
    if not len(x) or x[0] > low or x[-1] < high or not low < high:
        return numpy.nan
    grid = numpy.concatenate([[low], x[(x > low) & (x < high)], [high]])
    heights = numpy.interp(grid, x, y)
    return float(((heights[1:] + heights[:-1]) / 2 * numpy.diff(grid)).sum() / (high - low))
