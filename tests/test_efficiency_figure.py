"""Curves of aggregate scores, compared with numpy by hand."""

from __future__ import annotations

import math

import numpy
import pytest

import rla_hooks as rla

pytest.importorskip("pandas")
pytest.importorskip("scipy")


def middle(values):
    """The mean of the middle half, over the first axis."""
    cut = len(values) // 4
    return numpy.sort(values, 0)[cut : len(values) - cut].mean(0)


@pytest.fixture
def curves(make_run):
    """Shape (2 algorithms, 4 seeds, 2 tasks, 6 steps)."""
    found = numpy.random.default_rng(3).normal(size=(2, 4, 2, 6)).cumsum(3)
    for algo, seed, task in numpy.ndindex(found.shape[:3]):
        make_run(*found[algo, seed, task].tolist(), algo="ab"[algo], env=task, seed=seed)
    return found


def test_points_and_bands(curves):
    """Of all runs of all tasks, at the steps that were logged."""
    drawn = rla.plot_sample_efficiency("t", "return", tasks="env")
    assert drawn.data.columns.tolist() == ["metric", "algo", "x", "y", "low", "high", "n"]
    random = numpy.random.default_rng(1)
    for algo, array in zip("ab", curves):
        rows = drawn.data[drawn.data.algo == algo]
        assert rows.x.tolist() == [0, 10, 20, 30, 40, 50] and set(rows.n) == {4}
        assert numpy.allclose(rows.y, middle(array.reshape(8, 6)))
        drawings = random.integers(0, 4, (3000, 4, 2))
        again = [middle(numpy.take_along_axis(array, each[..., None], 0).reshape(8, 6)) for each in drawings]
        assert numpy.allclose(rows[["low", "high"]].T, numpy.quantile(again, [0.025, 0.975], axis=0), atol=0.25)
    said = " ".join(text.get_text().replace("\n", " ") for text in drawn.figure.texts)
    assert "IQM of all runs; 95 % pointwise bands" in said and "4 seeds of each of 2 tasks" in said


@pytest.mark.parametrize("aggregate", ["mean", "median"])
def test_other_aggregates_on_a_grid(curves, aggregate):
    """Curves are lines between their points; the median is that of the means of tasks."""
    drawn = rla.plot_sample_efficiency("t", "return", tasks="env", aggregate=aggregate, resample=[5, 12, 60], reps=100)
    for algo, array in zip("ab", curves):
        rows = drawn.data[drawn.data.algo == algo]
        at = numpy.array([[[numpy.interp(x, range(0, 60, 10), y) for x in (5, 12)] for y in seed] for seed in array])
        expected = at.mean((0, 1)) if aggregate == "mean" else numpy.median(at.mean(0), 0)
        assert rows.x.tolist() == [5, 12] and numpy.allclose(rows.y, expected)


def test_a_curve_ends_where_its_first_run_ends(make_run, warnings_as_text):
    """No number is made up before the first or after the last point of a run, and the figure says so."""
    make_run(*range(10), algo="a", seed=0)
    early = make_run(*range(5), algo="a", seed=1)
    for seed in range(2):
        make_run(*range(8), math.nan, math.inf, algo="b", seed=seed)
    drawn = rla.plot_sample_efficiency("t", "return", reps=100)
    assert drawn.data.groupby("algo").x.max().round().tolist() == [40.0, 70.0]
    assert any(f"{early} at 40 of 90" in text for text in warnings_as_text)
    said = " ".join(text.get_text().replace("\n", " ") for text in drawn.figure.texts)
    assert "4 values that are not finite" in said and "3 runs ended early" in said
    warnings_as_text.clear()


def test_runs_without_a_step_in_common(make_run):
    """A group whose runs never overlap has no curve: the error names it."""
    make_run(1.0, 2.0, algo="a", seed=0)
    with rla.run(task="t", writers=["csv"], backup="none", algo="a", seed=1):
        for step in (100, 110):
            rla.log({"return": 1.0}, step=step)
    with pytest.raises(rla.RLAError, match="has no step that all of its runs have"), pytest.warns(rla.RLAWarning):
        rla.plot_sample_efficiency("t", "return", by="algo")


def test_what_bands_are_worth_is_said_of_the_aggregate(make_run):
    """Those of a mean hold the true value less often than those of an IQM."""
    for seed in range(5):
        make_run(1.0 + seed, 2.0, seed=seed)
    for aggregate, part in (("mean", 83), ("iqm", 90), ("median", 93)):
        drawn = rla.plot_sample_efficiency("t", "return", aggregate=aggregate)
        said = " ".join(text.get_text().replace("\n", " ") for text in drawn.figure.texts)
        assert f"hold the true value in about {part} % of experiments" in said


def test_a_curve_of_one_point_is_a_dot_with_a_bar(make_run):
    """A line of one point would not be seen, nor an area; the second of many curves has its marker, too."""
    for algo in "abcdef":  # so many have markers, which begin at another point each
        for seed in range(2):
            make_run(1.0 + seed, algo=algo, seed=seed)
    drawn = rla.plot_sample_efficiency("t", "return")
    (axes,) = drawn.axes
    dots = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert len(dots) == 6 and {line.get_marker() for line in dots} == {"o", "s", "^", "D", "v", "P"}
    assert all(line.get_ydata().tolist() == [1.5] and line.get_markevery() is None for line in dots)
    (first, *_) = (bar.get_paths()[0].vertices.tolist() for bar in axes.collections)
    assert first == [[0, drawn.data.low[0]], [0, drawn.data.high[0]]] and len(axes.collections) == 6


@pytest.mark.parametrize("resample", [1, "all", [3, 2], [], True, 1_000_000])
def test_steps_that_cannot_be_used(curves, resample):
    with pytest.raises(rla.ConfigError, match="resample is"):
        rla.plot_sample_efficiency("t", "return", resample=resample)
