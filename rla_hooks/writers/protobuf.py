"""The few lines of Protocol Buffers that event files need, without the import of a protobuf runtime.

Wire format: https://protobuf.dev/programming-guides/encoding/ . A message is a run of fields; a field is its key
(number and wire type) and its content. Messages nest as length-delimited fields, so a message is built by joining
the bytes of its fields.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_DOUBLE = struct.Struct("<d")
_FLOAT = struct.Struct("<f")
_INT64 = 1 << 63
_LAST = [bytes((number,)) for number in range(128)]  # seven bits of an integer
_MORE = [bytes((number | 128,)) for number in range(128)]  # where higher ones follow


def varint(number: int) -> bytes:
    """Encode an integer; a negative one as its 64-bit two's complement, as int64 fields want.

    Beyond the range of int64 it is the nearest one within.
    """
    if 127 < number < 16_384:  # these and the next are most steps
        return _MORE[number & 127] + _LAST[number >> 7]
    if 127 < number < 2_097_152:
        return _MORE[number & 127] + _MORE[number >> 7 & 127] + _LAST[number >> 14]
    if not 0 <= number < _INT64:
        number = min(max(number, -_INT64), _INT64 - 1)  # readers give up a file over a longer one
        if number < 0:
            number += 1 << 64
    encoded = b""
    while number > 127:
        encoded += _MORE[number & 127]
        number >>= 7
    return encoded + _LAST[number]


def integer(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | 1) + _DOUBLE.pack(value)


def float32(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + _FLOAT.pack(value)


def delimited(field: int, content: bytes | str) -> bytes:
    """Encode bytes, a text or an embedded message."""
    if isinstance(content, str):
        content = content.encode("utf-8", "backslashreplace")
    return varint(field << 3 | 2) + varint(len(content)) + content


def packed_doubles(field: int, values: Sequence[float]) -> bytes:
    return delimited(field, struct.pack(f"<{len(values)}d", *values))
