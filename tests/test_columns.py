"""Rows are read as columns whose types come from what stands in the file."""

from __future__ import annotations

import math

import numpy
import pytest

from rla_hooks import rowfiles
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_writer import CsvWriter


@pytest.fixture
def read(tmp_path):
    """Writes the cells of one metric, a row each, and returns its column."""

    def column(cells):
        lines = ["time-step,timestamp,a,b", *(f"{n},{n}.5,{cell},1" for n, cell in enumerate(cells))]
        (tmp_path / "progress.csv").write_text("\n".join([*lines, ""]))
        return rowfiles.columns(rowfiles.files(tmp_path), ["a"])["a"]

    return column


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-2", "3"], "i", [1, -2, 3]),
        (["1", "2.5", "-inf"], "f", [1.0, 2.5, -math.inf]),
        (["1", "nan"], "f", [1.0, math.nan]),
        ([str(2**63 - 1), str(-(2**63))], "i", [2**63 - 1, -(2**63)]),
        (["1", str(2**63)], "f", [1.0, 2.0**63]),
        (["9" * 400, "1"], "f", [math.inf, 1.0]),
        (["None", "NA", "true"], "O", ["None", "NA", "true"]),
        (["1", "1e-3x", "0.10"], "O", ["1", "1e-3x", "0.10"]),
        (["1_000", "2"], "O", ["1_000", "2"]),
        (["٣", "2"], "O", ["٣", "2"]),
        (["1", "", "3"], "i", [1, None, 3]),
        (["nan", "", "3"], "f", [math.nan, None, 3.0]),
        (["", "x", ""], "O", [None, "x", None]),
        (["", ""], "f", [None, None]),
        (['"a, b"', "1", '""'], "O", ["a, b", "1", None]),
        (['"1"', "2", ""], "i", [1, 2, None]),
    ],
)
def test_the_type_of_a_column_is_that_of_all_its_cells(cells, kind, values, read):
    """Integers of 64 bits, numbers, or texts; a NaN that was logged is a value, an empty cell is none."""
    column = read(cells)
    present = column.present if column.present is not None else numpy.ones(len(cells), bool)
    found = [value if there else None for value, there in zip(column.values.tolist(), present)]
    assert column.values.dtype.kind == kind and str(found) == str(values)


def test_only_what_is_asked_for_is_there(run_paths):
    """With the step and the time of its rows; a key that no row has is left out."""
    writer = CsvWriter(run_paths.progress_csv)
    for step in range(3):
        writer.write(Row(step, 10.5 + step, {"a": step, "b": step / 2, "c": "x"}))
    files = rowfiles.files(run_paths.log_dir)
    found = rowfiles.columns(files, ["b", "none"])
    assert list(found) == ["time-step", "timestamp", "b"] and found["b"].values.tolist() == [0.0, 0.5, 1.0]
    assert list(rowfiles.columns(files)) == ["time-step", "timestamp", "a", "b", "c"]
    assert rowfiles.columns(files, [])["timestamp"].values.tolist() == [10.5, 11.5, 12.5]
