"""The score of a group over its seeds, with what spreads around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from rla_hooks.statistics import Interval, coverage, iqm, mean_interval, stratified_bootstrap

ESTIMATORS = ("mean", "median", "iqm")
BANDS = ("ci95", "stderr", "std", "minmax", "iqr", None)


def with_band(scores: numpy.ndarray[Any, Any], estimator: str, band: str | None) -> Interval:
    """Return the score of some seeds, shape (seeds,), with its band; NaN where there is none, as of one seed.

    >>> with_band(numpy.array([1.0, 2.0, 6.0]), "mean", "minmax")
    Interval(point=3.0, low=1.0, high=6.0)
    """
    functions: dict[str, Any] = {"mean": numpy.mean, "median": numpy.median, "iqm": iqm}
    point = float(functions[estimator](scores))
    if band is None or len(scores) < 2:
        return Interval(point, math.nan, math.nan)
    if band == "ci95":
        return mean_interval(scores) if estimator == "mean" else stratified_bootstrap(scores, estimator)
    if band == "minmax":
        return Interval(point, float(scores.min()), float(scores.max()))
    if band == "iqr":
        return Interval(point, *map(float, numpy.quantile(scores, (0.25, 0.75))))
    spread = float(scores.std(ddof=1)) / (math.sqrt(len(scores)) if band == "stderr" else 1.0)
    return Interval(point, point - spread, point + spread)


def band_text(estimator: str, band: str | None, counts: Sequence[int]) -> str:
    """Return what a figure says of its bands. counts: the seeds of all groups.

    >>> band_text("mean", "ci95", [5, 5]), band_text("mean", "std", [1])
    ('95 % intervals (t)', 'no intervals: one seed')
    """
    if max(counts) < 2:
        return "no intervals: one seed"
    text = {
        "stderr": "± standard error",
        "std": "± standard deviation",
        "minmax": "lowest to highest seed",
        "iqr": "first to third quartile",
        None: "",
    }.get(band)
    if text is None:
        text = "95 % intervals (t)" if estimator == "mean" else "95 % intervals (stratified bootstrap)"
        least = min(count for count in counts if count > 1)
        if estimator != "mean" and least < 10:
            part = coverage(estimator, least)
            text += f", which hold the true value in about {100 * part:.0f} % of experiments with {least} seeds"
    alone = min(counts) < 2 and band is not None
    few = "the IQM of fewer than 4 seeds is their mean" if estimator == "iqm" and min(counts) < 4 else ""
    return "; ".join(each for each in (text + (", none for one seed" if alone else ""), few) if each)
