"""Choosing runs by the arguments of ``rla.runs``, on folders that real runs and the layout of runs.json make."""

from __future__ import annotations

import json
import re
import time
from datetime import date, datetime, timedelta, timezone

import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RLAWarning
from rla_hooks.query.names import BUILT_IN, getter
from rla_hooks.query.sorting import order, sort_keys

pytestmark = pytest.mark.usefixtures("quiet")
NAN, INF = float("nan"), float("inf")
UTC = timezone.utc

# (task, day of January 2026 on which it started, hyper-parameters, run.json, labels.json): the newest last.
MADE = [
    ("cartpole", 1, {"algo": "ppo", "lr": 0.1, "seed": 1}, {"last": {"perf/return": 5.0}}, {"tags": ["good"]}),
    ("cartpole", 2, {"algo": "PPO", "lr": 1e-3, "seed": 2}, {"last": {"perf/return": NAN}}, {"tags": ["good", "new"]}),
    ("cartpole/small", 3, {"algo": "dqn", "lr": "auto", "seed": 3}, {"status": "failed"}, {"group": "sweep"}),
    ("pong", 4, {"algo": "dqn", "env": "ALE/Pong-v5", "seed": 4}, {"last": {"perf/return": 7}}, {"group": "sweep"}),
    ("pong", 5, {"task": "mine", "optimizer.lr": 2, "time-step": 3}, {"last": {"perf/return": 6.5}}, {}),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Five runs; reading needs no more than their small files."""
    root = tmp_path_factory.mktemp("root")
    for task, day, hparams, info, labels in MADE:
        record = "".join(f"&{key}={str(value).replace('/', '%2F')}" for key, value in hparams.items())
        folder = root / "log" / task / "2026" / "01" / f"{day:02}" / f"12-00-00-00000{day}_10.0.0.5_{record}"
        folder.mkdir(parents=True)
        started = datetime(2026, 1, day, 12, tzinfo=UTC)
        content = {"format": 2, "id": f"run{day}", "task": task, "status": "finished", "rows": day * 10}
        content |= {"started": started.isoformat(), "seconds": 3600.0 * day, "last_step": day, "host": "box"} | info
        for name, data in (("run", content), ("parameter", hparams), ("labels", labels)):
            (folder / f"{name}.json").write_text(json.dumps(data))
    return root


@pytest.fixture
def choose(root):
    """The numbers of the runs that are chosen: days of January."""

    def choose(**arguments):
        return [int(run.id[3:]) for run in rla.runs(root, **arguments)]

    return choose


def test_a_filter_asks_all_names(choose):
    """Hyper-parameters, built-in names and last values, of all the runs."""
    assert choose(where="lr < 1") == [1, 2]
    assert choose(where="lr == 'auto' or `time-step` == 3") == [3, 5]
    assert choose(where="optimizer.lr == 2 and last.perf/return > 6") == [5]
    assert choose(where="status == 'failed' or rows >= 40") == [3, 4, 5]
    assert choose(where="2h < seconds <= 4h") == [3, 4]
    assert choose(where="started < 2026-01-03T12:00Z") == [1, 2]
    assert choose(where="step in [1, 2] and host == 'box' and id != 'run1'") == [2]
    assert choose(where="'new' in tags or group == 'sweep'") == [2, 3, 4]
    assert choose(where="git.commit == none and name like '*seed=4*'") == [4]
    assert choose(where="last.perf/return == nan or last.perf/return == 7.0") == [2, 4]
    assert choose(where=" ") == choose() == [1, 2, 3, 4, 5]


def test_built_in_names_hide_hyper_parameters(choose):
    """One called task is reached through hparams."""
    assert choose(where="task == 'mine'") == [] and choose(where="hparams.task == 'mine'") == [5]
    assert choose(where="hparams.lr == 0.1") == [1]


def test_each_argument_chooses(choose):
    """All of them together choose the runs that fit all."""
    assert choose(task="cartpole") == [1, 2, 3] and choose(task="cartpol") == []
    assert choose(group="sweep") == [3, 4] and choose(group="none") == []
    assert choose(tags="good") == choose(tags=["good"]) == [1, 2]
    assert choose(tags=["new", "good"]) == [2] and choose(tags=["good", "bad"]) == []
    assert choose(task="cartpole", tags="good", where="seed > 1", name="*ppo*", since="2026-01-01") == [2]


NAMED = {
    "*ppo*": [1, 2],
    "*DQN*": [3, 4],
    "algo=dqn": [3, 4],
    "seed=?": [1, 2, 3, 4],
    "seed=": [],
    "lr=0.1": [1],
    "lr=0": [],
    "cartpole": [1, 2, 3],
    "cart": [],
    "small": [3],
    "2026/01/04": [4],
    "01/0[45]": [4, 5],
    "12-00-00-000002*": [2],
    "pong/*": [4, 5],
    "*ALE/Pong*": [4],
    "env=ALE/Pong-v5": [4],
    "env=ALE%2FPong-v5": [4],
    "*": [1, 2, 3, 4, 5],
    "": [],
}


@pytest.mark.parametrize("pattern", NAMED)
def test_a_name_is_a_pattern_for_a_whole_name_or_parts_of_it(pattern, choose):
    """Parts stand between / and &; case does not count; letters that names escape may be written as they are."""
    assert choose(name=pattern) == NAMED[pattern]


def test_since_takes_times_and_durations(choose):
    """A day begins at its local midnight; a time without a zone is local, and a duration counts back from now."""
    noon = datetime(2026, 1, 3, 12, tzinfo=UTC)
    assert choose(since=noon) == [3, 4, 5] and choose(since=noon + timedelta(microseconds=1)) == [4, 5]
    assert choose(since=noon.astimezone().replace(tzinfo=None)) == [3, 4, 5]
    assert choose(since="2026-01-03T12:00:00Z") == choose(since="2026-01-03 13:00+01:00") == [3, 4, 5]
    assert choose(since=date(2026, 1, 4)) == choose(since="2026-01-04") == [4, 5]
    assert choose(since="2 days") == choose(since="1h") == choose(since=timedelta(days=1)) == []
    age = time.time() - noon.timestamp()
    for given in (f"{age / 3600 + 1:.3f} hours", f"{age + 60:.0f}s ago", f"-{age / 60 + 9:.2f} min"):
        assert choose(since=given) == [3, 4, 5]
    assert choose(since=timedelta(seconds=age + 60)) == choose(since=-timedelta(seconds=age + 60)) == [3, 4, 5]


def test_sorted_runs_have_the_missing_values_last(choose):
    """In both directions, NaN among them; of runs that are equal the older one is first."""
    assert choose(sort="last.perf/return") == [1, 5, 4, 2, 3]
    assert choose(sort="-last.perf/return") == [4, 5, 1, 2, 3]
    assert choose(sort="lr") == [2, 1, 3, 4, 5], "numbers before texts"
    assert choose(sort="-lr") == [3, 1, 2, 4, 5]
    assert choose(sort="-group,-seed") == choose(sort=["-group", "-seed"]) == [4, 3, 2, 1, 5]
    assert choose(sort="status, -started") == [3, 5, 4, 2, 1]
    assert choose(sort="tags") == [1, 2, 3, 4, 5] and choose(sort="-tags") == [2, 1, 3, 4, 5]
    assert choose(sort="`time-step`") == choose(sort=["`time-step`"]) == [5, 1, 2, 3, 4]
    assert choose(sort="") == choose(sort=[]) == [1, 2, 3, 4, 5]


def test_limit_takes_the_newest_or_the_first(choose):
    """Without a sorting the newest, still newest last; with one the first of it."""
    assert choose(limit=2) == [4, 5] and choose(limit=0) == [] and choose(limit=99) == [1, 2, 3, 4, 5]
    assert choose(sort="-seed", limit=2) == [4, 3] and choose(sort="seed", limit=0) == []
    assert choose(where="seed < 4", limit=1) == [3]


def test_values_of_all_kinds_are_sorted():
    """Nothing raises: numbers, then texts, then the rest; each once, missing ones last."""
    values = [None, "b", True, 10**400, -INF, [2], NAN, 0.5, "a", {"x": 1}, [1, "a"], INF, False]
    sorted_up = order(range(len(values)), sort_keys("x"), lambda name: values)
    assert [values[each] for each in sorted_up[:-2]] == [
        -INF,
        False,
        0.5,
        True,
        10**400,
        INF,
        "a",
        "b",
        *values[10:4:-5],
        {"x": 1},
    ]
    down = order(range(len(values)), sort_keys("-x"), lambda name: values)
    assert down[:-2] == sorted_up[:-2][::-1] and down[-2:] == sorted_up[-2:] == [0, 6]


def test_the_query_is_the_call(root, choose):
    """Running the text again chooses the same runs."""
    arguments = {"where": "lr < 1 and algo like 'P*'", "since": date(2026, 1, 1), "tags": ["good"], "limit": 3}
    found = rla.runs(root, task="cartpole", name=None, **arguments)
    import datetime as module

    assert found.query == (
        f"rla.runs(log_root={str(root)!r}, task='cartpole', where=\"lr < 1 and algo like 'P*'\", "
        "since=datetime.date(2026, 1, 1), tags=['good'], limit=3)"
    )
    assert eval(found.query, {"rla": rla, "datetime": module}) == found
    assert rla.runs(root).query == f"rla.runs(log_root={str(root)!r})"


MISTAKES = [
    ({"where": "lr = 1"}, "Write == for equal"),
    ({"where": "learning_rate == 1"}, "no run has learning_rate"),
    ({"where": "perf/return > 1"}, "Near it: last.perf/return."),
    ({"where": "hparams.group == 'sweep'"}, "no run has hparams.group"),
    ({"where": "lr < 1 and width == 2"}, r"no run has width\..*\n  lr < 1 and width == 2\n             \^"),
    ({"where": "min.perf/retrun > 1"}, "no run has min.perf/retrun. Near it: min.perf/return"),
    ({"where": "algo == ppo"}, "A text stands in quotes: 'ppo'"),
    ({"where": ["lr == 1"]}, "where is"),
    ({"sort": "-last.perf/retrun"}, "no run has last.perf/retrun, by which to sort. Near it: last.perf/return"),
    ({"sort": "seed,,lr"}, "sort is 'seed,,lr'. Allowed: names"),
    ({"sort": 7}, "sort is 7. Allowed: names"),
    ({"sort": ["-"]}, "sort is"),
    ({"since": "soon"}, r"since is 'soon'. Allowed: how long ago \('2 days'"),
    ({"since": 7}, "since is 7"),
    ({"since": "2026-02-30"}, "since is '2026-02-30'"),
    ({"tags": 7}, "tags is 7. Allowed"),
    ({"tags": ["a", 7]}, "tags is"),
    ({"group": ["a"]}, "group is"),
    ({"name": 7}, "name is 7. Allowed"),
    ({"limit": -1}, "limit is -1. Allowed: a number of runs"),
    ({"limit": True}, "limit is True"),
    ({"limit": "3"}, "limit is '3'"),
    ({"task": "../x"}, "climbs out"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=str)
def test_a_mistake_says_what_is_allowed(arguments, said, choose):
    """Nothing is chosen by an argument that nobody can have meant."""
    with pytest.raises(ConfigError, match=said):
        choose(**arguments)


@pytest.mark.parametrize("given", [".", "log", "log/grid", "code", "inside/.."])
def test_a_folder_beside_the_log_root_is_answered_by_a_warning(tmp_path, monkeypatch, given):
    """The project's folder, and folders in the log root, are what people give by mistake."""
    root = tmp_path / "rla_data"
    with rla.run(task="grid", log_root=root, writers=["csv"]):
        pass
    (root / "inside").mkdir()
    monkeypatch.chdir(tmp_path if given == "." else root)
    wrong = "." if given == "." else given
    if given == "inside/..":
        assert len(rla.runs(wrong)) == 1
        return
    with pytest.warns(RLAWarning, match=f"no runs are in .*, but {re.escape(str(root))} is a log root"):
        assert rla.runs(wrong) == []


def test_names_are_not_judged_where_there_are_no_runs(root, tmp_path):
    """A filter is right before the first run has written its names; one that cannot be read never is."""
    assert rla.runs(where="width == 2 and last.loss < 1", sort="-last.loss") == []
    assert rla.runs(root, task="none", where="width == 2", sort="width") == []
    with pytest.raises(ConfigError, match="Write =="):
        rla.runs(where="width = 2")
    (tmp_path / "empty").mkdir()
    assert rla.runs(tmp_path / "empty") == rla.runs() == []
    (tmp_path / "file").touch()
    for path in ("nowhere", "file"):
        with pytest.warns(RLAWarning, match=f"there is no folder .*{path}, so no runs are listed"):
            assert rla.runs(tmp_path / path) == []


def test_extremes_are_names_too(tmp_path):
    """Those of a metric's rows, of a run that is running as well."""
    for seed in range(3):
        with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", seed=seed):
            for step, value in enumerate([1.0, 10.0 * seed, 2.0]):
                rla.log({"return": value, "text": "a"}, step=step)
            if seed == 2:
                assert len(rla.runs(tmp_path, where="status == 'running' and max.return == 20")) == 1
    assert [run.hparams["seed"] for run in rla.runs(tmp_path, where="max.return >= 10", sort="-max.return")] == [2, 1]
    assert [run.hparams["seed"] for run in rla.runs(tmp_path, where="min.return < 1 and last.return == 2")] == [0]
    assert rla.runs(tmp_path, where="max.text > 1") == []


def test_every_built_in_name_gives_what_a_column_holds(root):
    """The types that names.py promises, of each run."""
    from rla_hooks.query import names

    kinds = {**dict.fromkeys(names.TIMES, (datetime, float)), **dict.fromkeys(names.NUMBERS, (int, float))}
    kinds |= {**dict.fromkeys(names.LISTS, (list, tuple)), **dict.fromkeys(names.TEXTS, (str,))}
    assert kinds.keys() == BUILT_IN.keys()
    for run in rla.runs(root):
        for name, allowed in kinds.items():
            assert isinstance(getter(name)(run), (*allowed, type(None))), name


def test_hyper_parameters_that_look_like_metrics(tmp_path):
    """They are found by what they are called; a metric of the name goes first, and hparams.<name> is never one."""
    params = {"max": {"steps": 5}, "hparams": {"lr": 0.1}, "last": {"epoch": 3}, "lr": 1}
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", **params):
        rla.log({"loss": 2.0}, step=0)
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", lr=2):
        rla.log({"epoch": 9}, step=0)
    first, second = rla.runs(tmp_path)
    for _ in range(2):  # from the files, then from the index
        for where in ("max.steps > 3", "hparams.max.steps == 5", "hparams.lr == 0.1", "last.epoch == 3", "lr == 1"):
            assert rla.runs(tmp_path, where=where) == [first], where
        for where in ("hparams.lr == 2", "last.epoch == 9"):
            assert rla.runs(tmp_path, where=where) == [second], where
    pytest.importorskip("pandas")
    table = rla.runs(tmp_path).table([], ["hparams.lr", "max.steps"])
    assert table["hparams.lr"].tolist() == [0.1, 2.0] and table["max.steps"].tolist()[:1] == [5]


@pytest.mark.parametrize(("name", "near"), [("SEED", "seed"), ("Loss", "last.loss"), ("hparams.sed", "seed")])
def test_what_is_near_does_not_depend_on_the_case(tmp_path, name, near):
    """Nor on the prefix."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", seed=1):
        rla.log({"loss": 2.0}, step=0)
    with pytest.raises(ConfigError, match=rf"Near it: .*{near}"):
        rla.runs(tmp_path, where=f"{name} == 1")
