"""What a tracked function returned, as plain data for run.json: to be computed with, so it is the value or nothing.

Objects are recognised by their attributes, so that no framework is imported. No ``repr`` of an object is asked for: it
may take minutes, and would be of no use.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from pathlib import PurePath
from typing import Any

from rla_hooks.parameters import config_fields
from rla_hooks.texts import MAX_BITS

_MAX_VALUES = 5000  # at all depths; more would take more bytes than run.json has for it
_MAX_TEXT = 10_000  # characters
_MAX_DEPTH = 20


class _NotPlain(Exception):
    """The value, or something in it, is no plain data, or too large."""


def plain_data(value: Any) -> Any:
    """Return what of ``value`` is plain data, in JSON-able form; None where nothing is. Never raises.

    Plain are None, bools, numbers, texts, enums, paths, dates, small arrays and tensors, and lists, sets, mappings and
    configs (dataclasses, named tuples, ...) of these. Of a mapping or config the entries that are plain are kept.

    >>> plain_data({"return": 12.5, "sizes": (64, 64), "model": object()}), plain_data([object()])
    ({'return': 12.5, 'sizes': [64, 64]}, None)
    """
    try:
        fields = None if _is_large(value) else config_fields(value)
        if not fields:
            return _Plain().of(value, 0)
        kept = {}
        for key, child in fields:
            plain = _or_none(child)
            if plain is not None or child is None:
                kept[key] = plain
        return kept or None
    except Exception:  # proxies raise at the mere look at their class
        return None


def _or_none(value: Any) -> Any:
    try:
        return _Plain().of(value, 0)
    except Exception:  # _NotPlain, or what an object of the user's raises
        return None


def _is_large(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) > _MAX_VALUES


class _Plain:
    """Converts one value, and counts what is in it. Raises _NotPlain, or whatever an object in it raises."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES

    def of(self, value: Any, depth: int) -> Any:
        """Return the plain form of a value. depth: of the objects that it is inside of, for those with loops."""
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            raise _NotPlain
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int and value.bit_length() <= MAX_BITS:
            return value
        if kind is str and len(value) <= _MAX_TEXT:
            return value
        if kind is int or kind is str or isinstance(value, type):
            raise _NotPlain
        return self._of_object(value, depth + 1)

    def _of_object(self, value: Any, depth: int) -> Any:
        if isinstance(value, (list, tuple, set, frozenset, Mapping)) and len(value) > self._left:
            raise _NotPlain
        fields = config_fields(value)
        if fields is not None:
            return {key: self.of(child, depth) for key, child in fields}
        if isinstance(value, (list, tuple)):
            return [self.of(item, depth) for item in value]
        if isinstance(value, (set, frozenset)):
            return sorted((self.of(item, depth) for item in value), key=repr)  # of plain data by now
        if isinstance(value, enum.Enum):
            return self.of(value.value, depth)
        for base in (str, int, float):
            if isinstance(value, base):  # subclasses, numpy's float64 among them
                return self.of(base(value), depth)
        if isinstance(value, (datetime, date, time)):
            return value.isoformat()
        if isinstance(value, (PurePath, timedelta)):
            return str(value)
        return self._of_array(value, depth)

    def _of_array(self, value: Any, depth: int) -> Any:
        """Return an array or a tensor of any framework as lists, or its one value."""
        if callable(value) or math.prod(int(side) for side in value.shape) > self._left:
            raise _NotPlain
        if callable(getattr(value, "tolist", None)):
            return self.of(value.tolist(), depth)
        return self.of(value.numpy(), depth)  # TensorFlow's eager tensors
