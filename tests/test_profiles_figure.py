"""Performance profiles, compared with numpy by hand."""

from __future__ import annotations

import numpy
import pytest

import rla_hooks as rla

pytest.importorskip("pandas")
pytest.importorskip("scipy")


@pytest.fixture
def scores(make_run):
    """Shape (2 algorithms, 5 seeds, 2 tasks)."""
    found = numpy.random.default_rng(3).normal([[[1]], [[2]]], 1, (2, 5, 2))
    for algo, seed, task in numpy.ndindex(found.shape):
        make_run(float(found[algo, seed, task]), algo="ab"[algo], env=task, seed=seed)
    return found


def test_fractions_and_bands(scores):
    thresholds = [-1.0, 0.5, 1.0, 2.5, 9.0]
    drawn = rla.plot_profiles("t", "return", tasks="env", thresholds=thresholds)
    data = drawn.data
    assert data.columns.tolist() == ["metric", "algo", "threshold", "fraction", "low", "high", "n"]
    random = numpy.random.default_rng(1)
    for algo, array in zip("ab", scores):
        rows = data[data.algo == algo]
        above = array[..., None] > numpy.array(thresholds)
        assert rows.threshold.tolist() == thresholds and rows.fraction.tolist() == above.mean((0, 1)).tolist()
        drawings = random.integers(0, 5, (4000, 5, 2))
        again = [numpy.take_along_axis(above, each[..., None], 0).mean((0, 1)) for each in drawings]
        assert numpy.allclose(rows[["low", "high"]].T, numpy.quantile(again, [0.025, 0.975], axis=0), atol=0.101)
        assert ((rows.low <= rows.fraction) & (rows.fraction <= rows.high)).all()
    lines = drawn.axes[0].lines
    assert [line.get_ydata().tolist() for line in lines] == [data[data.algo == algo].fraction.tolist() for algo in "ab"]
    said = " ".join(text.get_text().replace("\n", " ") for text in drawn.figure.texts)
    assert "95 % pointwise bands of the stratified bootstrap (2,000 repetitions), too narrow near 0 and 1" in said
    assert "with so few seeds; 5 seeds of each of 2 tasks" in said
    assert "not normalized" in said


def test_thresholds_go_from_the_lowest_to_the_highest_score(scores):
    drawn = rla.plot_profiles("t", "return", tasks="env", normalize="minmax", reps=100, title="Profiles")
    levels = drawn.data[drawn.data.algo == "a"].threshold
    assert len(levels) == 201 and (levels.min(), levels.max()) == (0.0, 1.0)
    assert drawn.axes[0].get_xlabel() == "normalized return"
    assert [text.get_text() for text in drawn.figure.legends[0].get_texts()] == ["a", "b"]


def test_a_group_of_one_seed_has_a_line_without_a_band(make_run, warnings_as_text):
    """The warning says why, and so does the figure. One group needs no legend."""
    make_run(5.0)
    drawn = rla.plot_profiles("t", "return")
    assert drawn.data.low.isna().all() and not drawn.axes[0].collections
    assert set(drawn.data.fraction) == {0.0, 1.0} and not drawn.figure.legends
    assert "no pointwise bands: one seed; 1 seed" in " ".join(text.get_text() for text in drawn.figure.texts)
    (text,) = warnings_as_text
    assert "has one seed" in text
    warnings_as_text.clear()


@pytest.mark.parametrize("thresholds", [[1], [1, 1], "ab", 5, [0, float("nan")], [2, 1]])
def test_thresholds_that_cannot_be_used(scores, thresholds):
    with pytest.raises(rla.ConfigError, match="thresholds is"):
        rla.plot_profiles("t", "return", thresholds=thresholds)
