"""Pieces of columns as bytes, and back: raw little-endian numbers, or texts as JSON; never a pickle."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import numpy

from rla_hooks.rows.pieces import Array, Piece, texts_of

_NONE = "none"  # the file has no such column
_TEXTS = "texts"
_NUMBERS = {"i": "<i8", "f": "<f8"}
_BITS, _ROWS = b"b", b"r"  # present: a bit a row, or the numbers of the rows


def encoded(length: int, piece: Piece | None) -> tuple[str, bytes | None, bytes]:
    """Return the form, which of the rows are there, and the values of a piece of so many rows."""
    if piece is None:
        return _NONE, None, b""
    present = None if piece.rows is None else _encoded_rows(piece.rows, length)
    form = _NUMBERS.get(piece.values.dtype.kind)
    if form is not None:
        return form, present, piece.values.astype(form, copy=False).tobytes()
    return _TEXTS, present, json.dumps(piece.values.tolist()).encode()


def _encoded_rows(rows: Array, length: int) -> bytes:
    if len(rows) * 32 < length:
        return _ROWS + rows.astype("<u4").tobytes()
    mask = numpy.zeros(length, bool)
    mask[rows] = True
    return _BITS + numpy.packbits(mask).tobytes()


def decoded(length: int, form: str, present: bytes | None, data: bytes) -> Piece | None:
    """Return the piece. Raises sqlite3.DatabaseError for what makes no sense."""
    if form == _NONE:
        return None
    try:
        values: Array = texts_of(_texts(data)) if form == _TEXTS else numpy.frombuffer(data, form)
        rows = None if present is None else _decoded_rows(present, length)
        count = length if rows is None else len(rows)
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"a column cannot be decoded: {error}") from error
    if len(values) != count or (rows is not None and count and rows[-1] >= length):
        raise sqlite3.DatabaseError("a column has not as many values as rows")
    return Piece(values, rows)


def _decoded_rows(present: bytes, length: int) -> Array:
    if present[:1] == _ROWS:
        return numpy.frombuffer(present, "<u4", offset=1).astype(numpy.int64)
    return numpy.flatnonzero(numpy.unpackbits(numpy.frombuffer(present, numpy.uint8, offset=1), count=length))


def _texts(data: bytes) -> list[str]:
    texts: Any = json.loads(data)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("it is no list of texts")
    return texts
