"""Scores so large or so small that their squares are no floats: divided by a power of 2, which loses no digit."""

from __future__ import annotations

from typing import Any

import numpy as np

from rla_hooks.errors import ConfigError
from rla_hooks.statistics.inputs import Array

_FAR = 300  # powers of 2, about 1e90: cubes of what lies beyond are no floats


def scaled(*columns: Array) -> tuple[Array, list[Array]]:
    """Return the powers of 2 that columns are divided by, 0 for most, and the columns divided. They share the powers.

    columns: of shape (seeds, columns), as many columns each; NaN stays.

    >>> powers, (found,) = scaled(np.array([[1.0, 2.0**900], [3.0, 2.0**901]]))
    >>> powers.tolist(), found.tolist()
    ([0, 902], [[1.0, 0.25], [3.0, 0.5]])
    """
    largest = np.fmax.reduce([np.fmax.reduce(np.abs(each), axis=0) for each in columns])
    _, powers = np.frexp(np.nan_to_num(largest))
    powers = np.where(np.abs(powers) > _FAR, powers, 0)
    return powers, [np.ldexp(each, -powers) if powers.any() else each for each in columns]


def scaled_back(values: Any, powers: Array) -> Array:
    """Return values of such columns in the unit of the scores. Raises ConfigError where that is beyond all floats."""
    if not powers.any():
        return np.asarray(values)
    with np.errstate(over="ignore"):
        found = np.ldexp(values, powers)
    if np.isinf(found).any():
        raise ConfigError(
            "the interval of the scores ends beyond 1.8e308, the greatest float. Allowed: smaller scores. Divide them "
            "by a number, and say so."
        )
    return np.asarray(found)
