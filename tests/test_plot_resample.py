"""Runs on one grid: nothing is invented before a run's first row, after its last one, or beside a NaN."""

from __future__ import annotations

import math

import numpy
import pytest

from rla_hooks.errors import ConfigError
from rla_hooks.plot.checks import Mistakes
from rla_hooks.plot.gather import Points
from rla_hooks.plot.resample import MOST, check_resample, check_smooth, grid_of, on_grid, range_of, smoothed

NAN = math.nan
ALL = None, None


def points(x, y=None):
    return Points(numpy.array(x, float), numpy.array(x if y is None else y, float))


def by_hand(run, at):
    """The value of a run at one x, by a loop over its rows."""
    for x, y in zip(run.x, run.y):
        if x == at:
            return y if math.isfinite(y) else NAN
    for (x0, y0), (x1, y1) in zip(zip(run.x, run.y), zip(run.x[1:], run.y[1:])):
        if x0 < at < x1 and math.isfinite(y0) and math.isfinite(y1):
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return NAN


def test_values_on_a_grid_are_those_of_a_loop():
    """On random rows with gaps, at rows, between them, and beyond both ends."""
    chance = numpy.random.default_rng(0)
    for size in (1, 2, 3, 40):
        runs = []
        for _ in range(5):
            x = numpy.sort(chance.choice(100, size, replace=False)).astype(float)
            y = chance.normal(size=size)
            y[chance.random(size) < 0.2] = chance.choice([NAN, math.inf, -math.inf])
            runs.append(Points(x, y))
        grid = numpy.unique([*chance.uniform(-10, 110, 50), *runs[0].x, *runs[1].x])
        expected = [[by_hand(run, at) for at in grid] for run in runs]
        numpy.testing.assert_allclose(on_grid(runs, grid), expected, rtol=1e-12)


def test_rows_on_the_grid_are_bit_equal():
    """No rounding where nothing is interpolated."""
    y = numpy.random.default_rng(1).normal(size=500)
    run = Points(numpy.arange(500) * 0.1, y)
    assert on_grid([run], run.x)[0].tolist() == y.tolist()
    assert on_grid([run], run.x[100:200])[0].tolist() == y[100:200].tolist()


def test_the_grid_has_the_steps_of_all_runs():
    """Each once; of too many evenly chosen ones, with the first and the last."""
    assert grid_of([points([0, 2, 4]), points([0, 3, 4])], "auto", ALL).tolist() == [0, 2, 3, 4]
    grid = grid_of([points(range(0, 50_000, 5))], "auto", ALL)
    assert len(grid) == MOST and grid[0] == 0 and grid[-1] == 49_995 and set(grid) <= set(range(0, 50_000, 5))
    assert grid_of([points([7])], "auto", ALL).tolist() == [7]


def test_a_number_or_an_array_of_points():
    """A number spans the range evenly; of an array what lies between the first and the last row of any run."""
    runs = [points([0, 10]), points([5, 20])]
    assert grid_of(runs, 3, ALL).tolist() == [0, 10, 20]
    assert grid_of(runs, [-5, 0, 2.5, 20, 21], ALL).tolist() == [0, 2.5, 20]
    assert grid_of([points([7])], 5, ALL).tolist() == [7] and grid_of(runs, [30, 40], ALL).tolist() == []


def test_a_range_cuts_the_grid_and_keeps_its_ends():
    """Between two rows, too, but not beyond the data."""
    runs = [points([0, 10, 20, 30])]
    assert grid_of(runs, "auto", (5, 25)).tolist() == [5, 10, 20, 25]
    assert grid_of(runs, "auto", (None, 100)).tolist() == [0, 10, 20, 30]
    assert grid_of(runs, [0, 10, 20], (5, 25)).tolist() == [10, 20]
    assert grid_of(runs, "auto", (40, 50)).tolist() == [] and grid_of(runs, 4, (40, 50)).tolist() == []


def test_episodes_that_end_at_other_steps_are_no_drop_of_seeds():
    """The curve ends with the last step that all such runs have; a run that ended early does not shorten it."""
    chance = numpy.random.default_rng(2)
    runs = [points(numpy.cumsum(chance.integers(50, 200, 100))) for _ in range(4)]
    runs = [Points(run.x[run.x < 8000], run.y[run.x < 8000]) for run in runs]
    crashed = Points(runs[0].x[:30], runs[0].y[:30])
    low, high = range_of([*runs, crashed])
    assert low == max(run.x[0] for run in runs) and high == min(run.x[-1] for run in runs)
    grid = grid_of([*runs, crashed], "auto", ALL)
    there = (~numpy.isnan(on_grid([*runs, crashed], grid))).sum(axis=0)
    assert set(there.tolist()) == {5, 4} and there[0] == 5 and there[-1] == 4
    assert range_of([points([0, 50, 100]), points([0, 50])]) == (0, 100)  # one of two intervals is no small part


def test_an_exponential_mean_is_debiased():
    """As the sum of all weights so far divides it."""
    y = [4.0, 2.0, 8.0, 1.0]
    found = smoothed(points(range(4), y), 0.9).y
    for number in range(4):
        weights = [0.9 ** (number - each) for each in range(number + 1)]
        mean = sum(weight * value for weight, value in zip(weights, y)) / sum(weights)
        assert found[number] == pytest.approx(mean, rel=1e-12)
    constant = smoothed(points(range(1000), [5.0] * 1000), 0.999).y
    assert numpy.allclose(constant, 5, rtol=1e-12)


def test_a_mean_of_rows_looks_back():
    """Of the first rows those that there are; one value of 1e30 spoils only its own window."""
    assert smoothed(points(range(4), [1, 3, 5, 7]), 3).y.tolist() == [1, 2, 3, 5]
    assert smoothed(points(range(6), [1, 1e30, 1, 1, 1, 1]), 2).y.tolist()[3:] == [1, 1, 1]
    assert smoothed(points(range(2), [1, 3]), 100).y.tolist() == [1, 2]
    same = points(range(3), [NAN, NAN, NAN])
    assert numpy.isnan(smoothed(same, 0.5).y).all() and smoothed(same, None) is same


@pytest.mark.parametrize("smooth", [0.9, 3])
def test_smoothing_begins_anew_behind_a_gap(smooth):
    """What was before a gap says nothing of what is behind it: a diverged run, a resume. NaN and infinities stay."""
    before, after = [100.0, 101.0, 99.0], [1.0, 2.0, 3.0, 4.0]
    found = smoothed(points(range(9), [*before, NAN, math.inf, *after]), smooth).y
    for part, alone in ((found[:3], before), (found[5:], after)):
        assert part.tolist() == smoothed(points(range(len(alone)), alone), smooth).y.tolist()
    assert math.isnan(found[3]) and found[4] == math.inf


@pytest.mark.parametrize(
    "value", [0, 1, -5, 1.5, True, "all", None, [], [[1, 2]], [[1], [1, 2]], [2, 1], [1, NAN], ["a"], 10**9]
)
def test_what_is_no_grid(value):
    """The error says what is allowed."""
    mistakes = Mistakes("plot")
    check_resample(mistakes, value)
    with pytest.raises(ConfigError, match=r'resample is .* Allowed: "auto", a number of points'):
        mistakes.raise_any()
    for allowed in ("auto", 2, [1, 2.5], numpy.arange(3), range(4)):
        check_resample(right := Mistakes("plot"), allowed)
        right.raise_any()


@pytest.mark.parametrize("value", [0, 1, 1.0, -0.5, True, "0.9", NAN, 20.5])
def test_what_is_no_smoothing(value):
    """A weight, or a number of rows."""
    mistakes = Mistakes("plot")
    check_smooth(mistakes, value)
    with pytest.raises(ConfigError, match=r"smooth is .* Allowed: a weight between 0 and 1"):
        mistakes.raise_any()
