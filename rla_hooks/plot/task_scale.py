"""Scores of a task become comparable with those of another one: two scores of each are 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from rla_hooks.errors import ConfigError
from rla_hooks.texts import listed, printable, shown

Normalize = str | tuple[float, float] | Mapping[Any, tuple[float, float]] | None
_ALLOWED = "Allowed: 'minmax', a pair of numbers (low, high) that differ, or a dict of such pairs, one for each task."


def check_normalize(normalize: Any) -> None:
    """Raise ConfigError for what is no way to normalize scores; see :func:`rla_hooks.plot.scores.scores_of`."""
    pairs = normalize.values() if isinstance(normalize, Mapping) else [normalize]
    if normalize in (None, "minmax") if isinstance(normalize, (str, type(None))) else all(map(_is_pair, pairs)):
        return
    raise ConfigError(f"normalize is {shown(normalize, 100)}. {_ALLOWED}")


def _is_pair(value: Any) -> bool:
    try:
        low, high = (float(each) for each in value)
    except (TypeError, ValueError):
        return False
    return math.isfinite(low) and math.isfinite(high) and low != high and not isinstance(value, str)


def normalized(scores: Sequence[Any], task: Any, normalize: Normalize) -> list[Any]:
    """Return the scores of all runs on one task, each a number or an array, normalized as said.

    >>> normalized([10.0, 30.0], "pong", {"pong": (0, 20)}), normalized([10.0, 20.0, 30.0], "pong", "minmax")
    ([0.5, 1.5], [0.0, 0.5, 1.0])
    """
    check_normalize(normalize)
    if normalize is None or not scores:
        return [*scores]
    if isinstance(normalize, Mapping) and task is None:
        raise ConfigError(
            f"normalize is {shown(normalize, 100)}, a pair for each task, but tasks is None. Name the parameter whose "
            "values are the tasks, tasks='env', or give one pair: normalize=(0, 100)."
        )
    if isinstance(normalize, Mapping):
        key = next((key for key in (task, str(task)) if key in normalize), None)  # the command line has texts
        if key is None:
            known = printable(listed([str(each) for each in normalize], 20))
            raise ConfigError(f"normalize has no pair for the task {printable(repr(task))}. It has: {known}.")
        low, high = map(float, normalize[key])
    elif isinstance(normalize, str):
        low, high = _extremes(scores, task)
    else:
        low, high = map(float, normalize)
    return [(score - low) / (high - low) for score in scores]


def _extremes(scores: Sequence[Any], task: Any) -> tuple[float, float]:
    values = numpy.concatenate([numpy.ravel(score) for score in scores])
    values = values[numpy.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = values.min().item(), values.max().item()
    if low == high:
        where = "" if task is None else f" on {printable(str(task))}"
        raise ConfigError(f"normalize is 'minmax', but all scores{where} are {low:g}. Give a pair (low, high).")
    return low, high
