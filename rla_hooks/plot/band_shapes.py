"""Bands as they are drawn: an area where neighbours have one, a bar where a point stands alone."""

from __future__ import annotations

from typing import Any

import numpy
from matplotlib.axes import Axes

from rla_hooks.plot.gather import Array

_BAR = 2.5  # points


def alone(is_there: Any) -> Array:
    """Return which points have no neighbour that a line or an area could lead to.

    >>> alone(numpy.array([True, False, True, True])).tolist()
    [True, False, False, False]
    """
    padded = numpy.concatenate([[False], is_there, [False]])
    found: Array = is_there & ~padded[:-2] & ~padded[2:]
    return found


def draw_band(axes: Axes, x: Array, low: Array, high: Array, color: Any, opacity: float) -> None:
    """Draw a band between two curves; NaN leaves gaps. An area of one point has no width, so it is a bar."""
    is_there = numpy.isfinite(low) & numpy.isfinite(high)
    by_itself = alone(is_there)
    has_neighbours = is_there & ~by_itself
    if has_neighbours.any():
        axes.fill_between(x, low, high, where=has_neighbours, color=color, alpha=opacity, linewidth=0)
    if by_itself.any():
        ends = low[by_itself], high[by_itself]
        axes.vlines(x[by_itself], *ends, color=color, alpha=min(1.0, 2 * opacity), linewidth=_BAR)
