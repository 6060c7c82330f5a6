"""Bars of scores, compared with numpy by hand: the numbers, what is drawn, and what the figure says."""

from __future__ import annotations

import itertools
import math

import numpy
import pytest
from matplotlib.colors import to_hex

import rla_hooks as rla
from rla_hooks.statistics import coverage

pytest.importorskip("pandas")
pytest.importorskip("scipy")
T = {3: 4.302652729911275, 4: 3.182446305284263}  # quantiles 0.975 of Student's t, by the number of seeds


def texts(figure):
    """All that is written below the panels of a figure, on one line."""
    return " ".join(text.get_text().replace("\n", " ") for text in figure.texts)


@pytest.fixture
def scores(make_run):
    """Two algorithms with four seeds each; their last values."""
    found = numpy.random.default_rng(0).normal([[10], [20]], 3, (2, 4))
    for algo, some in zip("ab", found):
        for seed, value in enumerate(some):
            make_run(0.0, float(value), algo=algo, seed=seed)
    return found


def test_means_with_intervals_of_t(scores):
    drawn = rla.plot_bars(rla.runs(), "return")
    half = T[4] * scores.std(1, ddof=1) / 2
    assert drawn.data.columns.tolist() == ["metric", "algo", "score", "low", "high", "n"]
    assert numpy.allclose(drawn.data.score, scores.mean(1))
    assert numpy.allclose(drawn.data.low, scores.mean(1) - half)
    assert numpy.allclose(drawn.data.high, scores.mean(1) + half)
    assert drawn.data.n.tolist() == [4, 4] and drawn.data.algo.tolist() == ["a", "b"]
    assert "Mean, 95 % t interval; last value of 4 seeds; dots: seeds" in texts(drawn.figure)


def test_what_is_drawn_are_the_numbers(scores):
    """Bars from 0 to the score, a dot for each seed, a line for the baseline, names at the bars."""
    drawn = rla.plot_bars("t", "return", by="algo", baselines={"random": 3.5})
    (panel,) = drawn.axes
    assert numpy.allclose([bar.get_width() for bar in panel.patches], scores.mean(1))
    dots = [line.get_xdata() for line in panel.lines if line.get_marker() == "o"]
    assert numpy.allclose(numpy.array(dots), scores)
    assert [text.get_text() for text in panel.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in drawn.figure.legends[0].get_texts()] == ["random"]
    assert any(list(line.get_xdata()) == [3.5, 3.5] for line in panel.lines)
    assert not [
        line for line in rla.plot_bars("t", "return", individual=False).axes[0].lines if line.get_marker() == "o"
    ]


def test_colours_that_the_user_gives(make_run):
    """A list, or a mapping from labels or values, as curves take them: in all panels, and in the legend."""
    for env, algo in itertools.product("pq", "ab"):
        make_run(1.0, env=env, algo=algo)
    for colors, expected in ((["red", "#00ff00"], ["#ff0000", "#00ff00"]), ({"b": "red"}, ["#004488", "#ff0000"])):
        drawn = rla.plot_bars("t", "return", tasks="env", colors=colors)
        handles = drawn.figure.legends[0].legend_handles
        for bars in (handles, drawn.axes[0].patches[:2]):
            assert [to_hex(bar.get_facecolor()) for bar in bars] in (expected, [expected[0]] * 2)
        assert [to_hex(bar.get_facecolor()) for bar in handles] == expected
    for wrong, told in ((["no"], "plot_bars: colors has 'no'"), ({"c": "red"}, "none of its keys is a curve")):
        with pytest.raises(rla.ConfigError, match=told):
            rla.plot_bars("t", "return", tasks="env", colors=wrong)


@pytest.mark.parametrize("band", ["stderr", "std", "minmax", "iqr", None])
def test_bands(scores, band):
    """What a band is stands in the data and on the figure."""
    of_mean = band in ("stderr", "std")
    drawn = rla.plot_bars("t", "return", band=band, estimator="mean" if of_mean else "median")
    point = scores.mean(1) if of_mean else numpy.median(scores, 1)
    spread = scores.std(1, ddof=1) / (2 if band == "stderr" else 1)
    low, high, said = {
        "stderr": (point - spread, point + spread, "Mean, ± 1 standard error"),
        "std": (point - spread, point + spread, "Mean, ± 1 standard deviation"),
        "minmax": (scores.min(1), scores.max(1), "Median, lowest to highest seed"),
        "iqr": (*numpy.quantile(scores, [0.25, 0.75], axis=1), "Median, quartiles"),
        None: (point * math.nan, point * math.nan, "Median; last value"),
    }[band]
    assert numpy.allclose(drawn.data.score, point) and said in texts(drawn.figure)
    assert numpy.allclose(drawn.data[["low", "high"]].astype(float).to_numpy().T, [low, high], equal_nan=True)


def test_an_iqm_of_three_seeds_is_said_to_be_a_mean(make_run):
    """So is what an interval of the bootstrap is worth with so few."""
    for seed, value in enumerate([1.0, 2.0, 30.0]):
        make_run(value, seed=seed)
    drawn = rla.plot_bars("t", "return", estimator="iqm")
    assert drawn.data.score.tolist() == [11.0]
    said = texts(drawn.figure)
    assert (
        "IQM; with 3 seeds or fewer the mean" in said
        and f"holds the true value in {100 * coverage('iqm', 3):.0f} %" in said
    )


def test_tasks_have_bars_of_each_group(make_run):
    """Each group has a colour and a hatch, which the legend shows; a group may lack a task."""
    for env, algo, values in (("p", "a", [1.0, 3.0]), ("p", "b", [5.0]), ("q", "b", [7.0, 8.0])):
        for seed, value in enumerate(values):
            make_run(value, env=env, algo=algo, seed=seed)
    drawn = rla.plot_bars("t", "return", tasks="env")
    assert drawn.data[["algo", "env", "score", "n"]].values.tolist() == [
        ["a", "p", 2.0, 2],
        ["b", "p", 5.0, 1],
        ["b", "q", 7.5, 2],
    ]
    assert drawn.data.low.isna().tolist() == [False, True, False]
    assert "1 to 2 seeds of each of 2 tasks" in texts(drawn.figure) and "no interval of one seed" in texts(drawn.figure)
    assert [text.get_text() for text in drawn.axes[0].get_yticklabels()] == ["p", "q"]
    assert [text.get_text() for text in drawn.figure.legends[0].get_texts()] == ["a", "b"]


def test_several_metrics_have_a_panel_each(quiet):
    for seed in range(3):
        with rla.run(task="t", writers=["csv"], backup="none", seed=seed):
            rla.log({"return": 10.0 * seed, "length": 5.0 + seed}, step=0)
    drawn = rla.plot_bars("t", ["return", "length"])
    assert drawn.data[["metric", "score"]].values.tolist() == [["return", 10.0], ["length", 6.0]]
    assert [panel.get_xlabel() for panel in drawn.axes] == ["return", "length"]
    half = T[3] * 10 / math.sqrt(3)
    assert drawn.data.high[0] == pytest.approx(10 + half)


def test_sixty_groups_have_room(make_run):
    """Their names do not touch, whatever they hold."""
    for number in range(60):
        make_run(1.0 + number, algo=f"net${number}_$% of a very long family of networks with a name", lr=0.1)
    with pytest.warns(rla.RLAWarning, match="has one seed"):
        intervals = rla.plot_intervals("t", "return", aggregates="mean", size="icml")
    for drawn in (rla.plot_bars("t", "return", size="icml"), intervals):
        drawn.figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in drawn.axes[0].get_yticklabels()]
        assert len(boxes) == 60 and all(one.y0 >= other.y1 - 1 for one, other in itertools.pairwise(boxes))
        assert min(box.x0 for box in boxes) >= 0 and len(drawn.data) == 60


def test_scores_that_no_float_can_square(make_run, warnings_as_text):
    """They count as diverged: no axis and no interval could hold them."""
    for seed, value in enumerate([1.0, 2.0, 1e200]):
        make_run(value, seed=seed)
    drawn = rla.plot_bars("t", "return")
    assert drawn.data[["score", "n"]].values.tolist() == [[1.5, 2]]
    assert "1 of 3 runs have no score" in texts(drawn.figure) and len(warnings_as_text) == 2
    warnings_as_text.clear()


def test_a_spread_of_means_is_none_of_medians(scores):
    with pytest.raises(rla.ConfigError, match="It is a spread of means"):
        rla.plot_bars("t", "return", band="std", estimator="median")


def test_one_seed_has_a_bar_without_an_interval(make_run):
    make_run(1.0, 5.0)
    drawn = rla.plot_bars("t", "return")
    assert drawn.data.score.tolist() == [5.0] and drawn.data.low.isna().all()
    assert texts(drawn.figure) == "last value of 1 seed; no interval of one seed"


def test_the_files(scores, tmp_path):
    drawn = rla.plot_bars("t", "return", save=tmp_path / "bars.pdf", title="Bars")
    assert (tmp_path / "bars.pdf").read_bytes().startswith(b"%PDF") and (tmp_path / "bars.png").exists()
    rows = (tmp_path / "bars.csv").read_text().splitlines()
    assert rows[0] == "metric,algo,score,low,high,n" and float(rows[1].split(",")[2]) == drawn.data.score[0]


def test_mistakes_are_told_at_once(scores):
    with pytest.raises(rla.ConfigError) as error:
        rla.plot_bars("t", 5, score="lst", estimator="avg", band="ci", size="nips", baselines=[1], normalize="max")
    for text in (
        "metrics is 5",
        "Did you mean 'last'",
        "estimator is",
        "band is",
        "size is",
        "baselines is",
        "normalize",
    ):
        assert text in str(error.value)
    with pytest.raises(rla.ConfigError, match="there are no runs"):
        rla.plot_bars([], "return")


def test_names_that_differ_in_the_middle_only(make_run):
    """Two bars of one name would say nothing."""
    for name in "ab":
        make_run(1.0, algo=f"a_long_family_name_of_networks_{name}_and_then_a_long_tail", lr=0.1)
    labels = [text.get_text() for text in rla.plot_bars("t", "return", size="icml").axes[0].get_yticklabels()]
    assert len({*labels}) == 2 and not any("…" in label for label in labels)
