"""The columns of a result of DuckDB as columns of ours."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from rla_hooks.columns import Column
from rla_hooks.query.frames import AnyColumn, Objects


def columns_of(description: Sequence[Sequence[Any]], arrays: Mapping[str, Any]) -> dict[str, AnyColumn]:
    return {name: _column(values, str(about[1])) for (name, values), about in zip(arrays.items(), description)}


def _column(values: Any, kind: str) -> AnyColumn:
    """Return a column of a result as one of ours."""
    import numpy

    present = None
    if isinstance(values, numpy.ma.MaskedArray):
        present, values = ~numpy.ma.getmaskarray(values), values.data
    if "HUGEINT" in kind and numpy.all(numpy.abs(values[slice(None) if present is None else present]) < 2**53):
        values = numpy.where(numpy.isfinite(values), values, 0).astype("int64")  # the sum of integers
    if values.dtype.kind == "f":
        return Column(values.astype("float64", copy=False), present)
    if values.dtype.kind in "iu" and values.dtype != "uint64":
        return Column(values.astype("int64", copy=False), present)
    if values.dtype.kind != "O" and kind != "DATE":
        return Column(values, present)
    there = present if present is not None else numpy.ones(len(values), dtype=bool)
    if kind == "DATE":  # which comes as a time
        values = values.astype("datetime64[D]")
    if kind in ("VARCHAR", "UUID", "JSON", '"NULL"') or kind.startswith("ENUM"):
        values[:] = [str(value) if is_there else "" for value, is_there in zip(values, there)]
        return Column(values, present)
    return Objects([_plain(value, kind) if is_there else None for value, is_there in zip(values.tolist(), there)])


def _plain(value: Any, kind: str) -> Any:
    """Return a value of a list, or of a struct, as plain Python. kind: the type that DuckDB says, of the whole."""
    if getattr(value, "dtype", None) is not None and value.dtype.kind == "M":  # days, and times without a zone
        times = value.tolist()
        if kind.startswith("DATE"):
            return [time and time.date() for time in times]
        zone = datetime.timezone.utc if "WITH TIME ZONE" in kind else None
        return [time and time.replace(tzinfo=zone) for time in times]
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(each, kind) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each, kind) for key, each in value.items()}
    return bytes(value) if isinstance(value, bytearray) else value
