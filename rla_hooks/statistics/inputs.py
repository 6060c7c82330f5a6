"""What the functions of this package take: arrays of scores, dicts of them, and the settings of an interval.

All problems are told as :class:`~rla_hooks.errors.ConfigError`, before anything is computed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

import numpy as np
import numpy.typing as npt

from rla_hooks.errors import ConfigError

Array = npt.NDArray[np.float64]
P = ParamSpec("P")
R = TypeVar("R")


class PerAlgorithm(Protocol[P, R]):
    """A function of scores that also takes a dict of algorithm to scores, and then gives a dict of results."""

    @overload
    def __call__(self, scores: Mapping[str, Any], *args: P.args, **kwargs: P.kwargs) -> dict[str, R]: ...
    @overload
    def __call__(self, scores: npt.ArrayLike, *args: P.args, **kwargs: P.kwargs) -> R: ...


def per_algorithm(function: Callable[Concatenate[Any, P], R]) -> PerAlgorithm[P, R]:
    """Let a function of scores take a dict of algorithm to scores, too; a mistake names the algorithm.

    >>> double = per_algorithm(lambda scores: 2 * scores)
    >>> double(1), double({"ppo": 1, "dqn": 2})
    (2, {'ppo': 2, 'dqn': 4})
    """

    @functools.wraps(function)
    def call(scores: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
        if not isinstance(scores, Mapping):
            return function(scores, *args, **kwargs)
        results, problems = {}, []
        for name, each in scores.items():
            try:
                results[name] = function(each, *args, **kwargs)
            except ConfigError as error:
                problems += [f"{name!r}: {problem}" for problem in error.problems]
        if problems or not scores:
            raise ConfigError(
                problems or "The dict of scores is empty. It maps the name of an algorithm to its scores."
            )
        return results

    return call


def numbers(values: Any, what: str = "scores", *, finite: bool = True) -> Array:
    """Return an array of float64 with one value at least.

    finite: NaN and infinities are mistakes, too.

    >>> numbers([[1, 2], [3, 4]]).shape
    (2, 2)
    >>> numbers([1.0, float("nan")])
    Traceback (most recent call last):
    rla_hooks.errors.ConfigError: scores[1] is nan. ...
    """
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "fiub":  # asarray gives what is below
        values = np.ma.filled(values.astype(np.float64), np.nan)
    try:
        array = np.asarray(values)
    except ValueError:  # rows of unequal length
        raise ConfigError(
            f"{what} have rows of unequal length. Allowed: an array. Give each seed as many tasks and steps."
        ) from None
    if array.dtype.kind not in "fiub":
        raise ConfigError(f"{what} hold {_first_text(array)}. Allowed: numbers. Leave out or convert what is none.")
    array = array.astype(np.float64)
    if not array.size:
        raise ConfigError(f"{what} are empty, of shape {array.shape}. Allowed: one number or more.")
    if finite and not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ConfigError(
            f"{what}{place if place else ''} is {array[tuple(place)]}. Allowed: finite numbers. "
            "Leave that seed out and say so, or give it the score that a failed run has."
        )
    return array


def _first_text(array: npt.NDArray[Any]) -> str:
    """The first value that is no number, with its type."""
    for value in array.flat:
        if not isinstance(value, (int, float)):
            return f"{value!r:.60} ({type(value).__name__})"
    return f"values of the type {array.dtype}"  # numbers, but too large


def scores_of(values: Any, dimensions: tuple[int, ...] = (1, 2), *, seeds: int = 1) -> Array:
    """Return scores of a shape that is allowed: ``dimensions`` are the numbers of axes, ``seeds`` the fewest seeds.

    >>> scores_of([1, 2, 3]).tolist()
    [1.0, 2.0, 3.0]
    """
    array = numbers(values)
    check_dimensions(array, dimensions)
    check_seeds(array.shape[0], seeds)
    return array


SHAPES = {1: "(seeds,)", 2: "(seeds, tasks)", 3: "(seeds, tasks, steps)"}


def check_dimensions(array: Array, dimensions: tuple[int, ...], shapes: Mapping[int, str] = SHAPES) -> None:
    """Raise :class:`~rla_hooks.errors.ConfigError` unless the array has one of these numbers of axes."""
    if array.ndim not in dimensions:
        allowed = " or ".join(shapes[number] for number in dimensions)
        raise ConfigError(f"scores have the shape {array.shape}. Allowed: {allowed}. Put the seeds on the first axis.")


def check_seeds(count: int, least: int = 2) -> None:
    """Raise :class:`~rla_hooks.errors.ConfigError` if there are too few seeds for an interval."""
    if count < least:
        raise ConfigError(
            f"scores have {count} seed{'s' * (count != 1)}. An interval needs {least} or more: "
            "run more seeds, or give the point without an interval."
        )


def is_whole(value: Any) -> bool:
    """True for an int of Python's or numpy's that is no bool."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """True for an int or a float of Python's or numpy's that is no bool."""
    return is_whole(value) or isinstance(value, (float, np.floating))


MOST_REPS = 10_000_000  # numbers of 80 MB for each interval


def check_settings(level: Any = 0.95, reps: Any = 2000, seed: Any = 0) -> None:
    """Raise :class:`~rla_hooks.errors.ConfigError` with all mistakes in the settings of an interval."""
    problems = []
    right = is_number(level) and 0 < level < 1
    if not right:
        hint = f" Did you mean {level / 100:g}?" if is_number(level) and 1 < level < 100 else ""
        problems.append(f"level is {level!r}. Allowed: a number between 0 and 1, such as 0.95.{hint}")
    least = int(np.ceil(2 / (1 - level) - 1e-9)) if right else 1
    if not is_whole(reps) or not least <= reps <= MOST_REPS:
        why = f" that an interval of level {level:g} needs" if right else ""
        allowed = f"a whole number from {least}{why}, up to {MOST_REPS:,}"
        problems.append(f"reps is {reps!r}. Allowed: {allowed}; 2000 is usual.")
    if not (is_whole(seed) and seed >= 0) and not isinstance(seed, np.random.Generator):
        problems.append(f"seed is {seed!r}. Allowed: a whole number from 0, or a numpy.random.Generator.")
    if problems:
        raise ConfigError(problems)


def axes_of(array: Array, axis: int | None) -> int | None:
    """Return the axis, checked; None stands for all of them."""
    if axis is not None and not (is_whole(axis) and -array.ndim <= axis < array.ndim):
        raise ConfigError(
            f"axis is {axis!r}. Allowed for the shape {array.shape}: from 0 to {array.ndim - 1}, or None."
        )
    return axis


def number_or_array(values: Any) -> Any:
    """A float where there is one number, else the array."""
    array = np.asarray(values, dtype=np.float64)
    return float(array) if array.ndim == 0 else array
