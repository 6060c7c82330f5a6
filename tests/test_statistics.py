"""Aggregates and intervals, against scipy, against rliable, and on input that no statistic can take."""

from __future__ import annotations

import functools
import math
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from rla_hooks import testing
from rla_hooks.errors import ConfigError, RLAWarning
from rla_hooks.statistics import (
    coverage,
    iqm,
    mean_interval,
    median,
    normalize,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    sample_efficiency,
    stratified_bootstrap,
)
from rla_hooks.statistics.measured import coverage_over_tasks
from rla_hooks.statistics.quantiles import t_quantile

stats = pytest.importorskip("scipy.stats")


def scores(*shape, seed=0):
    return np.random.default_rng(seed).normal(1.0, 0.5, shape)


@pytest.mark.parametrize("shape", [(1,), (2,), (3,), (4,), (5,), (7,), (8,), (5, 26), (3, 4, 2)])
def test_iqm_is_the_trimmed_mean(shape):
    """Of all scores, and along each axis, as scipy's trim_mean with a quarter on either side."""
    array = scores(*shape)
    assert iqm(array) == pytest.approx(stats.trim_mean(array, 0.25, axis=None), rel=1e-13)
    for axis in range(array.ndim):
        assert np.allclose(iqm(array, axis=axis), stats.trim_mean(array, 0.25, axis=axis), rtol=1e-13, atol=0)
    if array.size < 4:
        assert iqm(array) == pytest.approx(array.mean(), rel=1e-15)


@pytest.mark.parametrize("shape", [(3, 2), (5, 26), (10, 1)])
def test_aggregates_are_those_of_rliable(shape):
    """IQM, median over tasks, optimality gap and profile give the same numbers on random scores."""
    metrics = pytest.importorskip("rliable.metrics")
    array = scores(*shape)
    assert iqm(array) == pytest.approx(metrics.aggregate_iqm(array), rel=1e-13)
    assert median(array) == pytest.approx(metrics.aggregate_median(array), rel=1e-13)
    assert optimality_gap(array) == pytest.approx(metrics.aggregate_optimality_gap(array), rel=1e-13)
    assert optimality_gap(array, 1.5) == pytest.approx(metrics.aggregate_optimality_gap(array, 1.5), rel=1e-13)
    library = pytest.importorskip("rliable.library")
    levels = np.linspace(-1, 3, 41)
    assert np.allclose(performance_profile(array, levels).point, library.score_distributions(array, levels))
    of_tasks = performance_profile(array, levels, of="tasks")
    assert np.allclose(of_tasks.point, library.average_score_distributions(array, levels))


@pytest.mark.parametrize("ties", [False, True])
def test_the_probability_of_improvement_is_that_of_rliable(ties):
    """Also with unequal numbers of seeds, and with ties."""
    metrics = pytest.importorskip("rliable.metrics")
    for seed in range(10):
        x, y = scores(5, 7, seed=seed), scores(8, 7, seed=seed + 100)
        if ties:
            x, y = x.round(), y.round()
        assert probability_of_improvement(x, y).point == pytest.approx(metrics.probability_of_improvement(x, y))
        assert probability_of_improvement(x, x).point == 0.5


@pytest.mark.parametrize("name", ["mean", "iqm", "median", "optimality_gap"])
def test_the_bootstrap_gives_the_interval_of_rliable(name):
    """Both ends agree within the error of 2,000 and of 4,000 repetitions, for three algorithms."""
    library = pytest.importorskip("rliable.library")
    metrics = pytest.importorskip("rliable.metrics")
    function = getattr(metrics, f"aggregate_{name}")
    algorithms = {each: scores(5, 26, seed=number) for number, each in enumerate("abc")}
    np.random.seed(0)
    points, ends = library.get_interval_estimates(algorithms, lambda x: np.array([function(x)]), reps=2000)
    found = stratified_bootstrap(algorithms, name, reps=4000)
    for each in algorithms:
        assert found[each].point == pytest.approx(points[each][0])
        width = ends[each][1, 0] - ends[each][0, 0]
        assert found[each].low == pytest.approx(ends[each][0, 0], abs=0.08 * width)
        assert found[each].high == pytest.approx(ends[each][1, 0], abs=0.08 * width)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_the_t_interval_is_that_of_scipy(level):
    """Of each task of many, and of the seeds of one."""
    array = scores(5, 7)
    found = mean_interval(array, level)
    result = stats.ttest_1samp(array, 0).confidence_interval(level)
    assert np.allclose(found.low, result.low) and np.allclose(found.high, result.high)
    assert np.array_equal(found.point, array.mean(axis=0))
    assert mean_interval(array[:, 0], level).low == pytest.approx(result.low[0])
    assert np.allclose(mean_interval(array.T, level, axis=1).low, result.low)


def test_quantiles_of_t_are_those_of_scipy():
    """Of whole degrees of freedom by a sum of ours, of others and at the ends by scipy."""
    for degrees in (1, 2, 3, 4, 5, 10, 49, 500, 999, 1001, 2.5):
        for probability in (0.025, 0.75, 0.9, 0.975, 0.995, 0.9995, 1 - 1e-9):
            expected = stats.t.ppf(probability, degrees)
            assert t_quantile(probability, degrees) == pytest.approx(expected, rel=1e-8), (probability, degrees)
    assert np.isnan(t_quantile(0.975, 0)) and t_quantile(0.5, 3) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_bootstrap_intervals_of_a_mean_are_those_of_scipy(method):
    """Within the error of 20,000 repetitions, on skewed scores, where the methods differ."""
    array = np.random.default_rng(3).exponential(size=(12, 3))
    found = mean_interval(array, method=method, reps=20_000)
    result = stats.bootstrap((array,), np.mean, method=method, n_resamples=20_000, axis=0, random_state=1)
    width = found.high - found.low
    assert np.all(np.abs(found.low - result.confidence_interval.low) < 0.03 * width)
    assert np.all(np.abs(found.high - result.confidence_interval.high) < 0.03 * width)


def test_the_interval_of_bca_without_spread_is_the_point():
    """Equal scores give no NaN and no warning of numpy's; beside a task that has spread."""
    array = np.column_stack([np.full(12, 2.0), np.arange(12.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = mean_interval(array, method="bca")
    assert found.low[0] == found.high[0] == 2.0 and found.low[1] < 5.5 < found.high[1]


class _Greatest:
    """A function with a state, which has no hash."""

    def __eq__(self, other):
        return isinstance(other, _Greatest)

    def __call__(self, scores):
        return scores.max()


def test_the_statistic_may_be_a_name_our_function_or_any_function():
    """All three forms draw the same seeds, so that the intervals are the same."""
    array = scores(5, 4)
    for name, function in {"mean": np.mean, "iqm": iqm, "median": median, "optimality_gap": optimality_gap}.items():
        named = stratified_bootstrap(array, name, reps=100)
        assert stratified_bootstrap(array, function, reps=100) == named
        assert np.allclose(stratified_bootstrap(array, lambda scores, f=function: f(scores), reps=100), named)
    partial = stratified_bootstrap(array, functools.partial(optimality_gap, gamma=2), reps=100)
    assert partial.point == optimality_gap(array, 2)
    assert np.allclose(partial, stratified_bootstrap(array, lambda scores: optimality_gap(scores, 2), reps=100))
    first = stratified_bootstrap(array, lambda scores: scores.max(axis=0), reps=100)
    assert first.point.shape == first.low.shape == (4,)
    assert stratified_bootstrap(array, _Greatest(), reps=100).point == array.max()


def test_one_task_is_resampled_as_one():
    """(seeds,) and (seeds, 1) are the same sample, but for the median, which is of seeds or of tasks."""
    array = scores(9)
    for name in ("mean", "iqm", "optimality_gap"):
        assert stratified_bootstrap(array, name) == stratified_bootstrap(array[:, None], name)
    assert stratified_bootstrap(array, "median").point == np.median(array)
    assert stratified_bootstrap(array[:, None], "median").point == pytest.approx(array.mean())
    assert stratified_bootstrap(array, "median").low in array  # of an odd number of seeds


def test_a_dict_of_algorithms_gives_a_dict():
    """Each as if it were alone, in the order that was given."""
    array = {"ppo": scores(4, 3), "dqn": scores(5, 3, seed=1)}
    for function in (iqm, median, optimality_gap, mean_interval, stratified_bootstrap):
        found = function(array)
        assert list(found) == ["ppo", "dqn"]
        for name, each in array.items():
            assert np.allclose(found[name], function(each))
    assert np.array_equal(normalize(array, 0, 2)["dqn"], array["dqn"] / 2)
    assert performance_profile(array, [0.5])["ppo"].point.shape == (1,)
    assert sample_efficiency(array)["ppo"].point.shape == (3,)


def test_the_seed_decides_and_nothing_else():
    """The same seed gives the same interval, another one another; numpy's own state is not read or changed."""
    array = scores(5, 26)
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    first = stratified_bootstrap(array, seed=7)
    assert np.array_equal(before, np.random.get_state()[1])
    assert first == stratified_bootstrap(array, seed=7) == stratified_bootstrap(array, seed=np.int64(7))
    assert first != stratified_bootstrap(array, seed=8)
    assert stratified_bootstrap(array, seed=np.random.default_rng(1)) == stratified_bootstrap(
        array, seed=np.random.default_rng(1)
    )


def test_the_curve_of_an_algorithm_is_its_statistic_at_each_step():
    """Point and interval are those of the scores at that step alone; one repetition draws whole runs."""
    array = scores(5, 3, 11)
    for name in ("mean", "iqm", "median", "optimality_gap"):
        curve = sample_efficiency(array, name, reps=200)
        for step in range(11):
            alone = stratified_bootstrap(array[..., step], name, reps=200)
            assert np.allclose([each[step] for each in curve], alone)
        assert np.allclose(curve, stratified_bootstrap(array, name, reps=200))
    one = sample_efficiency(array[:, 0], "median", reps=200)
    assert np.array_equal(one.point, np.median(array[:, 0], axis=0))


def test_gaps_are_left_out_when_asked():
    """Steps that some runs do not reach are of the others; one run has no interval, none no point."""
    array = scores(4, 6)
    array[0, 4:] = array[1, 4:] = array[2, 4:] = array[:, 5] = math.nan
    array[1, 2] = math.nan
    rest = [0, 2, 3]
    for found, alone in (
        (mean_interval(array, omit_nan=True), mean_interval(array[rest][:, 2])),
        (sample_efficiency(array, omit_nan=True), stratified_bootstrap(array[rest][:, 2])),
    ):
        assert np.allclose([each[2] for each in found], alone)
        assert found.point[4] == pytest.approx(array[3, 4]) and math.isnan(found.low[4]) and math.isnan(found.high[4])
        assert all(math.isnan(each[5]) for each in found)
    tasks = sample_efficiency(np.stack([array, array], axis=1), omit_nan=True)
    assert tasks.point[4] == pytest.approx(array[3, 4]) and math.isnan(tasks.low[4])


def test_large_input_is_computed_in_blocks():
    """Memory stays bounded, and the numbers are those of small input."""
    import tracemalloc

    array = scores(5, 40_000)
    tracemalloc.start()
    curve = sample_efficiency(array, "iqm", reps=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6  # all repetitions together: 160 MB, and again in order
    assert np.allclose([each[-1] for each in curve], stratified_bootstrap(array[:, -1], "iqm", reps=100))
    mean = mean_interval(scores(12, 3000), method="bca", reps=1000)  # in blocks of 1048 columns
    assert np.allclose([each[-1] for each in mean], mean_interval(scores(12, 3000)[:, -1], method="bca", reps=1000))
    assert probability_of_improvement(scores(2000, 2), scores(3000, 2), reps=300).point == pytest.approx(0.5, abs=0.05)


def test_a_bootstrap_interval_of_few_seeds_says_how_narrow_it_is():
    """Once for each method and number of seeds, with the coverage; not from 10 seeds, and not for t."""
    testing.reset(runs=False)
    with pytest.warns(
        RLAWarning, match=r"percentile bootstrap interval of 5 seeds is too narrow.* in \d\d % .*Student"
    ):
        mean_interval(scores(5), method="percentile")
    mean_interval(scores(5, seed=1), method="percentile")  # once
    with pytest.warns(RLAWarning, match="bca bootstrap interval of 9 seeds"):
        mean_interval(scores(9), method="bca")
    mean_interval(scores(10), method="percentile")
    mean_interval(scores(2))
    assert coverage("t", 7) > coverage("percentile", 7) > coverage("percentile", 4) > 0.5
    testing.reset(runs=False)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: iqm([]), "scores are empty"),
        (lambda: iqm([1, math.nan]), r"scores\[1\] is nan.*Allowed: finite"),
        (lambda: iqm([[1, 2], [3, -math.inf]]), r"scores\[1, 1\] is -inf"),
        (lambda: iqm([1, "two"]), "scores hold"),
        (lambda: iqm([1, None]), r"scores hold None \(NoneType\)"),
        (lambda: iqm([[1, 2], [3]]), "unequal length"),
        (lambda: iqm([1j, 2]), "scores hold"),
        (lambda: iqm([1, 2], axis=1), "axis is 1"),
        (lambda: iqm({}), "dict of scores is empty"),
        (lambda: iqm({"a": [1], "b": [math.nan], "c": []}), r"2 mistakes:\n.*'b': scores\[0\] is nan.*\n.*'c': "),
        (lambda: median(np.zeros((2, 2, 2))), r"shape \(2, 2, 2\)"),
        (lambda: median(3), r"shape \(\)"),
        (lambda: optimality_gap([1], "one"), "gamma hold"),
        (lambda: optimality_gap([1], [1, 2]), "gamma has the shape"),
        (lambda: normalize([1, 2], 1, 1), "both 1.0"),
        (lambda: normalize([[1, 2]], [1, 2, 3], 5), r"low has the shape \(3,\)"),
        (lambda: normalize([1, 2], 0, math.nan), "high is nan"),
        (lambda: mean_interval([1]), "1 seed.*2 or more"),
        (lambda: mean_interval(3), "one number"),
        (lambda: mean_interval([1, 2], 95), r"level is 95.*between 0 and 1.*mean 0.95"),
        (lambda: mean_interval([1, 2], True), "level is True"),
        (lambda: mean_interval([1, 2], 1.0), "level is 1.0"),
        (lambda: mean_interval([1, 2], math.nan), "level is nan"),
        (lambda: mean_interval([1, 2], method="T"), "method is 'T'.*Did you mean 't'"),
        (lambda: mean_interval([1, 2], axis=None), "axis is None"),
        (lambda: mean_interval([1, math.inf, 2], omit_nan=True), "infinities"),
        (lambda: stratified_bootstrap([1, 2], "iqr"), "statistic is 'iqr'.*Did you mean 'iqm'"),
        (lambda: stratified_bootstrap([1, 2], 3), "statistic is 3"),
        (lambda: stratified_bootstrap([1, 2], reps=10), "reps is 10.*from 40"),
        (lambda: stratified_bootstrap([1, 2], reps=10**14), "reps is 1000.*up to 10,000,000"),
        (lambda: stratified_bootstrap([1, 2], reps=100.0, seed=-1, level=0), r"3 mistakes(.|\n)*seed is -1"),
        (lambda: stratified_bootstrap([1, 2], seed=None), "seed is None"),
        (lambda: stratified_bootstrap([[1, 2]]), "1 seed"),
        (lambda: stratified_bootstrap([1, 2], lambda scores: math.nan), "statistic returns for all scores is nan"),
        (lambda: stratified_bootstrap([1, 2], lambda scores: scores[scores > 1]), "returns"),
        (lambda: performance_profile([1, 2], 1.0), "thresholds have the shape"),
        (lambda: performance_profile([1, 2], [1, math.nan]), r"thresholds\[1\] is nan"),
        (lambda: performance_profile([1, 2], [1], of="seeds"), "of is 'seeds'"),
        (lambda: sample_efficiency([1, 2]), r"Allowed: \(seeds, steps\) or \(seeds, tasks, steps\)"),
        (lambda: probability_of_improvement([1, math.nan], [1]), r"2 mistakes(.|\n)*x: .*nan(.|\n)*y: .*1 seed"),
        (lambda: probability_of_improvement([[1, 2]] * 2, [[1, 2, 3]] * 2), "same tasks"),
        (lambda: probability_of_improvement({"a": [1, 2]}, [1, 2]), "x: scores are a dict"),
        (lambda: coverage("ci", 5), "method is 'ci'"),
        (lambda: coverage("t", 1), "seeds is 1"),
    ],
)
def test_input_that_cannot_be_used_is_told(call, said):
    """With the value and what is allowed, before anything is computed."""
    with pytest.raises(ConfigError, match=said):
        call()


PAGE = (Path(__file__).resolve().parents[1] / "docs" / "statistics.md").read_text()


def test_the_example_of_the_page_runs(capsys):
    """It prints what its comments say."""
    code = re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
    exec(code, {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"^print.*  # (.*)", code, re.MULTILINE)


def test_the_page_has_the_figures_that_warnings_and_figures_tell():
    """Those of normal scores, rounded to whole percents."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if "| normal |" in line]
    assert [row[1] for row in rows] == ["t", "percentile", "bca", "iqm", "median"]
    for _, method, *figures in rows:
        for seeds, figure in zip((3, 5, 10, 20, 50), figures):
            assert 100 * coverage(method, seeds) == pytest.approx(float(figure), abs=0.75)


def test_the_page_has_the_coverage_over_tasks_that_figures_tell():
    """Rounded to whole percents."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines()]
    rows = [row for row in rows if len(row) == 5 and row[1] in ("mean", "iqm", "median")]
    assert [row[:2] for row in rows] == [
        [tasks, name] for tasks in ("2", "5", "26") for name in ("mean", "iqm", "median")
    ]
    for tasks, name, *figures in rows:
        for seeds, figure in zip((3, 5, 10), figures):
            assert 100 * coverage_over_tasks(name, seeds, int(tasks)) == pytest.approx(float(figure), abs=0.75)


def test_the_import_is_light():
    """numpy and nothing of scipy; a comparison by t takes scipy.special, not scipy.stats."""
    code = (
        "import sys, rla_hooks.statistics as s\n"
        "assert not any(name.startswith('scipy') for name in sys.modules)\n"
        "s.stratified_bootstrap([1, 2, 3]); s.probability_of_improvement([1, 2], [2, 3]); s.mean_interval([1, 2, 3])\n"
        "assert not any(name.startswith('scipy') for name in sys.modules)\n"
        "s.difference([1, 2, 3], [2, 4])\n"
        "assert 'scipy.stats' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_masked_scores_are_none():
    """What lies below a mask is no score."""
    masked = np.ma.masked_array([[1.0], [2.0], [1000.0]], [[0], [0], [1]])
    with pytest.raises(ConfigError, match=r"scores\[2, 0\] is nan"):
        mean_interval(masked)
    assert mean_interval(masked, omit_nan=True).point.tolist() == [1.5]
    assert iqm(np.ma.masked_array([1, 2])) == 1.5
