"""Smoothing of baselines' ``plot_util``, which RLA's figures have: exponential means on an even grid."""

from __future__ import annotations

import itertools
from typing import Any

import numpy

from rla_hooks.errors import ConfigError
from rla_hooks.texts import shown

Array = numpy.ndarray[Any, Any]


def one_sided_ema(
    xolds: Any,
    yolds: Any,
    low: float | None = None,
    high: float | None = None,
    n: int = 256,
    decay_steps: float = 1.0,
    low_counts_threshold: float = 1e-8,
) -> tuple[Array, Array, Array]:
    """Return an even grid, the mean at its points of what lies before them, and the sums of weights.

    xolds: growing; what is ``d`` steps of the grid away has the weight ``exp(-d / decay_steps)``. low, high: the ends
    of the grid, by default those of x, and within them. Where the weights are below ``low_counts_threshold`` the mean
    is NaN. Raises :class:`~rla_hooks.errors.ConfigError` for other grids.

    >>> xs, ys, weights = one_sided_ema([0.0, 1.0, 2.0], [4.0, 4.0, 4.0], n=5)
    >>> xs.tolist(), ys.tolist()
    ([0.0, 0.5, 1.0, 1.5, 2.0], [4.0, 4.0, 4.0, 4.0, 4.0])
    """
    xs, ys, low, high = _checked(xolds, yolds, low, high, n)
    grid, sums, weights = _sums(xs, ys, low, high, n, decay_steps)
    return grid, _means(sums, weights, low_counts_threshold), weights


def symmetric_ema(
    xolds: Any,
    yolds: Any,
    low: float | None = None,
    high: float | None = None,
    n: int = 512,
    decay_steps: float = 1.0,
    low_counts_threshold: float = 1e-8,
) -> tuple[Array, Array, Array]:
    """Return an even grid, the mean at its points of what lies around them, and the sums of weights.

    The rest as in :func:`one_sided_ema`.

    >>> xs, ys, weights = symmetric_ema([0.0, 1.0, 2.0], [0.0, 3.0, 0.0], n=3)
    >>> ys.round(2).tolist() == ys[::-1].round(2).tolist(), bool(ys[1] > ys[0])
    (True, True)
    """
    xs, ys, low, high = _checked(xolds, yolds, low, high, n)
    grid, sums, weights = _sums(xs, ys, low, high, n, decay_steps)
    _, behind, of_behind = _sums(-xs[::-1], ys[::-1], -high, -low, n, decay_steps)
    weights = weights + of_behind[::-1]
    return grid, _means(sums + behind[::-1], weights, low_counts_threshold), weights


def smooth(y: Any, radius: int, mode: str = "two_sided", valid_only: bool = False) -> Array:
    """Return the mean of up to ``radius`` values on both sides of each, and itself; ``"causal"``: of the last so many.

    At the ends there are fewer. valid_only: NaN there. A short y, below ``2 * radius + 1`` values, is its mean.

    >>> smooth([0.0, 3.0, 0.0, 3.0, 0.0], 1).tolist(), smooth([0.0, 2.0, 4.0, 6.0, 8.0], 2, "causal").tolist()
    ([1.5, 1.0, 2.0, 1.0, 1.5], [0.0, 1.0, 3.0, 5.0, 7.0])
    """
    values = numpy.asarray(y, float)
    if mode not in ("two_sided", "causal") or radius < 1:
        raise ConfigError(
            f"mode is {mode!r}, radius {radius!r}. Known modes: two_sided, causal; a radius is from 1 on."
        )
    if len(values) < 2 * radius + 1:
        return numpy.full_like(values, values.mean())
    before, after = (radius, radius) if mode == "two_sided" else (radius - 1, 0)
    places = numpy.arange(len(values))
    begins, ends = numpy.maximum(places - before, 0), numpy.minimum(places + after + 1, len(values))
    sums = numpy.concatenate([[0.0], values.cumsum()])
    means = (sums[ends] - sums[begins]) / (ends - begins)
    if valid_only:
        means[:radius] = numpy.nan
        if after:
            means[-radius:] = numpy.nan
    return numpy.asarray(means)


def _checked(xolds: Any, yolds: Any, low: Any, high: Any, n: Any) -> tuple[Array, Array, float, float]:
    xs, ys = numpy.asarray(xolds, float), numpy.asarray(yolds, float)
    if xs.ndim != 1 or xs.shape != ys.shape or not len(xs):
        raise ConfigError(f"x has the shape {xs.shape}, y {ys.shape}. Allowed: two sequences of one length, not empty.")
    low, high = xs[0] if low is None else low, xs[-1] if high is None else high
    if not xs[0] <= low <= high <= xs[-1]:
        raise ConfigError(f"low is {low}, high {high}. Allowed: from {xs[0]:g} to {xs[-1]:g}, where x has values.")
    if isinstance(n, bool) or not isinstance(n, int) or n < 2:
        raise ConfigError(f"n is {shown(n)}. Allowed: a number of points, from 2 on.")
    return xs, ys, float(low), float(high)


def _sums(xs: Array, ys: Array, low: float, high: float, n: int, decay_steps: float) -> tuple[Array, Array, Array]:
    """The grid, and at each of its points the weighted sum of what lies before it, and the sum of the weights."""
    grid = numpy.linspace(low, high, n)
    place = numpy.searchsorted(grid, xs)  # of the first point of the grid that is not before x
    inside = place < n
    place, xs, ys = place[inside], xs[inside], ys[inside]
    step = (high - low) / (n - 1) or 1.0
    own = numpy.exp(-(grid[place] - xs) / (step * decay_steps))
    decay = float(numpy.exp(-1 / decay_steps))

    def running(news: Array) -> Array:
        sums = itertools.accumulate(news.tolist(), lambda before, new: decay * before + new)
        return numpy.fromiter(sums, float, n)

    return grid, running(numpy.bincount(place, own * ys, n)), running(numpy.bincount(place, own, n))


def _means(sums: Array, weights: Array, least: float) -> Array:
    with numpy.errstate(invalid="ignore", divide="ignore"):
        return numpy.where(weights < least, numpy.nan, sums / weights)
