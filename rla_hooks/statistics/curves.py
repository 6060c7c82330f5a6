"""Statistics of learning curves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rla_hooks.errors import ConfigError
from rla_hooks.statistics.bootstrap import bootstrap
from rla_hooks.statistics.inputs import Array, check_dimensions, check_seeds, check_settings, numbers, per_algorithm
from rla_hooks.statistics.intervals import Interval, without_gaps
from rla_hooks.statistics.resampling import seed_number

CURVES = {2: "(seeds, steps)", 3: "(seeds, tasks, steps)"}


@per_algorithm
def sample_efficiency(
    scores: npt.ArrayLike,
    statistic: str | Callable[[Array], Any] = "iqm",
    reps: int = 2000,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
    *,
    omit_nan: bool = False,
) -> Interval:
    """Return a statistic of the scores at each step, with its pointwise interval: the curve of an algorithm.

    Agarwal et al. 2021 ("Deep Reinforcement Learning at the Edge of the Statistical Precipice"). The
    intervals are of the stratified bootstrap, as of :func:`stratified_bootstrap`; whole runs are drawn, so that one
    repetition is one curve.

    scores: of shape ``(seeds, steps)`` for one task or ``(seeds, tasks, steps)``, in the unit of the score, or a dict
    of algorithm to scores. All three arrays that are returned have the shape ``(steps,)``.
    statistic: as of :func:`stratified_bootstrap`; for one task ``"median"`` is the median of the seeds.
    omit_nan: leave out runs that are NaN at a step, in one task or in all: a step with one run has NaN for an interval.

    >>> curve = sample_efficiency([[0, 1, 4], [0, 2, 5], [0, 3, 9]], "mean")
    >>> curve.point.tolist(), float(curve.high[0])
    ([0.0, 2.0, 6.0], 0.0)
    """
    check_settings(level, reps, seed)
    array = numbers(scores, finite=not omit_nan)
    check_dimensions(array, (2, 3), CURVES)
    one_task, number = array.ndim == 2, seed_number(seed)
    if not omit_nan:
        check_seeds(len(array))
        return bootstrap(array, statistic, reps, level, number, one_task)
    if np.isinf(array).any():
        raise ConfigError("scores hold infinities. Allowed: numbers and NaN. Make NaN of them, and say so.")
    steps = array.shape[-1]
    gaps = np.asarray(np.isnan(array).reshape(len(array), -1, steps).any(axis=1))
    found = np.full((3, steps), np.nan)
    for chosen, rows in without_gaps(gaps):
        part = array[rows][..., chosen]
        if len(part) > 1:
            found[:, chosen] = bootstrap(part, statistic, reps, level, number, one_task)
        else:
            twice = np.concatenate([part, part])  # the point of one run, by the same way
            found[0, chosen] = bootstrap(twice, statistic, reps, level, number, one_task).point
    return Interval(*found)


@per_algorithm
def area_under_curve(scores: npt.ArrayLike, steps: npt.ArrayLike | None = None, *, normalized: bool = True) -> Array:
    """Return the area under the curve of each run, by the trapezoidal rule; :func:`mean_interval` takes it on.

    scores: of shape ``(seeds, steps)`` or ``(seeds, tasks, steps)``, in the unit of the score, or a dict of algorithm
    to scores. The result has the shape without steps.
    steps: of shape ``(steps,)``, growing; 0, 1, 2, ... without.
    normalized: divide by the range of the steps: the mean height of the curve, in the unit of the score, which does not
    depend on the number of steps. False: the area, in that unit by steps.

    >>> area_under_curve([[0, 10, 10], [0, 0, 10]], steps=[0, 100, 400]).tolist()
    [8.75, 3.75]
    >>> area_under_curve([[0, 10, 10]], steps=[0, 100, 400], normalized=False).tolist()
    [3500.0]
    """
    array = numbers(scores)
    check_dimensions(array, (2, 3), CURVES)
    places = steps_of(steps, array.shape[-1])
    if len(places) < 2:
        raise ConfigError("scores have 1 step. An area needs 2 or more.")
    area = ((array[..., 1:] + array[..., :-1]) / 2) @ np.diff(places)
    return np.asarray(area / (places[-1] - places[0]) if normalized else area)


def steps_of(steps: Any, count: int) -> Array:
    """Return the steps of curves, checked; 0, 1, 2, ... for None."""
    if steps is None:
        return np.arange(count, dtype=np.float64)
    places = numbers(steps, "steps")
    if places.shape != (count,):
        raise ConfigError(f"steps have the shape {places.shape}. Allowed: ({count},), one for each of the scores.")
    if not (np.diff(places) > 0).all():
        place = int(np.flatnonzero(np.diff(places) <= 0)[0])
        raise ConfigError(
            f"steps do not grow: {places[place]:g} is followed by {places[place + 1]:g}. "
            "Sort them, and keep one of each."
        )
    return places
