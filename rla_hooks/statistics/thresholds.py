"""How many steps runs take to reach a score, where some never do."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rla_hooks.errors import ConfigError
from rla_hooks.statistics.curves import CURVES, steps_of
from rla_hooks.statistics.inputs import (
    Array,
    check_dimensions,
    check_seeds,
    check_settings,
    is_number,
    numbers,
    per_algorithm,
)
from rla_hooks.statistics.resampling import draw_counts, seed_number


class StepsToThreshold(NamedTuple):
    """The median number of steps to a score, with its interval; infinite is "not within the steps that were run".

    reached: how many of ``runs`` reached it. each: the step of each run, ``inf`` for those that did not.

    >>> f"{StepsToThreshold(2000.0, 1000.0, float('inf'), 4, 5, None):.0f}"
    '2000 [1000, inf], reached by 4 of 5'
    """

    point: float
    low: float
    high: float
    reached: int
    runs: int
    each: Any

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        interval = f"{self.point:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"
        return f"{interval}, reached by {self.reached} of {self.runs}"


@per_algorithm
def steps_to_threshold(
    scores: npt.ArrayLike,
    threshold: float,
    steps: npt.ArrayLike | None = None,
    level: float = 0.95,
    reps: int = 2000,
    seed: int | np.random.Generator = 0,
    *,
    below: bool = False,
) -> StepsToThreshold:
    """Return the median of the first steps at which runs reach a score, with its interval.

    A run that never reaches it is censored: all that is known of it is that it takes longer than its last step. The
    median is that of Kaplan and Meier (1958), the plain one where no run is censored; it is infinite where half of the
    runs or more do not get there. The interval is the percentile bootstrap's over runs (Efron 1981, "Censored Data and
    the Bootstrap"), its ends rounded outwards to repetitions; an infinite end says that the runs were too short.

    scores: of shape ``(seeds, steps)``, in the unit of the score, or a dict of algorithm to scores. NaN is a step that
    was not measured; where it stands to the end, the run ended early.
    threshold: in the same unit. below: True where less is better.
    steps: of shape ``(steps,)``, growing; 0, 1, 2, ... without. The result is one of them, or lies between two.

    >>> found = steps_to_threshold([[1, 5, 9], [5, 5, 5], [0, 1, 2]], 5, steps=[0, 1000, 2000])
    >>> found.point, found.reached, found.runs, found.each.tolist()
    (1000.0, 2, 3, [1000.0, 0.0, inf])
    """
    check_settings(level, reps, seed)
    if not is_number(threshold) or not np.isfinite(threshold):
        raise ConfigError(f"threshold is {threshold!r}. Allowed: a finite number.")
    array = numbers(scores, finite=False)
    check_dimensions(array, (2,), CURVES)
    check_seeds(len(array))
    places = steps_of(steps, array.shape[1])
    there = np.asarray(array <= threshold if below else array >= threshold)
    reached = np.asarray(there.any(axis=1))
    measured = np.asarray(~np.isnan(array))
    if not measured.any():
        raise ConfigError("scores hold nothing but nan. Allowed: numbers. Leave the metric out.")
    ends = places[len(places) - 1 - np.argmax(measured[:, ::-1], axis=1)]
    ends = np.where(measured.any(axis=1), ends, -np.inf)  # nothing is known of a run without a number
    times = np.where(reached, places[np.argmax(there, axis=1)], ends)
    order = np.lexsort((~reached, times))  # at one step, those that reach it come first
    point = _medians(np.ones((1, len(times))), times[order], reached[order])[0]
    values = np.empty(reps)
    for block, counts in draw_counts((1, len(times)), reps, seed_number(seed)):
        values[block] = _medians(counts[:, 0], times[order], reached[order])
    low = np.quantile(values, (1 - level) / 2, method="lower")  # others would subtract infinities
    high = np.quantile(values, (1 + level) / 2, method="higher")
    each = np.where(reached, times, np.inf)
    return StepsToThreshold(float(point), float(low), float(high), int(reached.sum()), len(times), each)


def _medians(counts: Array, times: Array, reached: npt.NDArray[np.bool_]) -> Array:
    """Kaplan-Meier medians: one for each repetition, from how often each run was drawn, shape (repetitions, runs).

    times: of the runs, sorted. reached: False where a run is only known to take longer.
    """
    at_risk = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        passed = np.where(reached & (counts > 0), 1 - counts / at_risk, 1.0)
    waiting = np.cumprod(passed, axis=1)  # the part of runs that has not reached it by then
    later = np.append(times, np.inf)
    half, beyond = waiting <= 0.5 + 1e-9, waiting < 0.5 - 1e-9
    first = [np.where(each.any(axis=1), np.argmax(each, axis=1), len(times)) for each in (half, beyond)]
    return np.asarray((later[first[0]] + later[first[1]]) / 2)
