"""RLA's plot_util: rows of folders, baselines' smoothing, and texts for command lines."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rla_hooks.easy_plot import plot_util
from rla_hooks.easy_plot.points import Prepared
from rla_hooks.easy_plot.smoothing import one_sided_ema, smooth, symmetric_ema
from rla_hooks.errors import ConfigError, RLAError

RNG = np.random.default_rng(0)


def by_hand(x, y, at, decay):
    """The weighted mean at one point, and the sum of weights."""
    weights = np.exp(-np.abs(at - x) / decay)
    return (weights * y).sum() / weights.sum(), weights.sum()


@pytest.mark.parametrize("decay_steps", [0.5, 1.0, 7.0])
def test_exponential_means_are_those_by_hand(decay_steps):
    """To one side of what lies before each point; to both sides a row on the grid counts twice, as in baselines."""
    x, y = np.unique(RNG.uniform(0, 10, 40)), RNG.normal(size=40)
    xs, ys, weights = one_sided_ema(x, y, n=20, decay_steps=decay_steps)
    np.testing.assert_allclose(xs, np.linspace(x[0], x[-1], 20))
    decay = decay_steps * (xs[1] - xs[0])
    for at, mean, weight in zip(xs, ys, weights):
        before = x <= at + 1e-12
        np.testing.assert_allclose((mean, weight), by_hand(x[before], y[before], at, decay), rtol=1e-9)
    _, both, of_both = symmetric_ema(x, y, n=20, decay_steps=decay_steps)
    for at, mean, weight in zip(xs[1:-1], both[1:-1], of_both[1:-1]):
        np.testing.assert_allclose((mean, weight), by_hand(x, y, at, decay), rtol=1e-9)
    assert np.isnan(one_sided_ema([0, 10], [1, 1], n=11, low_counts_threshold=0.5)[1][3:10]).all()


@pytest.mark.parametrize("mode", ["two_sided", "causal"])
@pytest.mark.parametrize("valid_only", [False, True])
def test_a_mean_of_neighbours(mode, valid_only):
    """Fewer at the ends, or NaN there; a short curve is its mean."""
    y = RNG.normal(size=20)
    for at, value in enumerate(smooth(y, 3, mode, valid_only)):
        begin, end = (at - 3, at + 4) if mode == "two_sided" else (at - 2, at + 1)
        whole = y[max(0, begin) : end].mean()
        is_end = at < 3 or (mode == "two_sided" and at >= 17)
        np.testing.assert_allclose(value, np.nan if valid_only and is_end else whole)
    assert smooth([1.0, 3.0], 3, mode).tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: one_sided_ema([], []), r"x has the shape \(0,\)"),
        (lambda: one_sided_ema([1, 2], [1]), r"y \(1,\)\. Allowed: two sequences of one length"),
        (lambda: symmetric_ema([0, 1], [1, 1], low=-1), r"low is -1, high 1\.0\. Allowed: from 0 to 1"),
        (lambda: symmetric_ema([0, 1], [1, 1], n=1), r"n is 1\. Allowed: a number of points, from 2 on"),
        (lambda: smooth([1], 1, "both"), r"mode is 'both'"),
        (lambda: plot_util.word_replace_back("__import__(||os||).getcwd()"), r"is no list, text or number"),
    ],
)
def test_what_cannot_be_smoothed(call, message):
    """Each message has the value and what is allowed."""
    with pytest.raises(ConfigError, match=message):
        call()


def test_points_that_rla_would_not_draw():
    """Outliers of ten standard deviations; a run of one row; what is not finite."""
    y = np.append(RNG.normal(size=1000), 1e6)
    x, kept = Prepared(remove_outlier=True)(np.arange(1001.0), y)
    assert len(x) == 1000 and kept.max() < 1e6
    assert [each.tolist() for each in Prepared(resample=5)(np.array([3.0]), np.array([2.0]))] == [[3.0], [2.0]]
    x, y = Prepared(resample=3)(np.arange(3.0), np.array([1.0, np.nan, 1.0]))
    assert x.tolist() == [0, 1, 2] and y.tolist() == pytest.approx([1, 1, 1])
    assert Prepared(x_bound=(1, 3), x_start=2)(np.arange(5.0), np.arange(5.0))[0].tolist() == [2.0]
    assert len(Prepared(x_bound=0)(np.arange(3.0), np.arange(3.0))[0]) == 0


def test_rows_of_folders(tmp_path, capsys):
    """All below the folder, with the columns that are there; one without any of them is left out, an empty one, too."""
    for name, content in {
        "a/2022": "loss,time-step,x\n0.5,0,1\n0.25,10,2\n,20,3\n",
        "b": "other,time-step\n1,0\n",
        "c": "",
    }.items():
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "progress.csv").write_text(content)
    (tmp_path / "a/2022/metadata.json").write_text(json.dumps({"env": "Pong"}))
    (result,) = plot_util.load_results(str(tmp_path), ["loss", "no"], ["time-step", None], verbose=True)
    assert result.dirname == str(tmp_path / "a/2022") and result.metadata == {"env": "Pong"}
    assert list(result.progress) == ["loss"] and result.progress["loss"].tolist()[:2] == [0.5, 0.25]
    assert capsys.readouterr().out.count("no such columns") == 2
    (tmp_path / "d").mkdir()
    (tmp_path / "d/progress.json").write_text('{"loss": 1.5, "time-step": 0}\n')
    assert plot_util.load_results(tmp_path / "d", ["loss"])[0].progress["loss"].tolist() == [1.5]
    both = plot_util.load_results([tmp_path / "a", tmp_path / "b"], ["time-step"], ["time-step", (-5, 10)])
    assert [each.progress["time-step"].tolist() for each in both] == [[0], [0]]
    with pytest.raises(ConfigError, match="there is no folder"):
        plot_util.load_results(tmp_path / "gone", ["loss"])


def test_results_have_the_fields_of_rla():
    """Also where nothing was read; Result is what it was until 2022."""
    result = plot_util.Result(progress=[1], dirname="a")
    assert (result.monitor, result.progress, result.dirname, result.metadata, result.hyper_param) == (
        None,
        [1],
        "a",
        None,
        None,
    )


def test_what_is_gone_says_what_to_use():
    """Figures are made of runs."""
    with pytest.raises(RLAError, match=r"plot_results is gone\. Give the runs to rla\.plot_curves"):
        plot_util.plot_results([], xy_fn=None)
