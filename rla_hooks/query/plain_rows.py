"""Columns as rows of plain Python values, for files of text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from rla_hooks.query.frames import AnyColumn, Objects, Repeated

_BLOCK = 10_000  # rows that are made at once


def length(columns: Mapping[str, AnyColumn]) -> int:
    """Return how many rows columns have."""
    lengths = (len(each.codes if isinstance(each, Repeated) else each.values) for each in columns.values())
    return next(lengths, 0)


def plain_rows(columns: Mapping[str, AnyColumn]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows as Python values, None for what is missing; block by block, so that memory is bounded.

    >>> from rla_hooks.query.frames import column_of
    >>> [*plain_rows({"lr": column_of([0.1, None]), "algo": column_of(["ppo", "dqn"])})]
    [(0.1, 'ppo'), (None, 'dqn')]
    """
    for start in range(0, length(columns), _BLOCK):
        yield from zip(*(_values(column, start) for column in columns.values()), strict=True)


def _values(column: AnyColumn, start: int) -> list[Any]:
    stop = start + _BLOCK
    if isinstance(column, Objects):
        return list(column.values[start:stop])
    inner, codes = (
        (column.column, column.codes[start:stop]) if isinstance(column, Repeated) else (column, slice(start, stop))
    )
    values, present = inner.values[codes], None if inner.present is None else inner.present[codes]
    plain = [f"{each}Z" for each in values] if values.dtype.kind == "M" else values.tolist()
    return plain if present is None else [each if there else None for each, there in zip(plain, present, strict=True)]


def csv_text(columns: Mapping[str, AnyColumn]) -> str:
    """Return columns as a csv file: an empty cell where there is no value, floats with all digits.

    >>> from rla_hooks.query.frames import column_of
    >>> csv_text({"lr": column_of([0.1, None]), "ok": column_of([True, False])})
    'lr,ok\\n0.1,true\\n,false\\n'
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in plain_rows(columns):
        writer.writerow([str(value).lower() if isinstance(value, bool) else value for value in row])
    return file.getvalue()
