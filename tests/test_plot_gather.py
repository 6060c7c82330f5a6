"""Points of metrics as they were logged, in the order of x, of many runs at once."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone

import numpy
import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RLAWarning
from rla_hooks.plot.gather import in_order, points_of, points_of_runs


@pytest.fixture
def make(tmp_path, quiet):
    """Makes a run of these rows, of which each may name its step, and returns all runs."""

    def make_run(*rows):
        with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none"):
            for number, row in enumerate(rows):
                values = {key: value for key, value in row.items() if key != "step"}
                rla.log(values, step=row.get("step", number))
        return rla.runs(tmp_path)

    return make_run


def test_rows_without_the_metric_are_no_points(make):
    """Those with NaN and infinities are."""
    (run,) = make({"a": 1.0}, {"b": 5}, {"a": math.nan, "b": 6}, {"a": -math.inf}, {"a": 2})
    x, y = points_of(run, "a")
    assert x.tolist() == [0, 2, 3, 4] and y[[0, 2, 3]].tolist() == [1, -math.inf, 2] and math.isnan(y[1])
    x, y = points_of(run, "a", x="b")
    assert x.tolist() == [6] and math.isnan(y[0])
    assert (x.dtype, y.dtype) == ("float64", "float64")


def test_time_counts_from_the_first_row(make):
    """Of each run its own."""
    make({"a": 1}, {"a": 2})
    runs = make({"a": 1}, {"a": 2}, {"a": 3})
    for run, points in zip(runs, points_of_runs(runs, ["a"], "timestamp")):
        stamps = run.columns(["a"])["timestamp"].values
        assert points["a"].x.tolist() == (stamps - stamps[0]).tolist()


def test_time_counts_from_the_first_row_whatever_it_has(make):
    """A metric that comes late does so in the figure, beside one that comes early."""
    (run,) = make({"a": 1}, {"a": 2}, {"a": 3, "b": 1}, {"b": 2})
    stamps = run.columns(["a", "b"])["timestamp"].values
    for points in (points_of_runs([run], ["a", "b"], "timestamp")[0], points_of_runs([run], ["b"], "timestamp")[0]):
        assert points["b"].x.tolist() == (stamps - stamps[0])[2:].tolist()


@pytest.fixture
def dated(make):
    """A run of these times of rows, in seconds; and with more in run.json."""

    def make_run(times, **more):
        run = make(*[{"a": 1}] * len(times))[-1]
        lines = run.paths.progress_csv.read_text().splitlines()
        rows = [f"{step},{1.8e9 + seconds!r},1" for step, seconds in enumerate(times)]
        run.paths.progress_csv.write_text("\n".join([lines[0], *rows, ""]))
        run.paths.run_json.write_text(json.dumps(run.run_json | more))
        return rla.runs(run.paths.log_root)[-1]

    return make_run


def test_the_time_in_which_a_run_waited_to_be_resumed_does_not_count(dated):
    """From the last row that was kept to the begin of the next life, which may have no rows."""
    at = [datetime.fromtimestamp(1.8e9 + seconds, timezone.utc).isoformat() for seconds in (5000, 6000, 9000)]
    restarts = [*({"taken_up": each} for each in at), {"taken_up": "never"}, {}, 3]
    run = dated([0, 10, 20, 6005, 6015, 9001], restarts=restarts)
    assert points_of(run, "a", "timestamp")[0].tolist() == [0, 10, 20, 25, 35, 36]
    origin = {"run": "t/x", "id": "abcdefgh", "step": 1, "file": "x"}
    fork = dated([0, 10, 7005, 7010], forked_from=origin, started=at[1])
    assert points_of(fork, "a", "timestamp")[0].tolist() == [0, 10, 1015, 1020]
    later = dated([0, 10], restarts=[{"taken_up": at[0]}])
    assert points_of(later, "a", "timestamp")[0].tolist() == [0, 10]


def test_rows_behind_which_x_goes_back_are_replaced(make):
    """As after a resume whose rows nobody has cut: what was logged last counts, and a warning says how many rows."""
    steps = [0, 10, 20, 30, 40, 25, 30, 50, 50]
    runs = make(*({"step": step, "a": float(number)} for number, step in enumerate(steps)))
    with pytest.warns(RLAWarning, match=rf"goes back, or stands still, in 1 of 1 runs: {runs[0].id} \(3 rows"):
        x, y = points_of(runs[0], "a")
    assert x.tolist() == [0, 10, 20, 25, 30, 50] and y.tolist() == [0, 1, 2, 5, 6, 8]


def test_the_order_is_that_of_a_loop():
    """On random steps: a point stays if all later ones are beyond it."""
    chance = numpy.random.default_rng(0)
    for size in (0, 1, 2, 50):
        x = chance.integers(0, 40, size).astype(float)
        y = chance.normal(size=size)
        kept = [at for at in range(size) if all(x[at] < later for later in x[at + 1 :])]
        points = in_order(x, y)
        assert points.x.tolist() == x[kept].tolist() and points.y.tolist() == y[kept].tolist()
        assert points.replaced == size - len(kept)


def test_runs_without_the_metric_are_named(make):
    """They have no points, and the others are not kept from theirs."""
    make({"a": 1.0})
    runs = make({"b": 1.0})
    with pytest.warns(RLAWarning, match=f"1 of 2 runs have no 'a' and are left out of its curves: {runs[1].id}"):
        one, other = points_of_runs(runs, ["a"])
    assert list(one) == ["a"] and other == {}


@pytest.mark.parametrize(
    ("metrics", "x", "message"),
    [
        (
            ["a", "los", "retur"],
            "time-step",
            r"(?s)2 mistakes.*'los'\. Known: a, loss, name\. .*'retur'",
        ),
        (["a"], "epok", r"no run has the column 'epok'\. Known: .*time-step"),
        (["a"], "loss", r"no step of these runs has both 'a' and 'loss'\. Log them at the same steps"),
        (["name"], "time-step", r"'name' of run \w+ has the text 'x'\. Allowed: columns of numbers"),
        (["a"], "name", r"'name' of run \w+ has the text 'x'\."),
    ],
)
def test_names_that_give_no_points(make, metrics, x, message):
    """The error says which there are, or why not."""
    runs = make({"a": 1.0}, {"loss": 2.0}, {"name": "x"})
    with pytest.raises(ConfigError, match=message):
        points_of_runs(runs, metrics, x)


def test_a_run_that_cannot_be_read_hides_no_other(make, tmp_path):
    """Its folder is named."""
    make({"a": 1.0})
    runs = make({"a": 2.0})
    (runs[0].log_dir / "progress.csv").unlink()
    (runs[0].log_dir / "progress.csv").mkdir()
    with pytest.warns(RLAWarning, match="1 of 2 runs have no 'a'|cannot be read"):
        one, other = points_of_runs(runs, ["a"])
    assert one == {} and other["a"].y.tolist() == [2]


def test_runs_without_rows_are_said_to_have_none(make):
    """Not that they have no column of steps, with that column as what may be meant."""
    make()
    runs = make()
    with pytest.raises(ConfigError, match=r"^none of the 2 runs has rows of metrics in its csv files\. Log some by"):
        points_of_runs(runs, ["a"])
    with pytest.raises(ConfigError, match=rf"^run {runs[0].id} has no rows of metrics"):
        points_of_runs(runs[:1], ["a"])
