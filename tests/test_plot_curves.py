"""Learning curves: the numbers behind them by hand, what the figure says, and every option and kind of bad input."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import matplotlib
import numpy
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from scipy import stats

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RLAWarning

pytestmark = pytest.mark.filterwarnings("error")  # of matplotlib's, too
NAN = math.nan


@pytest.fixture
def make(tmp_path, quiet):
    """Makes a run of these steps and values of metrics, and returns all runs."""

    def make_run(steps, params=(), **metrics):
        with rla.run(task="t", log_root=tmp_path / "root", writers=["csv"], backup="none", **dict(params)):
            for number, step in enumerate(steps):
                values = {name.replace("__", "/"): each[number] for name, each in metrics.items()}
                rla.log({name: value for name, value in values.items() if value is not None}, step=step)
        return rla.runs(tmp_path / "root")

    return make_run


@pytest.fixture
def five(make):
    """Five seeds of one algorithm, of which two end early, and three of another one."""
    chance = numpy.random.default_rng(0)
    for seed in range(8):
        steps = range(0, 60 if seed in (1, 3) else 101, 10)
        values = (chance.normal(size=len(steps)) + 10).tolist()
        runs = make(steps, {"algo": "ppo" if seed < 5 else "sac", "seed": seed}, perf__return=values)
    return runs


def by_hand(runs, metric="perf/return"):
    """A dict of step to the values of the runs that have it."""
    found = {}
    for run in runs:
        columns = run.columns([metric])
        for step, value in zip(columns["time-step"].values.tolist(), columns[metric].values.tolist()):
            found.setdefault(step, []).append(value)
    return found


def texts(figure):
    return [text.get_text() for legend in figure.figure.legends for text in legend.get_texts()]


def note(figure):
    return figure.figure.texts[0].get_text().replace("\n", " ")


def lines(axes):
    """The lines of curves: those with points, and no baselines."""
    return [line for line in axes.lines if len(line.get_xdata()) and line.get_transform() == axes.transData]


def test_the_numbers_are_those_of_numpy(five):
    """Mean, t interval and number of seeds of each algorithm at each step, from the rows of its runs."""
    figure = rla.plot_curves(five, "perf/return", by="algo")
    assert list(figure.data) == ["metric", "algo", "x", "y", "low", "high", "n"]
    assert set(figure.data["metric"]) == {"perf/return"} and figure.query == five.query
    for algo in ("ppo", "sac"):
        data = figure.data[figure.data["algo"] == algo]
        expected = by_hand([run for run in five if run.hparams["algo"] == algo])
        assert data["x"].tolist() == sorted(expected) and data["n"].tolist() == [
            len(each) for each in expected.values()
        ]
        for row, values in zip(data.itertuples(), expected.values()):
            low, high = stats.t.interval(0.95, len(values) - 1, numpy.mean(values), stats.sem(values))
            assert (row.y, row.low, row.high) == pytest.approx((numpy.mean(values), low, high), rel=1e-9)


def test_where_seeds_are_missing_the_line_is_thin_and_the_legend_says_so(five):
    """Up to the last step that all five have it is thick."""
    figure = rla.plot_curves(five, "perf/return", by="algo")
    assert texts(figure) == ["ppo (5 to 3 seeds)", "sac (3 seeds)"]
    thick, thin, whole = (line for line in lines(figure.axes[0]))
    assert thick.get_xdata().tolist() == [0, 10, 20, 30, 40, 50] and thin.get_xdata().tolist() == [
        50,
        60,
        70,
        80,
        90,
        100,
    ]
    assert thin.get_linewidth() < thick.get_linewidth() == whole.get_linewidth()
    assert note(figure) == "Mean, 95 % t interval."


def test_equal_numbers_of_seeds_stand_in_the_note(five):
    """The legend has the names only; a single curve needs none."""
    whole = [run for run in five if run.hparams["seed"] in (0, 2, 4, 5, 6, 7)]
    figure = rla.plot_curves(whole, "perf/return", by="algo")
    assert texts(figure) == ["ppo", "sac"] and note(figure) == "Mean, 95 % t interval, 3 seeds."
    alone = rla.plot_curves(whole[:3], "perf/return")
    assert texts(alone) == [] and len(lines(alone.axes[0])) == 1
    assert texts(rla.plot_curves(five[:5], "perf/return")) == ["5 to 3 seeds"]


def test_seeds_that_differ_by_panel_are_said_by_panel(make):
    """No curve of them has lost any: "3 to 2 seeds" would say that one has."""
    for env, algo, seeds in (("a", "ppo", 3), ("b", "ppo", 2), ("a", "sac", 2), ("b", "sac", 2)):
        for seed in range(seeds):
            short = (env, algo, seed) == ("b", "sac", 1)
            params = {"env": env, "algo": algo, "seed": seed}
            runs = make(range(3 if short else 6), params, perf=[1.0] * 6, loss=[1.0] * 6)
    figure = rla.plot_curves(runs, "perf", by="algo", split="env")
    assert texts(figure) == ["ppo (a: 3 seeds, b: 2 seeds)", "sac (a: 2 seeds, b: 2 to 1 seeds)"]
    figure = rla.plot_curves(runs, ["perf", "loss"], by="algo", split="env")
    assert texts(figure) == ["ppo (2 to 3 seeds, by panel)", "sac (1 to 2 seeds, by panel)"]


def test_runs_at_steps_of_their_own_are_interpolated_between_their_rows(make):
    """Never before the first row or after the last one."""
    make([0, 10, 20], perf=[0.0, 10, 20])
    runs = make([5, 15, 40], perf=[0.0, 100, 100])
    figure = rla.plot_curves(runs, "perf", by=[], band=None, resample=[-5, 0, 5, 10, 20, 30, 40, 50])
    assert figure.data["x"].tolist() == [0, 5, 10, 20, 30, 40] and figure.data["n"].tolist() == [1, 2, 2, 2, 1, 1]
    assert figure.data["y"].tolist() == [0, 2.5, 30, 60, 100, 100]
    assert figure.data["low"].isna().all() and not figure.axes[0].collections


@pytest.mark.parametrize("band", ["stderr", "std", "minmax", "iqr"])
def test_other_bands(five, band):
    """By hand, at a step that all have."""
    data = rla.plot_curves(five, "perf/return", by="algo", band=band).data
    values = numpy.array(by_hand(five[:5])[20])
    std = values.std(ddof=1)
    expected = {
        "stderr": (values.mean() - std / 5**0.5, values.mean() + std / 5**0.5),
        "std": (values.mean() - std, values.mean() + std),
        "minmax": (values.min(), values.max()),
        "iqr": (numpy.quantile(values, 0.25), numpy.quantile(values, 0.75)),
    }[band]
    (row,) = data[(data["algo"] == "ppo") & (data["x"] == 20)].itertuples()
    assert (row.low, row.high) == pytest.approx(expected, rel=1e-12)


def test_other_estimators_are_stated(five):
    """With what their band is worth."""
    figure = rla.plot_curves(five, "perf/return", by="algo", estimator="median")
    (row,) = figure.data[(figure.data["algo"] == "ppo") & (figure.data["x"] == 20)].itertuples()
    assert row.y == numpy.median(by_hand(five[:5])[20]) and row.low <= row.y <= row.high
    assert note(figure).startswith("Median, 95 % percentile bootstrap (with 3 seeds it holds the true value in ")
    figure = rla.plot_curves(five, "perf/return", by="algo", estimator="iqm", band="minmax")
    assert "with 3 seeds or fewer the mean" in note(figure)


def test_smoothing_is_off_unless_asked_for_and_stated(five):
    """It is done run by run, before anything else."""
    assert "Smoothed" not in note(rla.plot_curves(five, "perf/return", by="algo"))
    figure = rla.plot_curves(five, "perf/return", by="algo", smooth=2)
    assert "Smoothed: mean of 2 rows" in note(figure)
    steps = by_hand(five[:5])
    (row,) = figure.data[(figure.data["algo"] == "ppo") & (figure.data["x"] == 50)].itertuples()
    assert row.y == pytest.approx(numpy.mean([steps[40], steps[50]]), rel=1e-12)
    figure = rla.plot_curves(five, "perf/return", by="algo", smooth=0.6)
    assert "Smoothed: exponential mean, weight 0.6, debiased" in note(figure)
    (row,) = figure.data[(figure.data["algo"] == "ppo") & (figure.data["x"] == 10)].itertuples()
    assert row.y == pytest.approx(numpy.mean(0.6 * numpy.array(steps[0]) + numpy.array(steps[10])) / 1.6, rel=1e-12)


def test_several_metrics_have_a_panel_each_with_one_legend(make):
    """They share x; y labels say the metrics; the numbers of all stand below each other."""
    for seed in range(4):
        runs = make(range(5), {"lr": seed % 2, "seed": seed}, loss=[1.0] * 5, perf=[100.0 * seed] * 5)
    figure = rla.plot_curves(runs, ["loss", "perf"])
    one, other = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "perf"] and texts(figure) == ["lr=0", "lr=1"]
    assert one.get_shared_x_axes().joined(one, other) and not one.get_shared_y_axes().joined(one, other)
    assert figure.data.groupby(["metric", "lr"])["y"].mean().to_dict() == {
        ("loss", 0): 1, ("loss", 1): 1, ("perf", 0): 100, ("perf", 1): 200,
    }  # fmt: skip


def test_a_split_has_a_panel_for_each_value(make):
    """It is no part of what tells curves apart; panels share both axes, unless told otherwise."""
    for env in ("ALE/Pong-v5", "$x$"):
        for lr in (0.1, 0.2):
            runs = make(range(3), {"env": env, "lr": lr}, perf=[lr, 1.0, 2.0], loss=[1.0] * 3)
    figure = rla.plot_curves(runs, "perf", split="env")
    assert [axes.get_title() for axes in figure.axes] == ["$x$", "ALE/Pong-v5"]
    assert list(figure.data) == ["metric", "lr", "env", "x", "y", "low", "high", "n"] and texts(figure)[0].startswith(
        "lr=0.1"
    )
    one, other = figure.axes
    assert one.get_shared_y_axes().joined(one, other) and [axes.get_ylabel() for axes in figure.axes] == ["perf", ""]
    figure = rla.plot_curves(runs, ["perf", "loss"], split="env", share="x")
    assert [axes.get_ylabel() for axes in figure.axes] == ["perf", "perf", "loss", "loss"]
    assert not figure.axes[0].get_shared_y_axes().joined(*figure.axes[:2])
    figure = rla.plot_curves(runs, ["perf", "loss"], split="env", share=None)
    assert [axes.get_xlabel() for axes in figure.axes] == ["time-step"] * 4


def test_ranges_and_scale(five):
    """Numbers beyond the range of x are left out, those of y are not; the factor is on all numbers."""
    whole = rla.plot_curves(five, "perf/return", by="algo").data
    figure = rla.plot_curves(five, "perf/return", by="algo", x_range=(20, 40), y_range=(None, 50), scale=100)
    expected = whole[(whole["x"] >= 20) & (whole["x"] <= 40)]
    for name in ("y", "low", "high"):
        assert figure.data[name].tolist() == pytest.approx((expected[name] * 100).tolist(), rel=1e-12)
    assert figure.axes[0].get_xlim() == (20, 40) and figure.axes[0].get_ylim()[1] == 50


def test_labels_colours_markers_and_lines_that_the_user_gives(five):
    """Mappings take labels or values; lists start again at their end."""
    given = {"legend": {"ppo": r"$\pi$"}, "colors": {"sac": "red"}, "markers": ["s"]}
    figure = rla.plot_curves(five, "perf/return", by="algo", individual=True, **given)
    assert texts(figure) == [r"$\pi$ (5 to 3 seeds)", "sac (3 seeds)"]
    assert figure.figure.legends[0].get_texts()[0].get_parse_math()
    handles = figure.figure.legends[0].legend_handles
    assert [to_hex(handle.get_color()) for handle in handles] == ["#004488", "#ff0000"]
    assert {handle.get_marker() for handle in handles} == {"s"}
    runs = [line for line in figure.axes[0].lines if line.get_linewidth() == 0.4]
    assert len(runs) == 8 and {to_hex(line.get_color()) for line in runs[5:]} == {"#ff0000"}
    figure = rla.plot_curves(five, "perf/return", by="algo", legend=lambda values: values["algo"].upper(), markers=True)
    assert texts(figure)[1] == "SAC (3 seeds)"
    assert [handle.get_marker() for handle in figure.figure.legends[0].legend_handles] == ["o", "s"]


def test_a_function_tells_curves_apart(make):
    """Curves stand in the order in which their labels come; ``legend`` may rename them."""
    for number, lr in enumerate((0.3, 0.01, 0.2)):
        runs = make([0, 1], {"lr": lr}, loss=[number, number + 1.0])
    with pytest.warns(RLAWarning, match="runs of one curve also differ in lr"):
        figure = rla.plot_curves(
            runs, "loss", by=lambda run: run.hparams["lr"] > 0.1, legend={"True": "fast"}, band=None
        )
    assert figure.data.groupby("label", sort=False)["y"].first().to_dict() == {"True": 1.0, "False": 1.0}
    assert [text.split(" (")[0] for text in texts(figure)] == ["fast", "False"]


def test_points_are_transformed_before_all_else(make):
    """By one function, or by one of some metrics; the figure says so. What it makes infinite is a gap."""
    runs = make([1, 2, 3], loss=[0.0, 1.0, 10.0], perf__return=[1.0, 2.0, 3.0])
    mapped = {"loss": lambda x, y: (x * 10, numpy.log10(y))}
    figure = rla.plot_curves(runs, ["loss", "perf/return"], transform=mapped, smooth=None, scale=2.0)
    of_loss, other = (figure.data[figure.data["metric"] == name] for name in ("loss", "perf/return"))
    assert of_loss["x"].tolist() == [10, 20, 30] and of_loss["y"].tolist()[1:] == [0.0, 2.0]
    assert math.isnan(of_loss["y"].tolist()[0]) and "Gaps: 1 value is NaN" in note(figure)
    assert other["y"].tolist() == [2.0, 4.0, 6.0] and "Transformed by a function" in note(figure)

    def later_half(x, y):
        return x[x >= 2], y[x >= 2]

    figure = rla.plot_curves(runs, "loss", transform=later_half)
    assert figure.data["x"].tolist() == [2, 3] and "Transformed: later_half." in note(figure)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ("log", r"transform is 'log'\. Allowed: a function of x and y"),
        ({"los": numpy.log}, r"transform has 'los', which is none of the metrics\. Known: loss\. Did you mean 'loss'"),
        ({"loss": 3}, r"transform\['loss'\] is 3"),
        (lambda x, y: y, r"transform returns .* for 'loss'\. Allowed: x and y, two arrays"),
        (lambda x, y: (x, y[1:]), r"transform returns"),
        (lambda x, y: (x, ["a", "b"]), r"transform returns"),
        (lambda x, y: (x[:0], y[:0]), r"resample is 'auto' \(with transform\), and no run has rows there"),
    ],
)
def test_what_transforms_nothing(make, transform, message):
    """Each message says what it has to return."""
    with pytest.raises(ConfigError, match=message):
        rla.plot_curves(make([0, 1], loss=[1.0, 2.0]), "loss", transform=transform)


def test_curves_may_end_where_their_first_run_does(five):
    """Then all points of a curve have as many seeds."""
    figure = rla.plot_curves(five, "perf/return", by="algo", overlap=True)
    ends = figure.data.groupby("algo")["x"].max().to_dict()
    assert ends == {"ppo": 50.0, "sac": 100.0} and set(figure.data["n"]) == {5, 3}
    assert rla.plot_curves(five, "perf/return", by="algo", overlap=True, resample=[0, 40, 90]).data["x"].max() == 90


def test_metrics_may_stand_in_one_panel(make):
    """Each curve names its metric, and a legend gets it, too."""
    for seed in range(2):
        runs = make([0, 1], {"lr": 0.1, "seed": seed}, train=[1.0, 2.0 + seed], valid=[5.0, 6.0])
    figure = rla.plot_curves(runs, ["train", "valid"], by="lr", together=True, baselines={"best": 7})
    assert len(figure.axes) == 1 and texts(figure) == ["lr=0.1, train", "lr=0.1, valid", "best"]
    assert figure.data.groupby("metric")["y"].max().to_dict() == {"train": 2.5, "valid": 6.0}
    assert len(lines(figure.axes[0])) == 2 and figure.axes[0].get_ylabel() == ""
    named = rla.plot_curves(runs, ["train", "valid"], together=True, legend=lambda values: values["metric"].upper())
    assert texts(named) == ["TRAIN", "VALID"]


def test_columns_and_no_legend(make):
    """So many panels in a row; legend=False leaves the legend out."""
    for lr in (0.1, 0.2):
        runs = make([0, 1], {"lr": lr}, **{name: [1.0, 2.0] for name in "abcd"})
    figure = rla.plot_curves(runs, [*"abcd"], columns=2, legend=False)
    assert {axes.get_subplotspec().get_gridspec().ncols for axes in figure.axes} == {2} and texts(figure) == []
    assert {axes.get_subplotspec().get_gridspec().ncols for axes in rla.plot_curves(runs, [*"ab"], columns=9).axes} == {
        2
    }


def test_several_bands(five):
    """The first is low and high in the data, the others have columns of their own, and are fainter."""
    figure = rla.plot_curves(five, "perf/return", by="algo", band=["stderr", "minmax"])
    assert "Mean, ± 1 standard error, lowest to highest seed" in note(figure)
    ppo = figure.data[(figure.data["algo"] == "ppo") & (figure.data["x"] == 0)].iloc[0]
    values = by_hand([run for run in five if run.hparams["algo"] == "ppo"])[0]
    assert ppo["high"] - ppo["y"] == pytest.approx(numpy.std(values, ddof=1) / 5**0.5)
    assert (ppo["low.minmax"], ppo["high.minmax"]) == (min(values), max(values))
    faint = {band.get_alpha() for band in figure.axes[0].collections}
    assert len(faint) == 2
    with pytest.raises(ConfigError, match="band is 'ci'"):
        rla.plot_curves(five, "perf/return", band=["std", "ci"])


def test_baselines(make):
    """A number is in all panels, a mapping in those of a metric or a split; the scale holds for them, too."""
    for env in ("a", "b"):
        runs = make(range(3), {"env": env}, perf=[1.0, 2.0, 3.0])
    figure = rla.plot_curves(runs, "perf", split="env", baselines={"random": 2, "human": {"b": 5}}, scale=10)

    def heights(axes):
        return [line.get_ydata()[0] for line in axes.lines if line.get_transform() != axes.transData]

    assert [heights(axes) for axes in figure.axes] == [[20], [20, 50]]
    assert texts(figure)[-2:] == ["random", "human"]
    figure = rla.plot_curves(runs, "perf", baselines={"best": {"perf": 7}})
    assert heights(figure.axes[0]) == [7] and texts(figure) == ["a", "b", "best"]


def test_one_seed_is_a_line_without_a_band(make):
    """And the figure says why."""
    runs = make(range(3), {"lr": 0.1}, perf=[1.0, 2.0, 3.0])
    figure = rla.plot_curves(runs, "perf")
    assert note(figure) == "Mean, 1 seed. One seed has no band." and not figure.axes[0].collections
    assert figure.data["y"].tolist() == [1, 2, 3] and figure.data["low"].isna().all()


def test_gaps_are_counted_and_not_bridged(make):
    """NaN and infinities: the run has no value there and beside it, the line has a gap where no run has one."""
    make(range(6), perf=[1.0, NAN, 3.0, 4.0, math.inf, 6.0])
    runs = make(range(6), perf=[3.0, NAN, 3.0, 4.0, 5.0, 6.0])
    figure = rla.plot_curves(runs, "perf", by=[])
    assert "Gaps: 3 values are NaN or infinite" in note(figure)
    assert figure.data["n"].tolist() == [2, 0, 2, 2, 1, 2]
    assert figure.data["y"].isna().tolist() == [False, True, False, False, False, False]
    alone = [line for line in lines(figure.axes[0]) if line.get_linestyle() == "None"]
    assert [line.get_xdata().tolist() for line in alone] == [[0]]  # a point without a neighbour is a dot


def test_one_point_has_its_band(make):
    """As a bar: an area would have no width. Of a curve of one point, and where only one point has two seeds."""
    make([0], {"algo": "a", "seed": 0}, perf=[1.0])
    make([0], {"algo": "a", "seed": 1}, perf=[3.0])
    make([0, 10, 20], {"algo": "b", "seed": 0}, perf=[1.0, 2.0, 3.0])
    runs = make([10], {"algo": "b", "seed": 1}, perf=[4.0])
    figure = rla.plot_curves(runs, "perf", by="algo", band="minmax")
    bars = [band.get_paths()[0].vertices.tolist() for band in figure.axes[0].collections]
    assert bars == [[[0, 1], [0, 3]], [[10, 2], [10, 4]]]
    assert figure.axes[0].get_ylim()[1] > 4


def test_runs_that_lack_the_metric_are_named(make):
    """The others are drawn."""
    make(range(2), {"seed": 0}, perf=[1.0, 2.0])
    runs = make(range(2), {"seed": 1}, other=[1.0, 2.0])
    with pytest.warns(RLAWarning, match=f"1 of 2 runs have no 'perf' and are left out of its curves: {runs[1].id}"):
        assert rla.plot_curves(runs, "perf").data["n"].tolist() == [1, 1]


def test_a_resumed_run_has_the_rows_that_were_logged_last(make):
    """Where nobody has cut it."""
    runs = make([0, 10, 20, 30, 15, 25, 40], perf=[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    with pytest.warns(RLAWarning, match="goes back"):
        data = rla.plot_curves(runs, "perf").data
    assert data["x"].tolist() == [0, 10, 15, 25, 40] and data["y"].tolist() == [0, 1, 4, 5, 6]


def test_logarithmic_axes(make):
    """A constant curve has one, too; what cannot be on it is counted; a band below 0 ends at the edge."""
    for seed in range(2):
        runs = make([0, 10, 100, 1000], {"seed": seed}, same=[5.0] * 4, falls=[-1.0, 0.0, 1.0 + 9 * seed, 100.0])
    figure = rla.plot_curves(runs, "same", log="y", save="same")
    low, high = figure.axes[0].get_ylim()
    assert figure.axes[0].get_yscale() == "log" and 1 < low < 5 < high < 25
    figure = rla.plot_curves(runs, ["falls", "same"], log="xy", save="falls")
    assert "Not on the log axis: 2 points at or below 0. Not on the log axis: x at or below 0" in note(figure)
    (low, high), limits = figure.axes[0].get_ylim(), figure.axes[0].get_xlim()
    assert 0.1 < low < 6 and 100 < high < 200 and 5 < limits[0] < 10 and figure.axes[0].get_xscale() == "log"
    figure = rla.plot_curves(runs, "same", log="y", baselines={"goal": 1000, "start": 0.1})
    low, high = figure.axes[0].get_ylim()
    assert 0.05 < low < 0.1 and 1000 < high < 2000
    nothing = rla.plot_curves(runs, "falls", log="y", x_range=(0, 10), save="nothing")
    assert "2 points at or below 0" in note(nothing)


def test_other_columns_as_x(make):
    """A metric, and the time since the first row in a fitting unit; its numbers are seconds."""
    runs = make(range(0, 50, 10), perf=[1.0, 2.0, 3.0, 4.0, 5.0], epoch=[0, 1, 2, 3, 4])
    figure = rla.plot_curves(runs, "perf", x="epoch")
    assert figure.data["x"].tolist() == [0, 1, 2, 3, 4] and figure.axes[0].get_xlabel() == "epoch"
    stamps = runs[0].columns([])["timestamp"].values
    figure = rla.plot_curves(runs, "perf", x="timestamp")
    assert figure.data["x"].tolist() == pytest.approx((stamps - stamps[0]).tolist())
    assert figure.axes[0].get_xlabel() == "time (seconds)"


def test_sixty_curves_give_a_warning_and_all_differ(make):
    """Also in grey; the legend stands below the panel and fits the width."""
    for number in range(60):
        runs = make(range(2), {"lr": number / 1000}, perf=[number, number + 1.0])
    with pytest.warns(RLAWarning, match="60 curves, which nobody can tell apart"):
        figure = rla.plot_curves(runs, "perf", size="icml")
    canvas = FigureCanvasAgg(figure.figure)
    canvas.draw()
    box = figure.figure.legends[0].get_window_extent(canvas.get_renderer())
    assert box.y1 <= figure.axes[0].get_tightbbox(canvas.get_renderer()).y0 and box.x0 >= 0
    assert box.x1 <= figure.figure.bbox.width and len(texts(figure)) == 60
    handles = figure.figure.legends[0].legend_handles
    looks = {(to_hex(h.get_color()), str(h._dash_pattern), h.get_marker()) for h in handles}
    assert len(looks) == 60


def test_names_that_latex_and_file_systems_cannot_take(make, tmp_path):
    """They are drawn as they are, and the file's name is safe."""
    names = {r"a_b^{c": 1, "$\\frac{1$": r"\undefined % # & ~ {", "诗\n\x1b[31m": "🙂 e\u0301"}
    make(range(2), names, **{"perf__a:b*$x": [1.0, 2.0]})
    runs = make(range(2), names | {r"a_b^{c": 2}, **{"perf__a:b*$x": [1.0, 2.0]})
    figure = rla.plot_curves(runs, "perf/a:b*$x", by=[*names], split=r"a_b^{c", save=f"{tmp_path}/")
    assert [path.name for path in tmp_path.glob("*.pdf")] == ["perf%2Fa%3Ab%2A%24x.pdf"]
    assert figure.axes[0].get_title() == r"a_b^{c=1" and not figure.axes[0].title.get_parse_math()
    handles = figure.figure.legends
    assert handles == [] and list(figure.data)[1:4] == ["$\\frac{1$", "诗\n\x1b[31m", r"a_b^{c"]
    figure = rla.plot_curves(runs, "perf/a:b*$x", by=[*names])
    labels = "".join(texts(figure))
    assert r"\undefined % # & ~ {" in labels and "🙂" in labels and "\x1b" not in labels


def test_a_script_saves_and_leaves_matplotlib_as_it_was(five, tmp_path):
    """The user's style, open figures and backend; pyplot is not imported by it."""
    import matplotlib.pyplot as plt

    with matplotlib.rc_context({"font.size": 31, "axes.grid": False, "text.usetex": True}):
        mine = plt.figure()
        before = dict(matplotlib.rcParams)
        figure = rla.plot_curves(five, "perf/return", by="algo", save=tmp_path / "fig.pdf")
        assert dict(matplotlib.rcParams) == before and plt.get_fignums() == [mine.number] and plt.gcf() is mine
        plt.close(mine)
    assert figure.axes[0].xaxis.label.get_fontsize() == 8
    assert sorted(path.name for path in tmp_path.glob("fig.*")) == ["fig.csv", "fig.pdf", "fig.png"]
    root = str(tmp_path / "root")
    code = f"import sys, rla_hooks as rla; rla.plot_curves(rla.runs({root!r}), 'perf/return', save='x')"
    code += "; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert not {"matplotlib.pyplot", "matplotlib.style", "scipy", "pandas", "polars"} & {*done.stdout.split()}


def test_all_mistakes_are_told_at_once(five):
    """Before anything is read."""
    with pytest.raises(ConfigError) as caught:
        rla.plot_curves(
            [], [], x=5, band="ci", estimator="avg", smooth=2.5, resample=0, split=3, share="z", x_range=(2, 1),
            y_range=5, scale=0, log="z", colors=["nocolor"], markers={"a": "no"}, baselines={"a": "b"},
            individual=1, title=2, size="nips", save="fig.jpg", transform=4, overlap="all", together=1, columns=0,
        )  # fmt: skip
    words = "metrics x_range y_range x estimator band transform smooth resample size colors markers baselines".split()
    words += "log share individual overlap together columns scale title split save".split()
    assert caught.value.where == "plot_curves"
    assert [problem.split()[0] for problem in caught.value.problems] == words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"metrics": "perf/retrun"},
            r"plot_curves: no run has the metric 'perf/retrun'\. Known: name, perf/return\. Did",
        ),
        ({"metrics": "name"}, r"'name' of run \w+ has the text 'a'"),
        ({"metrics": "perf/return", "by": "alg"}, r"no run has the parameter 'alg'.*Did you mean 'algo'"),
        ({"metrics": "perf/return", "split": "alg"}, r"no run has the parameter 'alg'"),
        ({"metrics": "perf/return", "x_range": (500, None)}, r"x_range is \(500, None\), and no run has rows there"),
        ({"metrics": "perf/return", "colors": {"PPO": "red"}}, r"colors is .*none of its keys is a curve"),
        ({"metrics": [f"m{number}" for number in range(60)]}, r"60 metrics are 60 panels\. Allowed: 50"),
    ],
)
def test_mistakes_in_names(make, arguments, message):
    """Each says what there is."""
    make(range(2), {"algo": "ppo"}, perf__return=[1.0, 2.0])
    runs = make(range(2), {"algo": "sac"}, perf__return=[1.0, None], name=[None, "a"])
    with pytest.raises(ConfigError, match=message):
        rla.plot_curves(runs, **arguments)


def test_no_runs_and_runs_that_are_given_twice(five):
    """There is nothing to draw of none; a run counts once."""
    with pytest.raises(
        ConfigError, match=r"plot_curves: there are no runs \(rla.runs\(.*\)\[:0\]\), so there is nothing"
    ):
        rla.plot_curves(five[:0], "perf/return")
    with pytest.warns(RLAWarning, match="5 of 10 runs are given more than once"):
        assert rla.plot_curves(five[:5] + five[:5], "perf/return").data["n"].max() == 5


def test_runs_of_a_curve_that_differ_in_more_than_a_seed_are_said(make):
    """By a warning and by the figure; what only tells curves or panels apart is not meant."""
    for algo, (env, width), seed in itertools.product(("ppo", "sac"), (("a", 64), ("b", 128)), range(4)):
        params = {"algo": algo, "env": env, "width": width, "lr": seed // 2, "seed": seed}
        runs = make([0, 10], params, perf=[0.0, 1.0 + seed])
    with pytest.warns(RLAWarning, match="plot_curves: runs of one curve also differ in lr, and count as its seeds"):
        figure = rla.plot_curves(runs, "perf", by="algo", split="env")
    assert note(figure) == "Mean, 95 % t interval, 4 seeds. Runs of a curve also differ in lr."
    assert "differ" not in note(rla.plot_curves(runs, "perf", by=["algo", "lr"], split="env"))
    with pytest.warns(RLAWarning, match="in env, width, lr"):
        rla.plot_curves(runs, "perf", by="algo")


def test_a_baseline_that_a_log_axis_cannot_show(five):
    """It would stand in the legend only."""
    for options in ({"baselines": {"random": 0}}, {"baselines": {"random": {"perf/return": 20}}, "scale": -1.0}):
        with pytest.raises(ConfigError, match=r"baselines has 'random': .* but log has y\. Allowed: numbers above 0"):
            rla.plot_curves(five, "perf/return", by="algo", log="y", **options)
    assert rla.plot_curves(five, "perf/return", by="algo", log="x", baselines={"random": 0}, x_range=(1, None)).axes


def test_values_that_no_float_can_square(make):
    """They are gaps, as infinities are: no axis could hold them."""
    make([0, 10, 20], {"seed": 0}, perf=[1.0, 1e200, 3.0])
    runs = make([0, 10, 20], {"seed": 1}, perf=[1.0, -1e308, 5.0])
    figure = rla.plot_curves(runs, "perf", save="huge")
    assert figure.data["y"].tolist()[::2] == [1, 4] and figure.data["n"].tolist() == [2, 0, 2]
    assert "Gaps: 2 values" in note(figure)


def test_points_beside_all_runs(make):
    """The message is about the argument that was given."""
    runs = make([0, 10, 20], perf=[1.0, 2.0, 3.0])
    with pytest.raises(ConfigError, match=r"resample is \[50, 60\], and no run has rows there"):
        rla.plot_curves(runs, "perf", resample=[50, 60])


def test_ticks_of_many_steps_differ(make):
    """Also where they are millions that differ by ones."""
    runs = make(range(10_000_000, 10_000_020), perf=[1.0] * 20)
    figure = rla.plot_curves(runs, "perf")
    figure.figure.draw_without_rendering()
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len({*labels}) == len(labels) and "10000005" in labels


def test_logarithmic_axes_have_no_place_for_0(make):
    """A range that begins there follows the data."""
    runs = make([0, 10, 100], perf=[1.0, 2.0, 3.0])
    figure = rla.plot_curves(runs, "perf", log="xy", x_range=(0, 100), y_range=(0, 10), save="log")
    (low, high), (left, right) = figure.axes[0].get_ylim(), figure.axes[0].get_xlim()
    assert 0.5 < low < 1 and high == 10 and 5 < left < 10 and right == 100


def test_labels_that_begin_with_an_underscore(make):
    """matplotlib leaves such out of legends, and the names of others then stand at the wrong curves."""
    for algo in ("_x", "y"):
        runs = make(range(2), {"algo": algo}, perf=[1.0, 2.0])
    figure = rla.plot_curves(runs, "perf", baselines={"_base": 1.0})
    assert texts(figure) == ["_x", "y", "_base"] and len(figure.figure.legends[0].legend_handles) == 3


def test_a_scale_that_is_too_large(make):
    """What it makes of values is a gap, without a warning of numpy."""
    runs = make([0, 10], perf=[0.0, 100.0])
    assert rla.plot_curves(runs, "perf", scale=1e308).data["n"].tolist() == [1, 0]
