"""The coverage that intervals really have, as tests/benchmarks/coverage.py measured it."""

from __future__ import annotations

import numpy as np

from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.statistics.inputs import is_whole

FEW_SEEDS = 10  # below so many a bootstrap is too narrow

# Of 0.95 intervals, by the number of seeds of one task with normal scores. docs/statistics.md has the other scores.
# A bootstrap of 2 seeds lies between them: it holds the true value if that does, in one experiment of two.
_SEEDS = (2, 3, 5, 10, 20, 50)
_COVERAGE = {
    "t": (0.95, 0.95, 0.95, 0.95, 0.95, 0.95),
    "percentile": (0.50, 0.75, 0.83, 0.90, 0.93, 0.94),
    "bca": (0.50, 0.72, 0.84, 0.90, 0.92, 0.94),
    "iqm": (0.50, 0.75, 0.90, 0.94, 0.94, 0.95),
    "median": (0.50, 0.75, 0.93, 0.94, 0.94, 0.94),
}
# Of aggregates over several tasks, by the number of tasks, and of 2, 3, 5 and 10 seeds.
_TASKS = (2, 5, 26)
_OVER_TASKS = {
    "mean": ((0.56, 0.76, 0.84, 0.90), (0.73, 0.84, 0.89, 0.93), (0.81, 0.88, 0.90, 0.93)),
    "iqm": ((0.45, 0.61, 0.74, 0.85), (0.70, 0.82, 0.89, 0.91), (0.80, 0.88, 0.90, 0.94)),
    "median": ((0.56, 0.76, 0.84, 0.90), (0.55, 0.78, 0.84, 0.89), (0.70, 0.80, 0.82, 0.87)),
}


def coverage(method: str, seeds: int) -> float:
    """Return the part of experiments whose 0.95 interval holds the true value, for normal scores of one task.

    method: of a mean: ``"t"``, ``"percentile"``, ``"bca"``; ``"iqm"`` and ``"median"`` stand for the percentile
    bootstrap of these (:func:`stratified_bootstrap`, :func:`sample_efficiency`).
    seeds: 2 or more; between those measured the value is interpolated, above 50 it is that of 50.

    >>> coverage("t", 5)
    0.95
    >>> coverage("percentile", 5) < 0.9
    True
    """
    if method not in _COVERAGE:
        raise ConfigError(f"method is {method!r}. Known: {', '.join(_COVERAGE)}.{did_you_mean(method, _COVERAGE)}")
    if not is_whole(seeds) or seeds < 2:
        raise ConfigError(f"seeds is {seeds!r}. Allowed: a whole number from 2.")
    return float(np.interp(np.log(seeds), np.log(_SEEDS), _COVERAGE[method]))


def coverage_over_tasks(statistic: str, seeds: int, tasks: int) -> float:
    """Return the same for the stratified bootstrap of a statistic over all tasks, of 2 to 10 seeds of each.

    statistic: ``"mean"``, ``"iqm"``, ``"median"``, ``"optimality_gap"``, which is a mean. Of several tasks it is that
    of unequal spreads, see docs/statistics.md: with equal ones intervals hold more.

    >>> round(coverage_over_tasks("mean", 5, tasks=1), 2), coverage_over_tasks("median", 5, tasks=26)
    (0.83, 0.82)
    """
    name = {"optimality_gap": "mean"}.get(statistic, statistic)
    of_one = coverage("percentile" if name == "mean" else name, seeds)
    of_many = [float(np.interp(np.log(seeds), np.log(_SEEDS[:4]), part)) for part in _OVER_TASKS[name]]
    return float(np.interp(np.log(tasks), np.log((1, *_TASKS)), (of_one, *of_many)))
