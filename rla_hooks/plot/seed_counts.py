"""How many seeds curves have: what the legend and the note of a figure say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy

from rla_hooks.plot.curve_data import Curve, Panel
from rla_hooks.texts import cut

_MOST_PANELS = 3  # whose numbers a legend has room for
_LONGEST = 24  # characters of a panel's name there


class Count(NamedTuple):
    """The fewest and the most seeds of the points of a curve; a drop if they are not equal."""

    least: int
    most: int

    def __str__(self) -> str:
        """Return what is said of it.

        >>> str(Count(5, 5)), str(Count(3, 5)), str(Count(1, 1))
        ('5 seeds', '5 to 3 seeds', '1 seed')
        """
        if self.least != self.most:
            return f"{self.most} to {self.least} seeds"
        return f"{self.most} seed{'' if self.most == 1 else 's'}"


def count_of(curves: Sequence[Curve]) -> Count:
    """Return the fewest and the most seeds of the points of curves, of those that have any."""
    numbers = numpy.concatenate([curve.band.n for curve in curves])
    numbers = numbers[numbers > 0]
    return Count(int(numbers.min()), int(numbers.max())) if len(numbers) else Count(0, 0)


def are_equal(curves: Sequence[Curve]) -> bool:
    """Whether all points of all curves have as many seeds."""
    counts = {count_of([curve]) for curve in curves}
    return len(counts) == 1 and len({*next(iter(counts))}) == 1


def seeds_by_panel(curves: Sequence[Curve], panels: Sequence[Panel]) -> str:
    """Return how many seeds a group has. curves: its own, one a panel; where these differ each panel is named."""
    counts = {curve.panel: count_of([curve]) for curve in curves}
    if len({*counts.values()}) == 1:
        return str(counts[curves[0].panel])
    if len(counts) <= _MOST_PANELS:
        return ", ".join(f"{_name(panels[number], panels)}: {count}" for number, count in counts.items())
    least, most = min(count.least for count in counts.values()), max(count.most for count in counts.values())
    return f"{least} to {most} seeds, by panel"


def _name(panel: Panel, panels: Sequence[Panel]) -> str:
    """The name of a panel among these: its metric, its value of the split, or both."""
    of_metric = panel.metric if len({each.metric for each in panels}) > 1 else ""
    return " ".join(cut(part, _LONGEST) for part in (of_metric, panel.label) if part)
