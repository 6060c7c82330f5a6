"""Aggregate scores of algorithms over all tasks and seeds, with intervals of the stratified bootstrap."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from rla_hooks.columns import Column
from rla_hooks.plot.checks import is_number
from rla_hooks.plot.data_columns import key_columns, with_gaps
from rla_hooks.plot.groups import Legend, chosen_runs
from rla_hooks.plot.mathtext import set_name
from rla_hooks.plot.output import PaperFigure
from rla_hooks.plot.paper import look_of, paper_figure, paper_style
from rla_hooks.plot.score_figure import (
    LABELS,
    Foot,
    bootstrap_text,
    check_common,
    check_enough,
    finished,
    iqm_note,
    joined_note,
    lines_in,
    metric_label,
    name_of,
    named_rows,
    scale_note,
    sentence,
    spaced_ticks,
    used_seeds_text,
    with_height,
    wrapped,
)
from rla_hooks.plot.scores import Scores, scores_of
from rla_hooks.plot.task_curves import Range
from rla_hooks.plot.task_scale import Normalize
from rla_hooks.query.frames import column_of
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.statistics import Interval, iqm, median, optimality_gap, stratified_bootstrap
from rla_hooks.writers.base import STEP

Array = numpy.ndarray[Any, Any]
TITLES = {"median": "Median", "iqm": "IQM", "mean": "Mean", "optimality_gap": "Optimality gap"}
_OWN = ("metric", "statistic", "score", "low", "high", "n")  # columns of the numbers
_ROW, _LEAST_ROW = 0.24, 0.16  # inches, where there are few groups and where there are many
_TITLE_ROOM, _SMALL = 0.8, 7  # inches that the longest title takes, and points of one that has less


class _Bar(NamedTuple):
    """The interval of one group in one panel."""

    label: str
    values: tuple[Any, ...]
    aggregate: str
    interval: Interval
    seeds: int


def plot_intervals(
    runs: Sequence[SavedRun] | str,
    metric: str,
    by: Sequence[str] | str | None = None,
    *,
    tasks: str | None = None,
    aggregates: Sequence[str] | str | None = None,
    gamma: float = 1.0,
    score: str = "last",
    window: int | None = None,
    x: str = STEP,
    x_range: Range = None,
    normalize: Normalize = None,
    level: float = 0.95,
    reps: int = 2000,
    seed: int = 0,
    legend: Legend = None,
    title: str | None = None,
    size: Any = "neurips",
    save: Any = None,
) -> PaperFigure:
    """Draw median, IQM, mean and optimality gap of each group, with intervals of the stratified bootstrap.

    by, legend, title, size: as of ``rla.plot_curves``.
    tasks, score, window, x, x_range, normalize: the number that each run
    has, see :func:`rla_hooks.plot_bars`. aggregates: ``"median"``, ``"iqm"``, ``"mean"``, ``"optimality_gap"`` (how
    much the scores fall short of ``gamma``; less is better); by default all, but for the gap where scores are not
    normalized.
    level, reps, seed: of the bootstrap, see :func:`rla_hooks.statistics.stratified_bootstrap`.

    The figure says how many seeds and tasks there are, and where an IQM is a mean. A group of one seed has points
    without intervals. ``data`` has one row an interval: metric, the columns of ``by``, statistic, score, low, high, n.

    >>> import rla_hooks as rla
    >>> for seed in range(3):
    ...     for env, value in (("pong", 10.0), ("breakout", 300.0)):
    ...         with rla.run(task="demo", writers=["csv"], backup="none", env=env, seed=seed):
    ...             rla.log({"return": value * (1 + seed)}, step=0)
    >>> drawn = rla.plot_intervals("demo", "return", tasks="env", normalize="minmax", save="intervals.pdf")
    >>> drawn.data[["statistic", "score", "n"]].values.tolist()
    [['median', 0.5, 3], ['iqm', 0.5, 3], ['mean', 0.5, 3], ['optimality_gap', 0.5, 3]]
    """
    mistakes = check_common(
        "plot_intervals", metric, score, window, x_range, normalize, size, title, save, (level, reps, seed)
    )
    if aggregates is None:
        aggregates = [name for name in TITLES if name != "optimality_gap" or normalize is not None]
    names = mistakes.names("aggregates", aggregates, "['iqm', 'mean']")
    for name in names:
        mistakes.choice("aggregates", name, [*TITLES])
    if not is_number(gamma):
        mistakes.wrong("gamma", gamma, "a finite number: the score from which on more is no better.")
    chosen = chosen_runs(runs, "plot_intervals")
    mistakes.raise_any()
    with mistakes.raised():
        scores = scores_of(chosen, metric, by, tasks, score, window, x, x_range, normalize, legend)
        bars = _bars(scores, names, gamma, (reps, level, seed))
    gap = f"optimality gap below {gamma:g}" if "optimality_gap" in names else ""
    note = sentence(
        str(scores.rule),
        bootstrap_text(level, reps, scores, names),
        used_seeds_text(scores),
        iqm_note(scores) if "iqm" in names else "",
        gap,
        scale_note(scores, normalize),
        joined_note("plot_intervals", scores),
        *scores.notes,
    )
    with paper_style():
        figure, axes = _draw(bars, names, size, legend is not None)
    numbers = _table(bars, scores), chosen.query, name_of("plot_intervals", metric)
    return finished(figure, axes, Foot(note), numbers, title=title, save=save, x_label=metric_label(metric, normalize))


def _bars(scores: Scores, aggregates: Sequence[str], gamma: float, settings: tuple[int, float, int]) -> list[_Bar]:
    gap = functools.partial(optimality_gap, gamma=gamma)
    functions: dict[str, Any] = {"median": median, "iqm": iqm, "mean": numpy.mean, "optimality_gap": gap}
    found = []
    for (group, _), array in zip(scores.groups, scores.arrays()):
        array = array[:, 0] if len(scores.tasks) == 1 else array
        has_interval = check_enough(array, group.label)
        for name in aggregates:
            if has_interval:
                interval = stratified_bootstrap(array, functions[name], *settings)
            else:
                interval = Interval(float(functions[name](array)), numpy.nan, numpy.nan)
            found.append(_Bar(group.label, group.values, name, interval, len(array)))
    return found


def _draw(bars: Sequence[_Bar], aggregates: Sequence[str], size: Any, is_math: bool) -> tuple[Any, Any]:
    labels = [*dict.fromkeys(bar.label for bar in bars)]
    row = _ROW if len(labels) < 20 else _LEAST_ROW
    height = 0.7 + row * len(labels)
    figure, axes = paper_figure(1, len(aggregates), size=with_height(size, height), share_y=True)
    for panel, name in zip(axes, aggregates):
        _draw_panel(panel, [bar for bar in bars if bar.aggregate == name], len(labels))
        _entitle(panel, TITLES[name], figure.get_figwidth() * (1 - LABELS) / len(aggregates))
        spaced_ticks(panel, figure, len(aggregates))
    named_rows(axes[0], wrapped(labels, figure.get_figwidth() * LABELS, lines_in(row)), is_math)
    return figure, axes


def _entitle(panel: Any, title: str, room: float) -> None:
    """Write a title above a panel: small, and a word a line, where it would touch those of its neighbours."""
    is_narrow = room < _TITLE_ROOM
    set_name(panel.title, title.replace(" ", "\n") if is_narrow else title)
    if is_narrow:
        panel.title.set_fontsize(_SMALL)


def _draw_panel(panel: Any, bars: Sequence[_Bar], count: int) -> None:
    for row, bar in enumerate(bars):
        color = look_of(row, count)["color"]
        point, low, high = bar.interval
        if low == low:
            panel.barh(row, high - low, left=low, height=0.5, color=color, alpha=0.45, linewidth=0)
        panel.plot([point, point], [row - 0.32, row + 0.32], color=color, linewidth=1.8, solid_capstyle="butt")
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    panel.grid(False, axis="y")
    panel.use_sticky_edges = False
    panel.margins(x=0.08)


def _table(bars: Sequence[_Bar], scores: Scores) -> dict[str, Column]:
    found = {"metric": column_of([scores.metric] * len(bars))}
    found |= key_columns(scores.by, [bar.values for bar in bars], _OWN)
    found["statistic"] = column_of([bar.aggregate for bar in bars])
    for at, name in enumerate(("score", "low", "high")):
        found[name] = with_gaps([bar.interval[at] for bar in bars])
    return found | {"n": column_of([bar.seeds for bar in bars])}
