"""Lists of saved runs, and their tables: what a row holds, which parameters differ, what names are allowed."""

from __future__ import annotations

import datetime
import math
import pickle
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.layout import RunPaths
from rla_hooks.query.entry import Entry

pandas = pytest.importorskip("pandas")
pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def make(root):
    """Makes a finished run with these rows, of steps 0, 1, ..."""

    def make(*rows, **params):
        with rla.run(task="t", log_root=root, writers=["csv"], backup="none", **params) as run:
            for step, row in enumerate(rows):
                rla.log(row, step=step)
        return run

    return make


def plain(number, hparams=(), /, **more):
    """A saved run without files."""
    name = f"t/2026/01/31/12-00-00-{number:06d}_10.0.0.5_"
    run_json = {"id": f"run{number:05d}", "last": {"loss": number / 2}}
    entry = Entry(name, "t", "finished", run_json, more | dict(hparams), {})
    return rla.SavedRun(RunPaths(Path("root"), name), entry)


def test_runs_are_a_sequence():
    """Slices and sums are Runs, equal to lists of the same runs; runs are found in them as in any sequence."""
    saved = [plain(number) for number in range(5)]
    runs = rla.Runs(saved, "rla.runs()")
    assert runs == saved and saved == runs and runs != saved[:4] and runs != 5 and len(runs) == 5
    assert isinstance(runs[1:], rla.Runs) and runs[1:3] == saved[1:3] and runs[-1] is saved[-1]
    assert isinstance(runs + saved, rla.Runs) and runs + saved == saved * 2 == saved + runs == tuple(saved) + runs
    assert saved[2] in runs and plain(9) not in runs and "t" not in runs
    assert runs.index(saved[3]) == 3 and (runs + runs).count(saved[3]) == 2 and [*reversed(runs)] == saved[::-1]
    assert sum([runs, runs], rla.Runs()) == saved * 2 and not rla.Runs()
    assert pickle.loads(pickle.dumps(runs)) == runs
    with pytest.raises(TypeError):
        runs + 5
    with pytest.raises(TypeError):
        hash(runs)


def test_the_query_says_how_the_runs_were_chosen():
    """Slices and sums stand in it as they were written, so that it can be pasted."""
    runs = rla.Runs([plain(0), plain(1)], "rla.runs(task='t')")
    assert runs[1:].query == "rla.runs(task='t')[1:]" and runs[::-1].query == "rla.runs(task='t')[::-1]"
    assert (runs + runs[:1]).query == "rla.runs(task='t') + rla.runs(task='t')[:1]"
    assert (runs + runs)[:1].query == "(rla.runs(task='t') + rla.runs(task='t'))[:1]"
    assert (runs + [*runs]).query == "rla.runs(task='t') + <2 runs>" and ([*runs] + runs).query.startswith("<2 runs>")
    assert sum([runs] * 1000, rla.Runs()).query.endswith("characters)")


def test_the_repr_of_thousands_is_short():
    """A few runs stand there all; of many the first and the last."""
    assert repr(rla.Runs()) == "Runs([])"
    assert repr(rla.Runs([plain(0), plain(1)])) == f"Runs([{plain(0)!r}, {plain(1)!r}])"
    text = repr(rla.Runs(plain(number) for number in range(5000)))
    assert "run00000" in text and "run04999" in text and "4,994 more" in text and len(text) < 1000


def test_a_wrong_index_says_what_to_do():
    """A text is no index: the message shows how to find a run by it; a number too large tells the query."""
    runs = rla.Runs([plain(0)], "rla.runs(task='t')")
    with pytest.raises(TypeError, match=r"index is 'run00000'.*where="):
        runs["run00000"]
    with pytest.raises(IndexError, match=r"no run 1: rla.runs\(task='t'\) has 1 run\."):
        runs[1]


def test_a_table_has_a_row_a_run(make, root):
    """What the run is comes first, then the differing parameters, then the last values, with types of the values."""
    for seed in range(3):
        make({"loss": 1.0}, {"loss": 0.5 / (seed + 1), "return": seed}, seed=seed, lr=0.1, net=[64, 64])
    runs = rla.runs(root)
    table = runs.table()
    about = ["id", "task", "status", "started", "seconds", "rows"]
    assert list(table) == [*about, "seed", "loss", "return"]
    assert table["id"].tolist() == [run.id for run in runs] and set(table["status"]) == {"finished"}
    assert table["loss"].tolist() == [0.5, 0.25, 0.5 / 3] and table["return"].tolist() == [0, 1, 2]
    assert table["started"].tolist() == [run.started for run in runs]
    assert table["started"].dt.tz is datetime.timezone.utc and table["rows"].tolist() == [2, 2, 2]
    assert [str(table[name].dtype) for name in ("started", "seconds", "rows", "seed", "return")] == [
        "datetime64[us, UTC]", "float64", "int64", "int64", "int64",
    ]  # fmt: skip
    assert list(runs.table("loss", "all")) == [*about, "seed", "lr", "net", "loss"]
    assert runs.table([], ["net", "lr"])["net"].tolist() == ["[64, 64]"] * 3
    assert list(runs.table([], ["host", "id", "hparams.lr"]))[6:] == ["host", "hparams.lr"]
    assert list(runs.table(["last.loss"], []))[6:] == ["last.loss"]


def test_the_parameters_that_differ():
    """Missing is None; lists, nested values and NaN compare by value; 1 is 1.0 and no True."""
    same = {"list": [1, {"a": [2]}], "nan": math.nan, "number": 1, "none": None, "text": "x"}
    one = plain(0, **same, missing=1, flag=True, inner=[[1]], order={"a": 1, "b": 2}, late=None)
    other = plain(1, **(same | {"number": 1.0, "nan": float("nan")}), flag=1, inner=[[2]], order={"b": 2, "a": 1})
    table = rla.Runs([one, other]).table(metrics=[])
    assert list(table)[6:] == ["missing", "flag", "inner"]
    assert table["flag"].tolist() == ["true", "1"] and table["inner"].tolist() == ["[[1]]", "[[2]]"]
    assert str(table["missing"].dtype) == "Int64" and table["missing"].tolist() == [1, pandas.NA]
    assert list(rla.Runs([one]).table(metrics=[]))[6:] == []
    assert list(rla.Runs([one]).table(metrics=[], params="all"))[6:] == list(one.hparams)


def test_names_that_stand_twice():
    """A hyper-parameter with the name of another column is hparams.<name>; nothing is lost."""
    runs = rla.Runs(plain(n, {"status": n, "id": -n, "host": n, "loss": 9}) for n in range(2))
    table = runs.table(["loss"], "all")
    assert list(table)[6:] == ["hparams.status", "hparams.id", "hparams.host", "hparams.loss", "loss"]
    assert table["hparams.status"].tolist() == [0, 1] and table["status"].tolist() == ["finished"] * 2
    assert table["id"].tolist() == ["run00000", "run00001"] and table["loss"].tolist() == [0.0, 0.5]


@pytest.mark.parametrize("wrong", [{"metrics": ["los"]}, {"metrics": "max.los"}, {"metrics": [], "params": ["los"]}])
def test_a_name_that_no_run_has(wrong):
    """The error lists the nearest and those that exist."""
    runs = rla.Runs(plain(number, loss=number) for number in range(2))
    with pytest.raises(ConfigError, match=r"No run has the .*los'\. Known: .*loss.* Did you mean '.*loss'\?"):
        runs.table(**wrong)
    assert len(rla.Runs().table(["anything"], ["at all"])) == 0


def test_many_metrics_are_bounded(monkeypatch):
    """A table that was asked for nothing has the first 100 metrics, and says so; the error lists a few."""
    entry = plain(0).entry
    last = {f"m/{number}": 0.5 for number in range(100_000)}
    run = rla.SavedRun(plain(0).paths, entry._replace(run_json=entry.run_json | {"last": last}))
    with pytest.warns(rla.RLAWarning, match="first 100 of 100,000 metrics"):
        assert len(list(rla.Runs([run]).table())) == 106
    with pytest.raises(ConfigError, match="and 99,980 more"):
        rla.Runs([run]).table(["loss"])


def test_metrics_of_all_runs_in_one_frame(make, root):
    """One row a value: the runs in order, the metrics as asked; rows without the metric or x are left out."""
    make({"a": 1.0, "x": 10}, {"b": 5}, {"a": -math.inf, "x": 30}, lr=0.1)
    make({"a": 2, "x": 0.5}, {"a": math.inf}, lr=0.2)
    runs = rla.runs(root)
    long = runs.metrics(["b", "a"])
    ids = [run.id for run in runs]
    assert list(long) == ["id", "lr", "time-step", "metric", "value"]
    assert long["id"].tolist() == [ids[0]] * 3 + [ids[1]] * 2 and long["lr"].tolist() == [0.1] * 3 + [0.2] * 2
    assert long["metric"].tolist() == ["b", "a", "a", "a", "a"] and long["time-step"].tolist() == [1, 0, 2, 0, 1]
    assert repr(long["value"].tolist()) == "[5.0, 1.0, -inf, 2.0, inf]"
    assert str(long["time-step"].dtype) == "int64" and str(long["value"].dtype) == "float64"
    other = runs.metrics("a", x="x", params=[])
    assert list(other) == ["id", "x", "metric", "value"] and other["x"].tolist() == [10, 30, 0.5]
    assert repr(other["value"].tolist()) == "[1.0, -inf, 2.0]"
    assert sorted(set(runs.metrics()["metric"])) == ["a", "b", "x"]
    assert runs.metrics("a", x="timestamp")["timestamp"].is_monotonic_increasing


def test_many_parameters_are_not_repeated_in_each_row(make, root):
    """A long table has the first 100 that differ, and says so; all of them, or others, for who asks."""
    for value in (1, 2):
        make({"loss": 0.5}, **{f"p{number:03}": value for number in range(120)})
    runs = rla.runs(root)
    with pytest.warns(rla.RLAWarning, match="first 100 of 120 parameters"):
        assert [*runs.metrics("loss")][:102] == ["id", *(f"p{number:03}" for number in range(100)), "time-step"]
    assert len([*runs.metrics("loss", params="all")]) == 124 and "p119" in runs.metrics("loss", params=["p119"])
    assert len([*runs.table(["loss"])]) == 127


def test_wrong_metrics_of_runs(make, root):
    """A name that no run has, as metric or x, and a text: each says what is allowed."""
    make({"loss": 1.0, "note": "fine"})
    runs = rla.runs(root)
    with pytest.raises(ConfigError, match=r"No run has the metric 'los'\. Known: .*loss.* Did you mean 'loss'"):
        runs.metrics(["los"])
    with pytest.raises(ConfigError, match=r"No run has the column 'step'\. Known: .*time-step"):
        runs.metrics(["loss"], x="step")
    with pytest.raises(ConfigError, match=r"'note' of run .* has the text 'fine'\. .*run\.metrics\(\)"):
        runs.metrics(["note"])
    with pytest.raises(ConfigError, match=r"'note' of run"):
        runs.metrics(["loss"], x="note")
    assert list(runs.metrics(["loss"])["value"]) == [1.0]


def test_no_runs_and_runs_without_rows(make, root):
    """Both give frames with all columns and no rows."""
    assert list(rla.Runs().metrics(["a"])) == ["id", "time-step", "metric", "value"]
    assert len(rla.Runs().table()) == 0
    make(lr=0.1)
    assert len(rla.runs(root).metrics()) == 0 and len(rla.runs(root).table()) == 1


def test_another_library_of_frames(monkeypatch):
    """A wrong name and a missing library are clear errors; the extra is named."""
    with pytest.raises(ConfigError, match=r"frame is 'polar'\. Known: pandas, polars\. Did you mean 'polars'"):
        rla.Runs().table(frame="polar")
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
        for call in (rla.Runs().table, rla.Runs().metrics):
            with pytest.raises(RLAError, match=rf"needs {name}.*rla-hooks\[query\]"):
                call(frame=name)


def test_metrics_with_the_names_of_columns(make, root):
    """What is built in stays, and the metric stands beside it; one called max.<metric> is not taken for an extreme."""
    make({"seconds": 99.5, "id": 7, "value": 5.0, "return": 9.0, "max.return": 1.0}, {"return": 2.0, "max.return": 3.0})
    runs = rla.runs(root)
    table = runs.table()
    assert table["id"].tolist() == [runs[0].id] and table["seconds"].tolist() == [runs[0].seconds]
    last = ["last.seconds", "last.id", "value", "return", "last.max.return"]
    assert table[last].values.tolist() == [[99.5, 7.0, 5.0, 2.0, 3.0]]
    assert runs.table(["max.return", "seconds"])[["max.return", "last.seconds"]].values.tolist() == [[9.0, 99.5]]
    for x, column in (("value", "last.value"), ("id", "last.id")):
        frame = runs.metrics("return", x=x)
        assert list(frame) == ["id", column, "metric", "value"] and frame["id"].tolist() == [runs[0].id]
    assert runs.metrics("max.return")["value"].tolist() == [1.0, 3.0]
    with pytest.raises(ConfigError, match=r"No run has the metric 'max\.value'"):
        runs.metrics("max.value")


def test_a_run_that_has_not_ended_has_no_end(make, root, recwarn):
    """And numpy warns of nothing."""
    make()
    table = rla.Runs([*rla.runs(root), plain(1)]).table([], ["ended"])
    assert table["ended"].isna().tolist() == [False, True] and not recwarn.list
