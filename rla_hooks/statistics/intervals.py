"""Intervals of means: of t, and of the bootstrap."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rla_hooks.errors import ConfigError, WarnOnce, did_you_mean
from rla_hooks.statistics.inputs import (
    Array,
    axes_of,
    check_seeds,
    check_settings,
    number_or_array,
    numbers,
    per_algorithm,
)
from rla_hooks.statistics.measured import FEW_SEEDS, coverage
from rla_hooks.statistics.quantiles import NORMAL, special, t_quantile
from rla_hooks.statistics.resampling import percentiles, resampled_means, seed_number
from rla_hooks.statistics.scaling import scaled, scaled_back

METHODS = ("t", "percentile", "bca")
_warn = WarnOnce()
forget_state = _warn.forget_all  # for rla_hooks.testing.reset


class Interval(NamedTuple):
    """A point estimate with its interval, each a number, or an array with a number for each task, step or threshold.

    >>> interval = Interval(2.0, 1.5, 2.25)
    >>> interval.low, f"{interval:.2f}"
    (1.5, '2.00 [1.50, 2.25]')
    """

    point: Any
    low: Any
    high: Any

    def __format__(self, spec: str) -> str:
        if not spec or np.ndim(self.point):
            return str(self)
        return f"{self.point:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


@per_algorithm
def mean_interval(
    scores: npt.ArrayLike,
    level: float = 0.95,
    method: str = "t",
    axis: int = 0,
    seed: int | np.random.Generator = 0,
    *,
    reps: int = 2000,
    omit_nan: bool = False,
) -> Interval:
    """Return the mean along an axis with its interval.

    scores: of shape ``(seeds,)``: three floats; of more axes: arrays of the shape without ``axis``, an interval each.
    In the unit of the score. Or a dict of algorithm to scores.
    level: the part of experiments whose interval is to hold the true mean. docs/statistics.md has the part that does.
    method: ``"t"`` is ``mean +- t * s / sqrt(n)`` (Student 1908), with the standard deviation ``s`` of n - 1 and the
    quantile ``t`` of n - 1 degrees of freedom: right for normal scores of any number. ``"percentile"`` is the
    bootstrap's (Efron 1979), ``"bca"`` the same corrected for bias and skew (Efron 1987, "Better Bootstrap
    Confidence Intervals"): both are too narrow below 10 seeds, and say so once.
    seed, reps: of the bootstrap.
    omit_nan: leave NaN out, as for curves whose runs end early. A column of one number has NaN for an interval, one of
    none has NaN for a mean, too.

    >>> low, high = mean_interval([1.0, 2.0, 3.0])[1:]
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    >>> mean_interval({"ppo": [1, 2, 3, 4], "dqn": [5, 5, 6, 6]})["dqn"].point
    5.5
    """
    check_settings(level, reps, seed)
    seed = seed_number(seed)
    if method not in METHODS:
        raise ConfigError(f"method is {method!r}. Known: {', '.join(METHODS)}.{did_you_mean(method, METHODS)}")
    array = numbers(scores, finite=not omit_nan)
    if not array.ndim:
        raise ConfigError("scores are one number. Allowed: an array with an axis of seeds.")
    if axes_of(array, axis) is None:
        raise ConfigError("axis is None. Allowed: one axis, that of the seeds.")
    columns = np.moveaxis(array, axis, 0)
    shape = columns.shape[1:]
    columns = columns.reshape(len(columns), -1)
    if not omit_nan:
        check_seeds(len(columns))
    elif np.isinf(columns).any():
        raise ConfigError("scores hold infinities. Allowed: numbers and NaN. Make NaN of them, and say so.")
    find = _t if method == "t" else _bootstrap
    powers, (columns,) = scaled(columns)
    found = np.full((3, columns.shape[1]), np.nan)
    for chosen, rows in without_gaps(np.isnan(columns)):
        found[:, chosen] = find(columns[rows][:, chosen], level, method, seed, reps)
    return Interval(*(number_or_array(each.reshape(shape)) for each in scaled_back(found, powers)))


def without_gaps(gaps: npt.NDArray[np.bool_]) -> list[tuple[Any, Any]]:
    """Group the columns that have the same rows: (which columns, which rows); those without a row are left out."""
    if not gaps.any():
        return [(slice(None), slice(None))]
    patterns, which = np.unique(np.packbits(gaps, axis=0), axis=1, return_inverse=True)
    groups = [np.flatnonzero(which.reshape(-1) == number) for number in range(patterns.shape[1])]
    parts = [(columns, np.flatnonzero(~gaps[:, columns[0]])) for columns in groups]
    return [(columns, rows) for columns, rows in parts if rows.size]


def _t(columns: Array, level: float, *_: Any) -> tuple[Array, Array, Array]:
    count = len(columns)
    mean = columns.mean(axis=0)
    if count == 1:
        return mean, mean * np.nan, mean * np.nan
    half = t_quantile((1 + level) / 2, count - 1) * columns.std(axis=0, ddof=1) / math.sqrt(count)
    return mean, mean - half, mean + half


def _bootstrap(columns: Array, level: float, method: str, seed: int, reps: int) -> tuple[Array, Array, Array]:
    count = len(columns)
    mean = columns.mean(axis=0)
    if count == 1:
        return mean, mean * np.nan, mean * np.nan
    warn_narrow(method, count, level)
    low, high = mean.copy(), mean.copy()
    for chosen, means in resampled_means(columns.T[:, None, :], reps, seed):
        if method == "percentile":
            low[chosen], high[chosen] = percentiles(means, level)
        else:
            low[chosen], high[chosen] = _bca(columns[:, chosen], mean[chosen], means, level)
    return mean, low, high


def warn_narrow(method: str, count: int, level: float, instead: str = "Student's t") -> None:
    """Warn once about a bootstrap interval of few seeds, with the coverage that it really has.

    instead: the default of the function that was called.
    """
    if count < FEW_SEEDS:
        other = "" if level == 0.95 else f" (the level here is {level:g})"
        _warn(
            (method, count, instead),
            f"A {method} bootstrap interval of {count} seeds is too narrow: at level 0.95 it holds the true value in "
            f"{100 * coverage(method, count):.0f} % of experiments with normal scores{other}. "
            f"Use {instead}, which is the default, or {FEW_SEEDS} seeds or more.",
        )


def _bca(columns: Array, mean: Array, means: Array, level: float) -> tuple[Array, Array]:
    """Efron 1987: the bias from the resampled means, the acceleration from the jackknife, both in closed form."""
    normal = special()
    away = columns - mean
    same = 1e-12 * np.abs(away).max(axis=0)  # a sum in another order is the same mean
    below = ((means < mean - same).mean(axis=0) + (means <= mean + same).mean(axis=0)) / 2
    bias = normal.ndtri(below)
    squares = (away**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        skew = (away**3).sum(axis=0) / (6 * squares**1.5)
    order = np.sort(means, axis=0)
    ends = []
    for probability in ((1 - level) / 2, (1 + level) / 2):
        shifted = bias + NORMAL.inv_cdf(probability)
        with np.errstate(invalid="ignore", divide="ignore"):
            place = normal.ndtr(bias + shifted / (1 - skew * shifted))
        place = np.where(np.isnan(place), 0.5, place) * (len(order) - 1)  # NaN where all seeds have one score
        lower = np.floor(place).astype(np.int64)
        pair = np.take_along_axis(order, np.array([lower, np.minimum(lower + 1, len(order) - 1)]), axis=0)
        ends.append(pair[0] + (pair[1] - pair[0]) * (place - lower))
    return ends[0], ends[1]
