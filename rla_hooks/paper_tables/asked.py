"""What the arguments of a table ask for: all mistakes are told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rla_hooks.errors import did_you_mean
from rla_hooks.paper_tables.measures import COLUMNS, Settings
from rla_hooks.plot.checks import Mistakes, is_number
from rla_hooks.texts import printable, shown


class Asked(NamedTuple):
    """The metrics and columns of a table. thresholds: by metric; lower: the metrics of which less is better."""

    metrics: list[str]
    columns: list[str]
    thresholds: dict[str, float]
    lower: frozenset[str]
    settings: Settings

    def columns_of(self, metric: str) -> list[str]:
        """Return the columns that a metric has: steps only where there is a threshold."""
        return [column for column in self.columns if column != "steps" or metric in self.thresholds]


def asked(
    mistakes: Mistakes,
    metrics: Any,
    columns: Any,
    threshold: Any,
    lower_is_better: Any,
    settings: Settings,
    with_tasks: bool,
) -> Asked:
    """Return what the arguments ask for, and note what is wrong with them.

    >>> mistakes = Mistakes("score_table")
    >>> found = asked(mistakes, "return", ["mean", "modus"], None, "los", Settings(), False)
    >>> for problem in mistakes.found:
    ...     print(problem)
    columns has 'modus'. Known: mean, iqm, best, steps.
    lower_is_better has 'los', which is none of the metrics: return.
    """
    names = mistakes.names("metrics", metrics, "['perf/return']")
    thresholds = _thresholds(mistakes, names, threshold)
    default = ["mean"] if with_tasks else [each for each in COLUMNS if each != "steps"]
    chosen = default + ["steps"] * bool(thresholds)
    if columns is not None:
        chosen = mistakes.names("columns", columns, "['mean', 'best']")
    for name in chosen:
        if name not in COLUMNS:
            mistakes.add(f"columns has {shown(name, 100)}. Known: {', '.join(COLUMNS)}.{did_you_mean(name, COLUMNS)}")
    if "steps" in chosen and threshold is None:
        mistakes.add("columns has 'steps', the steps to a threshold, but threshold is None. Give it: threshold=200.")
    if thresholds and "steps" not in chosen:
        mistakes.add("threshold is given, but columns has no 'steps', which says when it is reached. Add it.")
    lower = mistakes.names("lower_is_better", lower_is_better, "['loss']") if lower_is_better else []
    _check_known(mistakes, "lower_is_better", lower, names)
    return Asked(names, chosen, thresholds, frozenset(lower), settings)


def _thresholds(mistakes: Mistakes, metrics: Sequence[str], threshold: Any) -> dict[str, float]:
    given = threshold if isinstance(threshold, Mapping) else dict.fromkeys(metrics, threshold)
    if threshold is None:
        return {}
    wrong = [value for value in given.values() if not is_number(value)]
    if wrong:
        mistakes.wrong("threshold", wrong[0], "a number, or a dict of metric to number.")
        return {}
    _check_known(mistakes, "threshold", list(given), metrics)
    return {name: float(value) for name, value in given.items()}


def _check_known(mistakes: Mistakes, argument: str, given: Sequence[Any], metrics: Sequence[str]) -> None:
    for name in given:
        if metrics and name not in metrics:
            known = printable(", ".join(metrics))
            near = printable(did_you_mean(name, metrics))
            mistakes.add(f"{argument} has {shown(name, 100)}, which is none of the metrics: {known}.{near}")
