"""Converts metrics of any kind to plain Python scalars.

Tensors and arrays are recognised by their methods (``item``, ``numpy``), so that no framework is imported. Nothing that
a user passes in is ever changed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any

from rla_hooks.texts import cut, text_of

Scalar = int | float | str
WORD = 2**63  # event files, pandas and most other readers hold whole numbers below this
MAX_TEXT = 10_000  # characters of a metric that is a text
LARGE = 2**1023  # an int beyond it is no float; Python does not print ints of more than 4300 digits
_MAX_DEPTH = 20  # of nested mappings


def to_scalar(value: Any) -> Scalar:
    """Return ``value`` as a Python ``int``, ``float`` or ``str``.

    Accepts Python and numpy numbers, booleans (as 0 and 1), strings, ``Decimal`` and ``Fraction``, and arrays or
    tensors of one element (torch, TensorFlow, JAX; any dtype, also with ``requires_grad``).
    Raises :class:`TypeError` for everything else.

    >>> import numpy
    >>> to_scalar(numpy.float32(0.5)), to_scalar(numpy.array([7])), to_scalar(True)
    (0.5, 7, 1)
    """
    kind = type(value)
    if kind is float or kind is int or kind is str:
        return value  # type: ignore[no-any-return]
    if isinstance(value, (bool, int)):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, enum.Enum):
        raise TypeError(f"{value!r} is no scalar")
    if isinstance(value, str):
        return str.__str__(value)  # str() may give a subclass again
    if isinstance(value, (bytes, complex, type)):
        raise TypeError(f"a {kind.__name__} is no scalar")
    if callable(getattr(value, "item", None)):
        return _scalar_of_array(value)
    if callable(getattr(value, "numpy", None)):
        return to_scalar(value.numpy())  # TensorFlow's eager tensors have no item()
    if hasattr(kind, "__float__"):
        return float(value)
    raise TypeError(f"a {kind.__name__} is no scalar")


def _scalar_of_array(value: Any) -> Scalar:
    try:
        item = value.item()
    except (ValueError, RuntimeError) as error:  # numpy and torch word "more than one element" in their own ways
        shape = tuple(getattr(value, "shape", ()))
        raise TypeError(f"a {type(value).__name__} of shape {shape} is no scalar") from error
    if isinstance(item, (bool, int)):
        return int(item)
    if isinstance(item, float):
        return float(item)
    if isinstance(item, str):
        return str.__str__(item)
    if hasattr(type(item), "__float__") and not isinstance(item, complex):
        return float(item)  # the scalars of ml_dtypes, such as bfloat16
    raise TypeError(f"a {type(value).__name__} of {type(item).__name__} is no scalar")


def flat_items(key: str, value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the pairs of a metric that may be a nested mapping: ``<key>/<inner key>``, at any depth.

    A mapping nested deeper than 20 levels (which may contain itself) is yielded as it is.

    >>> list(flat_items("loss", {"policy": 0.5, "critic": {"q": 2.0}}))
    [('loss/policy', 0.5), ('loss/critic/q', 2.0)]
    """
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        for inner, leaf in value.items():
            yield from flat_items(f"{key}/{text_of(inner)}", leaf, depth + 1)
    else:
        yield key, value


def bounded(value: Scalar) -> tuple[Scalar, str]:
    """Return a scalar that every file can hold, and what was changed in it, as the end of a sentence; mostly nothing.

    >>> bounded(0.5), bounded(-(10**5000))
    ((0.5, ''), (-inf, 'has 16610 bits; as no float holds it, it is logged as -inf'))
    """
    if type(value) is int and not -LARGE < value < LARGE:
        infinite = float("inf") if value > 0 else float("-inf")
        return infinite, f"has {value.bit_length()} bits; as no float holds it, it is logged as {infinite}"
    if type(value) is str and len(value) > MAX_TEXT:
        return cut(value, MAX_TEXT), f"has {len(value)} characters; the first {MAX_TEXT} are logged"
    return value, ""
