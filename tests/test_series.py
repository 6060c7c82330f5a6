"""A run gives its rows as frames, series and best values, and its files."""

from __future__ import annotations

import math
import random

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Saver
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.plot.gather import points_of
from rla_hooks.query.curves import _window_means

pandas = pytest.importorskip("pandas")
pytestmark = pytest.mark.usefixtures("quiet")
NAN = float("nan")


@pytest.fixture
def run():
    """Logs rows of (step, values) and returns the saved run."""

    def make(*rows):
        with rla.run(task="t", writers=["csv"], backup="none"):
            for step, values in rows:
                rla.log(values, step=step)
        return rla.runs()[-1]

    return make


def test_rows_of_one_step_are_merged_on_request(run):
    """The last value that is there counts; a NaN that was logged is one; steps that go back are put in order."""
    saved = run(
        (0, {"a": 1, "t": "x"}), (0, {"b": 0.5}), (2, {"a": 3}), (1, {"a": 2, "b": 1.5}), (0, {"a": 4}), (2, {"b": NAN})
    )
    assert len(saved.metrics()) == 6
    frame = saved.metrics(merge=True)
    assert frame["time-step"].tolist() == [0, 1, 2] and frame["a"].tolist() == [4, 2, 3]
    assert frame["b"].tolist()[:2] == [0.5, 1.5] and math.isnan(frame["b"].tolist()[2])
    assert frame["t"].tolist()[0] == "x" and frame["t"].isna().tolist() == [False, True, True]
    times = saved.metrics()["timestamp"].tolist()
    assert frame["timestamp"].tolist() == [times[4], times[3], times[5]]


def test_a_metric_stands_over_what_another_call_has_logged_at_its_step(run, warnings_as_text):
    """Each row has the x of its own, else that of the nearest row of its step; series, tables and figures agree."""
    both = {"frames": 9, "loss": 9.0}
    first = [(0, {"loss": 1.0}), (0, {"frames": 100}), (1, {"frames": 200}), (1, {"loss": 2.0}), (2, {"loss": 3.0})]
    again = [(0, {"frames": 500}), (0, {"loss": 4.0}), (1, {"loss": 5.0}), (1, {"frames": 600}), (1, both)]
    saved = run(*first, *again)
    expected = [(100, 1.0), (200, 2.0), (500, 4.0), (600, 5.0), (9, 9.0)]
    assert [*saved.series("loss", x="frames").items()] == expected
    table = rla.runs().metrics(["loss"], x="frames")
    assert [*zip(table["frames"], table["value"])] == expected
    x, y = points_of(saved, "loss", "frames")
    assert [*zip(x, y)] == [(9, 9.0)] and "'frames' goes back" in warnings_as_text.pop()
    assert saved.series("loss", x="loss").tolist() == saved.series("loss").tolist() and len(saved.metrics()) == 10


def test_metrics_that_have_no_step_in_common_are_an_error(run):
    """An empty table would look as if the run had none of it."""
    saved = run((0, {"a": 1}), (1, {"b": 2}), (None, {"a": 3}))
    for call in (lambda: rla.runs().metrics(["a"], x="b"), lambda: points_of(saved, "a", "b")):
        with pytest.raises(ConfigError, match=r"no step of these runs has both 'a' and 'b'\. Log them at"):
            call()
    assert len(rla.runs().metrics(["a"], x="timestamp")) == 2 and rla.runs()[:0].metrics(["a"], x="b").empty


@pytest.fixture
def of_another_program(tmp_path):
    """A run of the original RLA, with this table: its steps are what somebody has logged."""

    def make(text):
        folder = tmp_path / "old" / "log" / "t" / "2021" / "01" / "02" / "21-28-12-867420 10.0.0.5 &lr=0.1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "progress.csv").write_text(text)
        (run,) = rla.runs(tmp_path / "old")
        return run

    return make


@pytest.mark.parametrize("gap", ["", "nan"])
def test_a_row_without_a_step_has_none(gap, of_another_program):
    """It is not the row of step 0, nor of any other one: by itself when merging, and None where a step is told."""
    run = of_another_program(f"loss,time-step,acc\n1.0,5,\n0.5,{gap},0.5\n3.0,0,\n2.0,0,0.25\n9.0,{gap},\n")
    assert run.best("loss", mode="min") == (0.5, None, None) and run.best("loss", window=2, mode="min")[1:] == (None, 5)
    assert run.best("acc") == (0.5, None, None)
    assert run.summary("loss")[5:] == (None, None) and run.summary("acc")[5:] == (0, None)
    assert run.last == {"loss": 9.0, "acc": 0.25} and run.info["last_step"] == 0
    frame = run.metrics(merge=True)
    assert frame["time-step"].fillna(-1).tolist() == [0, 5, -1, -1] and frame["loss"].tolist() == [2.0, 1.0, 0.5, 9.0]
    assert frame["acc"].fillna(-1).tolist() == [0.25, -1, 0.5, -1]


def test_steps_that_are_texts_are_none(of_another_program):
    """One text makes the column one of texts: the metrics have their values all the same, in lists as well."""
    run = of_another_program("loss,time-step\n1.0,0\n2.0,x\n3.0,2\n")
    assert run.summary("loss") == (3, 3.0, 1.0, 3.0, 2.0, None, None) and run.best("loss") == (3.0, None, None)
    runs = rla.runs(run.paths.log_root, where="max.loss > 2")
    assert runs == [run] and "loss" in run._repr_html_()
    with pytest.raises(RLAError, match="no column 'time-step' of numbers"):
        run.metrics(merge=True)


@pytest.mark.parametrize("frame", ["pandas", "polars"])
def test_only_some_metrics_are_read_on_request(frame, run):
    """With step and time, in the order that was asked for."""
    pytest.importorskip(frame)
    saved = run((0, {"a": 1, "b": 0.5, "c": "x"}), (1, {"a": 2}))
    found = saved.metrics(["c", "a"], frame=frame)
    assert list(found.columns) == ["time-step", "timestamp", "c", "a"]
    missing = math.nan if str(found["c"].dtype) == "str" else None  # pandas 3 has a type for texts
    assert found["a"].to_list() == [1, 2] and repr(found["c"].to_list()) == repr(["x", missing])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda run: run.metrics(["perf/retrun"]), RLAError, r"no row of the run has 'perf/retrun'.*perf/return.*mean"),
        (lambda run: run.metrics(frame="panda"), ConfigError, "frame is 'panda'. Known: pandas, polars. Did you mean"),
        (
            lambda run: run.series("loss"),
            RLAError,
            r"Its metrics: nan, other, perf/return, t",
        ),
        (lambda run: run.series("perf/return", x="t"), RLAError, "x is 't', a column of texts"),
        (lambda run: run.series("perf/return", x="other"), RLAError, "No row has both 'other' and 'perf/return'"),
        (lambda run: run.best("t"), RLAError, "its values are texts"),
        (lambda run: run.best("perf/return", mode="mx"), ConfigError, r"mode is 'mx'. Known: max, min. Did you mean"),
        (lambda run: run.best("perf/return", window=0), ConfigError, "window is 0. Allowed"),
        (lambda run: run.best("perf/return", window=2.5), ConfigError, "window is 2.5. Allowed"),
        (lambda run: run.best("nan"), RLAError, "are NaN"),
        (lambda run: run.best("return"), RLAError, "no row of the run has 'return'"),
    ],
)
def test_a_mistake_is_told_with_what_there_is(call, error, text, run):
    """A metric the run lacks, with the nearest one; texts where numbers are needed; words with a typing error."""
    saved = run((0, {"perf/return": 1.0, "t": "x"}), (1, {"other": 1, "nan": NAN}))
    with pytest.raises(error, match=text):
        call(saved)


def test_a_metric_of_a_run_without_rows_is_told(run):
    """Its frame is empty, and has no columns that could be guessed."""
    saved = run()
    assert saved.metrics().empty and saved.metrics(merge=True).empty
    with pytest.raises(RLAError, match="It has no rows of metrics"):
        saved.series("a")


def test_a_series_has_the_values_over_any_numeric_column(run):
    """Rows that lack one of both are left out, a NaN that was logged stays."""
    saved = run((0, {"a": 1.5, "epoch": 0}), (10, {"b": 1}), (20, {"a": NAN, "epoch": 1}), (30, {"a": 2.5}))
    over_steps = saved.series("a")
    assert (over_steps.name, over_steps.index.name) == ("a", "time-step")
    assert over_steps.index.tolist() == [0, 20, 30] and str(over_steps.tolist()) == "[1.5, nan, 2.5]"
    assert saved.series("a", x="epoch").index.tolist() == [0, 1]
    assert saved.series("b").tolist() == [1] and str(saved.series("b").dtype) == "int64"
    assert saved.series("a", x="timestamp").index.tolist() == saved.metrics()["timestamp"].iloc[[0, 2, 3]].tolist()
    assert saved.series("a", x="a").index.tolist()[0] == 1.5


def test_the_best_mean_over_a_window_is_that_of_pandas(run):
    """For many windows, of random values."""
    generator = random.Random(0)
    values = [generator.gauss(0, 1) for _ in range(300)]
    saved = run(*((10 * step, {"a": value}) for step, value in enumerate(values)))
    for window in (1, 2, 3, 7, 20, 64, 299, 300):
        means = pandas.Series(values).rolling(window).mean()
        for mode, wanted in (("max", means.idxmax()), ("min", means.idxmin())):
            best = saved.best("a", mode=mode, window=window)
            assert best.step == 10 * wanted and best.first_step == best.step - 10 * (window - 1)
            assert best.value == pytest.approx(means[wanted], abs=1e-12)


def test_the_best_value_is_not_hidden_by_nan_infinities_and_huge_values(run):
    """Windows with NaN do not count; after a value of 1e30 the digits are there again."""
    values = [NAN, 1e30, 1.25, 3.0, 2.0, NAN, 9.0, -math.inf]
    saved = run(*((step, {"a": value}) for step, value in enumerate(values)))
    assert saved.best("a", window=3) == (3.3333333333333335e29, 3, 1)
    assert saved.best("a", mode="min", window=3) == (2.0833333333333335, 4, 2)
    assert saved.best("a", mode="min") == (-math.inf, 7, 7)
    assert saved.best("a", window=2) == (5e29, 2, 1)
    few = run((0, {"a": 1}), (5, {"a": 3}))
    assert few.best("a", window=20) == (2.0, 5, 0)


def test_window_means_are_exact_sums():
    """Of whole numbers each mean is the nearest float."""
    import numpy

    values = numpy.arange(50.0) ** 2
    for window in range(1, 51):
        assert _window_means(values, window).tolist() == [
            values[at : at + window].sum() / window for at in range(51 - window)
        ]


def test_figures_are_the_images_and_videos_of_the_run(run):
    """In sub-folders as well; nothing else, and no file that is just being saved."""
    saved = run((0, {"a": 1}))
    assert saved.figures() == []
    for name in ("b.png", "a/x-10.gif", "a/film.MP4", "curve.pdf", "notes.txt", ".saving-host-1-abc.tmp", ".x.png"):
        (saved.results_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (saved.results_dir / name).write_bytes(b"")
    (saved.results_dir / "circle").symlink_to(saved.results_dir)
    names = [path.relative_to(saved.results_dir).as_posix() for path in saved.figures()]
    assert names == ["a/film.MP4", "a/x-10.gif", "b.png", "curve.pdf"]


def test_checkpoints_are_the_complete_ones(run):
    """Newest last, with what the manifest knows; one whose file is cut or gone is left out."""
    with rla.run(task="t", writers=["csv"], backup="none") as open_run:
        for step in range(3):
            rla.save_checkpoint({"weights": [step]}, step=step)
        Saver(open_run.checkpoint_dir).save({"weights": [9]}, 1, "best")
        folder = open_run.checkpoint_dir
    (folder / "checkpoint-1.pkl").write_bytes(b"cut")
    (folder / "checkpoint-2.pkl").unlink()
    found = rla.runs()[-1].checkpoints()
    assert [(each.path, each.name, each.step) for each in found] == [
        (folder / "checkpoint-0.pkl", "checkpoint", 0),
        (folder / "best-1.pkl", "best", 1),
    ]
    assert found[0].size == found[0].path.stat().st_size and found[0].time <= found[1].time
