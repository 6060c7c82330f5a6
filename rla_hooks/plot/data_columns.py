"""Columns of the numbers behind a figure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy

from rla_hooks.columns import Column
from rla_hooks.query.frames import column_of


def free_name(name: str, own: Collection[str]) -> str:
    """Return the name of a parameter's column beside those that a table has of its own.

    >>> free_name("lr", ["metric", "n"]), free_name("n", ["metric", "n"])
    ('lr', 'hparams.n')
    """
    return f"hparams.{name}" if name in own else name


def with_gaps(numbers: Sequence[float] | numpy.ndarray[Any, Any]) -> Column:
    """Return numbers, of shape (rows,), as a column; NaN is no value.

    >>> with_gaps([0.5, float("nan")]).present.tolist(), with_gaps([0.5]).present
    ([True, False], None)
    """
    values = numpy.asarray(numbers, float)
    is_there = ~numpy.isnan(values)
    return Column(values, None if is_there.all() else is_there)


def key_columns(names: Sequence[str], rows: Sequence[Sequence[Any]], own: Collection[str]) -> dict[str, Column]:
    """Return a column for each name, of the values that each row has of these names.

    >>> found = key_columns(["algo", "n"], [("ppo", 64), ("sac", 32)], own=["metric", "n"])
    >>> {name: column.values.tolist() for name, column in found.items()}
    {'algo': ['ppo', 'sac'], 'hparams.n': [64, 32]}
    """
    return {free_name(name, own): column_of([row[at] for row in rows]) for at, name in enumerate(names)}
