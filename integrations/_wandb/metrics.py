"""``define_metric``: which value of a metric counts in the summary, and over which metric it is drawn."""

from __future__ import annotations

import fnmatch
import numbers
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from rla_hooks.errors import ConfigError
from rla_hooks.hooks import to_scalar

_SUMMARIES = ("min", "max", "mean", "best", "last", "first", "copy", "none")


class Metric(NamedTuple):
    """What was defined of a metric, or of those that a pattern such as ``val/*`` fits."""

    name: str
    step_metric: str | None = None
    step_sync: bool = True
    summary: tuple[str, ...] = ()
    goal: str = "minimize"


class DefinedMetrics:
    """All that was defined in a run.

    >>> metrics = DefinedMetrics()
    >>> _ = metrics.define("loss", summary="min")
    >>> _ = metrics.define("val/*", step_metric="epoch")
    >>> metrics.note({"loss": 3.0}); metrics.note({"loss": 4.0})
    >>> metrics.summaries
    {'loss': {'min': 3.0}}
    >>> metrics.place({"val/loss": 0.5, "epoch": 7}, step=120)
    ({'val/loss': 0.5, 'epoch': 7}, 7)
    """

    def __init__(self) -> None:
        self._exact: dict[str, Metric] = {}
        self._patterns: list[Metric] = []
        self._found: dict[str, Metric | None] = {}
        self._last: dict[str, Any] = {}  # of metrics that are a step_metric
        self._means: dict[str, tuple[float, int]] = {}
        self.summaries: dict[str, dict[str, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._exact or self._patterns)

    def define(
        self,
        name: str,
        step_metric: str | Metric | None = None,
        step_sync: bool | None = None,
        summary: str | None = None,
        goal: str | None = None,
        overwrite: bool | None = None,
    ) -> Metric:
        """Define a metric; a later call adds to what is there, but with ``overwrite``. Raises ConfigError."""
        words = tuple(word.strip() for word in str(summary or "").split(",") if word.strip())
        problems = [
            f"summary has {word!r}. Known: {', '.join(_SUMMARIES)}." for word in words if word not in _SUMMARIES
        ]
        if goal not in (None, "minimize", "maximize"):
            problems.append(f"goal is {goal!r}. Known: minimize, maximize.")
        if problems:
            raise ConfigError(problems, f"define_metric({name!r})")
        before = None if overwrite else next((each for each in self._all() if each.name == name), None)
        before = before or Metric(name)
        axis = step_metric.name if isinstance(step_metric, Metric) else step_metric
        metric = Metric(
            name,
            axis or before.step_metric,
            before.step_sync if step_sync is None else step_sync,
            words or before.summary,
            goal or before.goal,
        )
        if "*" in name:
            self._patterns = [*(each for each in self._patterns if each.name != name), metric]
        else:
            self._exact[name] = metric
        self._found.clear()
        return metric

    def _all(self) -> list[Metric]:
        return [*self._exact.values(), *self._patterns]

    def _of(self, key: str) -> Metric | None:
        """What was defined of a metric: by its name, else by the newest pattern that fits."""
        if key not in self._found:
            fitting = (each for each in reversed(self._patterns) if fnmatch.fnmatchcase(key, each.name))
            self._found[key] = self._exact.get(key) or next(fitting, None)
        return self._found[key]

    def axes(self, row: Mapping[str, Any]) -> set[str]:
        """Return the step metrics of a row's metrics."""
        return {metric.step_metric for metric in map(self._of, row) if metric and metric.step_metric}

    def place(self, row: Mapping[str, Any], step: int) -> tuple[dict[str, Any], int]:
        """Return a row with the step metric that it lacks, and its time step: the step metric, if it has one for all.

        step: where it has none, or where that is no whole number.
        """
        found = dict(row)
        axes = {metric.step_metric: metric for metric in map(self._of, row) if metric and metric.step_metric}
        for name, metric in axes.items():
            if name in row:
                self._last[name] = row[name]
            elif metric.step_sync and name in self._last:
                found[name] = self._last[name]
        defined = [self._of(key) for key in row if key not in axes]
        alike = len(axes) == 1 and all(metric is not None and metric.step_metric in axes for metric in defined)
        value = found.get(next(iter(axes))) if alike else None
        with suppress(Exception):  # no number
            value = to_scalar(value)
        if isinstance(value, numbers.Integral) or (isinstance(value, float) and value.is_integer()):
            return found, int(value)
        return found, step

    def note(self, row: Mapping[str, Any]) -> None:
        """Take the values of a row into the summaries."""
        for key, value in row.items():
            metric = self._of(key)
            if metric is None or not metric.summary:
                continue
            try:
                number = float(to_scalar(value))
            except Exception:  # no number
                continue
            if number == number:
                noted = self.summaries.setdefault(key, {})
                for word in metric.summary:
                    self._note(noted, key, word, number, metric.goal)

    def _note(self, noted: dict[str, Any], key: str, word: str, number: float, goal: str) -> None:
        kind = ("max" if goal == "maximize" else "min") if word == "best" else word
        if kind == "mean":
            mean, count = self._means.get(key, (0.0, 0))
            mean += (number - mean) / (count + 1)
            self._means[key] = mean, count + 1
            noted["mean"] = mean
        elif kind == "first":
            noted.setdefault("first", number)
        elif kind in ("min", "max"):
            noted[word] = number if word not in noted else {"min": min, "max": max}[kind](noted[word], number)
        elif kind in ("last", "copy"):
            noted[word] = number
