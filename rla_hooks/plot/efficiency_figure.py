"""Sample efficiency: the aggregate score of an algorithm over all tasks and seeds, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from rla_hooks.columns import Column
from rla_hooks.errors import RLAError
from rla_hooks.plot import task_curves
from rla_hooks.plot.data_columns import key_columns, with_gaps
from rla_hooks.plot.groups import Legend, chosen_runs, grouped, names_of
from rla_hooks.plot.mathtext import set_name
from rla_hooks.plot.output import PaperFigure
from rla_hooks.plot.paper import paper_figure, paper_style, step_ticks
from rla_hooks.plot.resample import check_resample
from rla_hooks.plot.score_figure import (
    Foot,
    bootstrap_text,
    check_common,
    check_enough,
    draw_line,
    finished,
    iqm_note,
    joined_note,
    metric_label,
    name_of,
    scale_note,
    sentence,
    spaced_ticks,
    used_seeds_text,
    with_height,
)
from rla_hooks.plot.scores import Scores, by_group, parts_of
from rla_hooks.plot.task_scale import Normalize, normalized
from rla_hooks.plot.twins import twins_note
from rla_hooks.query.frames import column_of
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.statistics import Interval, iqm, median, sample_efficiency
from rla_hooks.texts import printable
from rla_hooks.writers.base import STEP, TIME

Array = numpy.ndarray[Any, Any]
AGGREGATES: dict[str, Any] = {"iqm": iqm, "mean": numpy.mean, "median": median}
_TITLES = {"iqm": "IQM", "mean": "mean", "median": "median"}
_OWN = ("metric", "x", "y", "low", "high", "n")  # columns of the numbers
_POINTS = 100
_MOST_POINTS = 1000
_HEIGHT = 2.2  # inches


def plot_sample_efficiency(
    runs: Sequence[SavedRun] | str,
    metric: str,
    by: Sequence[str] | str | None = None,
    *,
    tasks: str | None = None,
    aggregate: str = "iqm",
    x: str = STEP,
    x_range: task_curves.Range = None,
    resample: Any = "auto",
    normalize: Normalize = None,
    level: float = 0.95,
    reps: int = 2000,
    seed: int = 0,
    legend: Legend = None,
    title: str | None = None,
    size: Any = "neurips",
    save: Any = None,
) -> PaperFigure:
    """Draw the aggregate score of each group over the steps, with bands of the stratified bootstrap.

    by, x, legend, title, size: as of ``rla.plot_curves``.
    tasks, x_range, normalize: as of :func:`rla_hooks.plot_bars`; ``"minmax"``
    takes the extremes of the curves. aggregate: ``"iqm"``, ``"mean"``, ``"median"``, over all runs of all tasks.
    resample: how many steps, or which ones; ``"auto"`` takes those that were logged if they are the same in all runs,
    else 100. level, reps, seed: of the bootstrap, see :func:`rla_hooks.statistics.sample_efficiency`.

    Between its points a curve is a line; a group's curve begins and ends where all of its runs have points, and a
    warning names runs that ended early. ``data`` has one row a step and group: metric, the columns of ``by``, x, y,
    low, high, n.

    >>> import rla_hooks as rla
    >>> for seed in range(4):
    ...     with rla.run(task="demo", writers=["csv"], backup="none", seed=seed):
    ...         for step in range(3):
    ...             rla.log({"return": step * 10 + seed}, step=1000 * step)
    >>> drawn = rla.plot_sample_efficiency("demo", "return", save="efficiency.pdf")
    >>> drawn.data[["x", "y", "n"]].values.tolist()
    [[0.0, 1.5, 4.0], [1000.0, 11.5, 4.0], [2000.0, 21.5, 4.0]]
    """
    what = "plot_sample_efficiency"
    mistakes = check_common(what, metric, "last", None, x_range, normalize, size, title, save, (level, reps, seed))
    mistakes.choice("aggregate", aggregate, [*AGGREGATES])
    check_resample(mistakes, resample)
    chosen = chosen_runs(runs, what)
    mistakes.raise_any()
    with mistakes.raised():
        scores, grid = _curves(chosen, metric, by, tasks, x, x_range, resample, normalize, legend)
        arrays = scores.arrays()
    curves = [
        _curve(array, scored.group.label, aggregate, (reps, level, seed))
        for array, scored in zip(arrays, scores.groups)
    ]
    note = sentence(
        f"{_TITLES[aggregate]} of all runs",
        bootstrap_text(level, reps, scores, [aggregate], "pointwise bands"),
        used_seeds_text(scores),
        iqm_note(scores) if aggregate == "iqm" else "",
        scale_note(scores, normalize),
        joined_note(what, scores),
        *scores.notes,
    )
    labels = [scored.group.label for scored in scores.groups]
    with paper_style():
        figure, axes = paper_figure(size=with_height(size, _HEIGHT))
        lines = [draw_line(axes[0], grid, curve, at, len(labels)) for at, curve in enumerate(curves)]
        set_name(axes[0].xaxis.label, x if x != TIME else "seconds")
        set_name(axes[0].yaxis.label, metric_label(metric, normalize))
        spaced_ticks(axes[0], figure)
        step_ticks(axes[0].xaxis)
    numbers = _table(scores, grid, curves, arrays), chosen.query, name_of(what, metric)
    foot = Foot(note, lines, labels, legend is not None)
    return finished(figure, axes, foot, numbers, title=title, save=save)


def _curves(
    runs: Sequence[SavedRun],
    metric: str,
    by: Any,
    tasks: str | None,
    x: str,
    x_range: task_curves.Range,
    resample: Any,
    normalize: Normalize,
    legend: Legend,
) -> tuple[Scores, Array]:
    """Return the curves of all runs, on one grid, and the grid. NaN is where a run has no points."""
    names = names_of(runs, by, without=[tasks] if tasks else [])
    task_of, logged = task_curves.tasks_of(runs, tasks), task_curves.curves_of(runs, metric, x, x_range)
    notes = task_curves.not_finite(runs, logged, metric)
    curves = [None if curve is None else _finite(curve) for curve in logged]
    grid = _grid([curve for curve in curves if curve is not None and len(curve[0])], resample)
    nothing = numpy.full(len(grid), numpy.nan)
    values = [nothing if curve is None else _at(grid, curve) for curve in curves]
    for task in dict.fromkeys(task_of):
        those = [at for at, each in enumerate(task_of) if each == task]
        for at, value in zip(those, normalized([values[at] for at in those], task, normalize)):
            values[at] = value
    there = [0.0 if numpy.isfinite(value).any() else numpy.nan for value in values]
    notes += task_curves.left_out(runs, curves, there, metric) + task_curves.ended_early(runs, curves, task_of, x)
    order, groups = by_group(runs, values, task_of, grouped(runs, names, legend))
    notes += twins_note(parts_of(groups))
    return Scores(metric, None, tuple(names), tasks, order, groups, tuple(notes)), grid


def _finite(curve: task_curves.Curve) -> task_curves.Curve:
    x, y = curve
    is_finite = numpy.isfinite(y)
    return x[is_finite], y[is_finite]


def _grid(curves: Sequence[task_curves.Curve], resample: Any) -> Array:
    if not isinstance(resample, (int, str)):
        return numpy.asarray(resample, float)
    if not curves:
        return numpy.zeros(1)
    first = curves[0][0]
    is_one = all(len(x) == len(first) and (x == first).all() for x, _ in curves)
    if resample == "auto" and is_one and 1 <= len(first) <= _MOST_POINTS:
        return first
    low, high = min(x[0] for x, _ in curves), max(x[-1] for x, _ in curves)
    return numpy.linspace(low, high, resample if isinstance(resample, int) else _POINTS)


def _at(grid: Array, curve: task_curves.Curve) -> Array:
    """Return a curve at these steps; NaN before its first and after its last point."""
    x, y = curve
    return numpy.interp(grid, x, y, numpy.nan, numpy.nan) if len(x) else numpy.full(len(grid), numpy.nan)


def _curve(array: Array, label: str, aggregate: str, settings: tuple[int, float, int]) -> Interval:
    """Return the aggregate at each step: NaN where some run of the group has no point."""
    found = Interval(*numpy.full((3, array.shape[-1]), numpy.nan))
    is_whole = numpy.isfinite(array).all(axis=(0, 1))
    if not is_whole.any():
        raise RLAError(
            f"{printable(label) or 'The group'} has no step that all of its runs have. Give resample= or fewer runs."
        )
    array = array[:, 0] if array.shape[1] == 1 else array
    if check_enough(array, label):
        for ends, part in zip(found, sample_efficiency(array[..., is_whole], aggregate, *settings)):
            ends[is_whole] = part
    else:
        found.point[is_whole] = [AGGREGATES[aggregate](array[..., at]) for at in numpy.flatnonzero(is_whole)]
    return found


def _table(scores: Scores, grid: Array, curves: Sequence[Interval], arrays: Sequence[Array]) -> dict[str, Column]:
    """One row for each step that a group has."""
    used = [numpy.flatnonzero(numpy.isfinite(curve.point)) for curve in curves]
    lengths = [len(each) for each in used]
    found = {"metric": column_of([scores.metric] * sum(lengths))}
    of_rows = [scored.group.values for scored, length in zip(scores.groups, lengths) for _ in range(length)]
    found |= key_columns(scores.by, of_rows, _OWN)
    found["x"] = Column(numpy.concatenate([grid[rows] for rows in used]))
    for name, at in (("y", 0), ("low", 1), ("high", 2)):
        found[name] = with_gaps(numpy.concatenate([curve[at][rows] for curve, rows in zip(curves, used)]))
    return found | {"n": column_of([len(array) for array, length in zip(arrays, lengths) for _ in range(length)])}
