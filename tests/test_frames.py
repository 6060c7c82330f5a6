"""Types of columns: what was logged comes back exactly from pandas, polars and SQL, with the types of the docs."""

from __future__ import annotations

import datetime
import math

import numpy
import pytest

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.columns import Column
from rla_hooks.query.frames import Objects, Repeated, column_of, joined, to_frame

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pytestmark = pytest.mark.usefixtures("quiet")

nan, inf = math.nan, math.inf
TEXT = 'a, "b"\nc é None'
ROWS = [  # of two runs
    [
        {"f": 0.1, "n": nan, "i": 1, "grow": 1, "t": TEXT, "big": 2**62 + 1, "flag": True, "huge": 2**70, "mixed": 5},
        {"f": inf, "i": 2, "grow": 0.1 + 0.2, "late": 5, "big": -(2**63), "mixed": "warm"},
        {"f": -inf, "n": -0.0, "late": 2**53 + 1, "flag": False, "tiny": 5e-324, "late text": "None"},
    ],
    [
        {"i": 2.5, "grow": 7, "t": "x", "n": 1, "f": 3},
        {"i": nan, "late": 8},
    ],
]
# The dtypes of numpy, and those of polars and DuckDB, for the first run and for both together.
INT, FLOAT, STR = ("int64", "Int64", "BIGINT"), ("float64", "Float64", "DOUBLE"), ("object", "String", "VARCHAR")
FIRST = {
    "f": FLOAT, "n": FLOAT, "i": INT, "grow": FLOAT, "t": STR, "big": INT, "flag": INT, "huge": FLOAT, "mixed": STR,
    "late": INT, "tiny": FLOAT, "late text": STR,
}  # fmt: skip
BOTH = FIRST | {"i": FLOAT}


def expected(name, rows, types):
    """The values of a column, None where a row has none, as they are in a column of that type."""
    make = {"int64": int, "float64": float, "object": str}[types[name][0]]
    return [None if row.get(name) is None else make(row[name]) for row in rows]


def same(one, other):
    """Equal by value, by type and by sign of zero; NaN equals NaN."""
    return list(map(repr, one)) == list(map(repr, other))


def values_of(series):
    """A column of pandas as a list: its three kinds of missing values are None, but NaN in float64 stays NaN."""
    if str(series.dtype) == "float64":
        return series.tolist()
    return [None if value is pandas.NA or value is None or value != value else value for value in series.tolist()]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The two runs."""
    root = tmp_path_factory.mktemp("types")
    for rows in ROWS:
        with rla.run(task="t", log_root=root, writers=["csv"], backup="none"):
            for step, row in enumerate(rows):
                rla.log(row, step=step)
    testing.reset()
    return rla.runs(root)


@pytest.mark.parametrize("name", FIRST)
def test_what_was_logged_comes_back_from_one_run(saved, name):
    """Exactly, and with its type, from pandas and polars; what a row lacks is null, or NaN in pandas' float64."""
    wanted = expected(name, ROWS[0], FIRST)
    frame = saved[0].metrics(frame="polars")
    assert same(frame[name].to_list(), wanted) and str(frame.schema[name]) == FIRST[name][1]
    series = saved[0].metrics()[name]
    assert same(values_of(series), [nan if value is None and FIRST[name] is FLOAT else value for value in wanted])
    if FIRST[name] is STR:
        assert str(series.dtype) == ("object" if pandas.__version__.startswith("2.") else "str")
    else:
        assert str(series.dtype) == ("Int64" if FIRST[name] is INT and None in wanted else FIRST[name][0])


@pytest.fixture(scope="module")
def asked(saved):
    """The answers of SQL: its types by name, all rows in polars, and in pandas."""
    pytest.importorskip("duckdb")
    root = saved[0].paths.log_root
    types = {name: kind for name, kind, *_ in rla.sql("describe metrics", root, frame="polars").rows()}
    return types, rla.sql("from metrics", root, frame="polars"), rla.sql("from metrics", root)


@pytest.mark.parametrize("name", BOTH)
def test_what_was_logged_comes_back_from_sql(asked, name):
    """Exactly, and with its type, over both runs: integers are numbers where one run has other numbers."""
    types, frame, in_pandas = asked
    wanted = expected(name, ROWS[0] + ROWS[1], BOTH)
    assert same(frame[name].to_list(), wanted) and str(frame.schema[name]) == BOTH[name][1]
    assert types[name] == BOTH[name][2]
    gap = nan if BOTH[name] is FLOAT else None
    assert same(values_of(in_pandas[name]), [gap if value is None else value for value in wanted])


@pytest.mark.parametrize("frame", ["pandas", "polars"])
@pytest.mark.parametrize("name", [name for name, types in BOTH.items() if types is not STR])
def test_what_was_logged_comes_back_in_one_long_frame(saved, name, frame):
    """As float64, a row for each value that was logged, also for NaN, and none for what a row lacks."""
    rows = [
        (run.id, step, float(row[name]))
        for run, rows in zip(saved, ROWS)
        for step, row in enumerate(rows)
        if name in row
    ]
    found = saved.metrics([name], frame=frame)
    columns = [found[column].to_list() for column in ("id", "time-step", "value")]
    assert same(zip(*columns), rows) and set(found["metric"]) == {name}
    assert list(found.columns) == ["id", "time-step", "metric", "value"]
    if frame == "polars":
        assert [str(dtype) for dtype in found.dtypes] == ["String", "Int64", "String", "Float64"]
    else:
        assert [str(found[each].dtype) for each in ("time-step", "value")] == ["int64", "float64"]


PARAMETERS = {
    "int": ([1, None, 2**62 + 1], [1, None, 2**62 + 1], "Int64"),
    "float": ([0.1, None, nan], [0.1, None, nan], "Float64"),
    "both": ([1, 0.5, None], [1.0, 0.5, None], "Float64"),
    "bool": ([True, None, False], [True, None, False], "Boolean"),
    "text": (["a", None, "nan"], ["a", None, "nan"], "String"),
    "kinds": (["auto", 0.2, True], ["auto", "0.2", "true"], "String"),
    "flag or number": ([False, 1, None], ["false", "1", None], "String"),
    "list": ([[1, "é"], [], None], ['[1, "é"]', "[]", None], "String"),
    "huge": ([2**70 + 1, 1, None], [str(2**70 + 1), "1", None], "String"),
    "huge but exact": ([2**70, 1, None], [2.0**70, 1.0, None], "Float64"),
    "exact": ([2**53 + 1, 0.5, 1], [str(2**53 + 1), "0.5", "1"], "String"),
    "exact float": ([2**70, 0.5, 1], [2.0**70, 0.5, 1.0], "Float64"),
    "none": ([None, None, None], [None, None, None], "Float64"),
}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Three runs with those parameters; what is None is missing in every second one."""
    root = tmp_path_factory.mktemp("parameters")
    for number in range(3):
        params = {name: values[number] for name, (values, _, _) in PARAMETERS.items()}
        with rla.run(task="t", log_root=root, writers=["csv"], backup="none") as run:
            run.add_hyper_params(
                {name: value for name, value in params.items() if number % 2 == 0 or value is not None}
            )
    testing.reset()
    return rla.runs(root)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_have_the_same_types_everywhere(tuned, name):
    """In a table of pandas and polars: no value changes, and what has several kinds is text."""
    _, wanted, dtype = PARAMETERS[name]
    frame = tuned.table([], [name], frame="polars")
    assert same(frame[name].to_list(), wanted) and str(frame.schema[name]) == dtype
    series = tuned.table([], [name])[name]
    assert same(values_of(series), [nan if value is None and dtype == "Float64" else value for value in wanted])


def test_parameters_have_these_types_in_sql(tuned):
    """All at once, in the order of the runs."""
    pytest.importorskip("duckdb")
    frame = rla.sql("from runs", tuned[0].paths.log_root, frame="polars")
    for name, (_, wanted, dtype) in PARAMETERS.items():
        assert same(frame[name].to_list(), wanted) and str(frame.schema[name]) == dtype, name


def test_frames_of_nothing():
    """No columns, and columns without rows, are frames; so is a column in which nothing is."""
    for frame in ("pandas", "polars"):
        assert len(to_frame({}, frame)) == 0
        assert len(to_frame({"a": column_of([]), "b": Objects([])}, frame)) == 0
    assert str(to_frame({"a": column_of([], "int64")}, "polars").schema["a"]) == "Int64"
    assert str(to_frame({"a": column_of([None], "datetime64[us]")})["a"].dtype) == "datetime64[us, UTC]"
    assert str(to_frame({"a": column_of([None], "object")}, "polars").schema["a"]) == "String"


def test_columns_are_not_changed():
    """A frame may be written to: the columns that it was made of stay as they were."""
    column, repeated = Column(numpy.arange(3)), Repeated(Column(numpy.arange(2.0)), numpy.array([0, 1, 1]))
    frame = to_frame({"a": column, "b": repeated})
    frame["a"] = frame["a"] * 2
    frame.loc[0, "a"] = 99
    assert column.values.tolist() == [0, 1, 2] and frame["b"].tolist() == [0.0, 1.0, 1.0]


def test_columns_below_each_other():
    """Integers stay integers, with other numbers they are numbers, with texts texts; gaps stay gaps."""
    ints, floats = column_of([1, None, 3]), column_of([0.5])
    assert joined([ints, 2, ints]).values.dtype == "int64"
    assert joined([ints, 2]).present.tolist() == [True, False, True, False, False]
    assert joined([ints, floats]).values.tolist()[2:] == [3.0, 0.5] and joined([floats]).present is None
    assert joined([ints, column_of(["a"])]).values.tolist()[2:] == ["3", "a"]
    assert joined([3]).values.dtype == "float64" and joined([], "int64").values.dtype == "int64"


def test_times_and_odd_texts():
    """Times keep their microseconds; halves of characters become escapes, which every library takes."""
    time = datetime.datetime(2026, 1, 31, 12, 0, 0, 123457, tzinfo=datetime.timezone.utc)
    columns = {"time": column_of([time, None]), "text": column_of(["\ud800é", None])}
    for frame in ("pandas", "polars"):
        made = to_frame(columns, frame)
        assert made["time"].to_list()[0] == time and made["text"].to_list()[0] == "\\ud800é"
    assert to_frame(columns, "polars")["time"].to_list()[1] is None
