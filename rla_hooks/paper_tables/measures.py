"""What a table says of the scores of a group's runs: mean, interquartile mean, best, steps to a threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rla_hooks.paper_tables.rounding import Measured

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]
    Curve = tuple[Array, Array]

COLUMNS = ("mean", "iqm", "best", "steps")


class Settings(NamedTuple):
    """How intervals are made. method: of the mean's; reps, seed: of the bootstrap's."""

    level: float = 0.95
    method: str = "t"
    reps: int = 2000
    seed: int = 0

    @property
    def percent(self) -> str:
        """The level as people write it.

        >>> Settings(0.95).percent, Settings(0.999).percent
        ('95 %', '99.9 %')
        """
        return f"{round(100 * self.level, 6):g} %"


def measured(column: str, scores: Sequence[float], settings: Settings, higher_is_better: bool) -> Measured:
    """Return the mean, iqm or best of the scores of some seeds: NaN where there are none.

    >>> measured("best", [1.0, 5.0, 2.0], Settings(), higher_is_better=True)
    Measured(point=5.0, low=nan, high=nan)
    >>> measured("mean", [1.0], Settings(), higher_is_better=True)
    Measured(point=1.0, low=nan, high=nan)
    """
    from rla_hooks.statistics import mean_interval, stratified_bootstrap

    if not scores:
        return Measured(math.nan)
    if column == "best":
        return Measured(float(max(scores) if higher_is_better else min(scores)))
    if len(scores) == 1:
        return Measured(float(scores[0]))
    if column == "mean":
        interval = mean_interval(scores, settings.level, settings.method, seed=settings.seed, reps=settings.reps)
    else:
        interval = stratified_bootstrap(scores, "iqm", settings.reps, settings.level, settings.seed)
    return Measured(*map(float, interval))


def steps_to(
    curves: Sequence[Curve], threshold: float, higher_is_better: bool, settings: Settings
) -> tuple[Measured, int]:
    """Return by when half of the runs have reached a threshold, with its interval; and how many have reached it at all.

    >>> import numpy
    >>> curves = [(numpy.array([0, 10]), numpy.array([1.0, 5.0])), (numpy.array([5, 15]), numpy.array([2.0, 3.0]))]
    >>> steps_to(curves, 2.0, True, Settings())
    (Measured(point=7.5, low=5.0, high=10.0), 2)
    """
    import numpy

    from rla_hooks.statistics import steps_to_threshold

    if not curves:
        return Measured(math.nan), 0
    steps = numpy.unique(numpy.concatenate([x for x, _ in curves]))
    scores = numpy.full((len(curves), len(steps)), math.nan)
    better = numpy.fmax if higher_is_better else numpy.fmin
    for row, (x, y) in zip(scores, curves, strict=True):  # of several rows of one step the best counts
        better.at(row, numpy.searchsorted(steps, x), numpy.where(numpy.isfinite(y), y, math.nan))
    if len(curves) == 1:  # a run has no interval
        reached = steps[(scores[0] >= threshold) if higher_is_better else (scores[0] <= threshold)]
        return Measured(float(reached[0]) if len(reached) else math.inf), min(1, len(reached))
    found = steps_to_threshold(
        scores, threshold, steps, settings.level, settings.reps, settings.seed, below=not higher_is_better
    )
    return Measured(found.point, found.low, found.high), found.reached


def check_settings(settings: Settings) -> None:
    """Raise ConfigError for settings that no interval can be made with."""
    from rla_hooks.statistics import mean_interval

    trial = [0.0, 1.0] * 5  # fewer would give the warning of a bootstrap of few
    mean_interval(trial, settings.level, settings.method, seed=settings.seed, reps=settings.reps)
