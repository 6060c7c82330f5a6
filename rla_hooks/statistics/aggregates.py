"""One number for an algorithm, from the scores of its seeds and tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rla_hooks.errors import ConfigError
from rla_hooks.statistics.inputs import Array, axes_of, check_dimensions, number_or_array, numbers, per_algorithm


@per_algorithm
def iqm(scores: npt.ArrayLike, axis: int | None = None) -> Any:
    """Return the interquartile mean: that of the middle half of the scores.

    The lowest and the highest quarter, each rounded down to whole scores, are left out, as by
    ``scipy.stats.trim_mean(scores, 0.25, axis=axis)``. **Up to 3 scores are all kept: then it is the mean.**

    scores: any shape, in the unit of the score, or a dict of algorithm to scores.
    axis: None takes all scores as one sample, seeds and tasks alike (Agarwal et al. 2021, "Deep Reinforcement Learning
    at the Edge of the Statistical Precipice", section 4.3); 0 gives one number for each task or step.

    >>> iqm([1, 2, 3, 100])
    2.5
    >>> iqm({"ppo": [[1, 2], [3, 4]], "dqn": [[0, 0], [0, 8]]})
    {'ppo': 2.5, 'dqn': 0.0}
    """
    array = numbers(scores)
    axis = axes_of(array, axis)
    return number_or_array(middle_mean(array.reshape(-1) if axis is None else np.moveaxis(array, axis, -1)))


def middle_mean(array: Array) -> Any:
    """The interquartile mean over the last axis."""
    count = array.shape[-1]
    cut = count // 4
    if not cut:
        return array.mean(axis=-1)
    return np.partition(array, (cut, count - cut - 1), axis=-1)[..., cut : count - cut].mean(axis=-1)


@per_algorithm
def median(scores: npt.ArrayLike, axis: int | None = None) -> Any:
    """Return the median score.

    scores: of shape ``(seeds,)``: the median of the seeds; ``(seeds, tasks)``: the median, over tasks, of each task's
    mean over its seeds, as papers on Atari and ``rliable`` have it. In the unit of the score, or a dict of them.
    axis: the plain median along this axis, of scores of any shape.

    >>> median([1, 2, 30])
    2.0
    >>> median([[0, 10, 30], [2, 10, 50]])  # the means of the tasks are 1, 10 and 40
    10.0
    >>> median([[0, 10, 30], [2, 10, 50]], axis=0).tolist()
    [1.0, 10.0, 40.0]
    """
    array = numbers(scores)
    if axis is not None:
        return number_or_array(np.median(array, axis=axes_of(array, axis)))
    check_dimensions(array, (1, 2))
    return float(np.median(array if array.ndim == 1 else array.mean(axis=0)))


@per_algorithm
def optimality_gap(scores: npt.ArrayLike, gamma: float = 1.0) -> float:
    """Return how much the scores fall short of ``gamma`` on average: ``gamma - mean(min(scores, gamma))``.

    Less is better, 0 is the least; scores above gamma count as gamma (Agarwal et al. 2021, section 4.3).

    scores: any shape, in the unit of the score; normalized ones with ``gamma=1``. Or a dict of algorithm to scores.

    >>> optimality_gap([0.5, 1.0, 3.0, 0.5])
    0.25
    """
    array = numbers(scores)
    level = threshold_of(gamma)
    return float(level - np.minimum(array, level).mean())


def threshold_of(gamma: Any) -> float:
    """Return gamma as a float, checked."""
    value = numbers(gamma, "gamma")
    if value.ndim:
        raise ConfigError(f"gamma has the shape {value.shape}. Allowed: one number.")
    return float(value)


@per_algorithm
def normalize(scores: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> Array:
    """Return scores on a scale where ``low`` is 0 and ``high`` is 1: ``(scores - low) / (high - low)``.

    scores: of shape ``(seeds,)``, ``(seeds, tasks)`` or ``(seeds, tasks, steps)``, or a dict of algorithm to scores.
    NaN and infinities stay.
    low, high: in the unit of the scores, one number or one for each task: say, a random agent's and a human's.
    Where less is better, low is the greater one.

    >>> normalize([[0, 100], [10, 300]], low=[0, 100], high=[20, 300]).tolist()
    [[0.0, 0.0], [0.5, 1.0]]
    """
    array = numbers(scores, finite=False)
    bounds = []
    for name, value in (("low", low), ("high", high)):
        bound = numbers(value, name)
        if bound.ndim > 1 or (bound.ndim == 1 and (array.ndim < 2 or array.shape[1] != bound.size)):
            tasks = f" or {array.shape[1]}, one for each task" if array.ndim > 1 else ""
            raise ConfigError(f"{name} has the shape {bound.shape}, scores {array.shape}. Allowed: one number{tasks}.")
        bounds.append(bound.reshape(-1, *[1] * (array.ndim - 2)) if bound.ndim else bound)
    span = bounds[1] - bounds[0]
    if not np.all(span):
        raise ConfigError(
            f"low and high are both {np.broadcast_to(bounds[1], span.shape)[span == 0].flat[0]}. They must differ."
        )
    return np.asarray((array - bounds[0]) / span)
