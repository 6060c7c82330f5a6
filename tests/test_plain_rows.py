"""Columns as rows of plain values, and as csv."""

import numpy

from rla_hooks.columns import Column
from rla_hooks.query.frames import Objects, Repeated, column_of, times_column
from rla_hooks.query.plain_rows import csv_text, length, plain_rows


def test_rows_are_plain_python_values():
    """Of all kinds of columns, over the borders of blocks; times as ISO texts, None for what is missing."""
    count = 25_000
    columns = {
        "step": Column(numpy.arange(count)),
        "name": Repeated(column_of(["a", None]), numpy.arange(count) % 2),
        "tags": Objects([["x"]] * count),
        "started": times_column([0.5] * count),
    }
    rows = [*plain_rows(columns)]
    assert length(columns) == len(rows) == count and length({}) == 0
    assert rows[12_345] == (12_345, None, ["x"], "1970-01-01T00:00:00.500000Z")
    assert rows[-2][:2] == (24_998, "a") and type(rows[0][0]) is int


def test_csv_keeps_every_digit(read_rows, tmp_path):
    """Read back by the csv module; commas, quotes and new lines in names and texts stay."""
    value = 0.1 + 0.2
    odd = 'a,"b"\nc'
    text = csv_text({odd: column_of([odd, None]), "x": column_of([value, float("nan")])})
    (tmp_path / "x.csv").write_bytes(text.encode())
    rows = read_rows(tmp_path / "x.csv")
    assert rows == [{odd: odd, "x": repr(value)}, {"x": "nan"}]
