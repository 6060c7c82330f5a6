"""Converts hyper-parameters of any kind to flat, plain data, for files that are kept and compared.

Configs and arrays are recognised by their attributes, so that no framework is imported. Nothing that a user passes in
is ever called, changed or deep-copied.
"""

from __future__ import annotations

import enum
import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import PurePath
from typing import Any

_MAX_ITEMS = 1000  # of one list or mapping among the hyper-parameters
_MAX_ARRAY = 100  # elements of an array that are worth reading as numbers
_MAX_DEPTH = 20
_MAX_BITS = 10_000  # of an int; Python does not print ints of more than 4300 digits
_MAX_REPR = 1000  # characters
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def flatten(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return one flat dict with dotted keys for nested configs.

    Configs are mappings, dataclasses, namespaces, named tuples, and objects of pydantic, attrs and OmegaConf.

    >>> flatten({"lr": 0.1, "net": {"width": 64}})
    {'lr': 0.1, 'net.width': 64}
    """
    flat: dict[str, Any] = {}
    _flatten_into(flat, "", params, ())
    return flat


def _flatten_into(flat: dict[str, Any], prefix: str, value: Any, path: tuple[int, ...]) -> None:
    fields = None if id(value) in path or len(path) > _MAX_DEPTH else config_fields(value)
    if not fields:
        if prefix:
            flat[prefix] = value
        return
    for key, child in fields:
        _flatten_into(flat, f"{prefix}.{key}" if prefix else str(key), child, (*path, id(value)))


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without nesting: those of an inner dict become ``<key>/<inner key>``.

    >>> flat({"loss": {"policy": 0.5, "value": 0.1}, "lr": 0.01})
    {'loss/policy': 0.5, 'loss/value': 0.1, 'lr': 0.01}
    """
    result: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            result |= {f"{key}/{inner}": leaf for inner, leaf in flat(value).items()}
        else:
            result[str(key)] = value
    return result


def config_fields(value: Any) -> list[tuple[str, Any]] | None:
    """Return the (name, value) pairs of a config-like object, or None where ``value`` is a plain value.

    Config-like are mappings, dataclasses, namespaces, named tuples, and objects of pydantic, attrs and OmegaConf.

    >>> from argparse import Namespace
    >>> config_fields(Namespace(lr=0.1, width=64)), config_fields(0.1)
    ([('lr', 0.1), ('width', 64)], None)
    """
    try:
        if isinstance(value, type):
            return None
        if isinstance(value, Mapping):
            return list(_mapping_items(value))
        names = _field_names(value)
    except Exception:  # proxies raise at the mere look at their class
        return None
    return None if names is None else [(name, _read(getattr, value, name)) for name in names]


def _field_names(value: Any) -> list[str] | None:
    kind = type(value)
    if hasattr(kind, "__dataclass_fields__"):
        return list(kind.__dataclass_fields__)
    if hasattr(kind, "__attrs_attrs__"):
        return [attribute.name for attribute in kind.__attrs_attrs__]
    if isinstance(getattr(kind, "model_fields", None), Mapping):  # pydantic
        return [*kind.model_fields, *(getattr(value, "__pydantic_extra__", None) or ())]
    if isinstance(value, tuple) and hasattr(kind, "_fields"):  # a named tuple
        return list(kind._fields)
    if kind.__name__ in ("Namespace", "SimpleNamespace"):  # argparse, jsonargparse, types
        return [name for name in vars(value) if not name.startswith("__")]
    return None


def _mapping_items(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Items one by one: OmegaConf raises at a missing or unresolvable entry, which must not hide the others."""
    try:
        keys = list(value)
    except Exception:
        return
    for key in keys:
        yield _text(key), _read(lambda mapping, k: mapping[k], value, key)


def _read(get: Callable[[Any, Any], Any], value: Any, key: Any) -> Any:
    try:
        return get(value, key)
    except Exception as error:
        return f"<unreadable: {type(error).__name__}>"


def safe(value: Any) -> Any:
    """Return ``value`` in plain, JSON-able form: None, bool, int, float, str, list or dict. Never raises.

    Objects become their ``repr`` without memory addresses, so that equal settings of two runs compare equal.
    """
    return _safe(value, ())


def _safe(value: Any, path: tuple[int, ...]) -> Any:
    if type(value) is int and value.bit_length() > _MAX_BITS:
        return f"<int of {value.bit_length()} bits>"
    if value is None or type(value) in (bool, int, float, str):
        return value
    if id(value) in path:
        return "<recursive>"
    if len(path) >= _MAX_DEPTH:
        return "<too deep>"
    try:
        return _safe_object(value, (*path, id(value)))
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__} when read>"


def _safe_object(value: Any, path: tuple[int, ...]) -> Any:
    fields = config_fields(value)
    if fields is not None:
        return {key: _safe(child, path) for key, child in fields[:_MAX_ITEMS]} | _more(len(fields))
    if isinstance(value, enum.Enum):
        return value.value if type(value.value) in (bool, int, float, str) else str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = value if isinstance(value, (list, tuple)) else sorted(value, key=_text)
        plain = [_safe(item, path) for item in items[:_MAX_ITEMS]]
        return [*plain, f"<{len(items) - _MAX_ITEMS} more>"] if len(items) > _MAX_ITEMS else plain
    if isinstance(value, (str, int, float)):  # subclasses, numpy's float64 among them
        return next(base(value) for base in (str, bool, int, float) if isinstance(value, base))
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, type) or callable(value):
        return _name_of(value)
    if callable(getattr(value, "tolist", None)) and hasattr(value, "shape"):
        return _safe_array(value)
    return _text(value)


def _more(count: int) -> dict[str, str]:
    return {"<more>": f"{count - _MAX_ITEMS} keys"} if count > _MAX_ITEMS else {}


def _safe_array(value: Any) -> Any:
    shape = tuple(int(side) for side in value.shape)
    if math.prod(shape) > _MAX_ARRAY:
        return f"{type(value).__name__}(shape={shape}, dtype={value.dtype})"
    return _safe(value.tolist(), ())


def _name_of(value: Any) -> str:
    """Name a class, function, partial or callable object, without calling it."""
    if isinstance(value, functools.partial):
        return f"partial({_name_of(value.func)})"
    name = getattr(value, "__qualname__", None)
    if not isinstance(name, str):
        return _text(value)
    module = getattr(value, "__module__", None)
    return name if module in (None, "builtins", "__main__") else f"{module}.{name}"


def _text(value: Any) -> str:
    """``str`` of simple keys, else ``repr``, without memory addresses and not endless."""
    if isinstance(value, str):
        return str(value)
    try:
        text = _ADDRESS.sub("", repr(value))
    except Exception as error:
        text = f"<{type(value).__name__}: repr raises {type(error).__name__}>"
    return text if len(text) <= _MAX_REPR else f"{text[:_MAX_REPR]}… ({len(text)} characters)"
