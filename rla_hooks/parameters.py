"""Converts hyper-parameters of any kind to flat, plain data, for files that are kept and compared.

Configs and arrays are recognised by their attributes, so that no framework is imported. Nothing that a user passes in
is ever called, changed or deep-copied.
"""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import PurePath
from typing import Any, NamedTuple, TypeVar

from rla_hooks.patterns import pattern
from rla_hooks.texts import MAX_BITS, MAX_REPR, cut, shown, text_of
from rla_hooks.values import flat_items

MAX_PARAMETERS = 10_000  # names of all hyper-parameters of a run, nested ones with dots
_MAX_ITEMS = 1000  # of one list or mapping among the hyper-parameters
_MAX_VALUES = 20_000  # in one hyper-parameter, at all depths
_MAX_TEXT = 100_000  # characters of a text
_MAX_ARRAY = 100  # elements of an array that are worth reading as numbers
_MAX_DEPTH = 20
_T = TypeVar("_T")
_ADDRESS = pattern(r" at 0x[0-9a-fA-F]+")


def flatten(params: Mapping[str, Any], containers: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return one flat dict with dotted keys for nested configs.

    Configs are mappings, dataclasses, namespaces, named tuples, and objects of pydantic, attrs and OmegaConf. A nested
    mapping of more than 1000 entries is data, such as a vocabulary, and stays one value. Of two values with one name,
    the second gets a ``_`` at the end of it. containers: is filled with the nested configs, by their keys.

    >>> flatten({"lr": 0.1, "net": {"width": 64}})
    {'lr': 0.1, 'net.width': 64}
    """
    flat: dict[str, Any] = {}
    _flatten_into(flat, None, params, (), containers)
    return flat


def _flatten_into(
    flat: dict[str, Any], prefix: str | None, value: Any, path: tuple[int, ...], containers: dict[str, Any] | None
) -> None:
    is_plain = id(value) in path or len(path) > _MAX_DEPTH or (prefix is not None and _is_data(value))
    fields = None if is_plain else config_fields(value)
    if not fields:
        if prefix is not None:
            flat[_free_name(flat, prefix, value)] = value
        return
    if containers is not None and prefix is not None:
        containers[prefix] = value
    for key, child in fields:
        _flatten_into(flat, str(key) if prefix is None else f"{prefix}.{key}", child, (*path, id(value)), containers)


def _free_name(flat: Mapping[str, Any], name: str, value: Any) -> str:
    """The name; with a ``_`` if another value has it: in ``{"net": {"width": 1}, "net.width": 2}``, or of 1 and "1"."""
    while name in flat and str(safe(flat[name])) != str(safe(value)):
        name += "_"
    return name


def _is_data(value: Any) -> bool:
    try:
        return isinstance(value, Mapping) and len(value) > _MAX_ITEMS
    except Exception:  # proxies raise at the mere look at their class
        return False


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without nesting: those of an inner mapping become ``<key>/<inner key>``.

    >>> flat({"loss": {"policy": 0.5, "value": 0.1}, "lr": 0.01})
    {'loss/policy': 0.5, 'loss/value': 0.1, 'lr': 0.01}
    """
    return {name: leaf for key, value in values.items() for name, leaf in flat_items(text_of(key), value)}


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

    Objects become their ``repr`` without memory addresses, so that equal settings of two runs compare equal. Of long
    lists and texts there is the beginning.
    """
    return _Plain().of(value, ())


class Stored(NamedTuple):
    """A hyper-parameter as it is stored."""

    plain: Any  # what :func:`safe` returns
    is_cut: bool  # whether that is only the beginning of the value
    is_text: bool  # whether of an object in it there is only a text, such as its repr


def stored(value: Any) -> Stored:
    """Return what :func:`safe` returns, and what is lost in it.

    >>> stored([0.1, "a" * 200_000]).is_cut, stored([0.1, object()]).is_text
    (True, True)
    """
    plain = _Plain()
    return Stored(plain.of(value, ()), plain.is_cut, plain.is_text)


class _Plain:
    """Converts one hyper-parameter, and counts its values, so that no more than _MAX_VALUES are kept."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES
        self.is_cut = False
        self.is_text = False

    def of(self, value: Any, path: tuple[int, ...]) -> Any:
        """Return the plain form of a value; ``path``: the ids of the objects that it is inside of."""
        self._left -= 1
        if type(value) is int and value.bit_length() > MAX_BITS:
            return self._as_text(shown(value))
        if value is None or type(value) in (bool, int, float):
            return value
        if type(value) is str:
            self.is_cut |= len(value) > _MAX_TEXT
            return cut(value, _MAX_TEXT)
        if id(value) in path:
            return self._as_text("<recursive>")
        if len(path) >= _MAX_DEPTH:
            return self._as_text("<too deep>")
        try:
            return self._of_object(value, (*path, id(value)))
        except Exception as error:
            return self._as_text(f"<{type(value).__name__}: {type(error).__name__} when read>")

    def _as_text(self, text: str) -> str:
        self.is_text = True
        return text

    def _of_object(self, value: Any, path: tuple[int, ...]) -> Any:
        fields = config_fields(value)
        if fields is not None:
            plain = {key: self.of(child, path) for key, child in self._first(fields)}
            return plain | ({"<more>": f"{len(fields) - len(plain)} keys"} if len(plain) < len(fields) else {})
        if isinstance(value, enum.Enum):
            return value.value if type(value.value) in (bool, int, float, str) else str(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            items = value if isinstance(value, (list, tuple)) else sorted(value, key=_text)
            kept = [self.of(item, path) for item in self._first(items)]
            return [*kept, f"<{len(items) - len(kept)} more>"] if len(kept) < len(items) else kept
        if isinstance(value, (str, int, float)):  # subclasses, numpy's float64 among them
            return self.of(next(base(value) for base in (str, bool, int, float) if isinstance(value, base)), path)
        if isinstance(value, PurePath):
            return str(value)
        if isinstance(value, (datetime, date, time)):
            return value.isoformat()
        if isinstance(value, timedelta):
            return str(value)
        if isinstance(value, type) or callable(value):
            return _name_of(value)
        if callable(getattr(value, "tolist", None)) and hasattr(value, "shape"):
            return self._of_array(value)
        return self._as_text(_text(value))

    def _first(self, items: Sequence[_T]) -> Iterator[_T]:
        """Yield the items that are kept."""
        for number, item in enumerate(items):
            if number >= _MAX_ITEMS or self._left <= 0:
                self.is_cut = True
                return
            yield item

    def _of_array(self, value: Any) -> Any:
        shape = tuple(int(side) for side in value.shape)
        if math.prod(shape) > _MAX_ARRAY:
            return self._as_text(f"{type(value).__name__}(shape={shape}, dtype={value.dtype})")
        return self.of(value.tolist(), ())


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
    return str(value) if isinstance(value, str) else cut(_ADDRESS.sub("", shown(value, _MAX_TEXT)), MAX_REPR)
