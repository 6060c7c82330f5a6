"""The panels of a figure of curves: where they stand, which axes they share, their limits, ticks and titles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rla_hooks.plot.checks import is_number
from rla_hooks.plot.curve_data import Curve, Options, Panel
from rla_hooks.plot.gather import Array
from rla_hooks.plot.mathtext import broken, set_name
from rla_hooks.plot.paper import SIZES, paper_figure, step_ticks
from rla_hooks.writers.base import TIME

_NARROWEST = 1.5  # inches of a panel
_LETTERS = 13  # an inch, of labels and titles
_UNITS = ((86400 * 3, 86400, "days"), (7200, 3600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))


class Grid(NamedTuple):
    """A figure with its panels, row by row; the last row may have fewer. share: the axes that they share."""

    figure: Figure
    axes: list[Axes]
    rows: int
    columns: int
    share: str


def lay_out(panels: Sequence[Panel], size: Any, share: str, columns: int | None) -> Grid:
    """Return a new figure with these panels: a row for each metric where that fits, else as many in a row as fit.

    columns: so many panels in a row.
    """
    width = SIZES[size].width if isinstance(size, str) else size if is_number(size) else size[0]
    most = max(1, int(width / _NARROWEST))
    splits = len(panels) // len({panel.metric for panel in panels})
    columns = min(columns or (splits if 1 < splits <= most else most), len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = paper_figure(rows, columns, size)
    for extra in axes[len(panels) :]:
        extra.remove()
    axes = axes[: len(panels)]
    first: dict[str, Axes] = {}
    for number, (each, panel) in enumerate(zip(axes, panels)):
        if "x" in share and number:
            each.sharex(axes[0])
        if "y" in share and panel.metric in first:
            each.sharey(first[panel.metric])
        first.setdefault(panel.metric, each)
    return Grid(figure, axes, rows, columns, share)


def _is_left(number: int, panels: Sequence[Panel], columns: int) -> bool:
    """Whether a panel is the first one of its metric in its row."""
    return number % columns == 0 or panels[number - 1].metric != panels[number].metric


class Unit(NamedTuple):
    """What x is divided by, and what stands below the axis."""

    divisor: float
    label: str
    is_time: bool


def unit_of(x: str, longest: float) -> Unit:
    """Return the unit that x is drawn in: that of a time fits the longest curve.

    >>> unit_of("time-step", 1e6).label, unit_of("timestamp", 10_000.0)
    ('time-step', Unit(divisor=3600, label='time (hours)', is_time=True))
    """
    if x != TIME:
        return Unit(1, x, False)
    divisor, label = next((divisor, label) for least, divisor, label in _UNITS if longest >= least)
    return Unit(divisor, f"time ({label})", True)


def finish(grid: Grid, panels: Sequence[Panel], curves: Sequence[Curve], options: Options, unit: Unit) -> None:
    """Give panels, in which all is drawn, their scales, limits, ticks and texts."""
    width, height = grid.figure.get_size_inches()
    for number, (axes, panel) in enumerate(zip(grid.axes, panels)):
        own = [curve for curve in curves if curve.panel == number]
        alike = [each for each, other in zip(grid.axes, panels) if other.metric == panel.metric]
        axes.margins(x=0.02)
        _scale_x(axes, curves if "x" in grid.share else own, options, unit)
        _scale_y(axes, alike if "y" in grid.share else [axes], options)
        is_left = "y" not in grid.share or _is_left(number, panels, grid.columns)
        is_lowest = "x" not in grid.share or number + grid.columns >= len(panels)
        axes.tick_params(labelbottom=is_lowest, labelleft=is_left)
        if is_left:
            set_name(axes.yaxis.label, broken(panel.metric, int(height / grid.rows * _LETTERS)))
        if is_lowest:
            set_name(axes.xaxis.label, unit.label)
        if panel.label and (number < grid.columns or panels[number - grid.columns].label != panel.label):
            set_name(axes.title, broken(panel.label, int(width / grid.columns * _LETTERS)))


def _scale_x(axes: Axes, curves: Sequence[Curve], options: Options, unit: Unit) -> None:
    low, high = options.x_range
    if "x" in options.log:
        axes.set_xscale("log", nonpositive="mask")
        shown = numpy.concatenate([curve.x for curve in curves])
        low, high = _log_limits(shown[shown > 0], low, high, 1.05)
    if low is not None or high is not None:
        axes.set_xlim(*(None if end is None else end / unit.divisor for end in (low, high)))
    if not unit.is_time:
        step_ticks(axes.xaxis)


def _scale_y(axes: Axes, alike: Sequence[Axes], options: Options) -> None:
    """Set scale and limits. alike: the panels with the same axis, whose lines and bands it has to hold."""
    low, high = options.y_range
    if "y" in options.log:
        axes.set_yscale("log", nonpositive="mask")
        shown = [numpy.asarray(line.get_ydata(), float) for each in alike for line in each.lines]
        bands: Any = [path for each in alike for band in each.collections for path in band.get_paths()]
        shown += [band.vertices[:, 1] for band in bands]
        values = numpy.concatenate([*shown, numpy.empty(0)])
        low, high = _log_limits(values[values > numpy.finfo(float).tiny], low, high, 1.2)
    if low is not None or high is not None:
        axes.set_ylim(low, high)


def _log_limits(values: Array, low: float | None, high: float | None, margin: float) -> tuple[float, float]:
    """Return the limits of a logarithmic axis for values above 0; ends above 0 that are given stay."""
    least, greatest = (float(values.min()), float(values.max())) if len(values) else (1.0, 10.0)
    low = low if low is not None and low > 0 else least / margin
    return low, high if high is not None and high > low else max(greatest, low) * margin
