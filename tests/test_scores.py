"""One number a run: what it is, whose it is, and what is said where runs lack it. Compared with numpy by hand."""

from __future__ import annotations

import itertools
import math

import numpy
import pytest

import rla_hooks as rla
from rla_hooks.plot.scores import scores_of

pytest.importorskip("pandas")
NAN = math.nan


def values(scores):
    """The scores by the label of the group and the task."""
    return {
        (group.label, task): [score.value for score in found]
        for group, of_task in scores.groups
        for task, found in of_task.items()
    }


def of_one(**options):
    ((_, found),) = values(scores_of(rla.runs(), "return", **options)).items()
    return found


def test_the_kinds_of_scores(make_run):
    """Last, mean, best, lowest, area: of each seed apart."""
    curves = numpy.random.default_rng(0).normal(size=(3, 20))
    for seed, curve in enumerate(curves):
        make_run(*curve.tolist(), seed=seed)
    assert of_one() == curves[:, -1].tolist()
    assert of_one(score="mean", window=5) == pytest.approx(curves[:, -5:].mean(1))
    assert of_one(score="max") == curves.max(1).tolist() and of_one(score="min") == curves.min(1).tolist()
    windows = numpy.lib.stride_tricks.sliding_window_view(curves, 4, axis=1).mean(2)
    assert of_one(score="max", window=4) == pytest.approx(windows.max(1))
    steps = numpy.arange(0, 200, 10)
    area = ((curves[:, 1:] + curves[:, :-1]) / 2 * numpy.diff(steps)).sum(1) / 190
    assert of_one(score="area") == pytest.approx(area)


def test_only_rows_in_the_range_count(make_run):
    make_run(1.0, 2.0, 3.0, 4.0)
    assert of_one(x_range=(None, 20)) == [3.0] and of_one(score="min", x_range=(10, None)) == [2.0]
    assert of_one(score="area", x_range=(10, 30)) == [3.0]


def test_the_rows_of_a_curve_that_goes_back(make_run, warnings_as_text):
    """Those that were logged last count, as in curves: they replace what stands behind them."""
    with rla.run(task="t", writers=["csv"], backup="none"):
        for step, value in ((0, 0.0), (10, 50.0), (20, 90.0), (10, 10.0), (30, 40.0)):
            rla.log({"return": value}, step=step)
    assert of_one(score="max") == [40.0]
    assert of_one(score="area") == [(5.0 * 10 + 25.0 * 20) / 30]
    assert all("goes back" in text for text in warnings_as_text)
    warnings_as_text.clear()


def test_groups_tasks_and_seeds(make_run):
    """Arrays of shape (seeds, tasks), tasks in their order, whatever order the runs came in."""
    scores = numpy.random.default_rng(1).normal(size=(2, 3, 4))
    for task in (2, 0, 3, 1):
        for seed in range(3):
            for algo in range(2):
                make_run(0.0, float(scores[algo, seed, task]), algo="ab"[algo], env=task, seed=seed)
    found = scores_of(rla.runs(), "return", tasks="env")
    assert [scored.group.label for scored in found.groups] == ["a", "b"] and found.tasks == (0, 1, 2, 3)
    assert numpy.array_equal(numpy.stack(found.arrays()), scores) and found.notes == ()


def test_normalized_scores(make_run):
    """A pair for all tasks, one for each, or the extremes of the runs: the low one is 0, the high one 1."""
    scores = {("a", "p"): [1.0, 3.0], ("b", "p"): [5.0, 2.0], ("a", "q"): [100.0, 300.0], ("b", "q"): [200.0, 500.0]}
    for (algo, env), some in scores.items():
        for seed, value in enumerate(some):
            make_run(value, algo=algo, env=env, seed=seed)
    runs = rla.runs()
    a, b = scores_of(runs, "return", tasks="env", normalize="minmax").arrays()
    assert numpy.allclose(a, [[0, 0], [0.5, 0.5]]) and numpy.allclose(b, [[1, 0.25], [0.25, 1]])
    a, _ = scores_of(runs, "return", tasks="env", normalize={"p": (0, 10), "q": (100, 0)}).arrays()
    assert numpy.allclose(a, [[0.1, 0.0], [0.3, -2.0]])
    a, _ = scores_of(runs, "return", tasks="env", normalize=(1, 3)).arrays()
    assert numpy.allclose(a, [[0, 49.5], [1, 149.5]])
    with pytest.raises(rla.ConfigError, match=r"no pair for the task 'q'\. It has: p"):
        scores_of(runs, "return", tasks="env", normalize={"p": (0, 1)})
    for bad in ("max", (1, 1), (0, math.inf), (1, 2, 3), 5):
        with pytest.raises(rla.ConfigError, match="normalize"):
            scores_of(runs, "return", tasks="env", normalize=bad)


def test_equal_scores_have_no_extremes(make_run):
    make_run(7.0, env="p", seed=0)
    make_run(7.0, env="p", seed=1)
    with pytest.raises(rla.ConfigError, match=r"all scores on p are 7. Give a pair"):
        scores_of(rla.runs(), "return", tasks="env", normalize="minmax")


def test_runs_without_a_score_are_named(make_run, warnings_as_text):
    """One that lacks the metric, one that diverged: left out, named, and noted for the figure."""
    make_run(1.0, 2.0, seed=0)
    diverged, other = make_run(1.0, NAN, seed=1), make_run(1.0, metric="loss", seed=2)
    scores = scores_of(rla.runs(), "return")
    assert [*values(scores).values()] == [[2.0]]
    lacking, missing, skipped = warnings_as_text
    assert other in lacking and diverged in missing and "1 run" in missing and "left out" in missing
    assert "1 value that is not finite, skipped" in skipped and diverged in skipped
    assert scores.notes == ("2 of 3 runs have no score", "1 value that is not finite")
    warnings_as_text.clear()
    assert of_one(score="max") == [2.0, 1.0]
    warnings_as_text.clear()


def test_runs_that_ended_early_are_named(make_run, warnings_as_text):
    """Of their own task: other tasks may be shorter."""
    for env, rows in (("p", 20), ("q", 5)):
        make_run(*[1.0] * rows, env=env, seed=0)
    crashed = make_run(*[1.0] * 7, env="p", seed=1)
    scores = scores_of(rla.runs(), "return", tasks="env")
    (text,) = warnings_as_text
    assert f"{crashed} at 60 of 190" in text and scores.notes == ("1 run ended early",)
    warnings_as_text.clear()
    assert scores_of(rla.runs(), "return", tasks="env", x_range=(None, 60)).notes == ()
    assert of_one(by=[], score="area", x_range=(None, 60)) == [1.0, 1.0, 1.0]
    assert ["at 40 of 60" in each for each in warnings_as_text] == [True], "without tasks they are all of one"
    warnings_as_text.clear()


def test_fewer_values_than_the_window(make_run, warnings_as_text):
    short = make_run(1.0, 3.0)
    assert of_one(score="mean", window=3) == [2.0]
    (text,) = warnings_as_text
    assert f"window=3 values ({short}: 2)" in text
    warnings_as_text.clear()


def test_different_numbers_of_seeds(make_run, warnings_as_text):
    """Statistics over tasks take as many seeds of each; a task that a group lacks is an error."""
    for env, algo, seeds in (("p", "a", 3), ("q", "a", 2), ("p", "b", 2), ("q", "b", 2)):
        for seed in range(seeds):
            make_run(float(seed), env=env, algo=algo, seed=seed)
    a, b = scores_of(rla.runs(), "return", tasks="env").arrays()
    assert a.tolist() == b.tolist() == [[0, 0], [1, 1]]
    (text,) = warnings_as_text
    assert "a has different numbers of seeds on its tasks (p: 3, q: 2)" in text and "first 2" in text
    warnings_as_text.clear()
    make_run(1.0, env="r", algo="a", seed=0)
    with pytest.raises(rla.ConfigError, match="b has no score on the env r"):
        scores_of(rla.runs(), "return", tasks="env").arrays()


def test_mistakes(make_run, warnings_as_text):
    """Wrong arguments, names that no run has, texts: each message says what is allowed."""
    make_run(1.0, 2.0, env="p")
    make_run("fast", "slow", metric="speed")
    for options, text in (
        ({"score": "mena"}, "Known: last, mean, max, min, area. Did you mean 'mean'"),
        ({"score": "mean", "window": 0}, "window is 0"),
        ({"window": 5}, "score='last' has none"),
        ({"tasks": "envs"}, "Did you mean 'env'"),
        ({"by": "lr"}, "no run has the parameter 'lr'"),
        ({"x_range": (3, 1)}, "x_range is"),
        ({"x_range": 5}, "x_range is"),
        ({"x_range": (5, 5)}, "x_range is (5, 5). Allowed: a pair of numbers, the lower one first"),
        ({"normalize": {"p": (0, 1)}}, "a pair for each task, but tasks is None. Name the parameter"),
        ({"metric": "speed"}, "has the text 'fast'"),
        ({"metric": "retrun"}, "Did you mean 'return'"),
        ({"x": "epoch"}, "no run has the column 'epoch'"),
        ({"x_range": (500, None)}, "x_range is (500, None), and no row"),
    ):
        with pytest.raises(rla.ConfigError) as error:
            scores_of(rla.runs(), **{"metric": "return", **options})
        assert text in str(error.value)
    assert all("1 of 2 runs" in text for text in warnings_as_text)
    warnings_as_text.clear()


@pytest.mark.parametrize("draw", ["plot_bars", "plot_profiles", "plot_intervals", "plot_sample_efficiency"])
def test_runs_of_a_group_that_differ_in_more_than_a_seed_are_said(make_run, warnings_as_text, draw):
    """By a warning and by the figure; what only tells tasks or groups apart is not meant."""
    for algo, (env, width), seed in itertools.product("ab", (("p", 64), ("q", 128)), range(4)):
        make_run(1.0 + seed, 2.0 + seed, algo=algo, env=env, width=width, lr=seed // 2, seed=seed)
    drawn = getattr(rla, draw)("t", "return", by="algo", tasks="env")
    (text,) = warnings_as_text
    assert text.startswith(f"{draw}: runs of one group also differ in lr, and count as its seeds.")
    assert "runs of a group also differ in lr" in " ".join(
        text.get_text().replace("\n", " ") for text in drawn.figure.texts
    )
    warnings_as_text.clear()
    drawn = getattr(rla, draw)("t", "return", by=["algo", "lr"], tasks="env")
    assert "also differ" not in " ".join(text.get_text() for text in drawn.figure.texts)


def test_areas_say_over_what_they_are(make_run):
    """A run that crashed cuts those of all runs of its task."""
    make_run(*range(20), env="p", seed=0)
    make_run(*range(3), env="p", seed=1)
    make_run(*range(5), env="q", seed=0)
    with pytest.warns(rla.RLAWarning, match=r"ended early.*\): the areas of all runs of the task end there\. Leave"):
        scores = scores_of(rla.runs(), "return", by=[], tasks="env", score="area")
    assert scores.notes[0] == "areas over time-step: p: 0 to 20, q: 0 to 40"
    assert scores_of(rla.runs(where="env == 'q'"), "return", by=[], score="area").notes == (
        "areas over time-step 0 to 40",
    )


def test_tasks_that_python_takes_for_the_same(make_run):
    """True is no 1."""
    for env in (True, 1, 2):
        make_run(1.0, env=env)
    assert scores_of(rla.runs(), "return", by=[], tasks="env").tasks == (1, 2, "true")


def test_runs_without_a_task_are_no_runs_of_the_task_none(make_run):
    """Their scores must not be averaged with others'."""
    for env in (None, "none", "pong"):
        make_run(1.0, env=env)
    assert scores_of(rla.runs(), "return", by=[], tasks="env").tasks == ("no value", "none", "pong")


def test_parameters_that_follow_the_task(make_run):
    """The error of groups that lack tasks names by= without them; not where a group was just not run on a task."""
    for algo, env in itertools.product("ab", "pq"):
        make_run(1.0, algo=algo, env=env, width=f"{algo}{env}", depth=1 + (env == "q"))
    with pytest.raises(rla.ConfigError) as error:
        scores_of(rla.runs(), "return", tasks="env").arrays()
    assert "no score on the env q. " in str(error.value)
    assert "Here width, depth follow env: leave out what follows by by='algo'." in str(error.value)
    with pytest.raises(rla.ConfigError, match=r"Here width follows env: leave out what follows by by=\[\]\."):
        scores_of(rla.runs(where="algo == 'a'"), "return", by="width", tasks="env").arrays()
    assert len(scores_of(rla.runs(), "return", by="algo", tasks="env").arrays()) == 2
    make_run(1.0, algo="c", env="p", width="cp", depth=1)
    with pytest.raises(rla.ConfigError, match=r"c has no score on the env q.*Leave out those tasks, or this group"):
        scores_of(rla.runs(), "return", by="algo", tasks="env").arrays()
