"""Statistics of a few runs: aggregates, intervals, profiles, comparisons, curves.

Arrays of shape ``(seeds,)``, ``(seeds, tasks)`` or ``(seeds, tasks, steps)`` go in, numbers come out; functions of
``scores`` also take a dict of algorithm to scores, and then give a dict. Nothing here knows of runs or plots.
docs/statistics.md says which function answers which question, and how often its interval holds the true value.
"""

from rla_hooks.statistics.aggregates import iqm, median, normalize, optimality_gap
from rla_hooks.statistics.bootstrap import stratified_bootstrap
from rla_hooks.statistics.comparison import probability_of_improvement
from rla_hooks.statistics.curves import area_under_curve, sample_efficiency
from rla_hooks.statistics.differences import Difference, detectable_difference, difference
from rla_hooks.statistics.intervals import Interval, mean_interval
from rla_hooks.statistics.measured import coverage
from rla_hooks.statistics.profiles import performance_profile
from rla_hooks.statistics.thresholds import StepsToThreshold, steps_to_threshold

__all__ = [
    "Difference",
    "Interval",
    "StepsToThreshold",
    "area_under_curve",
    "coverage",
    "detectable_difference",
    "difference",
    "iqm",
    "mean_interval",
    "median",
    "normalize",
    "optimality_gap",
    "performance_profile",
    "probability_of_improvement",
    "sample_efficiency",
    "steps_to_threshold",
    "stratified_bootstrap",
]
