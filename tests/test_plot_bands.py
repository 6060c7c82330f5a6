"""Estimates and bands of curves, against scipy and against numpy column by column."""

from __future__ import annotations

import math

import numpy
import pytest
from scipy import stats

from rla_hooks.errors import ConfigError
from rla_hooks.plot.bands import BANDS, ESTIMATORS, banded, check_band, words_of
from rla_hooks.plot.checks import Mistakes


@pytest.fixture
def rows():
    """Seven runs at 40 points, of which some lack some, one point has one run, and one none."""
    chance = numpy.random.default_rng(0)
    rows = chance.normal(10, 3, (7, 40))
    rows[5, 20:] = numpy.nan
    rows[6, 10:30] = numpy.nan
    rows[1:, 3] = numpy.nan
    rows[:, 7] = numpy.nan
    return rows


def _columns(rows):
    for at, column in enumerate(rows.T):
        yield at, column[~numpy.isnan(column)]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_estimate_is_that_of_each_column(rows, estimator):
    """Of the seeds that have a value there, whatever the band is."""
    of = {"mean": numpy.mean, "median": numpy.median, "iqm": lambda values: stats.trim_mean(values, 0.25)}[estimator]
    expected = [of(values) if len(values) else math.nan for _, values in _columns(rows)]
    for band in ("ci95", "minmax", None):
        curve = banded(rows, estimator, band)
        numpy.testing.assert_allclose(curve.y, expected, rtol=1e-12)
        assert curve.n.tolist() == [len(values) for _, values in _columns(rows)]


def test_bands_are_those_of_each_column(rows):
    """t of scipy, n - 1 in standard deviations; one seed has none."""
    for band in BANDS:
        curve = banded(rows, "mean", band)
        for at, values in _columns(rows):
            found = curve.low[at], curve.high[at]
            if len(values) < 2 or band is None:
                assert numpy.isnan(found).all()
                continue
            mean, std, n = values.mean(), values.std(ddof=1), len(values)
            expected = {
                "ci95": stats.t.interval(0.95, n - 1, mean, std / math.sqrt(n)),
                "stderr": (mean - std / math.sqrt(n), mean + std / math.sqrt(n)),
                "std": (mean - std, mean + std),
                "minmax": (values.min(), values.max()),
                "iqr": (numpy.quantile(values, 0.25), numpy.quantile(values, 0.75)),
            }[band]
            numpy.testing.assert_allclose(found, expected, rtol=1e-9)  # as precise as t of scipy 1.10


@pytest.mark.parametrize("estimator", ["median", "iqm"])
def test_the_bootstrap_of_other_estimators(rows, estimator):
    """It holds the estimate, lies within the seeds, and is the same each time."""
    curve, again = (banded(rows, estimator, "ci95") for _ in range(2))
    for at, values in _columns(rows):
        if len(values) > 1:
            assert values.min() <= curve.low[at] <= curve.y[at] <= curve.high[at] <= values.max()
    numpy.testing.assert_array_equal(curve.low, again.low)


def test_one_run_has_a_line_and_no_band():
    """For every band."""
    for band in BANDS:
        curve = banded(numpy.array([[1.0, 2.0]]), "mean", band)
        assert curve.y.tolist() == [1, 2] and numpy.isnan([curve.low, curve.high]).all() and curve.n.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("estimator", "band", "message"),
    [
        ("avg", "ci95", r"estimator is 'avg'\. Known: mean, median, iqm\."),
        ("mean", "ci", r"band is 'ci'\. Known: ci95, stderr, std, minmax, iqr, None\. Did you mean 'ci95'\?"),
        ("mean", False, "band is False"),
        ("mean", ["std", "minmax"], r"band is \['std', 'minmax'\]\. Known"),
        ("median", "std", r'band is \'std\'\. Allowed: with estimator="median": ci95, minmax, iqr, None'),
        ("iqm", "stderr", "It is a spread of means"),
    ],
)
def test_bands_that_are_none(estimator, band, message):
    """A standard deviation is no spread of a median."""
    mistakes = Mistakes("plot")
    check_band(mistakes, estimator, band)
    with pytest.raises(ConfigError, match=message):
        mistakes.raise_any()


def test_the_figure_says_what_bands_are_worth():
    """A bootstrap of few seeds says what it really covers; an IQM of three seeds that it is their mean."""
    assert words_of("mean", "ci95", 3, 3) == "Mean, 95 % t interval"
    assert (
        words_of("mean", "std", 3, 3) == "Mean, ± 1 standard deviation" and words_of("median", None, 3, 3) == "Median"
    )
    assert words_of("median", "ci95", 12, 12) == "Median, 95 % percentile bootstrap"
    text = words_of("iqm", "ci95", 3, 5)
    assert "with 3 seeds or fewer the mean" in text and "with 3 seeds it holds the true value in " in text
    assert words_of("mean", "ci95", 1, 0) == "Mean"
