"""Two algorithms beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from rla_hooks.errors import ConfigError
from rla_hooks.statistics.inputs import Array, check_settings, per_algorithm, scores_of
from rla_hooks.statistics.intervals import Interval
from rla_hooks.statistics.resampling import draw_counts, percentiles, two_seeds


@overload
def probability_of_improvement(
    x: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    y: None = None,
    reps: int = ...,
    level: float = ...,
    seed: Any = ...,
) -> dict[str, Interval]: ...
@overload
def probability_of_improvement(
    x: npt.ArrayLike, y: npt.ArrayLike, reps: int = ..., level: float = ..., seed: Any = ...
) -> Interval: ...
def probability_of_improvement(
    x: Any,
    y: Any = None,
    reps: int = 2000,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
) -> Any:
    """Return how probable it is that a run of x scores higher than one of y on the same task, with its interval.

    A task's is ``(wins + ties / 2) / (seeds of x * seeds of y)``, the Mann-Whitney U by its greatest value; the result
    is the mean over tasks, with the percentile interval of the stratified bootstrap (Agarwal et al. 2021, "Deep
    Reinforcement Learning at the Edge of the Statistical Precipice", section 4.3). 0.5: neither is better.

    x, y: of shape ``(seeds,)`` or ``(seeds, tasks)``, in one unit; the seeds may be of different numbers. A dict of
    names to pairs, without y, gives a dict: ``{"ppo,dqn": (x, y)}``.

    >>> probability_of_improvement([2, 3, 4], [1, 2, 3]).point * 9  # six wins, two ties
    7.0
    """
    check_settings(level, reps, seed)
    if y is None:
        return _of_pairs(x, reps, level, seed)
    first, second = pair_of(x, y)
    left, right = (np.ascontiguousarray(each.reshape(len(each), -1).T) for each in (first, second))
    right = np.sort(right, axis=-1)
    # How many of y lie below each score of x, and how many at most at it: of every resample, by sums of counts.
    places = [np.array([np.searchsorted(b, a, side) for a, b in zip(left, right)]) for side in ("left", "right")]
    point = _improvement(np.ones((1, *left.shape)), np.ones((1, *right.shape)), places)[0]
    values = np.empty(reps)
    draws = [
        draw_counts(each.shape, reps, number, left.size + right.size)
        for each, number in zip((left, right), two_seeds(seed))
    ]
    for (block, of_x), (_, of_y) in zip(*draws):
        values[block] = _improvement(of_x, of_y, places)
    return Interval(float(point), *percentiles(values, level).tolist())


def _of_pairs(pairs: Any, reps: int, level: float, seed: Any) -> dict[str, Interval]:
    if not isinstance(pairs, Mapping):
        raise ConfigError("y is missing. Allowed: scores of two algorithms, x and y, or a dict of names to such pairs.")
    wrong = [name for name, pair in pairs.items() if not isinstance(pair, (tuple, list)) or len(pair) != 2]
    if wrong or not pairs:
        raise ConfigError(f"{wrong[0]!r} has no pair of scores." if wrong else "The dict of pairs is empty.")
    return per_algorithm(lambda pair: probability_of_improvement(pair[0], pair[1], reps, level, seed))(pairs)


def _improvement(of_x: Array, of_y: Array, places: list[npt.NDArray[Any]]) -> Array:
    """One number for each repetition, from counts of the shape (repetitions, tasks, seeds)."""
    sums = np.zeros((*of_y.shape[:-1], of_y.shape[-1] + 1))
    np.cumsum(of_y, axis=-1, out=sums[..., 1:])
    wins = sum(np.take_along_axis(sums, np.broadcast_to(place, of_x.shape), axis=-1) for place in places)
    return np.asarray((of_x * wins).mean(axis=(-2, -1)) / (2 * of_y.shape[-1]))


def pair_of(x: Any, y: Any, names: tuple[str, str] = ("x", "y")) -> tuple[Array, Array]:
    """Scores of two algorithms on the same tasks, checked: 2 seeds of each at least."""
    found, problems = [], []
    for name, each in zip(names, (x, y)):
        try:
            if isinstance(each, Mapping):
                raise ConfigError("scores are a dict. Allowed: those of one algorithm.")
            found.append(scores_of(each, (1, 2), seeds=2))
        except ConfigError as error:
            problems += [f"{name}: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    if found[0].shape[1:] != found[1].shape[1:]:
        raise ConfigError(
            f"{names[0]} has the shape {found[0].shape}, {names[1]} {found[1].shape}. "
            "Both need the same tasks: only the numbers of seeds may differ."
        )
    return found[0], found[1]
