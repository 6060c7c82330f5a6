"""Aggregate scores with intervals, compared with a bootstrap in plain numpy."""

from __future__ import annotations

import itertools

import numpy
import pytest

import rla_hooks as rla
from rla_hooks.statistics import coverage
from rla_hooks.statistics.measured import coverage_over_tasks

pytest.importorskip("pandas")
pytest.importorskip("scipy")
SEEDS, TASKS = 4, 3


def middle(values):
    """The mean of the middle half."""
    cut = len(values) // 4
    return numpy.sort(values)[cut : len(values) - cut].mean()


AGGREGATES = {
    "median": lambda scores: numpy.median(scores.mean(0)),
    "iqm": lambda scores: middle(scores.ravel()),
    "mean": lambda scores: scores.mean(),
    "optimality_gap": lambda scores: 1 - numpy.minimum(scores, 1).mean(),
}


@pytest.fixture
def scores(make_run):
    """Shape (2 algorithms, seeds, tasks)."""
    found = numpy.random.default_rng(3).normal(0.6, 0.4, (2, SEEDS, TASKS))
    for algo, seed, task in numpy.ndindex(found.shape):
        make_run(float(found[algo, seed, task]), algo="ab"[algo], env=f"env{task}", seed=seed)
    return found


def draw(**options):
    drawn = rla.plot_intervals("t", "return", tasks="env", **options)
    return drawn, " ".join(text.get_text().replace("\n", " ") for text in drawn.figure.texts)


def test_points_and_intervals(scores):
    drawn, said = draw(normalize=(0, 1))
    assert drawn.data.columns.tolist() == ["metric", "algo", "statistic", "score", "low", "high", "n"]
    assert drawn.data.statistic.tolist() == [*AGGREGATES] * 2 and set(drawn.data.n) == {SEEDS}
    random = numpy.random.default_rng(1)
    for number, row in drawn.data.iterrows():
        array, statistic = scores[number // 4], AGGREGATES[row.statistic]
        assert row.score == pytest.approx(statistic(array))
        drawings = random.integers(0, SEEDS, (4000, SEEDS, TASKS))
        again = [statistic(numpy.take_along_axis(array, each, 0)) for each in drawings]
        assert numpy.allclose([row.low, row.high], numpy.quantile(again, [0.025, 0.975]), atol=0.06)
    assert "95 % intervals of the stratified bootstrap (2,000 repetitions), which may hold" in said
    assert "; 4 seeds of each of 3 tasks" in said
    assert "normalized return" in said and "optimality gap below 1" in said


def test_what_is_drawn_are_the_numbers(scores):
    """A panel each; a bar from low to high, a line at the point; the first group is on top."""
    drawn, said = draw(aggregates=["iqm", "mean"])
    assert [panel.get_title() for panel in drawn.axes] == ["IQM", "Mean"]
    for panel, name in zip(drawn.axes, ("iqm", "mean")):
        rows = drawn.data[drawn.data.statistic == name]
        assert numpy.allclose([bar.get_x() for bar in panel.patches], rows.low)
        assert numpy.allclose([bar.get_x() + bar.get_width() for bar in panel.patches], rows.high)
        assert numpy.allclose([line.get_xdata()[0] for line in panel.lines], rows.score)
        low, high = panel.get_xlim()
        assert low < rows.low.min() and high > rows.high.max()
    assert [text.get_text() for text in drawn.axes[0].get_yticklabels()] == ["a", "b"]
    assert drawn.axes[0].get_ylim() == (1.5, -0.5) and "not normalized" in said


def test_without_normalizing_there_is_no_gap_unless_asked_for(scores):
    assert set(draw()[0].data.statistic) == {"median", "iqm", "mean"}
    gap = draw(aggregates="optimality_gap", gamma=0.5)[0].data.score
    assert numpy.allclose(gap, 0.5 - numpy.minimum(scores, 0.5).mean((1, 2)))


def test_few_seeds_are_said(make_run, warnings_as_text):
    """An IQM that is a mean, a group without an interval, and what an interval of one task is worth."""
    for algo, count in (("a", 3), ("b", 1)):
        for seed in range(count):
            make_run(float(seed), algo=algo, seed=seed)
    drawn = rla.plot_intervals("t", "return", aggregates="iqm")
    said = " ".join(text.get_text().replace("\n", " ") for text in drawn.figure.texts)
    assert "the IQM of fewer than 4 scores is their mean" in said and "none for groups of one seed" in said
    assert "hold the true value in about 75 % of experiments, none" in said  # of the other group
    assert drawn.data.score.tolist() == [1.0, 0.0] and drawn.data.low.isna().tolist() == [False, True]
    (text,) = warnings_as_text
    assert "b has one seed" in text
    warnings_as_text.clear()
    drawn = rla.plot_intervals(rla.runs(where="algo == 'a'"), "return")
    said = " ".join(text.get_text().replace("\n", " ") for text in drawn.figure.texts)
    assert f"hold the true value in about {100 * coverage('iqm', 3):.0f} % of" in said


def test_what_intervals_are_worth_is_said_of_those_that_are_shown(make_run):
    """The mean of five seeds is covered less often than their IQM and their median: the note has the range."""
    for seed in range(5):
        make_run(float(seed), seed=seed)
    for aggregates, part in (("mean", "83"), ("iqm", "90"), (["iqm", "median", "mean"], "83 to 93")):
        drawn = rla.plot_intervals("t", "return", aggregates=aggregates)
        said = " ".join(text.get_text().replace("\n", " ") for text in drawn.figure.texts)
        assert f"hold the true value in about {part} % of experiments" in said


def test_mistakes_are_told_at_once(scores):
    with pytest.raises(rla.ConfigError) as error:
        rla.plot_intervals("t", "return", aggregates=["iqn"], gamma="1", level=95, reps=0, seed=-1, size=0)
    for text in ("Did you mean 'iqm'", "gamma is '1'", "Did you mean 0.95", "reps is 0", "seed is -1", "size is 0"):
        assert text in str(error.value)


def test_what_intervals_of_few_seeds_are_worth(make_run):
    """Of the statistics that are shown, over as many tasks: from the worst to the best."""
    for env in "pqrst":
        for seed in range(5):
            make_run(float(seed), env=env, seed=seed)

    def said(**options):
        drawn = rla.plot_intervals("t", "return", reps=100, **options)
        return " ".join(text.get_text().replace("\n", " ") for text in drawn.figure.texts)

    one = {name: round(100 * coverage_over_tasks(name, 5, 1)) for name in ("mean", "median")}
    many = {name: round(100 * coverage_over_tasks(name, 5, 5)) for name in ("mean", "iqm", "median")}
    runs = rla.runs(where="env == 'p'")
    drawn = rla.plot_intervals(runs, "return", aggregates=["median", "mean"], reps=100)
    text = " ".join(text.get_text().replace("\n", " ") for text in drawn.figure.texts)
    assert one["mean"] < 85 and f"hold the true value in about {one['mean']} to {one['median']} % of exp" in text
    assert f"may hold the true value in only {many['iqm']} % of experiments" in said(tasks="env", aggregates="iqm")
    assert f"in only {min(many.values())} % of experiments" in said(tasks="env")
    assert "hold the true value" not in said(tasks="env", level=0.9)


@pytest.mark.parametrize("size", ["icml", "neurips", "icml-wide"])
@pytest.mark.parametrize("high", [0.02, 0.7, 1, 1.6, 3e-6, 7000])
def test_texts_do_not_touch(scores, size, high):
    """Titles, and the numbers of an axis, of which there are two at least, in a column, either."""
    drawn, _ = draw(normalize=(0, 1 / high), size=size, reps=100, aggregates=[*AGGREGATES])
    drawn.figure.draw_without_rendering()
    boxes = [panel.title.get_window_extent() for panel in drawn.axes]
    assert all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))
    assert boxes[-1].x1 <= drawn.figure.bbox.x1
    for panel in drawn.axes:
        left, right = panel.get_xlim()
        ticks = [tick for tick in panel.xaxis.get_major_ticks() if left <= tick.get_loc() <= right]
        boxes = [tick.label1.get_window_extent() for tick in ticks]
        assert len(boxes) > 1 and all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))


def test_tasks_with_more_seeds(make_run):
    """As many as all have are taken, and the figure says how many these are."""
    for env, count in (("p", 5), ("q", 3)):
        for seed in range(count):
            make_run(float(seed), env=env, seed=seed)
    with pytest.warns(rla.RLAWarning, match="take the first 3 of each"):
        drawn = rla.plot_intervals("t", "return", tasks="env")
    said = " ".join(text.get_text().replace("\n", " ") for text in drawn.figure.texts)
    assert "; 3 seeds of each of 2 tasks, of tasks with more the first" in said and set(drawn.data.n) == {3}


def test_tasks_that_are_numbers_may_be_named_by_texts(make_run):
    """As the command line names them."""
    for env in (1, 2):
        for seed in range(2):
            make_run(float(env * seed), env=env, seed=seed)
    drawn = rla.plot_intervals("t", "return", tasks="env", normalize={"1": (0, 1), "2": (0, 2)}, aggregates="mean")
    assert drawn.data.score.tolist() == [0.5]
