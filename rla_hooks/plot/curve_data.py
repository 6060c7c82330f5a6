"""The numbers behind curves: which runs make a curve of which panel, and what these come to at each x."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy

from rla_hooks.columns import Column
from rla_hooks.errors import ConfigError
from rla_hooks.plot.bands import Band, banded
from rla_hooks.plot.data_columns import key_columns, with_gaps
from rla_hooks.plot.gather import Array, Points, points_of_runs
from rla_hooks.plot.groups import Group, grouped
from rla_hooks.plot.resample import grid_of, on_grid, smoothed
from rla_hooks.plot.task_curves import bounded
from rla_hooks.plot.transforms import transformed
from rla_hooks.query.frames import AnyColumn, Repeated, column_of
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import printable, shown

_MOST_PANELS = 50
_OWN = ("metric", "x", "y", "low", "high", "n")  # columns of the numbers


@dataclass(frozen=True)
class Options:
    """What ``plot_curves`` was asked for, checked. ``by``: names, ``split``: one or None, ``bands``: none or more."""

    metrics: Sequence[str]
    by: Sequence[str]
    split: str | None
    x: str
    bands: Sequence[str]
    estimator: str
    transform: Any
    smooth: float | int | None
    resample: Any
    overlap: bool
    x_range: tuple[float | None, float | None]
    y_range: tuple[float | None, float | None]
    scale: float
    log: str


class Panel(NamedTuple):
    """One of the axes. metric: empty where all are together; value: of ``split``; label: its title, if there is one."""

    metric: str
    label: str
    value: Any
    runs: Sequence[SavedRun]


class Curve(NamedTuple):
    """One curve of a panel. rows: of shape (runs, points), each run by itself; gaps: values that are not finite.

    bands: one, or more of the same curve.
    """

    panel: int
    group: int
    metric: str
    x: Array
    bands: Sequence[Band]
    rows: Array
    gaps: int

    @property
    def band(self) -> Band:
        return self.bands[0]


def panels_of(runs: Sequence[SavedRun], metrics: Sequence[str], split: str | None) -> list[Panel]:
    """Return a panel for each metric and value of ``split``. Raises ConfigError where these are too many.

    metrics: one empty name where all stand in one panel.
    """
    parts = [Group("", (), runs)] if split is None else grouped(runs, split)
    panels = [
        Panel(metric, part.label, part.values[0] if part.values else None, part.runs)
        for metric in metrics
        for part in parts
    ]
    if len(panels) > _MOST_PANELS:
        each = f" for each of {len(parts)} values of {printable(repr(split))}" if split else ""
        raise ConfigError(
            f"{len(metrics)} metrics{each} are {len(panels)} panels. Allowed: {_MOST_PANELS}. Name fewer metrics, or "
            "choose fewer runs."
        )
    return panels


def curves_of(
    runs: Sequence[SavedRun], groups: Sequence[Group], panels: Sequence[Panel], options: Options
) -> list[Curve]:
    """Return the curves of all panels. Raises ConfigError for metrics that no run has, and where none is in range."""
    read = dict(zip(map(id, runs), points_of_runs(runs, options.metrics, options.x)))
    found = []
    for number, panel in enumerate(panels):
        inside = {id(run) for run in panel.runs}
        for place, group in enumerate(groups):
            metric = panel.metric or options.metrics[place % len(options.metrics)]
            of_runs = [read[id(run)].get(metric) for run in group.runs if id(run) in inside]
            prepared = [_prepared(each, options, metric) for each in of_runs if each is not None]
            points = [each for each in prepared if len(each.x)]
            curve = _curve(number, place, metric, points, options) if points else None
            if curve is not None:
                found.append(curve)
    if not found:
        is_cut = options.x_range != (None, None)
        name, value = ("x_range", options.x_range) if is_cut else ("resample", options.resample)
        also = [name for name in ("overlap", "transform") if getattr(options, name)]
        what = f" (with {' and '.join(also)})" if also else ""
        raise ConfigError(f"{name} is {shown(value, 100)}{what}, and no run has rows there.")
    return found


def _prepared(points: Points, options: Options, metric: str) -> Points:
    points = transformed(points, options.transform, metric)
    points = smoothed(points._replace(y=bounded(points.y)), options.smooth)
    if options.scale == 1:
        return points
    with numpy.errstate(over="ignore"):
        return points._replace(y=bounded(points.y * options.scale))


def _curve(panel: int, group: int, metric: str, points: Sequence[Points], options: Options) -> Curve | None:
    grid = grid_of(points, options.resample, options.x_range, options.overlap)
    if not len(grid):
        return None
    rows = on_grid(points, grid)
    low, high = grid[0], grid[-1]
    gaps = sum(int((~numpy.isfinite(each.y) & (each.x >= low) & (each.x <= high)).sum()) for each in points)
    bands = [banded(rows, options.estimator, band) for band in options.bands]
    bands = bands or [banded(rows, options.estimator, None)]
    return Curve(panel, group, metric, grid, bands, rows, gaps)


def numbers_of(
    curves: Sequence[Curve], groups: Sequence[Group], panels: Sequence[Panel], options: Options
) -> dict[str, AnyColumn]:
    """Return the numbers of curves as columns: metric, those of ``by`` and ``split``, x, y, low, high, n.

    A second band has the columns low.<band> and high.<band>.
    """
    of_curve = numpy.repeat(numpy.arange(len(curves)), [len(curve.x) for curve in curves])
    columns: dict[str, AnyColumn] = {"metric": Repeated(column_of([curve.metric for curve in curves]), of_curve)}
    names = [*options.by, *([options.split] if options.split is not None else [])]
    values = [(*groups[curve.group].values, panels[curve.panel].value) for curve in curves]
    columns |= {name: Repeated(each, of_curve) for name, each in key_columns(names, values, _OWN).items()}
    columns["x"] = Column(numpy.concatenate([curve.x for curve in curves]))
    for name in ("y", "low", "high"):
        columns[name] = with_gaps(numpy.concatenate([getattr(curve.band, name) for curve in curves]))
    columns["n"] = Column(numpy.concatenate([curve.band.n for curve in curves]))
    for at, band in enumerate(options.bands[1:], 1):
        for name in ("low", "high"):
            columns[f"{name}.{band}"] = with_gaps(
                numpy.concatenate([getattr(curve.bands[at], name) for curve in curves])
            )
    return columns


def baselines_in(panel: Panel, baselines: Mapping[str, Any], scale: float) -> Iterator[tuple[str, float]]:
    """Yield the baselines of a panel: numbers stand in all, those of a mapping in panels of a metric or a split."""
    for label, value in baselines.items():
        if isinstance(value, Mapping):
            keys = (panel.metric, panel.label, *([panel.value] if isinstance(panel.value, (str, int, float)) else []))
            value = next((value[key] for key in keys if key in value), None)
        if value is not None:
            yield label, float(value) * scale
