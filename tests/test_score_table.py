"""Tables of the scores of runs: the numbers are those of numpy and scipy, the marks and notes are true."""

import math

import numpy
import pytest
from scipy import stats

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RLAError, RLAWarning

pytestmark = pytest.mark.usefixtures("quiet")


def _train(rows, task="t", **parameters):
    """One run: rows are (step, metrics)."""
    with rla.run(task=task, writers=["csv"], backup="none", **parameters):
        for step, values in rows:
            rla.log(values, step=step)


def _curves(algo, seed, steps=5, env="a", **others):
    """Curves that are alike for no two seeds: a mean and a loss."""
    gain = {"ppo": 3.0, "dqn": 2.9, "random": 0.5}[algo] * (10 if env == "b" else 1)
    noise = numpy.random.default_rng(seed).normal(size=steps)
    rows = [(10 * at, {"return": gain * at + noise[at], "loss": 1 / (at + 1) + seed / 100}) for at in range(steps)]
    _train(rows, algo=algo, seed=seed, env=env, **others)
    return gain * (steps - 1) + noise[-1]


def test_the_numbers_are_those_of_numpy_and_scipy():
    """Mean and t interval, interquartile mean, best, by the last value of each run."""
    expected = {algo: [_curves(algo, seed) for seed in range(6)] for algo in ("dqn", "ppo", "random")}
    table = rla.score_table(rla.runs(), "return", by="algo")
    data = table.data
    assert [*data.columns] == [
        *("algo", "metric", "n", "mean", "mean_low", "mean_high", "iqm", "iqm_low", "iqm_high", "best")
    ]
    assert data["algo"].tolist() == ["dqn", "ppo", "random"] and data["n"].tolist() == [6, 6, 6]
    for row, scores in zip(data.itertuples(), expected.values(), strict=True):
        half = stats.t.ppf(0.975, 5) * numpy.std(scores, ddof=1) / math.sqrt(6)
        assert (row.mean, row.best) == pytest.approx((numpy.mean(scores), max(scores)))
        assert (row.mean_low, row.mean_high) == pytest.approx((row.mean - half, row.mean + half))
        assert row.iqm == pytest.approx(stats.trim_mean(scores, 0.25))
        assert min(scores) <= row.iqm_low < row.iqm < row.iqm_high <= max(scores)
    text = table.markdown()
    assert text.count("**") == 6 and text.count(" †") == 3  # dqn is tied in two columns; the note explains the mark
    assert "t interval" in text and "fewer than 4" not in text


def test_steps_to_a_threshold():
    """The median of the first steps that reach it; a run that never does counts as longer than it ran."""
    for seed, top in enumerate([40, 20, 30]):
        _train([(step, {"return": float(step)}) for step in range(0, top, 10)], algo="a", seed=seed)
    _train([(0, {"return": 5.0}), (10, {"return": 1.0})], algo="b", seed=0)
    for seed in range(2):
        _train([(0, {"return": 0.0})], algo="c", seed=seed)
    with pytest.warns(RLAWarning, match="5 runs ended early"):
        table = rla.score_table(rla.runs(), "return", by="algo", columns="steps", threshold=20)
    assert table.data["steps"].tolist() == [20, math.inf, math.inf] and table.data["reached"].tolist() == [2, 0, 0]
    text = table.markdown()
    assert (
        "**20 [20, ∞]** (2 of 3)" in text
        and "∞ (0 of 1) †" in text
        and "∞ (0 of 2) †" in text
        and "Kaplan-Meier" in text
    )
    with pytest.warns(RLAWarning, match="ended early"):
        below = rla.score_table(rla.runs(), "return", "algo", "steps", threshold=1, lower_is_better="return")
    assert below.data["steps"].tolist() == [0, 10, 0]


def test_less_is_better_where_it_is_said():
    """Of the named metrics; the best is the least."""
    for algo, seed in (("ppo", 0), ("ppo", 1), ("random", 7), ("random", 8)):
        _curves(algo, seed)
    table = rla.score_table(rla.runs(), ["return", "loss"], "algo", ["mean", "best"], lower_is_better="loss")
    assert table.data["best"].tolist()[2:] == pytest.approx([0.2, 0.27])
    row = next(line for line in table.markdown().splitlines() if line.startswith("| ppo"))
    assert row.count("**") == 8


def test_tasks_have_columns_of_their_own(read_latex):
    """One mean a task; the metric stands above them."""
    expected = {
        (algo, env): [_curves(algo, seed, env=env) for seed in range(3)]
        for algo in ("ppo", "random")
        for env in ("a", "b")
    }
    table = rla.score_table(rla.runs(), "return", tasks="env")
    assert [*table.data.columns[:4]] == ["algo", "env", "metric", "n"]
    for row in table.data.itertuples():
        assert row.mean == pytest.approx(numpy.mean(expected[row.algo, row.env]))
    read = read_latex(table.latex())
    assert read.rows[:2] == [["", "", "return", ""], ["algo", "runs", "a", "b"]] and read.rules == [(3, 4)]
    several = read_latex(rla.score_table(rla.runs(), "return", tasks="env", columns=["mean", "best"]).latex())
    assert several.rows[:2] == [["", "", "a", "", "b", ""], ["algo", "runs", "mean", "best", "mean", "best"]]


def test_runs_without_a_score_are_counted_and_named():
    """A run without the metric, one whose last value is NaN: the cell says how many it is made of."""
    for seed in range(4):
        _curves("ppo", seed)
    _train([(40, {"loss": 1.0})], algo="ppo", seed=4, env="a")
    with pytest.warns(RLAWarning, match="'return'"):
        table = rla.score_table(rla.runs(), ["loss", "return"], "algo", "mean")
    assert table.data["n"].tolist() == [5, 4] and "(n = " in table.markdown() and "return: 1 of 5 runs" in str(table)


def test_a_row_of_runs_that_differ_in_more_than_seeds_says_so():
    """What tells rows and tasks apart, and seeds, are not meant."""
    for lr in (0.1, 0.2):
        for env in ("a", "b"):
            _curves("ppo", int(10 * lr), env=env, lr=lr)
    assert "Runs of a row also differ in lr." in " ".join(str(rla.score_table("t", "return", "env")).split())
    for table in (rla.score_table("t", "return", ["env", "lr"]), rla.score_table("t", "return", "lr", tasks="env")):
        assert "also differ" not in str(table)


def test_one_run_has_no_interval_and_is_never_clearly_worse():
    """It has a number; a dagger where it is not the best."""
    _curves("ppo", 0)
    _curves("random", 0)
    table = rla.score_table(rla.runs(), "return", "algo")
    assert table.data["mean_low"].isna().all() and "±" not in table.markdown(notes=False)
    assert "† The interval overlaps that of the best, which is bold, or there is one run: no test." in (
        " ".join(table.markdown().split())
    )
    assert table.markdown(notes=False).count("†") == 2 and "of fewer than 4 runs it is their mean" in table.markdown()


def test_names_are_rows_by_a_legend():
    """In place of the parameters' columns."""
    for algo in ("ppo", "random"):
        _curves(algo, 0)
    text = rla.score_table(rla.runs(), "return", "algo", "best", legend={"ppo": "PPO_1 (ours)"}).latex()
    assert r"PPO\_1 (ours) & 1 &" in text and "random & 1 &" in text


def test_odd_names_are_taken(odd_texts, read_latex):
    """As values, as names of parameters and of metrics; a warning says what pdfLaTeX lacks."""
    names = [text for text in odd_texts if len(text) < 300][:30]
    for number, text in enumerate(names):
        _train([(0, {"a_b|c&d$": float(number)})], **{"x_%#": text, "seed": 0})
    with pytest.warns(RLAWarning, match="XeLaTeX"):
        latex = rla.score_table(rla.runs(), "a_b|c&d$", columns="best").latex()
    table = read_latex(latex)
    assert table.rows[0][2] == "a_b|c&d$" and table.rows[1][0] == "x_%#" and len(table.rows) >= 2 + 25
    assert len(rla.score_table(rla.runs(), "a_b|c&d$", columns="best").markdown(notes=False).splitlines()) >= 2 + 25


def test_columns_with_the_names_of_parameters():
    """A parameter called mean or n keeps its column beside the table's own."""
    for mean in (1, 2):
        _train([(0, {"return": 5.0 * mean})], mean=mean, n=mean)
    data = rla.score_table(rla.runs(), "return", columns="mean").data
    assert [*data.columns[:4]] == ["hparams.mean", "hparams.n", "metric", "n"] and data["mean"].tolist() == [5, 10]


def test_all_mistakes_are_told_at_once():
    """Before runs are read."""
    with pytest.raises(ConfigError) as error:
        rla.score_table(
            rla.runs(), "return", columns=["mean", "modus"], threshold="x", lower_is_better="los", score="lst",
            method="T", normalize=3, x_range=(2, 1),
        )  # fmt: skip
    assert len(error.value.problems) == 7
    for words in ("'modus'", "threshold", "'los'", "'last'?", "'T'", "normalize", "x_range"):
        assert words in str(error.value)
    with pytest.raises(ConfigError, match="columns has 'steps'"):
        rla.score_table(rla.runs(), "return", columns="steps")
    with pytest.raises(ConfigError, match="columns has no 'steps'"):
        rla.score_table(rla.runs(), "return", columns="mean", threshold=1)
    with pytest.raises(ConfigError, match=r"score_table: there are no runs.*, so there is nothing to show\."):
        rla.score_table(rla.runs(), "return")
    _curves("ppo", 0)
    with pytest.raises(RLAError, match="Did you mean 'return'"):
        rla.score_table(rla.runs(), "retrun")
    with pytest.raises(ConfigError, match="no run has the parameter 'alg'"):
        rla.score_table(rla.runs(), "return", by="alg")


def test_a_table_is_saved_by_its_ending(tmp_path, read_rows, read_latex):
    """Markdown, LaTeX with the query in a comment, csv with all digits; others are refused."""
    for seed in range(3):
        _curves("ppo", seed)
    table = rla.score_table(rla.runs(task="t"), "return")
    for ending in (".md", ".tex", ".csv"):
        assert table.save(tmp_path / "new" / f"table{ending}").is_file()
    assert (tmp_path / "new/table.md").read_text() == f"{table}\n"
    assert "% rla.runs(task='t')\n" in (tmp_path / "new/table.tex").read_text()
    (row,) = read_rows(tmp_path / "new/table.csv")
    assert float(row["mean"]) == table.data["mean"][0] and row["n"] == "3"
    for path in ("table.pdf", "table", 3, ""):
        with pytest.raises(ConfigError):
            table.save(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        table.save(tmp_path / "file" / "table.md")
    for digits in (0, 16, 2.0, True):
        with pytest.raises(ConfigError, match="digits"):
            table.latex(digits=digits)


def test_it_shows_itself_in_a_notebook_and_on_a_terminal():
    """As Markdown; the repr says what it is."""
    _curves("ppo", 0)
    table = rla.score_table("t", "return")
    assert table._repr_markdown_() == str(table) == table.markdown()
    assert repr(table) == "ScoreTable(1 rows, 3 columns, runs: rla.runs(task='t'))"


def test_a_path_that_no_system_takes(make_run):
    """Is refused in words."""
    make_run(1.0)
    with pytest.raises(ConfigError, match=r"path is 'a\\x00b.tex'"):
        rla.score_table("t", "return").save("a\0b.tex")


def test_rows_of_values_that_look_alike(make_run):
    """Texts stand in quotes then."""
    for value in (1, "1", None, "none"):
        make_run(1.0, kind=value)
    table = rla.score_table("t", "return", by="kind", columns="mean")
    assert table.grid.keys[0].cells == ["1", "'1'", "'none'", "none"]
