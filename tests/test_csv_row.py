"""Both formatters of a row write the same values, and orjson comes when it pays, if it comes at all."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from random import Random
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy
import pandas
import pytest

from rla_hooks import rowfiles
from rla_hooks.core.logger import Logger
from rla_hooks.writers import csv_row
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_writer import CsvWriter

KEYS = [f"k{number}" for number in range(100)]
SPECIAL = [
    *(0.0, -0.0, 5e-324, -5e-324, 2.225073858507201e-308, 2.2250738585072014e-308, 1.7976931348623157e308),
    *(0.1, 1 / 3, 1e-4, 1e-5, 1.5e-5, 9.999999999999999e-5, 1e-6, 1e-7, 1e15, 1e16, 1e17, 1e21, 1e22, 1e23, -1e16),
    *(9007199254740991.0, 9007199254740992.0, 9007199254740993.0, 123456789012345680.0, 2.0**63, 2.0**64, 0.3, 100.0),
]


def _floats(count):
    """Floats of all magnitudes: specials, powers, integers, decimals as people log them, and random bits."""
    chance, random = Random(0), numpy.random.default_rng(0)
    found = [*SPECIAL, *(math.ldexp(1.0, power) for power in range(-1074, 1024))]
    found += [float(f"{digits}e{power}") for power in range(-323, 308) for digits in (1, -1, 9.5, -9.5)]
    found += [float(chance.getrandbits(chance.randint(1, 100))) for _ in range(10_000)]
    found += [round(chance.random(), chance.randint(1, 8)) for _ in range(10_000)]
    found += [*random.random(30_000).tolist(), *random.lognormal(0, 12, 90_000).tolist()]
    bits = random.integers(0, 2**64, count, dtype=numpy.uint64).view(numpy.float64)
    return (found + bits[numpy.isfinite(bits)].tolist())[:count]


def _bits(values):
    return numpy.asarray(values, numpy.float64).view(numpy.int64)


def test_floats_of_all_kinds_read_back_bit_equal(formatter, tmp_path):
    """By csv and float, by pandas, and by our own reader; so the files of both formatters have the same values."""
    values = numpy.array(_floats(300_000)).reshape(-1, len(KEYS))
    path = tmp_path / "progress.csv"
    writer = CsvWriter(path)
    times = [1767225600.0 + index * 0.0123456789 for index in range(len(values))]
    for step, (now, row) in enumerate(zip(times, values.tolist())):
        writer.write(Row(step, now, dict(zip(KEYS, row))))
    expected = numpy.column_stack([times, values])
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["time-step", "timestamp", *KEYS]
    cells = [cell for row in rows for cell in row[1:]]
    assert (_bits([*map(float, cells)]).reshape(-1, len(header) - 1) == _bits(expected)).all()
    assert not [cell for cell in cells if "." not in cell and "e" not in cell], "a float reads as a float"
    frame = pandas.read_csv(path, float_precision="round_trip")
    assert (_bits(frame[header[1:]].to_numpy()) == _bits(expected)).all()
    ours = rowfiles.columns([path])
    assert not [key for key in header if ours[key].present is not None]
    assert (_bits(numpy.column_stack([ours[key].values for key in header[1:]])) == _bits(expected)).all()
    assert ours["time-step"].values.tolist() == [*range(len(times))]


ODD_ROWS = [
    {"a": math.nan, "b": 1.5},
    {"a": math.inf, "b": -math.inf},
    {"a": 2**63 - 1, "b": -(2**63)},
    {"a": 2**64, "b": -(2**63) - 1},
    {"a": 10**40, "b": 0.5},
    {"a": "text", "b": 0.5},
    {"a": "null", "b": 'a "quoted, one"\n'},
    {"a": "\udc80", "b": "诗"},
    {"a": "", "b": " "},
    {"a": 0, "b": -1},
]


@pytest.mark.parametrize("values", ODD_ROWS, ids=repr)
def test_what_orjson_spells_otherwise_or_not_at_all_is_written_by_python(values, monkeypatch):
    """NaN is null there, an integer beyond 64 bits an error."""
    row = Row(-3, 0.25, values)
    monkeypatch.setattr(csv_row, "_dumps", None)
    expected = csv_row.row_line(row, b",\n")
    monkeypatch.setattr(csv_row, "_dumps", pytest.importorskip("orjson").dumps)
    assert csv_row.row_line(row, b",\n") == expected
    assert expected.startswith(b"-3,0.25,") and expected.endswith(b",\n")


def test_a_step_beyond_64_bits_is_written(formatter):
    """As any other integer."""
    assert csv_row.row_line(Row(2**70, 1.0, {"a": 0.5}), b"\n") == b"%d,1.0,0.5\n" % 2**70


LOADS = """
import sys
from rla_hooks.writers import csv_row
from rla_hooks.writers.base import Row
row = Row(1, 2.0, {"a": 1e16})
lines = [csv_row.row_line(row, b"\\n") for _ in range(csv_row.LOAD_AFTER - 1)]
assert "orjson" not in sys.modules
lines += [csv_row.row_line(row, b"\\n") for _ in range(2)]
assert "orjson" in sys.modules
assert {*lines[:-1]} == {b"1,2.0,1e+16\\n"} and float(lines[-1].split(b",")[2]) == 1e16
"""


def test_a_short_run_does_not_load_orjson():
    """Its import takes longer than all that it would save there."""
    pytest.importorskip("orjson")
    done = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class _Finder:
    """Does something when orjson is looked for."""

    def __init__(self, action):
        self.action, self.calls = action, 0

    def find_spec(self, name, path=None, target=None):
        if name == "orjson":
            self.calls += 1
            self.action()


def _no_handle():
    raise OSError("Too many open files")


def _interrupt():
    raise KeyboardInterrupt


@pytest.fixture
def about_to_load(monkeypatch):
    """The next row loads orjson: returns a function that says what happens then."""
    monkeypatch.delitem(sys.modules, "orjson", raising=False)
    for name, value in {"_dumps": None, "_rows": csv_row.LOAD_AFTER - 1, "_tried": False}.items():
        monkeypatch.setattr(csv_row, name, value)

    def when_loaded(action):
        finder = _Finder(action)
        monkeypatch.setattr(sys, "meta_path", [finder])
        return finder

    return when_loaded


def test_an_import_that_fails_costs_no_row_and_is_not_tried_again(about_to_load, tmp_path):
    """It is none of the training's business that no file handle is left, say."""
    finder = about_to_load(_no_handle)
    writer = CsvWriter(tmp_path / "progress.csv")
    for step in range(300):
        writer.write(Row(step, 0.0, {"a": 1e16}))
    assert finder.calls == 1
    assert (tmp_path / "progress.csv").read_text().count(",0.0,1e+16\n") == 300


def test_a_signal_handler_may_log_while_orjson_is_loaded(about_to_load, tmp_path):
    """Its row and the one that loads it are both there, each once."""
    writer = CsvWriter(tmp_path / "progress.csv")
    finder = about_to_load(lambda: writer.write(Row(2, 0.0, {"a": 0.5})))
    for step in (1, 3):
        writer.write(Row(step, 0.0, {"a": 0.5}))
    lines = (tmp_path / "progress.csv").read_text().splitlines()
    assert sorted(lines[1:]) == ["1,0.0,0.5", "2,0.0,0.5", "3,0.0,0.5"] and finder.calls == 1


def test_ctrl_c_while_orjson_is_loaded_ends_the_call(about_to_load, tmp_path):
    """It reaches the training, whose row is not written then; the next one is."""
    writer = CsvWriter(tmp_path / "progress.csv")
    about_to_load(_interrupt)
    with pytest.raises(KeyboardInterrupt):
        writer.write(Row(1, 0.0, {"a": 0.5}))
    writer.write(Row(2, 0.0, {"a": 0.5}))
    assert (tmp_path / "progress.csv").read_text().splitlines()[1:] == ["2,0.0,0.5"]


def _raises(values):
    raise RuntimeError("no numbers")


NAMESAKES = {
    "json's": json.dumps,
    "a mock": MagicMock(),
    "raises": _raises,
    "other spelling": lambda values: json.dumps(values).encode(),
}


@pytest.mark.parametrize("dumps", NAMESAKES.values(), ids=[*NAMESAKES])
def test_a_module_of_the_same_name_formats_nothing(dumps, about_to_load, monkeypatch, tmp_path):
    """A program may have an orjson.py of its own, or its tests a mock in that place."""
    monkeypatch.setitem(sys.modules, "orjson", SimpleNamespace(dumps=dumps))
    logger = Logger([CsvWriter(tmp_path / "progress.csv")])
    for step in range(4):
        logger.log({"a": 0.25, "b": math.nan}, step)
    rows = [line.split(",", 2) for line in (tmp_path / "progress.csv").read_text().splitlines()[1:]]
    assert [(step, cells) for step, _, cells in rows] == [(str(step), "0.25,nan") for step in range(4)]
    assert csv_row.native() is None


def test_a_script_that_is_found_as_orjson_does_not_end_the_training(about_to_load, tmp_path):
    """It may call sys.exit."""
    writer = CsvWriter(tmp_path / "progress.csv")
    about_to_load(sys.exit)
    writer.write(Row(1, 0.0, {"a": 0.5}))
    assert (tmp_path / "progress.csv").read_text().splitlines()[1:] == ["1,0.0,0.5"]


def test_floats_of_a_class_of_their_own_are_written_as_numbers(formatter, tmp_path):
    """Those of numpy are floats, but show the name of their class."""
    writer = CsvWriter(tmp_path / "progress.csv")
    write, time, value = writer.values_writer(("a",), [float]), numpy.float64(0.25), numpy.float64(0.5)
    for step in range(3):
        write(step, time, [value])
    writer.write(Row(3, time, {"a": value, "b": "(text)"}))
    writer.write(Row(4, time, {"b": value}))
    lines = (tmp_path / "progress.csv").read_text().splitlines()
    assert lines[1:4] == [f"{step},0.25,0.5" for step in range(3)]
    assert lines[4:] == ["3,0.25,0.5,(text)", "4,0.25,,0.5"]


def test_values_in_the_middle_of_the_columns_go_the_same_way(formatter, tmp_path, read_rows):
    """Rows of evaluation come before those of training, or among them: each has empty cells before or after."""
    logger = Logger([CsvWriter(tmp_path / "progress.csv")])
    train, rows = {"loss": 0.5, "norm": 0.25}, []
    for number in range(4):
        rows += [{"eval": 1.5, "level": number}, train, {"norm": math.nan, "rate": 1e-3}, train | {"loss": math.inf}]
        rows += [{"rate": 0.125}, {"loss": 1.5, "norm": "a, b"}, {"loss": 1, "norm": 2**70}, {"rate": 0.5, "eval": 2.5}]
    for row in rows:
        logger.log(dict(row))
    held = read_rows(tmp_path / "progress.csv")
    assert [
        {key: cell for key, cell in row.items() if cell and key not in ("time-step", "timestamp")} for row in held
    ] == [{key: value if type(value) is str else repr(value) for key, value in row.items()} for row in rows]
    assert [row["time-step"] for row in held] == [str(step) for step in range(len(rows))]
    plans = {keys: type(plan) for keys, plan in logger.output_formats[0]._table.open.plans.items()}
    assert plans.pop(("rate", "eval")) is list and {*plans.values()} == {tuple} and len(plans) == 4
