"""Bars: the score of each group, on each task, with its interval and the single seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy

from rla_hooks.columns import Column
from rla_hooks.plot.bands import banded, check_band, words_of
from rla_hooks.plot.checks import is_number
from rla_hooks.plot.data_columns import key_columns, with_gaps
from rla_hooks.plot.groups import Group, Legend, chosen_runs
from rla_hooks.plot.looks import check_looks, lines_of
from rla_hooks.plot.mathtext import set_name
from rla_hooks.plot.output import PaperFigure, check_save
from rla_hooks.plot.paper import paper_figure, paper_style
from rla_hooks.plot.score_figure import (
    LABELS,
    Foot,
    check_common,
    finished,
    joined_note,
    lines_in,
    metric_label,
    name_of,
    named_rows,
    seeds_text,
    sentence,
    spaced_ticks,
    with_height,
    wrapped,
)
from rla_hooks.plot.scores import Scores, scores_of
from rla_hooks.plot.task_curves import Range
from rla_hooks.plot.task_scale import Normalize
from rla_hooks.query.frames import column_of
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.statistics import Interval
from rla_hooks.writers.base import STEP

_ROW, _LEAST_ROW = 0.24, 0.14  # inches for a bar, where there are few and where there are many
_HATCHES = ("", "", "////", "....", "\\\\\\\\", "xxxx", "----", "oo")
_BASELINES = (":", "--", "-.")
_OWN = ("metric", "score", "low", "high", "n")  # columns of the numbers


class _Bar(NamedTuple):
    """The bar of one group on one task."""

    group: Group
    task: Any
    interval: Interval
    seeds: list[float]


def plot_bars(
    runs: Sequence[SavedRun] | str,
    metrics: Sequence[str] | str,
    by: Sequence[str] | str | None = None,
    *,
    tasks: str | None = None,
    score: str = "last",
    window: int | None = None,
    x: str = STEP,
    x_range: Range = None,
    normalize: Normalize = None,
    estimator: str = "mean",
    band: str | None = "ci95",
    individual: bool = True,
    baselines: Mapping[str, float] | None = None,
    legend: Legend = None,
    colors: Any = None,
    title: str | None = None,
    size: Any = "neurips",
    save: Any = None,
) -> PaperFigure:
    """Draw a bar for each group: its score over the seeds, with an interval and a dot for each seed.

    metrics: one, or several, which have a panel each.
    by, legend, colors, baselines, title, size: as of ``rla.plot_curves``. tasks:
    the name whose values are tasks, such as ``"env"``: each has its bars. The number that a run has:

    - score: ``"last"``, its last value; ``"mean"`` of its last ``window`` values, 100 by default; ``"max"`` or
      ``"min"``, with a window the best mean of so many values; ``"area"``, the mean height of its curve over the steps
      that all runs of a task have.
    - x, x_range: only rows in that range of x count: ``x_range=(None, 1e6)``.
    - normalize: of ``(low, high)`` low becomes 0 and high 1; a dict has such a pair for each task; ``"minmax"`` takes
      the lowest and the highest score of all runs on a task.

    estimator: ``"mean"``, ``"median"``, ``"iqm"``. band: ``"ci95"`` (of a mean Student's t, else the bootstrap),
    ``"stderr"``, ``"std"`` (of a mean), ``"minmax"``, ``"iqr"``, None. A group of one seed has no interval.
    individual: the dots.

    Runs without a score are left out; a warning names them, and runs that ended early. ``data`` has one row a bar:
    metric, the columns of ``by``, the task, score, low, high, n.

    >>> import rla_hooks as rla
    >>> for algo, best in (("ppo", 3.0), ("dqn", 2.0)):
    ...     for seed in range(3):
    ...         with rla.run(task="demo", writers=["csv"], backup="none", algo=algo, seed=seed):
    ...             rla.log({"return": best + seed}, step=0)
    >>> drawn = rla.plot_bars("demo", "return", by="algo", baselines={"random": 1.0}, save="bars.pdf")
    >>> drawn.data[["algo", "score", "n"]].values.tolist()
    [['dqn', 3.0, 3], ['ppo', 4.0, 3]]
    """
    mistakes = check_common("plot_bars", "", score, window, x_range, normalize, size, title)
    names = mistakes.names("metrics", metrics, "'perf/return'")
    check_save(mistakes, save, name_of("plot_bars", names[0]) if names else None)
    check_band(mistakes, estimator, band)
    mistakes.flag("individual", individual)
    check_looks(mistakes, colors, None, None)
    if baselines is not None and not (isinstance(baselines, Mapping) and all(map(is_number, baselines.values()))):
        mistakes.wrong("baselines", baselines, "a dict of names and numbers: {'random': 20.0}.")
    chosen = chosen_runs(runs, "plot_bars")
    mistakes.raise_any()
    with mistakes.raised():
        found = [scores_of(chosen, name, by, tasks, score, window, x, x_range, normalize, legend) for name in names]
        bars = [_bars(scores, estimator, band) for scores in found]
        groups = _in_colors(bars, colors)
    counts = [len(bar.seeds) for each in bars for bar in each]
    note = sentence(
        "" if max(counts) < 2 else words_of(estimator, band, min(count for count in counts if count > 1), max(counts)),
        f"{found[0].rule} of {_seeds(found)}",
        "" if band is None or min(counts) > 1 else "no interval of one seed",
        "dots: seeds" if individual and max(counts) > 1 else "",
        joined_note("plot_bars", *found),
        *dict.fromkeys(note for scores in found for note in scores.notes),
    )
    with paper_style():
        figure, axes, entries = _draw(found, bars, groups, individual, baselines or {}, size, legend is not None)
        for panel, scores in zip(axes, found):
            set_name(panel.xaxis.label, metric_label(scores.metric, normalize))
    numbers = _table(found, bars), chosen.query, name_of("plot_bars", names[0])
    foot = Foot(note, [*entries.values()], [*entries], legend is not None)
    return finished(figure, axes, foot, numbers, title=title, save=save)


def _seeds(found: Sequence[Scores]) -> str:
    texts = {seeds_text(scores): None for scores in found}
    return next(iter(texts)) if len(texts) == 1 else "all seeds"


def _bars(scores: Scores, estimator: str, band: str | None) -> list[_Bar]:
    found = []
    for group, of_task in scores.groups:
        for task, some in of_task.items():
            seeds = [score.value for score in some]
            if seeds:
                y, low, high, _ = banded(numpy.array([seeds]).T, estimator, band)
                found.append(_Bar(group, task, Interval(y.item(), low.item(), high.item()), seeds))
    return found


def _in_colors(bars: Sequence[Sequence[_Bar]], colors: Any) -> dict[str, Any]:
    """Return the colour of each group, by its label, in the order of the groups. Raises ConfigError."""
    groups = {bar.group.label: bar.group for each in bars for bar in each}
    return {label: line["color"] for label, line in zip(groups, lines_of([*groups.values()], colors, None))}


def _draw(
    found: Sequence[Scores],
    bars: Sequence[Sequence[_Bar]],
    groups: Mapping[str, Any],
    individual: bool,
    baselines: Mapping[str, float],
    size: Any,
    is_math: bool,
) -> tuple[Any, Any, dict[str, Any]]:
    """Draw all panels, with the same rows: tasks, and in them groups, which have colours; without tasks groups."""
    tasks = {task: None for scores in found for task in scores.tasks}
    place = {label: at for at, label in enumerate(groups)}
    row = {task: at for at, task in enumerate(tasks)}
    count = len(groups) * len(tasks)
    has_tasks = len(tasks) > 1 or found[0].task_column is not None
    thick = _LEAST_ROW if count > 20 else _ROW if not has_tasks else (_ROW + _LEAST_ROW) / 2
    height = 0.45 + thick * count + 0.08 * len(tasks)
    columns = len(found)
    figure, axes = paper_figure(1, columns, size=with_height(size, height), share_y="all")
    entries: dict[str, Any] = {}
    for panel, some in zip(axes, bars):
        for bar in some:
            number = place[bar.group.label]
            within = (number + 0.5) / len(groups) - 0.5
            at = row[bar.task] + within * 0.84 if has_tasks else number
            breadth = 0.84 / len(groups) * 0.9 if has_tasks else 0.7
            hatch = _HATCHES[number % len(_HATCHES)] if has_tasks else ""
            drawn = _draw_bar(panel, bar, at, breadth, groups[bar.group.label], hatch, individual)
            entries.setdefault(bar.group.label, drawn)
        for at, (name, value) in enumerate(baselines.items()):
            style = _BASELINES[at % len(_BASELINES)]
            entries[str(name)] = panel.axvline(value, color="#555555", linestyle=style, linewidth=1, zorder=1.5)
        spaced_ticks(panel, figure, columns)
        panel.grid(False, axis="y")
        panel.tick_params(axis="y", length=0)
    labels = [str(task) for task in tasks] if has_tasks else [*groups]
    lines = lines_in(thick * len(groups) if has_tasks else thick)
    named_rows(axes[0], wrapped(labels, figure.get_figwidth() * LABELS, lines), is_math and not has_tasks)
    if not has_tasks or list(groups) == [""]:  # their names stand at the bars
        entries = {name: drawn for name, drawn in entries.items() if name in map(str, baselines)}
    return figure, axes, entries


def _draw_bar(panel: Any, bar: _Bar, at: float, thick: float, color: Any, hatch: str, individual: bool) -> Any:
    point, low, high = bar.interval
    look = {"facecolor": matplotlib.colors.to_rgba(color, 0.65), "edgecolor": "white" if hatch else color}
    (drawn,) = panel.barh(at, point, height=thick, hatch=hatch, linewidth=0, **look)
    points = min(3.0, thick * 8)
    if individual and len(bar.seeds) > 1:
        spread = (numpy.arange(len(bar.seeds)) / (len(bar.seeds) - 1) - 0.5) * thick * 0.5
        dot = {"markersize": points, "markerfacecolor": "white", "markeredgecolor": "black", "markeredgewidth": 0.4}
        panel.plot(bar.seeds, at + spread, "o", zorder=2.5, **dot)
    if low == low:
        error = [[point - low], [high - point]]
        panel.errorbar(point, at, xerr=error, fmt="none", ecolor="black", elinewidth=1, capsize=points * 0.7, zorder=3)
    return drawn


def _table(found: Sequence[Scores], bars: Sequence[Sequence[_Bar]]) -> dict[str, Column]:
    flat = [bar for each in bars for bar in each]
    names = [*found[0].by, *([found[0].task_column] if found[0].task_column is not None else [])]
    table = {"metric": column_of([scores.metric for scores, each in zip(found, bars) for _ in each])}
    table |= key_columns(names, [(*bar.group.values, bar.task) for bar in flat], _OWN)
    for at, name in enumerate(("score", "low", "high")):
        table[name] = with_gaps([bar.interval[at] for bar in flat])
    return table | {"n": column_of([len(bar.seeds) for bar in flat])}
