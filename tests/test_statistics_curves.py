"""Areas under curves and steps to a threshold, against numpy and scipy, with runs that end early or never get there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rla_hooks.errors import ConfigError
from rla_hooks.statistics import area_under_curve, steps_to_threshold

stats = pytest.importorskip("scipy.stats")


def test_the_area_is_that_of_the_trapezoidal_rule():
    """Of each run and task, with uneven steps; normalized it is the mean height."""
    integrate = pytest.importorskip("scipy.integrate")
    curves = np.random.default_rng(0).normal(size=(3, 2, 20))
    steps = np.sort(np.random.default_rng(1).uniform(0, 1e6, 20))
    area = integrate.trapezoid(curves, steps, axis=-1)
    assert np.allclose(area_under_curve(curves, steps, normalized=False), area)
    assert np.allclose(area_under_curve(curves, steps), area / (steps[-1] - steps[0]))
    assert np.allclose(area_under_curve(curves[0]), integrate.trapezoid(curves[0]) / 19)
    assert area_under_curve({"flat": np.full((2, 5), 7.0)})["flat"].tolist() == [7, 7]


def curves_of(times, ends, steps):
    """Curves that are 1 from their time on, and NaN after their end."""
    scores = (steps >= np.asarray(times)[:, None]).astype(float)
    scores[steps > np.asarray(ends)[:, None]] = math.nan
    return scores


@pytest.mark.parametrize("runs", [2, 3, 4, 5, 8])
def test_the_steps_are_the_median_where_all_runs_get_there(runs):
    """The plain one, also of even numbers and of ties; and of a loss, which is to fall."""
    steps = np.arange(0, 1000, 10)
    for seed in range(5):
        times = np.random.default_rng(seed).choice(steps[:20] if seed else steps, runs)
        curves = curves_of(times, [1e9] * runs, steps)
        found = steps_to_threshold(curves, 0.5, steps)
        assert found.point == np.median(times) and found.reached == found.runs == runs
        assert found.each.tolist() == times.tolist()
        assert found.low <= found.point <= found.high <= times.max()
        assert steps_to_threshold(-curves, -0.5, steps, below=True)[:5] == found[:5]


def test_the_interval_is_of_the_resampled_medians():
    """That of numpy's quantiles, but for the rounding outwards to a repetition."""
    steps = np.arange(1000)
    times = np.random.default_rng(0).choice(steps, 30, replace=False)
    found = steps_to_threshold(curves_of(times, [1e9] * 30, steps), 1, steps, reps=10_000)
    drawn = np.random.default_rng(1).choice(times, (10_000, 30))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=40) and found.high == pytest.approx(high, abs=40)


def test_runs_that_end_early_are_censored():
    """The median is that of scipy's Kaplan-Meier curve, where it is not exactly half for a while."""
    if not hasattr(stats, "ecdf"):
        pytest.skip("scipy has no ecdf before 1.11")
    steps, compared = np.arange(1, 60), 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        times, ends = random.integers(1, 80, 9), random.integers(5, 60, 9)
        found = steps_to_threshold(curves_of(times, ends, steps), 1, steps)
        events, limits = times[times <= ends], ends[times > ends]
        assert found.reached == len(events)
        if not len(events):
            assert found.point == math.inf
            continue
        survival = stats.ecdf(stats.CensoredData(events, right=limits)).sf
        if np.isclose(survival.probabilities, 0.5).any():
            continue
        compared += 1
        at = survival.quantiles[survival.probabilities < 0.5]
        at = [each for each in at if each in events]
        assert found.point == (at[0] if at else math.inf)
    assert compared > 30


def test_what_is_not_reached_is_infinite_and_said():
    """Where half of the runs or more do not get there the median is not known, only that it is beyond the end."""
    steps = np.array([0, 1000, 2000, 3000])
    never = [9e9]
    found = steps_to_threshold(curves_of([1000, 2000, *never * 3], [1e9] * 5, steps), 1, steps)
    assert (found.point, found.high, found.reached, found.runs) == (math.inf, math.inf, 2, 5)
    assert f"{found:.0f}".endswith("reached by 2 of 5")
    assert steps_to_threshold(curves_of([0, 0, *never * 2], [1e9] * 4, steps), 1, steps).point == math.inf
    none = steps_to_threshold({"ppo": curves_of(never * 3, [1e9] * 3, steps)}, 1, steps)["ppo"]
    assert none[:5] == (math.inf, math.inf, math.inf, 0, 3)
    most = steps_to_threshold(curves_of([1000, 2000, 3000, *never], [1e9] * 4, steps), 1, steps)
    assert (most.point, most.low, most.high) == (2500, 1000, math.inf)


def test_a_run_without_numbers_says_nothing():
    """It is counted among the runs, and changes no median."""
    steps = np.arange(4)
    curves = curves_of([1, 2, 3], [9, 9, 9], steps)
    more = np.vstack([curves, np.full(4, math.nan)])
    found = steps_to_threshold(more, 1, steps)
    assert (found.point, found.reached, found.runs) == (2, 3, 4)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: area_under_curve([1, 2]), r"Allowed: \(seeds, steps\)"),
        (lambda: area_under_curve([[1], [2]]), "1 step. An area needs 2"),
        (lambda: area_under_curve([[1, 2]], [1, 2, 3]), r"steps have the shape \(3,\).*\(2,\)"),
        (lambda: area_under_curve([[1, 2, 3]], [1, 3, 2]), "3 is followed by 2"),
        (lambda: area_under_curve([[1, math.nan]]), "nan"),
        (lambda: steps_to_threshold([[1, 2]], 1), "1 seed"),
        (lambda: steps_to_threshold([[1, 2]] * 2, "high"), "threshold is 'high'"),
        (lambda: steps_to_threshold([[1, 2]] * 2, math.nan), "threshold is nan"),
        (lambda: steps_to_threshold([[math.nan] * 2] * 2, 1), "nothing but nan"),
        (lambda: steps_to_threshold(np.zeros((2, 2, 2)), 1), r"Allowed: \(seeds, steps\)"),
    ],
)
def test_input_that_cannot_be_used_is_told(call, said):
    """With the value and what is allowed, before anything is computed."""
    with pytest.raises(ConfigError, match=said):
        call()
