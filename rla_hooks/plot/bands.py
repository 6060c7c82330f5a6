"""A curve of several runs: an estimate at each x, a band around it, and how many seeds there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from rla_hooks.plot.checks import Mistakes
from rla_hooks.plot.gather import Array
from rla_hooks.statistics import coverage, mean_interval, sample_efficiency
from rla_hooks.statistics.aggregates import middle_mean
from rla_hooks.statistics.intervals import without_gaps
from rla_hooks.statistics.measured import FEW_SEEDS

BANDS = ("ci95", "stderr", "std", "minmax", "iqr", None)
ESTIMATORS = ("mean", "median", "iqm")
_OF_MEANS = ("stderr", "std")
_NAMES = {"mean": "mean", "median": "median", "iqm": "interquartile mean (IQM)"}
_WORDS = {
    "stderr": "± 1 standard error",
    "std": "± 1 standard deviation",
    "minmax": "lowest to highest seed",
    "iqr": "quartiles",
}


class Band(NamedTuple):
    """Arrays over x. low, high: NaN where there is no band; n: how many seeds have a value."""

    y: Array
    low: Array
    high: Array
    n: Array


def check_band(mistakes: Mistakes, estimator: Any, band: Any, several: bool = False) -> None:
    """Note names that are not known, and bands that are no spread of this estimator. several: of a list, too."""
    before = len(mistakes.found)
    mistakes.choice("estimator", estimator, ESTIMATORS)
    for each in band if several and isinstance(band, (list, tuple)) else [band]:
        mistakes.choice("band", each, BANDS)
        if len(mistakes.found) == before and each in _OF_MEANS and estimator != "mean":
            allowed = f'with estimator="{estimator}": ci95, minmax, iqr, None. It is a spread of means.'
            mistakes.wrong("band", each, allowed)


def banded(rows: Array, estimator: str, band: str | None) -> Band:
    """Return the curve of runs on one grid. rows: of shape (runs, points), NaN where a run has no value.

    ``ci95`` is the t interval of a mean, and the percentile bootstrap of a median or an IQM, point by point.

    >>> curve = banded(numpy.array([[1.0, 2.0], [3.0, numpy.nan]]), "mean", "minmax")
    >>> curve.y.tolist(), curve.low.tolist(), curve.high.tolist(), curve.n.tolist()
    ([2.0, 2.0], [1.0, nan], [3.0, nan], [2, 1])
    """
    there = ~numpy.isnan(rows)
    n = there.sum(axis=0)
    if band == "ci95" and len(rows) > 1:
        y, low, high = _interval(rows, estimator)
    else:
        y, low, high = (numpy.full(rows.shape[1], numpy.nan) for _ in range(3))
        for columns, seeds in without_gaps(~there):
            y[columns], low[columns], high[columns] = _spread(rows[seeds][:, columns], estimator, band)
    return Band(y, low, high, n)


def _interval(rows: Array, estimator: str) -> Any:
    if estimator == "mean":
        return mean_interval(rows, omit_nan=True)
    return sample_efficiency(rows, estimator, omit_nan=True)


def _spread(rows: Array, estimator: str, band: str | None) -> tuple[Array, Array, Array]:
    y = _estimate(rows, estimator)
    missing = numpy.full_like(y, numpy.nan)
    if band is None or len(rows) < 2:
        return y, missing, missing
    if band == "minmax":
        return y, rows.min(axis=0), rows.max(axis=0)
    if band == "iqr":
        return y, *numpy.quantile(rows, (0.25, 0.75), axis=0)
    spread = rows.std(axis=0, ddof=1)
    if band == "stderr":
        spread = spread / len(rows) ** 0.5
    return y, y - spread, y + spread


def _estimate(rows: Array, estimator: str) -> Any:
    if estimator == "iqm":
        return middle_mean(rows.T)
    return rows.mean(axis=0) if estimator == "mean" else numpy.median(rows, axis=0)


def words_of(estimator: str, band: str | Sequence[str | None] | None, fewest: int, most: int) -> str:
    """Return what a figure says of its curves. fewest, most: seeds of a point that has a band; 0 where none has.

    >>> words_of("mean", "ci95", 5, 5)
    'Mean, 95 % t interval'
    >>> words_of("mean", ["stderr", "minmax"], 5, 5)
    'Mean, ± 1 standard error, lowest to highest seed'
    >>> words_of("iqm", "minmax", 3, 3)
    'Interquartile mean (IQM; with 3 seeds or fewer the mean), lowest to highest seed'
    """
    name = _NAMES[estimator]
    if estimator == "iqm" and fewest <= 3:
        name = name.replace("(IQM)", "(IQM; with 3 seeds or fewer the mean)")
    name = name[0].upper() + name[1:]
    bands = [band] if isinstance(band, str) or band is None else band
    return ", ".join([name, *(_band_words(estimator, each, fewest) for each in bands if each is not None and most)])


def _band_words(estimator: str, band: str, fewest: int) -> str:
    if band != "ci95":
        return _WORDS[band]
    if estimator == "mean":
        return "95 % t interval"
    few = ""
    if fewest < FEW_SEEDS:
        real = coverage(estimator, max(2, fewest))
        few = f" (with {max(2, fewest)} seeds it holds the true value in {100 * real:.0f} %, not 95 %, of experiments)"
    return f"95 % percentile bootstrap{few}"
