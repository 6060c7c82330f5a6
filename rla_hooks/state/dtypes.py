"""Names of the types of arrays, and the types of a safetensors file.

"<f4"  "|b1"  "<U3"  "<M8[D]"     numpy's own texts
"bfloat16"                        a type that numpy has from ml_dtypes, by its name
[["pos", "<f4"], ["alive", "|b1"]]   fields, as numpy's format npy writes them
"float32"  "bfloat16"             torch, by its own names
"""

from __future__ import annotations

from typing import Any

import numpy as np

KINDS = "biufcSUmMV"  # numbers, text, dates, fields: nothing that holds objects
_EXTRA = "ml_dtypes"

#: What safetensors calls the types that it has, by numpy's and by torch's names.
SAFETENSORS = dict(
    pair.split(":")
    for pair in (
        "<f8:F64 <f4:F32 <f2:F16 <i8:I64 <i4:I32 <i2:I16 |i1:I8 <u8:U64 <u4:U32 <u2:U16 |u1:U8 |b1:BOOL <c8:C64 "
        "float64:F64 float32:F32 float16:F16 bfloat16:BF16 complex64:C64 bool:BOOL int64:I64 int32:I32 int16:I16 "
        "int8:I8 uint64:U64 uint32:U32 uint16:U16 uint8:U8 float8_e4m3fn:F8_E4M3 float8_e5m2:F8_E5M2"
    ).split()
)
BYTES = "U8"  # of all other types the bytes are stored


def name_of(dtype: np.dtype[Any]) -> Any:
    """Return the name of a type of numpy: a text, or a list of fields.

    Raises ValueError for one that holds objects, or has fields of types that numpy lacks, or fields that overlap.

    >>> name_of(np.dtype("float32")), name_of(np.dtype([("x", "<f4"), ("y", "?")]))
    ('<f4', [['x', '<f4'], ['y', '|b1']])
    """
    if dtype.hasobject or not (dtype.kind in KINDS or is_extra(dtype)):
        raise ValueError(f"its dtype is {dtype}")
    if is_extra(dtype):
        return dtype.name
    if dtype.names is None:
        return dtype.str
    fields = np.lib.format.dtype_to_descr(dtype)
    if np.lib.format.descr_to_dtype(fields) != dtype:
        raise ValueError(f"its dtype is {dtype}")
    return _as_lists(fields)


def dtype_of(name: Any) -> np.dtype[Any]:
    """Return the type of a name. Raises ValueError for what is none.

    >>> dtype_of([["x", "<f4"], ["y", "|b1"]])
    dtype([('x', '<f4'), ('y', '?')])
    """
    try:
        if isinstance(name, str):
            dtype = _extra(name) if name.isidentifier() else np.dtype(name)
        else:
            dtype = np.lib.format.descr_to_dtype(_as_tuples(name))
    except Exception as error:  # numpy raises nearly anything
        raise ValueError(f"{str(name)[:100]!r} is no type of an array") from error
    if dtype.hasobject or not (dtype.kind in KINDS or is_extra(dtype)):
        raise ValueError(f"the type {str(name)[:100]!r} holds objects")
    return dtype


def is_extra(dtype: np.dtype[Any]) -> bool:
    """Return whether numpy has a type from ml_dtypes: bfloat16, the floats of 8 bits, and their kin."""
    return dtype.type.__module__.partition(".")[0] == _EXTRA


def _extra(name: str) -> np.dtype[Any]:
    import ml_dtypes  # which comes with JAX, TensorFlow and Keras: such an array can only be of one of these

    found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return found


def _as_lists(value: Any) -> Any:
    return [_as_lists(each) for each in value] if isinstance(value, (list, tuple)) else value


def _as_tuples(value: Any, depth: int = 0) -> Any:
    """Return what numpy's format npy has: a list of tuples, each of a name, a type and a shape."""
    if not isinstance(value, list):
        return value
    if depth == 0 or (value and isinstance(value[0], list)):
        return [tuple(_as_tuples(part, depth + 1) for part in field) for field in value]
    return tuple(_as_tuples(part, depth + 1) for part in value)
