"""Performance profiles: which part of the runs of an algorithm does better than a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from rla_hooks.columns import Column
from rla_hooks.plot.checks import Mistakes, is_growing
from rla_hooks.plot.data_columns import key_columns, with_gaps
from rla_hooks.plot.groups import Legend, chosen_runs
from rla_hooks.plot.mathtext import set_name
from rla_hooks.plot.output import PaperFigure
from rla_hooks.plot.paper import paper_figure, paper_style
from rla_hooks.plot.score_figure import (
    Foot,
    bootstrap_text,
    check_common,
    check_enough,
    draw_line,
    finished,
    joined_note,
    metric_label,
    name_of,
    scale_note,
    sentence,
    spaced_ticks,
    used_seeds_text,
    with_height,
)
from rla_hooks.plot.scores import Scores, scores_of
from rla_hooks.plot.task_curves import Range
from rla_hooks.plot.task_scale import Normalize
from rla_hooks.query.frames import column_of
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.statistics import Interval, performance_profile
from rla_hooks.writers.base import STEP

Array = numpy.ndarray[Any, Any]
_THRESHOLDS = 201
_OWN = ("metric", "threshold", "fraction", "low", "high", "n")  # columns of the numbers
_HEIGHT = 2.2  # inches


def plot_profiles(
    runs: Sequence[SavedRun] | str,
    metric: str,
    by: Sequence[str] | str | None = None,
    *,
    tasks: str | None = None,
    thresholds: Sequence[float] | None = None,
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
    """Draw which part of a group's runs has a score above each threshold, with bands of the stratified bootstrap.

    A curve that lies above another one at every threshold is that of the better group, whatever score is asked for (it
    dominates stochastically).

    by, legend, title, size: as of ``rla.plot_curves``. tasks, score, window, x, x_range, normalize: the
    number that each run has, see :func:`rla_hooks.plot_bars`. thresholds: by default 201 from the lowest to the highest
    score. level, reps, seed: of the bootstrap, see :func:`rla_hooks.statistics.performance_profile`.

    A group of one seed has a line without a band, and a warning says why. ``data`` has one row a threshold and group:
    metric, the columns of ``by``, threshold, fraction, low, high, n.

    >>> import rla_hooks as rla
    >>> for algo, best in (("ppo", 3.0), ("dqn", 2.0)):
    ...     for seed in range(4):
    ...         with rla.run(task="demo", writers=["csv"], backup="none", algo=algo, seed=seed):
    ...             rla.log({"return": best * seed}, step=0)
    >>> drawn = rla.plot_profiles("demo", "return", by="algo", thresholds=[1, 5, 9], save="profiles.pdf")
    >>> drawn.data.groupby("algo")["fraction"].apply(list).to_dict()
    {'dqn': [0.75, 0.25, 0.0], 'ppo': [0.75, 0.5, 0.0]}
    """
    mistakes = check_common(
        "plot_profiles", metric, score, window, x_range, normalize, size, title, save, (level, reps, seed)
    )
    _check_thresholds(mistakes, thresholds)
    chosen = chosen_runs(runs, "plot_profiles")
    mistakes.raise_any()
    with mistakes.raised():
        scores = scores_of(chosen, metric, by, tasks, score, window, x, x_range, normalize, legend)
        arrays = scores.arrays()
    levels = _thresholds(arrays) if thresholds is None else numpy.asarray(thresholds, float)
    profiles = [
        _profile(array, levels, scored.group.label, (reps, level, seed)) for array, scored in zip(arrays, scores.groups)
    ]
    note = sentence(
        str(scores.rule),
        bootstrap_text(level, reps, scores, (), "pointwise bands"),
        used_seeds_text(scores),
        scale_note(scores, normalize),
        joined_note("plot_profiles", scores),
        *scores.notes,
    )
    labels = [scored.group.label for scored in scores.groups]
    with paper_style():
        figure, axes = paper_figure(size=with_height(size, _HEIGHT))
        lines = [draw_line(axes[0], levels, profile, at, len(labels)) for at, profile in enumerate(profiles)]
        axes[0].set_ylim(-0.02, 1.02)
        axes[0].set_ylabel("fraction of runs above")
        spaced_ticks(axes[0], figure)
        set_name(axes[0].xaxis.label, metric_label(metric, normalize))
    table = _table(scores, levels, profiles, [len(array) for array in arrays])
    numbers = table, chosen.query, name_of("plot_profiles", metric)
    foot = Foot(note, lines, labels, legend is not None)
    return finished(figure, axes, foot, numbers, title=title, save=save)


def _check_thresholds(mistakes: Mistakes, thresholds: Any) -> None:
    if thresholds is not None and not is_growing(thresholds):
        mistakes.wrong("thresholds", thresholds, "two scores or more, each greater than the one before.")


def _thresholds(arrays: Sequence[Array]) -> Array:
    low, high = min(array.min() for array in arrays), max(array.max() for array in arrays)
    if low == high:
        low, high = low - 1, high + 1
    return numpy.linspace(low, high, _THRESHOLDS)


def _profile(array: Array, thresholds: Array, label: str, settings: tuple[int, float, int]) -> Interval:
    if check_enough(array, label):
        return performance_profile(array, thresholds, *settings)
    point = (array[..., None] > thresholds).mean(axis=(0, 1))
    return Interval(point, point * numpy.nan, point * numpy.nan)


def _table(scores: Scores, x: Array, lines: Sequence[Interval], counts: Sequence[int]) -> dict[str, Column]:
    found = {"metric": column_of([scores.metric] * len(x) * len(lines))}
    found |= key_columns(scores.by, [scored.group.values for scored in scores.groups for _ in x], _OWN)
    found["threshold"] = Column(numpy.tile(x, len(lines)))
    for name, at in (("fraction", 0), ("low", 1), ("high", 2)):
        found[name] = with_gaps(numpy.concatenate([line[at] for line in lines]))
    return found | {"n": column_of([count for count in counts for _ in x])}
