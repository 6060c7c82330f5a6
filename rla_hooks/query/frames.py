"""Frames of pandas and polars, made of columns whose types come from their values, never from a library's guess.

    values                               pandas 2 (3)            polars         DuckDB
    integers below 2**63                 int64; Int64 with <NA>  Int64          BIGINT
    numbers                              float64                 Float64        DOUBLE
    true and false                       bool; boolean           Boolean        BOOLEAN
    texts                                object (str)            String         VARCHAR
    times, in UTC                        datetime64[us, UTC]     Datetime       TIMESTAMP WITH TIME ZONE

A value that is missing is null, and a NaN that was logged is NaN, but in pandas' float64, where both are NaN.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from rla_hooks.columns import Column
from rla_hooks.errors import ConfigError, RLAError, did_you_mean

if TYPE_CHECKING:
    import numpy

FRAMES = ("pandas", "polars")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)
_EXACT = 2**53  # ints up to it are floats, all of them


class Repeated(NamedTuple):
    """A column that repeats values: that of row ``i`` is value ``codes[i]`` of ``column``."""

    column: Column
    codes: numpy.ndarray[Any, Any]


class Objects(NamedTuple):
    """A column of what no :class:`~rla_hooks.columns.Column` holds, such as lists and days."""

    values: Sequence[Any]


AnyColumn = Column | Repeated | Objects


def check_frame(frame: str) -> None:
    """Raise :class:`~rla_hooks.errors.ConfigError` unless this is the name of a library of frames that is installed."""
    if frame not in FRAMES:
        raise ConfigError(f"frame is {frame!r}. Known: {', '.join(FRAMES)}.{did_you_mean(frame, FRAMES)}")
    library(frame)


def library(name: str, extra: str = "query") -> Any:
    """Import a library that is optional; an :class:`~rla_hooks.errors.RLAError` names the extra if it is missing."""
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise RLAError(f"This needs {name}. Install it: pip install 'rla-hooks[{extra}]'") from error


def to_frame(columns: Mapping[str, AnyColumn], frame: str = "pandas") -> Any:
    """Return columns of one length as a DataFrame of ``pandas`` or ``polars``.

    Raises :class:`~rla_hooks.errors.ConfigError` for another name, :class:`~rla_hooks.errors.RLAError` if the library
    is not installed.

    >>> import numpy
    >>> steps = Column(numpy.array([0, 1, 2]), numpy.array([True, False, True]))
    >>> frame = to_frame({"step": steps, "name": column_of(["a", None, "b"])})
    >>> frame["step"].tolist(), frame["name"].isna().tolist()
    ([0, <NA>, 2], [False, True, False])
    """
    check_frame(frame)
    make = _pandas_column if frame == "pandas" else _polars_column
    made = {writable(name): make(column) for name, column in columns.items()}
    if frame == "pandas":
        return library("pandas").DataFrame(made, copy=False)
    return library("polars").DataFrame(made)


def _pandas_column(column: AnyColumn) -> Any:
    import numpy
    import pandas

    if isinstance(column, Objects):
        values = numpy.empty(len(column.values), dtype=object)
        values[:] = column.values
        return pandas.Series(values, dtype=object)
    if isinstance(column, Repeated):
        column = taken(column)
    values, present = column
    kind = values.dtype.kind
    if kind == "m":
        return pandas.Series(_with_gaps(values, present, numpy.timedelta64("NaT", "us")))
    if kind == "M":
        return pandas.Series(_with_gaps(values, present, numpy.datetime64("NaT", "us"))).dt.tz_localize("UTC")
    if kind == "f":
        return pandas.Series(_with_gaps(values, present, math.nan), copy=False)
    if kind == "O":
        dtype = "str" if int(pandas.__version__.partition(".")[0]) >= 3 else object
        return pandas.Series(_with_gaps(values, present, None), dtype=dtype, copy=False)
    if present is None:
        return pandas.Series(values, copy=False)
    array = pandas.arrays.BooleanArray if kind == "b" else pandas.arrays.IntegerArray
    return pandas.Series(array(values, ~present))


def _polars_column(column: AnyColumn) -> Any:
    import polars

    if isinstance(column, Objects):
        try:
            return polars.Series(list(column.values))
        except (TypeError, polars.exceptions.PolarsError):  # lists of several kinds, say
            return polars.Series(list(column.values), dtype=polars.Object)
    if isinstance(column, Repeated):
        return _polars_column(column.column).gather(column.codes)
    values, present = column
    if values.dtype.kind == "O":
        return polars.Series(_with_gaps(values, present, None).tolist(), dtype=polars.String)
    series = polars.Series(values)
    if values.dtype.kind == "M":
        series = series.cast(polars.Datetime("us")).dt.replace_time_zone("UTC")
    return series if present is None else series.set(~polars.Series(present), None)


def _with_gaps(values: Any, present: Any, gap: Any) -> Any:
    import numpy

    return values if present is None else numpy.where(present, values, gap)


def taken(column: Repeated) -> Column:
    """Return a column with its repetitions written out."""
    values, present = column.column
    return Column(values[column.codes], None if present is None else present[column.codes])


def joined(parts: Sequence[Column | int], without: str = "float64") -> Column:
    """Return columns one below the other, and for a number as many rows without a value.

    Integers only if all are, numbers only if all are, else texts. ``without``: the dtype where there is no value.
    """
    import numpy

    columns = [each for each in parts if isinstance(each, Column)]
    kinds = {each.values.dtype.kind for each in columns}
    if "O" in kinds:
        columns = [each if each.values.dtype.kind == "O" else _as_texts(each) for each in columns]
    dtype = "object" if "O" in kinds else "int64" if kinds == {"i"} else "float64" if kinds else without
    size = sum(len(each.values) if isinstance(each, Column) else each for each in parts)
    values = numpy.full(size, "", dtype="object") if dtype == "object" else numpy.zeros(size, dtype=dtype)
    present = numpy.ones(size, dtype=bool)
    begin, rest = 0, iter(columns)
    for each in parts:
        if not isinstance(each, Column):
            present[begin : begin + each] = False
            begin += each
            continue
        column = next(rest)
        end = begin + len(column.values)
        values[begin:end] = column.values
        present[begin:end] = True if column.present is None else column.present
        begin = end
    return Column(values, None if present.all() else present)


def _as_texts(column: Column) -> Column:
    import numpy

    values = numpy.empty(len(column.values), dtype=object)
    values[:] = [repr(value) for value in column.values.tolist()]
    return Column(values, column.present)


def column_of(values: Iterable[Any], without: str = "float64") -> Column:
    """Return plain Python values as a column; None is a missing one. ``without``: the dtype where there is no value.

    Integers are int64, numbers float64, where no value changes by that; ``True`` and ``False`` are bool, times
    datetime64. All else becomes a column of texts: a text stays as it is, any other value is written as JSON.

    >>> column_of([1, None, 3]).values.dtype, column_of([1, 0.5]).values.tolist()
    (dtype('int64'), [1.0, 0.5])
    >>> column_of(["auto", 0.2, False]).values.tolist(), column_of([[64, 64], [32]]).values.tolist()
    (['auto', '0.2', 'false'], ['[64, 64]', '[32]'])
    """
    import numpy

    values = values.tolist() if isinstance(values, numpy.ndarray) else list(values)
    kinds = set(map(type, values))
    gaps = type(None) in kinds
    kinds.discard(type(None))
    if not kinds:
        return Column(
            numpy.full(len(values), "" if without == "object" else 0, dtype=without),
            numpy.zeros(len(values), dtype=bool),
        )
    present = numpy.array([value is not None for value in values], dtype=bool) if gaps else None
    if kinds == {bool}:
        return Column(numpy.array([value or False for value in values], dtype=bool), present)
    if kinds <= {int, float} and (numbers := _numbers(values, kinds, gaps)) is not None:
        return Column(numbers, present)
    if kinds == {datetime.datetime}:
        since = [0 if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
        return Column(numpy.array(since, dtype="int64").view("datetime64[us]"), present)
    texts = numpy.empty(len(values), dtype=object)
    texts[:] = _texts(values, kinds, gaps)
    return Column(texts, present)


def times_column(values: Iterable[Any]) -> Column:
    """Return times as a column: aware datetimes, or seconds since 1970; None is a missing one.

    >>> times_column([0.5, None, _EPOCH]).values.tolist()[0]
    datetime.datetime(1970, 1, 1, 0, 0, 0, 500000)
    """
    import numpy

    values = list(values)
    if any(type(value) is not float for value in values):
        values = [value.timestamp() if isinstance(value, datetime.datetime) else value for value in values]
    seconds, present = column_of(values)
    if present is not None:
        seconds = numpy.where(present, seconds, 0.0)  # a NaN is no time
    return Column(numpy.rint(seconds * 1e6).astype("int64").view("datetime64[us]"), present)


def _numbers(values: list[Any], kinds: set[type], gaps: bool) -> Any:
    """Return numbers as an array, or None where one of them would change by that; 0 and NaN where there is none."""
    import numpy

    if kinds == {int}:
        with suppress(OverflowError):
            return numpy.array([value or 0 for value in values] if gaps else values, dtype="int64")
    if int in kinds and not all(map(_is_float, values)):
        return None
    if gaps:
        values = [math.nan if value is None else value for value in values]
    return numpy.array(values, dtype="float64")


def _is_float(value: Any) -> bool:
    """Whether a number is a float without a change; None is."""
    if type(value) is not int or -_EXACT <= value <= _EXACT:
        return True
    try:
        return float(value) == value
    except OverflowError:
        return False


def _texts(values: list[Any], kinds: set[type], gaps: bool) -> list[str]:
    """Return values as texts that every library takes; "" where there is none."""
    if kinds != {str}:
        values = [None if value is None else value if type(value) is str else _json(value) for value in values]
    texts = [value or "" for value in values] if gaps else values
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return [*map(writable, texts)]
    return texts


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def writable(text: str) -> str:
    r"""Return a text that every library takes: halves of characters are escapes.

    >>> print(writable("caf\udce9"))
    caf\udce9
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
