"""Curves as a figure: panels with shared axes, lines that are thinner where seeds are missing, one legend, one note."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rla_hooks.plot.band_shapes import alone, draw_band
from rla_hooks.plot.bands import words_of
from rla_hooks.plot.curve_axes import finish, lay_out, unit_of
from rla_hooks.plot.curve_data import Curve, Options, Panel, baselines_in
from rla_hooks.plot.gather import Array
from rla_hooks.plot.groups import Group
from rla_hooks.plot.legend import add_foot
from rla_hooks.plot.mathtext import set_name
from rla_hooks.plot.output import PaperFigure
from rla_hooks.plot.paper import paper_style
from rla_hooks.plot.seed_counts import are_equal, count_of, seeds_by_panel
from rla_hooks.plot.transforms import transform_note

_WIDTH, _THIN, _RUN = 1.2, 0.6, 0.4  # points: lines of all seeds, of fewer, and of single runs
_BAND, _FURTHER_BAND, _OF_RUN = 0.18, 0.09, 0.45  # opacity
_MARKERS = 8  # of a curve
_BASELINE_STYLES: tuple[Any, ...] = ("--", ":", "-.")
_GREY = "#666666"


class CurveFigure(PaperFigure):
    """What :func:`rla_hooks.plot_curves` returns: ``figure``, ``axes``, ``data``, ``query`` and ``save()``.

    ``data`` has a row for each point of each curve: metric, the columns of ``by`` and ``split``, x, y, low, high, n
    (how many seeds have a value there). Time as x is in seconds.

    >>> import rla_hooks as rla
    >>> for seed in range(3):
    ...     with rla.run(task="demo", writers=["csv"], backup="none", seed=seed):
    ...         for step in range(2):
    ...             rla.log({"return": float(seed + step)}, step=step)
    >>> drawn = rla.plot_curves(rla.runs(task="demo"), "return", band="minmax")
    >>> drawn.data
       metric    x    y  low  high  n
    0  return  0.0  1.0  0.0   2.0  3
    1  return  1.0  2.0  1.0   3.0  3
    >>> [path.name for path in drawn.save("figures/")]
    ['return.pdf', 'return.png', 'return.csv']
    """


class Look(NamedTuple):
    """How curves are drawn: of each group its line; the texts of a user may hold mathematics. remarks: for the note."""

    lines: Sequence[Mapping[str, Any]]
    baselines: Mapping[str, Any]
    individual: bool
    title: str | None
    size: Any
    share: str
    columns: int | None
    with_legend: bool
    is_math: bool
    remarks: Sequence[str] = ()


@paper_style()
def drawn(
    curves: Sequence[Curve], groups: Sequence[Group], panels: Sequence[Panel], options: Options, look: Look
) -> tuple[Figure, list[Axes]]:
    """Return the figure of these curves, and its panels."""
    grid = lay_out(panels, look.size, look.share, look.columns)
    figure, axes = grid.figure, grid.axes
    unit = unit_of(options.x, max(curve.x[-1] for curve in curves))
    for curve in curves:
        _draw(axes[curve.panel], curve, curve.x / unit.divisor, look.lines[curve.group], look.individual, options.log)
    baselines = _draw_baselines(axes, panels, look.baselines, options.scale)
    finish(grid, panels, curves, options, unit)
    if look.title:
        set_name(axes[0].title if len(axes) == 1 else figure.suptitle(""), look.title, is_math=True)
    handles, labels = _legend(curves, groups, panels, look, baselines) if look.with_legend else ([], [])
    add_foot(figure, handles, labels, _note(curves, options, look.remarks), look.is_math)
    return figure, axes


def _draw(axes: Axes, curve: Curve, x: Array, line: Mapping[str, Any], individual: bool, log: str) -> None:
    y, _, _, n = curve.band
    color = line["color"]
    if individual:
        for row in curve.rows:
            axes.plot(x, row, color=color, linewidth=_RUN, alpha=_OF_RUN)
    for place, (_, low, high, _) in enumerate(curve.bands):
        if "y" in log:  # what lies below the axis ends at its edge
            low = numpy.maximum(low, numpy.finfo(float).tiny)
        draw_band(axes, x, low, high, color, _BAND if place == 0 else _FURTHER_BAND)
    for part, is_full in parts_of(n == n.max()):
        width = _WIDTH if is_full else _THIN
        axes.plot(x[part], y[part], color=color, linestyle=line["linestyle"], linewidth=width)
    dots = alone(numpy.isfinite(y))
    axes.plot(x[dots], y[dots], color=color, linestyle="none", marker=line["marker"] or "o")
    if line["marker"]:
        every = numpy.flatnonzero(numpy.isfinite(y))
        chosen = (
            every[numpy.linspace(0, len(every) - 1, _MARKERS + 2)[1:-1].round().astype(int)] if len(every) else every
        )
        axes.plot(x[chosen], y[chosen], color=color, linestyle="none", marker=line["marker"])


def parts_of(full: Array) -> Iterator[tuple[slice, bool]]:
    """Yield the parts of a curve between whose points all seeds are there, and those where some are missing.

    Neighbours share a point, so that the line has no gap.

    >>> [*parts_of(numpy.array([True, True, False, False, True]))]
    [(slice(0, 2, None), True), (slice(1, 5, None), False)]
    """
    if len(full) < 2:
        return
    edges = full[1:] & full[:-1]
    begins = [0, *(numpy.flatnonzero(edges[1:] != edges[:-1]) + 1).tolist(), len(edges)]
    for begin, end in itertools.pairwise(begins):
        yield slice(begin, end + 1), bool(edges[begin])


def _draw_baselines(
    axes: Sequence[Axes], panels: Sequence[Panel], baselines: Mapping[str, Any], scale: float
) -> dict[str, Line2D]:
    handles: dict[str, Line2D] = {}
    styles = {label: _BASELINE_STYLES[number % len(_BASELINE_STYLES)] for number, label in enumerate(baselines)}
    for each, panel in zip(axes, panels):
        for label, value in baselines_in(panel, baselines, scale):
            handles[label] = each.axhline(
                value, color=_GREY, linestyle=styles[label], linewidth=0.9, zorder=1.5, label=label
            )
    return handles


def _legend(
    curves: Sequence[Curve],
    groups: Sequence[Group],
    panels: Sequence[Panel],
    look: Look,
    baselines: Mapping[str, Line2D],
) -> tuple[list[Any], list[str]]:
    """Return handles and texts: of each group with the number of its seeds, unless all have as many throughout."""
    numbers, is_one = dict.fromkeys(curve.group for curve in curves), are_equal(curves)
    handles: list[Any] = []
    labels: list[str] = []
    for number in numbers:
        own = [curve for curve in curves if curve.group == number]
        seeds = "" if is_one else seeds_by_panel(own, panels)
        label = groups[number].label
        text = f"{label} ({seeds})" if label and seeds else label or seeds
        if text and (len(numbers) > 1 or seeds or baselines):
            handles.append(Line2D([], [], linewidth=_WIDTH, **look.lines[number]))
            labels.append(text)
    return [*handles, *baselines.values()], [*labels, *baselines]


def _note(curves: Sequence[Curve], options: Options, remarks: Sequence[str]) -> str:
    """Return what the figure says below its legend: how it was made, and what it does not show."""
    least, _ = count_of(curves)
    with_band = [n for curve in curves for n in curve.band.n[numpy.isfinite(curve.band.low)].tolist()]
    fewest = min(with_band, default=0)
    parts = [words_of(options.estimator, options.bands, fewest or least, max(with_band, default=0))]
    if are_equal(curves):
        parts[0] += f", {count_of(curves)}"
    if options.bands and least == 1:
        parts.append("One seed has no band")
    parts += [f"{remark[0].upper()}{remark[1:]}" for remark in remarks if remark]
    if text := transform_note(options.transform):
        parts.append(text)
    if isinstance(options.smooth, int):
        parts.append(f"Smoothed: mean of {options.smooth} rows")
    elif options.smooth is not None:
        parts.append(f"Smoothed: exponential mean, weight {options.smooth:g}, debiased")
    if gaps := sum(curve.gaps for curve in curves):
        parts.append(f"Gaps: {gaps:,} value{'s are' if gaps > 1 else ' is'} NaN or infinite")
    if "y" in options.log and (below := sum(int((curve.band.y <= 0).sum()) for curve in curves)):
        parts.append(f"Not on the log axis: {below:,} point{'s' if below > 1 else ''} at or below 0")
    if "x" in options.log and any((curve.x <= 0).any() for curve in curves):
        parts.append("Not on the log axis: x at or below 0")
    return ". ".join(parts) + "."
