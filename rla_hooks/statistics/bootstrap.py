"""Intervals of any statistic of seeds and tasks, by drawing the seeds of each task again and again."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.statistics.aggregates import iqm, median, middle_mean, optimality_gap, threshold_of
from rla_hooks.statistics.inputs import (
    Array,
    check_dimensions,
    check_seeds,
    check_settings,
    number_or_array,
    numbers,
    per_algorithm,
)
from rla_hooks.statistics.intervals import Interval
from rla_hooks.statistics.resampling import draws, percentiles, resampled, resampled_means, seed_number


class Statistic(NamedTuple):
    """A statistic that is computed for many repetitions at once."""

    reduce: Callable[[Array], Array] | None  # (..., tasks, seeds) -> (...); None is the mean, of sums that cost less
    before: Callable[[Array], Array] = lambda scores: scores  # of each score, once

    def point(self, scores: Array) -> Array:
        """Of the scores as they are: (columns, tasks, seeds) -> (columns,)."""
        scores = self.before(scores)
        return self.reduce(scores) if self.reduce else scores.mean(axis=(-2, -1))

    def repeated(self, scores: Array, reps: int, seed: int) -> Iterator[tuple[slice, Array]]:
        """Blocks of (which columns, the statistic of each repetition and of these columns)."""
        scores = self.before(scores)
        return resampled(scores, self.reduce, reps, seed) if self.reduce else resampled_means(scores, reps, seed)


def _iqm(scores: Array) -> Array:
    return np.asarray(middle_mean(scores.reshape(*scores.shape[:-2], -1)))


def _median_of_tasks(scores: Array) -> Array:
    return np.asarray(np.median(scores.mean(axis=-1), axis=-1))


def _median_of_seeds(scores: Array) -> Array:
    return np.asarray(np.median(scores[..., 0, :], axis=-1))


def _gap(gamma: float = 1.0) -> Statistic:
    level = threshold_of(gamma)
    return Statistic(None, lambda scores: level - np.minimum(scores, level))


NAMES = ("mean", "iqm", "median", "optimality_gap")


def known(statistic: Any, one_task: bool) -> Statistic | None:
    """The fast form of a name or of one of our functions, ``functools.partial`` of it included; None for others."""
    options = {}
    if isinstance(statistic, functools.partial) and not statistic.args:
        statistic, options = statistic.func, dict(statistic.keywords)
    functions = {"mean": np.mean, "iqm": iqm, "median": median, "optimality_gap": optimality_gap}
    ours = next((name for name, each in functions.items() if each is statistic), None)
    name = statistic if isinstance(statistic, str) else ours
    if name not in NAMES and not (name is None and callable(statistic)):
        raise ConfigError(
            f"statistic is {statistic!r}. Known: {', '.join(NAMES)}, or a function of scores."
            f"{did_you_mean(statistic, NAMES)}"
        )
    if name is None or (options and name != "optimality_gap"):
        return None
    if name == "optimality_gap":
        return _gap(**options)
    medians = _median_of_seeds if one_task else _median_of_tasks
    return Statistic({"mean": None, "iqm": _iqm, "median": medians}[name])


@per_algorithm
def stratified_bootstrap(
    scores: npt.ArrayLike,
    statistic: str | Callable[[Array], Any] = "iqm",
    reps: int = 2000,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
) -> Interval:
    """Return a statistic of scores with its percentile interval from the stratified bootstrap.

    Each of ``reps`` repetitions draws, within each task, as many seeds as there are, with replacement; the interval
    lies between the quantiles ``(1 - level) / 2`` and ``(1 + level) / 2`` of the repeated statistic (Agarwal et al.
    2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice", section 4.1).

    scores: of shape ``(seeds,)`` or ``(seeds, tasks)``: three floats; ``(seeds, tasks, steps)``: arrays ``(steps,)``.
    In the unit of the score. Or a dict of algorithm to scores: an algorithm's interval does not depend on others.
    statistic: ``"mean"``, ``"iqm"``, ``"median"``, ``"optimality_gap"``; or one of these functions, with
    ``functools.partial(optimality_gap, gamma=2)``; or a function of yours, which gets resampled scores of the same
    shape and returns a number or an array, and is called once for each repetition.
    seed: the same seed gives the same interval.

    >>> interval = stratified_bootstrap([[1, 10], [2, 20], [3, 60]], "mean")
    >>> interval.point, interval.low > 1, interval.high < 40
    (16.0, True, True)
    >>> stratified_bootstrap({"ppo": [1, 2, 3, 9]}, lambda scores: scores.max())["ppo"].point
    9.0
    """
    check_settings(level, reps, seed)
    array = numbers(scores)
    check_dimensions(array, (1, 2, 3))
    check_seeds(len(array))
    return bootstrap(array, statistic, reps, level, seed_number(seed))


def bootstrap(array: Array, statistic: Any, reps: int, level: float, seed: int, one_task: bool = False) -> Interval:
    """The interval of scores that were checked. one_task: two axes are (seeds, steps)."""
    one_task = one_task or array.ndim == 1
    fast = known(statistic, one_task)
    if fast is None:
        return _by_calls(array, statistic, reps, level, seed, one_task)
    tasked = array[:, None] if one_task else array
    columns = np.ascontiguousarray(tasked.reshape(*tasked.shape[:2], -1).T)
    point = fast.point(columns)
    ends = np.empty((2, len(columns)))
    for chosen, values in fast.repeated(columns, reps, seed):
        ends[:, chosen] = percentiles(values, level)
    shape = tasked.shape[2:]
    return Interval(*(number_or_array(each.reshape(shape)) for each in (point, *ends)))


def _by_calls(array: Array, statistic: Any, reps: int, level: float, seed: int, one_task: bool) -> Interval:
    """Of a function that takes scores of the shape that it was given."""
    tasked = array[:, None] if one_task else array
    seeds, tasks = tasked.shape[:2]
    point = numbers(statistic(array.copy()), "What statistic returns for all scores")
    values = np.empty((reps, *point.shape))
    for block, drawn in draws((tasks, seeds), reps, seed):
        for number, each in enumerate(drawn, block.start):
            again = tasked[each.T, np.arange(tasks)]
            found = numbers(statistic(again.reshape(array.shape)), "What statistic returns for resampled scores")
            if found.shape != point.shape:
                raise ConfigError(
                    f"statistic returns the shape {found.shape} for resampled scores, {point.shape} for all. "
                    "They must be equal."
                )
            values[number] = found
    return Interval(*(number_or_array(each) for each in (point, *percentiles(values, level))))
