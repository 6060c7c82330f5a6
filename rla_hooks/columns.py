"""Columns of metrics as arrays, from whatever file; the frames of pandas, polars and DuckDB are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy


class Column(NamedTuple):
    """One column: ``values`` has one dimension, a value a row.

    values: of dtype int64 where all are integers of that range, float64 where all are numbers (NaN and infinities
    among them), else object: texts. present: bool, whether the row has a value; None where all rows have. What stands
    in ``values`` where there is none means nothing.
    """

    values: numpy.ndarray[Any, Any]
    present: numpy.ndarray[Any, Any] | None = None


Columns = Mapping[str, Column]  # of one length, in the order of the file
