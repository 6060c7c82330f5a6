"""Converts metrics of any kind to plain Python scalars.

Tensors and arrays are recognised by their methods (``item``, ``numpy``), so that no framework is imported. Nothing that
a user passes in is ever changed.
"""

from __future__ import annotations

import enum
from typing import Any

Scalar = int | float | str


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
