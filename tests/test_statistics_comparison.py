"""Differences of algorithms against scipy, statsmodels and closed forms; the coverage that intervals really have."""

from __future__ import annotations

import inspect
import math
import warnings

import numpy as np
import pytest

from rla_hooks import testing
from rla_hooks.errors import ConfigError, RLAWarning
from rla_hooks.statistics import (
    coverage,
    detectable_difference,
    difference,
    mean_interval,
    performance_profile,
    probability_of_improvement,
    sample_efficiency,
)

stats = pytest.importorskip("scipy.stats")


def pair(a, b, tasks=4, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(1.0, 0.5, (a, tasks)), random.normal(0.5, 2.0, (b, tasks))


@pytest.mark.parametrize(("a", "b"), [(2, 2), (5, 5), (3, 10)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_difference_is_the_one_of_welch(a, b, level):
    """Interval and p-value are those of scipy, of each task and of one."""
    x, y = pair(a, b)
    found = difference(x, y, level=level)
    assert np.allclose(found.point, x.mean(axis=0) - y.mean(axis=0))
    assert np.allclose(found.p_value, stats.ttest_ind(x, y, equal_var=False).pvalue)
    for end in (found.low, found.high):  # from there on the test tells the two apart; scipy has intervals from 1.11 on
        assert np.allclose(stats.ttest_ind(x - end, y, equal_var=False).pvalue, 1 - level)
    assert (found.low < found.point).all() and (found.point < found.high).all()
    alone = difference(x[:, 1], y[:, 1], level=level)
    assert np.allclose(alone, [each[1] for each in found]) and isinstance(alone.p_value, float)


def test_the_bootstrap_of_a_difference_is_that_of_scipy():
    """Both ends agree within the error of the repetitions; the two algorithms are drawn independently."""
    x, y = pair(12, 20, tasks=1)
    found = difference(x[:, 0], y[:, 0], test="bootstrap", reps=20_000)
    seed = {"rng" if "rng" in inspect.signature(stats.bootstrap).parameters else "random_state": 1}  # scipy below 1.15
    result = stats.bootstrap(
        (x[:, 0], y[:, 0]), lambda a, b, axis: a.mean(axis) - b.mean(axis), method="percentile", n_resamples=20_000,
        **seed,
    ).confidence_interval  # fmt: skip
    width = result.high - result.low
    assert abs(found.low - result.low) < 0.03 * width and abs(found.high - result.high) < 0.03 * width
    assert found.p_value == pytest.approx(difference(x[:, 0], y[:, 0]).p_value, abs=0.05)


def test_the_bootstrap_of_few_seeds_warns():
    """As that of a mean does."""
    testing.reset(runs=False)
    with pytest.warns(RLAWarning, match="percentile bootstrap interval of 3 seeds.*Use Welch's t test, which"):
        found = difference([1.0, 2.0, 3.0], [5.0, 6.0, 7.0, 8.0], test="bootstrap")
    assert found.p_value == pytest.approx(2 / 2001) and found.high < 0
    testing.reset(runs=False)


def test_the_effect_size_has_no_bias():
    """Hedges' g of five seeds is right on average, where Cohen's d is a tenth too large; and by its closed form."""
    random = np.random.default_rng(0)
    a, b = random.normal(1.0, 1.0, (5, 40_000)), random.normal(0.0, 1.0, (5, 40_000))
    assert difference(a, b).effect_size.mean() == pytest.approx(1.0, abs=0.015)
    one = difference([1.0, 2.0, 3.0], [2.0, 4.0, 6.0, 8.0])
    pooled = math.sqrt((2 * 1.0 + 3 * 20 / 3) / 5)
    assert one.effect_size == pytest.approx((2 - 5) / pooled * math.gamma(2.5) / math.sqrt(2.5) / math.gamma(2))


def test_scores_without_spread_have_a_difference():
    """No NaN and no warning of numpy's."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert difference([2, 2], [1, 1]) == (1, 1, 1, 0, math.inf)
        assert difference([2, 2], [2, 2, 2]) == (0, 0, 0, 1, 0)
        assert difference([2, 2], [1, 3]).p_value == pytest.approx(1)


@pytest.mark.parametrize(("n", "power", "level"), [(2, 0.8, 0.95), (5, 0.8, 0.95), (10, 0.5, 0.9), (100, 0.99, 0.99)])
def test_the_detectable_difference_has_the_power(n, power, level):
    """As statsmodels finds it, and as experiments show."""
    found = detectable_difference(n, 2.0, power, level)
    library = pytest.importorskip("statsmodels.stats.power")
    effect = library.TTestIndPower().solve_power(nobs1=n, alpha=1 - level, power=power)
    assert found == pytest.approx(2 * effect, rel=1e-4)
    random = np.random.default_rng(1)
    a, b = random.normal(found, 2.0, (n, 4000)), random.normal(0.0, 2.0, (n, 4000))
    assert (stats.ttest_ind(a, b).pvalue < 1 - level).mean() == pytest.approx(power, abs=0.03)


@pytest.mark.parametrize(("n", "power", "level"), [(2, 1 - 1e-6, 0.95), (3, 0.9999, 1 - 1e-9), (400, 1 - 1e-6, 0.95)])
def test_the_detectable_difference_of_extreme_power(n, power, level):
    """As an integral over the spread that a t test sees has it; scipy's distribution function is wrong there."""
    integrate = pytest.importorskip("scipy.integrate")
    degrees, shift = 2 * n - 2, detectable_difference(n, 1.0, power, level) / math.sqrt(2 / n)
    limit = stats.t.isf((1 - level) / 2, degrees)

    def density(s):
        return stats.chi.pdf(s * degrees**0.5, degrees) * degrees**0.5 * stats.norm.cdf(limit * s - shift)

    middle = shift / limit
    parts = [integrate.quad(density, *ends, epsabs=0)[0] for ends in ((0, 1), (1, middle), (middle, middle + 9))]
    assert sum(parts) == pytest.approx(1 - power, rel=1e-4)


def test_a_detectable_difference_is_found_for_all_input():
    """It grows with power and level, and falls with n, without an end of its own."""
    found = [detectable_difference(2, 1.0, power) for power in (0.8, 0.9999, 1 - 1e-9, 1 - 1e-12, 1 - 1.2e-16)]
    assert found == sorted(found) and found[-1] < 30
    assert detectable_difference(2, 1.0, 0.8, 1 - 1.2e-16) < math.inf
    many = [detectable_difference(n, 1.0) * math.sqrt(n / 2) for n in (40_000, 60_000, 10**6)]
    assert np.ptp(many) < 1e-4 and many[-1] == pytest.approx(stats.norm.isf(0.025) + stats.norm.isf(0.2), abs=1e-4)


@pytest.mark.parametrize("factor", [1e300, 1e-300, 1e-307])
def test_scores_whose_squares_are_no_floats(factor):
    """Intervals scale with the scores, without a warning of numpy's; p-value and effect size do not change."""
    a, b = np.array([3.0, 1.0, 2.0, 2.5]), np.array([1.0, 5.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", RLAWarning)
        for test in ("welch", "bootstrap"):
            one, other = difference(a, b, test), difference(a * factor, b * factor, test)
            assert np.allclose(np.array(other[:3]) / factor, one[:3]) and np.allclose(other[3:], one[3:])
        columns = np.array([a, a * factor]).T
        for method in ("t", "percentile", "bca"):
            found = np.array(mean_interval(columns, method=method))
            assert np.allclose(found[:, 1] / factor, found[:, 0])
    with pytest.raises(ConfigError, match=r"ends beyond 1\.8e308, the greatest float\. Allowed: smaller scores"):
        mean_interval([-1e308, 1e308])


def test_the_probability_of_improvement_has_its_interval():
    """By rliable's bootstrap, within the error of the repetitions; with unequal numbers of seeds."""
    library = pytest.importorskip("rliable.library")
    metrics = pytest.importorskip("rliable.metrics")
    random = np.random.default_rng(2)
    x, y = random.normal(0.3, 1, (5, 3)), random.normal(0, 1, (8, 3))
    np.random.seed(0)
    _, ends = library.get_interval_estimates(
        {"x,y": [x, y]}, lambda a, b: np.array([metrics.probability_of_improvement(a, b)]), reps=200
    )
    low, high = ends["x,y"][:, 0]
    found = probability_of_improvement(x, y, reps=4000)
    assert abs(found.low - low) < 0.2 * (high - low) and abs(found.high - high) < 0.2 * (high - low)


def test_pairs_of_algorithms_are_compared_each_on_its_own():
    """A dict of names to pairs, as rliable has it, gives a dict of intervals; a mistake names the pair."""
    x, y = pair(5, 6)
    found = probability_of_improvement({"x,y": (x, y), "y,x": [y, x]}, reps=100)
    assert found["x,y"] == probability_of_improvement(x, y, reps=100)
    assert found["y,x"].point == pytest.approx(1 - found["x,y"].point)
    with pytest.raises(ConfigError, match="'x,y': y: scores have 1 seed"):
        probability_of_improvement({"x,y": (x, y[:1])})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: difference([1, 2], [3]), "b: scores have 1 seed"),
        (lambda: probability_of_improvement([1, 2]), "y is missing"),
        (lambda: probability_of_improvement({"a": [1, 2, 3]}), "'a' has no pair"),
        (lambda: probability_of_improvement({}), "dict of pairs is empty"),
        (lambda: difference([1, math.nan], ["x"]), r"2 mistakes(.|\n)*a: scores\[1\] is nan(.|\n)*b: scores hold"),
        (lambda: difference([[1, 2]] * 3, [[1]] * 3), "a has the shape.*same tasks"),
        (lambda: difference([1, 2], [3, 4], test="student"), "test is 'student'. Known: welch, bootstrap"),
        (lambda: difference([1, 2], [3, 4], level=2), "level is 2"),
        (lambda: detectable_difference(1, -2.0, 1.5), r"3 mistakes(.|\n)*n is 1(.|\n)*sd is -2.0(.|\n)*power is 1.5"),
        (lambda: detectable_difference(5, math.inf), "sd is inf"),
        (lambda: detectable_difference(5, 1.0, power=0.05), "power is 0.05.*above 0.05"),
        (lambda: detectable_difference("5", 1.0), "n is '5'"),
    ],
)
def test_input_that_cannot_be_used_is_told(call, said):
    """With the value and what is allowed, before anything is computed."""
    with pytest.raises(ConfigError, match=said):
        call()


# --- coverage: docs/statistics.md has the full figures ---------------------------------------------------------------


def share(interval, truth):
    return float(((interval.low <= truth) & (truth <= interval.high)).mean())


@pytest.mark.parametrize("seeds", [3, 5, 10, 50])
def test_the_default_interval_covers_normal_scores(seeds):
    """In 94 to 96 % of experiments at level 0.95."""
    drawn = np.random.default_rng(seeds).normal(3.0, 2.0, (seeds, 20_000))
    assert 0.94 < share(mean_interval(drawn), 3.0) < 0.96


@pytest.mark.parametrize(
    ("seeds", "of_t", "of_bootstrap"), [(3, 0.88, 0.69), (5, 0.88, 0.78), (10, 0.90, 0.87), (50, 0.93, 0.93)]
)
def test_no_interval_covers_exponential_scores(seeds, of_t, of_bootstrap):
    """What the docs say of skewed scores is so: t is too narrow, the bootstrap more so."""
    drawn = np.random.default_rng(seeds).exponential(size=(seeds, 4000))
    assert share(mean_interval(drawn), 1.0) == pytest.approx(of_t, abs=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RLAWarning)
        found = mean_interval(drawn, method="percentile", reps=1000)
    assert share(found, 1.0) == pytest.approx(of_bootstrap, abs=0.025)


@pytest.mark.parametrize("method", ["t", "percentile", "bca", "iqm", "median"])
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_the_coverage_that_warnings_and_figures_tell_is_so(method, seeds):
    """For normal scores of one task; 2,000 experiments have an error of half a point to one."""
    held = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RLAWarning)
        for number in range(4):  # draws of its own for each
            drawn = np.random.default_rng([seeds, number]).normal(size=(seeds, 500))
            if method in ("iqm", "median"):
                found = sample_efficiency(drawn, method, reps=1000, seed=number)
            else:
                found = mean_interval(drawn, method=method, reps=1000, seed=number)
            held.append(share(found, 0.0))
    assert np.mean(held) == pytest.approx(coverage(method, seeds), abs=0.025)


def test_the_bands_of_profiles_are_too_narrow_near_their_ends():
    """As docs/statistics.md and figures say: 5 seeds of 2 tasks, where 90 % of runs would be above, and where half."""
    held = np.zeros(2)
    levels = stats.norm.isf([0.9, 0.5])
    for number in range(300):
        drawn = np.random.default_rng(number).normal(size=(5, 2))
        found = performance_profile(drawn, levels, reps=200, seed=number)
        held += (found.low <= [0.9, 0.5]) & (found.high >= [0.9, 0.5])
    assert held / 300 == pytest.approx([0.65, 0.93], abs=0.08)
