"""Performance profiles: which part of the runs does better than a score."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rla_hooks.errors import ConfigError
from rla_hooks.statistics.inputs import (
    Array,
    check_dimensions,
    check_seeds,
    check_settings,
    numbers,
    per_algorithm,
)
from rla_hooks.statistics.intervals import Interval
from rla_hooks.statistics.resampling import BLOCK, draw_counts, percentiles, resampled_means, seed_number


@per_algorithm
def performance_profile(
    scores: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    reps: int = 2000,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
    *,
    of: str = "runs",
) -> Interval:
    """Return the part of runs whose score is above each threshold, with its pointwise interval.

    Agarwal et al. 2021 ("Deep Reinforcement Learning at the Edge of the Statistical Precipice"), section 4.2: the score
    distribution, with percentile intervals of the stratified bootstrap. One curve above another means
    stochastic dominance.

    scores: of shape ``(seeds,)`` or ``(seeds, tasks)``, in the unit of the score, or a dict of algorithm to scores.
    thresholds: of shape ``(thresholds,)``, in the same unit. All three arrays that are returned have this shape, and
    parts between 0 and 1.
    of: ``"runs"``, or ``"tasks"`` for the part of tasks whose mean over the seeds is above a threshold.

    >>> profile = performance_profile([[0.1, 0.5], [0.3, 0.9]], thresholds=[0.0, 0.4, 1.0])
    >>> profile.point.tolist()
    [1.0, 0.5, 0.0]
    """
    check_settings(level, reps, seed)
    if of not in ("runs", "tasks"):
        raise ConfigError(f"of is {of!r}. Known: runs, tasks.")
    array, levels = numbers(scores), numbers(thresholds, "thresholds")
    check_dimensions(array, (1, 2))
    check_seeds(len(array))
    if levels.ndim != 1:
        raise ConfigError(f"thresholds have the shape {levels.shape}. Allowed: (thresholds,).")
    tasks = np.ascontiguousarray(array.reshape(len(array), -1).T)
    return (_of_runs if of == "runs" else _of_tasks)(tasks, levels, reps, level, seed_number(seed))


def _of_runs(tasks: Array, levels: Array, reps: int, level: float, seed: int) -> Interval:
    found = np.empty((3, len(levels)))
    room = max(1, 8 * BLOCK // tasks.size)
    for begin in range(0, len(levels), room):
        part = found[:, begin : begin + room]
        above = (tasks > levels[begin : begin + room, None, None]).astype(np.float64)
        part[0] = above.mean(axis=(1, 2))
        for chosen, values in resampled_means(above, reps, seed):
            part[1:, chosen] = percentiles(values, level)
    return Interval(*found)


def _of_tasks(tasks: Array, levels: Array, reps: int, level: float, seed: int) -> Interval:
    means = np.empty((reps, len(tasks)))
    for block, counts in draw_counts(tasks.shape, reps, seed):
        means[block] = (counts * tasks).mean(axis=-1)
    point = (tasks.mean(axis=-1) > levels[:, None]).mean(axis=-1)
    ends = [percentiles((means > each).mean(axis=-1), level) for each in levels]
    return Interval(point, *np.array(ends).T)
