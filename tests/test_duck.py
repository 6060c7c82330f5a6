"""SQL over saved runs: what the views hold, what is read for a query, what a query cannot do, how mistakes are told."""

from __future__ import annotations

import math
import sys
from datetime import date, timedelta

import pytest

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.query import bulk

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pytest.importorskip("duckdb")
pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Four runs of two algorithms, with three rows each; the first lacks some of it."""
    root = tmp_path_factory.mktemp("sql") / "root"
    for seed in range(4):
        more = {"tags": ["good", "it's"], "width": 2**60 + seed} if seed else {}
        params = {"algo": "ab"[seed % 2], "seed": seed, "status": seed, "Seed": "x", "net": [64, seed]}
        with rla.run(task=f"t/{seed}", log_root=root, writers=["csv"], backup="none", **params, **more):
            for step in range(3):
                late = {"late": math.nan, "text": "é'\""} if step == 2 and seed else {}
                rla.log({"perf/return": 10.0 * seed + step, "k": step, "K": -step} | late, step=step)
    testing.reset()
    return root


@pytest.fixture
def ask(root):
    """The answer to a query as a list of tuples, by polars, which keeps null and NaN apart."""
    return lambda query, **more: rla.sql(query, root, frame="polars", **more).rows()


def test_the_view_of_runs(ask, root):
    """One row a run, in order, with the names of the filter language; what a run lacks is null."""
    saved = rla.runs(root)
    assert ask("select id, task, status, name, started, seconds, rows, step from runs") == [
        (run.id, run.task, "finished", run.name, run.started, run.seconds, 3, 2) for run in saved
    ]
    assert ask('select seed, "hparams.status", "Seed#2", net, width from runs') == [
        (seed, seed, "x", f"[64, {seed}]", 2**60 + seed if seed else None) for seed in range(4)
    ]
    assert ask('select "last.perf/return", "last.text" from runs') == [
        (10.0 * seed + 2, "é'\"" if seed else None) for seed in range(4)
    ]
    assert ask("select seed from runs where list_contains(tags, 'it''s')") == [(1,), (2,), (3,)]
    assert ask("select tags from runs where seed < 2") == [([],), (["good", "it's"],)]
    assert ask("select ended - started as took from runs") == [(run.ended - run.started,) for run in saved]


def test_the_view_of_metrics(ask, root):
    """One row a dump; a metric that came late or never is null, and a NaN that was logged is NaN."""
    saved = rla.runs(root)
    rows = ask('select id, "time-step", "perf/return", k from metrics')
    assert rows == [(saved[seed].id, step, 10.0 * seed + step, step) for seed in range(4) for step in range(3)]
    assert ask('select min("K#2") from metrics') == [(-2,)]
    assert ask("select text from metrics where text is not null") == [("é'\"",)] * 3
    assert ask("select count(late), count(*) from metrics")[0][1] == 12
    assert [time for (time,) in ask("select timestamp from metrics")] == sorted(
        time for run in saved for time in run.columns()["timestamp"].values.tolist()
    )


def test_groups_and_joins(ask):
    """What SQL is for: aggregates over runs, and rows with what their runs are."""
    query = 'select algo, count(*), avg("last.perf/return"), sum(seed) from runs group by algo order by algo'
    assert ask(query) == [("a", 2, 12.0, 2), ("b", 2, 22.0, 4)]
    joined = 'select algo, max("perf/return") as best from metrics join runs using (id) group by algo order by best'
    assert ask(joined) == [("a", 22.0), ("b", 32.0)]
    assert ask(
        "with best as (select max(seed) as m from runs) select id is not null from runs, best where seed = m"
    ) == [(True,)]
    assert ask("pivot runs on algo using sum(seed) group by task order by task")[0] == ("t/0", 0, None)


def test_all_columns(ask, root):
    """A star, columns(...) and a whole row have each column once, whatever the letters of the names."""
    names = rla.sql("select * from runs", root, frame="polars").columns
    assert names[:4] == ["id", "task", "status", "name"] and len({name.lower() for name in names}) == len(names)
    assert {"Seed#2", "seed", "hparams.status", "git.commit", "last.k", "last.K#2"} <= {*names}
    assert len(rla.sql("from metrics", root).columns) == 8
    assert ask("select columns('^seed$') from runs") == [(0,), (1,), (2,), (3,)]
    assert [row["seed"] for (row,) in ask("select r from runs as r")] == [0, 1, 2, 3]
    assert ask("select count(*) from metrics natural join runs") == [(12,)]
    assert ask("from query('select max(seed) from runs')") == ask("select max(seed) from query_table('runs')") == [(3,)]
    assert ("algo", "VARCHAR") in [row[:2] for row in ask("describe runs")]


def test_all_columns_of_runs_with_many_metrics(tmp_path):
    """Hundreds of names give the same values as a few."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", lr=0.1):
        rla.log({f"m/{number}": number for number in range(200)}, step=0)
    (row,) = rla.sql("select * from runs", tmp_path, frame="polars").rows(named=True)
    few = rla.sql('select id, started, tags, lr, "last.m/199" from runs', tmp_path, frame="polars")
    assert {name: row[name] for name in few.columns} == few.rows(named=True)[0]
    assert (row["lr"], row["last.m/199"], row["last.m/0"], row["tags"]) == (0.1, 199, 0, [])


def test_only_what_a_query_names_is_read(root, monkeypatch):
    """The rows of the runs are read for the view of metrics only, and of them the columns that are named."""
    asked = []
    read = bulk.columns_of_runs
    monkeypatch.setattr(
        bulk, "columns_of_runs", lambda runs, names: asked.append((len(runs), names)) or read(runs, names)
    )
    rla.sql("select count(*), max(seed) from runs", root)
    assert asked == []
    rla.sql("select max(k) as most from metrics order by most", root)
    assert asked == [(4, ["time-step", "timestamp", "k"])]


def test_the_choice_of_runs(root):
    """Task chooses as in rla.runs; without any run the views are empty and have their own columns."""
    assert rla.sql("select seed from runs", root, task="t/2")["seed"].tolist() == [2]
    assert len(rla.sql("select id, task, started, tags from runs", root, task="none")) == 0
    assert len(rla.sql('select id, "time-step", timestamp from metrics', root, task="none")) == 0
    assert rla.sql("select 1 where false", root, frame="polars").schema == {"1": polars.Int64}


def test_types_of_results(ask, root):
    """Integers, sums, numbers, times, days, spans, lists and structs have the same types in both frames."""
    query = """select sum(seed) as sum, seed / 2 as half, 1.5 as decimal, seed > 1 as flag, null as nothing,
        max(started) over () as time, date '2026-01-31' as day, interval 3 day as span, [seed, null] as list,
        {'a': [seed]} as struct, 'x'::blob as bytes from runs where seed = 3 group by seed, started"""
    time = rla.runs(root)[3].started
    assert ask(query) == [(3, 1.5, 1.5, True, None, time, date(2026, 1, 31), timedelta(3), [3, None], {"a": [3]}, b"x")]
    frame = rla.sql(query, root)
    assert [str(dtype) for dtype in frame.dtypes[:4]] == ["int64", "float64", "float64", "bool"]
    assert str(frame["time"].dtype) == "datetime64[us, UTC]" and str(frame["span"].dtype) == "timedelta64[us]"
    assert frame.iloc[0, 6:].tolist() == [*ask(query)[0][6:]]
    assert str(rla.sql("select width from runs", root)["width"].dtype) == "Int64"
    assert ask("select 1 as a, 2 as a") == [(1, 2)]


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('{file}')", "select * from read_text('{file}')", "select * from '{file}'",
        "select * from glob('{file}')", "copy runs to '{file}.2'", "attach '{file}.2'", "install httpfs",
        "load '{file}'", "select * from read_csv('http://127.0.0.1:1/x')", "export database '{file}.2'",
        "set enable_external_access = true", "set temp_directory = '{file}.2'", "select * from variable",
    ],
)  # fmt: skip
def test_a_query_reaches_nothing_outside(query, root, tmp_path):
    """No file, no network, no variable of the program, no setting: refused, and nothing is made."""
    variable = pandas.DataFrame({"a": [1]})
    file = tmp_path / "file.csv"
    file.write_text("a\n1\n")
    with pytest.raises(ConfigError, match="DuckDB refuses the query: "):
        rla.sql(query.format(file=file), root)
    assert [*tmp_path.iterdir()] == [file] and len(variable) == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "select\n  perf/return from metrics",
            r'LINE 2:   perf/return.*Columns of metrics: .*Did you mean "perf/return"\?',
        ),
        ("select last.perf from runs", r'\^.*Did you mean "last\.perf/return"\?'),
        ("select sed from runs", r"LINE 1.*Columns of runs: id, task, .*Did you mean seed\?"),
        ("select * from run", r"There are the tables runs and metrics"),
        ("selec 1", r'syntax error at or near "selec".*LINE 1'),
        ("select seed + algo from runs", "DuckDB refuses the query"),
        ("", "The query is ''"),
        ("select '\udce9'", r"The query is \"select '\\udce9'\""),
        ("-- nothing", "The query is empty"),
        (5, "The query is 5"),
    ],
)
def test_mistakes_are_told_with_the_place(query, message, root):
    """DuckDB's own words and place, the columns that exist, and the nearest."""
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        rla.sql(query, root)


def test_hostile_names(tmp_path):
    """Names with quotes, semicolons, line ends and halves of characters are columns, and nothing else."""
    odd = ['a"; drop view runs; --', "b\nc", "\ud800", "", "select", "x" * 500, "Ü", "ü"]
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none") as run:
        run.add_hyper_params({name: number for number, name in enumerate(odd)}) if hasattr(
            run, "add_hyper_params"
        ) else 0
        rla.log({name: float(number) for number, name in enumerate(odd) if name}, step=0)
    frame = rla.sql("select * from metrics", tmp_path)
    assert len(frame) == 1 and 'a"; drop view runs; --' in frame
    assert rla.sql('select "a""; drop view runs; --" as a from metrics', tmp_path)["a"].tolist() == [0.0]
    assert len(rla.sql("select * from runs", tmp_path)) == 1


def test_duckdb_is_missing(root, monkeypatch):
    """The error names the extra."""
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(RLAError, match=r"needs duckdb.*rla-hooks\[sql\]"):
        rla.sql("select 1", root)


def test_a_metric_called_id_and_names_like_those_that_are_made(tmp_path):
    """The runs' ids stay, and each name means one column whatever else a query names."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", seed=3) as run:
        rla.log({"id": 7, "k": 1, "K": 2, "K#2": 3}, step=0)
    (run.log_dir / "labels.json").write_text('{"format": 1, "tags": ["\\ud800"]}')
    saved = rla.runs(tmp_path)[-1]

    def ask(query):
        return rla.sql(query, tmp_path, frame="polars").rows()

    assert ask('select m.id, m."last.id", r.id from metrics m join runs r using (id)') == [(saved.id, 7, saved.id)]
    everything = rla.sql("select * from metrics", tmp_path, frame="polars")
    for column in ("k", "K#2", "K#2#2"):
        assert ask(f'select "{column}" from metrics') == [(everything[column][0],)]
    assert {everything[column][0] for column in ("k", "K#2", "K#2#2")} == {1, 2, 3}
    first = ask("select r.a from runs as r(a), (select seed from runs)")
    assert first == ask("select r.a from runs as r(a)") == [(saved.id,)]
    assert ask("select tags from runs") == [(["\\ud800"],)] and run.name == saved.name


def test_times_inside_of_lists_stay_times(ask, root):
    """Only a DATE is a date."""
    started = rla.runs(root)[0].started
    asked = "list(started), list(started::date), {'at': started, 'on': started::date}, started::date"
    ((times, days, both, day),) = ask(f"select {asked} from runs where seed = 0 group by started")
    assert times == [started] and days == [day] == [started.date()] and both == {"at": started, "on": day}
