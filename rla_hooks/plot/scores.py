"""One number for each of many runs, by group and task: what bars, profiles and intervals are made of."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy

from rla_hooks.errors import ConfigError, warn
from rla_hooks.plot import task_curves
from rla_hooks.plot.groups import Group, Legend, grouped, joined, names_of
from rla_hooks.plot.score_rule import ScoreRule, common_range, score_rule
from rla_hooks.plot.task_scale import Normalize, normalized
from rla_hooks.plot.twins import twins_note
from rla_hooks.query.filter_columns import equality_key
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import listed, printable
from rla_hooks.writers.base import STEP

Array = numpy.ndarray[Any, Any]

_LISTED = 6  # tasks in a message


class RunScore(NamedTuple):
    """The score of one run: a number, or an array with one for each step."""

    run: SavedRun
    value: Any


class ScoredGroup(NamedTuple):
    """A group and the scores of its runs, which all are finite: by task, in the order of the tasks."""

    group: Group
    of_task: dict[Any, list[RunScore]]

    def counts(self) -> dict[Any, int]:
        """Return how many seeds it has on each task."""
        return {task: len(scores) for task, scores in self.of_task.items()}

    def array(self) -> Array:
        """Return its scores, shape (seeds, tasks), and the steps if there are. Seeds: as many as all tasks have."""
        seeds = min(self.counts().values())
        tasks = [[score.value for score in scores[:seeds]] for scores in self.of_task.values()]
        found: Array = numpy.array(tasks).swapaxes(0, 1)
        return found


class Scores(NamedTuple):
    """Scores of runs. ``tasks``: the values of the column of tasks; one None where there is no such column.

    ``notes``: what a reader of the figure has to know, such as how many runs have no score.
    """

    metric: str
    rule: ScoreRule | None  # None: the values are curves
    by: tuple[str, ...]
    task_column: str | None
    tasks: tuple[Any, ...]
    groups: tuple[ScoredGroup, ...]
    notes: tuple[str, ...]

    def arrays(self) -> list[Array]:
        """Return the scores of each group, shape (seeds, tasks), for statistics over all tasks.

        A group that has more seeds on some tasks gives as many as it has on all, and a warning says so. Raises
        :class:`~rla_hooks.errors.ConfigError` for a group without a score on a task that another group has.
        """
        problems = []
        for group, of_task in self.groups:
            missing = [str(task) for task, scores in of_task.items() if not scores]
            if missing:
                problems.append(
                    f"{printable(group.label)} has no score on the {self.task_column} "
                    f"{printable(listed(missing, _LISTED))}. Scores over all tasks compare groups that have run on the "
                    f"same ones. {self._way_out() or 'Leave out those tasks, or this group.'}"
                )
        if problems:
            raise ConfigError(problems)
        for each in self.groups:
            _tell_unequal(each)
        return [each.array() for each in self.groups]

    def _way_out(self) -> str:
        """Return what to do where some parameters that tell groups apart follow the task, such as a width by env.

        They do if each group has all tasks without them, and no task has two groups joined.
        """
        there = [(group.values, task) for group, of_task in self.groups for task, scores in of_task.items() if scores]
        places = range(len(self.by))
        for kept in (each for count in reversed(places) for each in itertools.combinations(places, count)):
            pairs = [(equality_key([values[at] for at in kept]), task) for values, task in there]
            if len({*pairs}) == len(pairs) == len({key for key, _ in pairs}) * len(self.tasks):
                follows = [name for at, name in enumerate(self.by) if at not in kept]
                verb = "follows" if len(follows) == 1 else "follow"
                by = [self.by[at] for at in kept]
                names = printable(f"{listed(follows, _LISTED)} {verb} {self.task_column}")
                return f"Here {names}: leave out what follows by by={printable(repr(by[0] if len(by) == 1 else by))}."
        return ""

    def joined(self) -> list[str]:
        """Return the parameters, other than seeds, in which runs of one group on one task differ."""
        return joined(parts_of(self.groups), [*self.by, self.task_column])


def parts_of(groups: Sequence[ScoredGroup]) -> list[list[SavedRun]]:
    """Return the runs whose scores are averaged: those of each group on each task."""
    return [[score.run for score in some] for _, of_task in groups for some in of_task.values()]


def _tell_unequal(scored: ScoredGroup) -> None:
    counts = scored.counts()
    seeds = min(counts.values())
    if seeds < max(counts.values()):
        texts = printable(listed([f"{task}: {count}" for task, count in counts.items()], _LISTED))
        warn(
            f"{printable(scored.group.label)} has different numbers of seeds on its tasks ({texts}). Scores over all "
            f"tasks take the first {seeds} of each. With as many runs of each task all are used."
        )


def scores_of(
    runs: Sequence[SavedRun],
    metric: str,
    by: Sequence[str] | str | None = None,
    tasks: str | None = None,
    score: str = "last",
    window: int | None = None,
    x: str = STEP,
    x_range: task_curves.Range = None,
    normalize: Normalize = None,
    legend: Legend = None,
) -> Scores:
    """Return one number a run: the last value of a metric, say. Runs that differ in what is not in ``by`` are seeds.

    score: ``last``; ``mean`` of the last ``window`` values, by default 100; ``max`` or ``min``, with a window the best
    mean of so many values in a row; ``area``, the mean height of the curve over the steps that all runs of a task have.
    tasks: the name whose values are the tasks, such as ``env``. x_range: only rows in it count; None is no bound.
    normalize: of ``(low, high)`` low becomes 0 and high 1; a dict has such a pair for each task; ``"minmax"`` takes the
    lowest and the highest score of all runs on a task.

    Values that are not finite are skipped; a run whose last value is none has no score, like one without the metric: it
    is left out, and a warning names it. Others name runs that ended early, or have fewer values than the window. Raises
    :class:`~rla_hooks.errors.ConfigError` for arguments that cannot be used, :class:`~rla_hooks.errors.RLAError` where
    no run has a score.

    >>> import rla_hooks as rla
    >>> for algo, seed in (("ppo", 0), ("ppo", 1), ("dqn", 0), ("dqn", 1)):
    ...     with rla.run(task="demo", writers=["csv"], backup="none", algo=algo, seed=seed):
    ...         for step in range(3):
    ...             rla.log({"return": step * (2.0 if algo == "ppo" else 1.0) + seed}, step=step)
    >>> scores = scores_of(rla.runs(), "return", by="algo", score="mean", window=2)
    >>> for group, of_task in scores.groups:
    ...     print(group.label, [score.value for score in of_task[None]])
    dqn [1.5, 2.5]
    ppo [3.0, 4.0]
    """
    rule, names = score_rule(score, window), names_of(runs, by, without=[tasks] if tasks else [])
    task_of, curves = task_curves.tasks_of(runs, tasks), task_curves.curves_of(runs, metric, x, x_range)
    values = numpy.full(len(runs), numpy.nan)
    areas: dict[Any, tuple[float, float]] = {}
    for task in dict.fromkeys(task_of):
        those = [at for at, curve in enumerate(curves) if curve is not None and task_of[at] == task]
        found = [curve for at in those if (curve := curves[at]) is not None]
        low, high = areas[task] = common_range(found) if rule.kind == "area" else (0.0, 0.0)
        values[those] = normalized([rule.of(*curve, low, high) for curve in found], task, normalize)
    notes = [
        *(_areas_note(areas, printable(x)) if rule.kind == "area" else []),
        *task_curves.left_out(runs, curves, values.tolist(), metric),
        *task_curves.not_finite(runs, curves, metric),
        *task_curves.too_short(runs, curves, rule.window),
        *task_curves.ended_early(runs, curves, task_of, x, is_area=rule.kind == "area"),
    ]
    order, groups = by_group(runs, values.tolist(), task_of, grouped(runs, names, legend))
    notes += twins_note(parts_of(groups))
    return Scores(metric, rule, tuple(names), tasks, order, groups, tuple(notes))


def _areas_note(areas: Mapping[Any, tuple[float, float]], x: str) -> list[str]:
    """Return which part of the x axis the areas are of: what all runs of a task have, a run that crashed, too."""
    texts = {task: f"{low:,g} to {high:,g}" for task, (low, high) in areas.items() if low < high}
    if len({*texts.values()}) > 1:
        return [f"areas over {x}: {printable(listed([f'{task}: {text}' for task, text in texts.items()], _LISTED))}"]
    return [f"areas over {x} {next(iter(texts.values()))}"] if texts else []


def by_group(
    runs: Sequence[SavedRun], values: Sequence[Any], task_of: Sequence[Any], groups: Sequence[Group]
) -> tuple[tuple[Any, ...], tuple[ScoredGroup, ...]]:
    """Return the tasks in their order, and the groups with the values of their runs: NaN is none.

    values: of each run, a number or an array. Groups without a value, and tasks, are left out.
    """
    place = {id(run): at for at, run in enumerate(runs)}
    is_there = [not numpy.isnan(value).all() for value in values]
    order = task_curves.in_order({task for task, there in zip(task_of, is_there) if there})
    found = []
    for group in groups:
        of_task: dict[Any, list[RunScore]] = {task: [] for task in order}
        for at in (place[id(run)] for run in group.runs):
            if is_there[at]:
                of_task[task_of[at]].append(RunScore(runs[at], values[at]))
        if any(of_task.values()):
            found.append(ScoredGroup(group, of_task))
    return tuple(order), tuple(found)
