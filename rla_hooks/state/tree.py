"""A plain tree as JSON, and back: exactly what it was.

    {"lr": 0.001, "betas": {"$tuple": [0.9, 0.999]}, "exp_avg": {"$array": {"in": "...", "key": "0.exp_avg", ...}}}

Text, finite numbers, None, lists, and dicts whose keys are texts stand there as they are. All else is an object with
one key that begins with ``$``; a dict that could be taken for one is stored as ``$dict``, a list of pairs.
"""

from __future__ import annotations

import base64
import datetime
import math
import struct
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from rla_hooks.encoding import DEEPEST, KeyPath, NotStorable
from rla_hooks.state import dtypes
from rla_hooks.state.leaf import Leaf, Parts
from rla_hooks.state.leaves import leaf_of
from rla_hooks.state.stored import loaded

_WORD = 1 << 63  # integers up to here are read alike by all readers of JSON
_LONG = 1000  # numbers of a list that are stored as an array
_LONG_BYTES = 4096
ARRAY = "$array"
PutLeaf = Callable[[Leaf, KeyPath], dict[str, Any]]
GetArray = Callable[[dict[str, Any]], Any]


class TreeEncoder:
    """Turns a tree into what JSON has. ``put`` is given each array with its place, and returns what refers to it."""

    def __init__(self, put: PutLeaf):
        self._put = put
        self._ancestors: set[int] = set()

    def encode(self, value: Any, keys: KeyPath = ()) -> Any:
        """Return what is stored for a value. Raises NotStorable, which says where it is, and what to do."""
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind in _WRITERS:
            return _WRITERS[kind](value)
        if kind in (list, tuple, dict, OrderedDict, Counter, set, frozenset, deque):
            return self._container(value, kind, keys)
        if kind in (bytes, bytearray):
            return self._bytes(value, kind, keys)
        if isinstance(value, np.generic):
            return self._scalar(value, keys)
        leaf = leaf_of(value, keys)
        if leaf is not None:
            if isinstance(leaf, Parts):
                return {leaf.name: [self.encode(part, keys) for part in leaf.parts]}
            return {ARRAY: self._put(leaf, keys)}
        if isinstance(value, PurePath):
            return {"$path": str(value)}
        if isinstance(value, (np.dtype,)):
            return {"$dtype": dtypes.name_of(value)}
        if isinstance(value, tuple) and kind.__module__.partition(".")[0] == "torch":  # torch.Size
            return self._container(tuple(value), tuple, keys)
        raise NotStorable(keys, f"a {kind} cannot be stored. {_hint(value)}")

    def _container(self, value: Any, kind: type, keys: KeyPath) -> Any:
        if id(value) in self._ancestors:
            raise NotStorable(keys, f"the {kind.__name__} contains itself. Break the circle.")
        if len(self._ancestors) >= DEEPEST:
            raise NotStorable(keys[:3], f"nested more than {DEEPEST} levels deep. Store it flatter.")
        self._ancestors.add(id(value))
        try:
            if kind is dict:
                if all(type(key) is str and not key.startswith("$") for key in value):
                    return {key: self.encode(part, (*keys, key)) for key, part in value.items()}
                return {"$dict": self._pairs(value, keys)}
            if kind in (OrderedDict, Counter):
                return {"$ordered" if kind is OrderedDict else "$counter": self._pairs(value, keys)}
            if kind in (set, frozenset):
                return {f"${kind.__name__}": [self.encode(part, (*keys, "member")) for part in value]}
            elements = self._numbers(value, keys)
            if elements is None:
                elements = [self.encode(part, (*keys, index)) for index, part in enumerate(value)]
            elif kind is list:
                return {"$list": elements}
        finally:
            self._ancestors.discard(id(value))
        if kind is list:
            return elements
        return {"$tuple": elements} if kind is tuple else {"$deque": [elements, value.maxlen]}

    def _pairs(self, value: Mapping[Any, Any], keys: KeyPath) -> list[list[Any]]:
        return [[self.encode(key, (*keys, "key")), self.encode(part, (*keys, key))] for key, part in value.items()]

    def _numbers(self, value: Iterable[Any], keys: KeyPath) -> Any:
        """Return an array for a long list of numbers of one type, such as all returns of a training; else None."""
        if len(value) <= _LONG:  # type: ignore[arg-type]
            return None
        kinds = set(map(type, value))
        if kinds == {float}:
            array = np.array(value, np.float64)
        elif kinds == {int} and all(-_WORD <= each < _WORD for each in value):
            array = np.array(value, np.int64)
        else:
            return None
        return {ARRAY: self._put(Leaf(array, array.dtype.str), keys)}

    def _bytes(self, value: bytes | bytearray, kind: type, keys: KeyPath) -> Any:
        if len(value) > _LONG_BYTES:
            stored: Any = {ARRAY: self._put(Leaf(np.frombuffer(bytes(value), np.uint8), "|u1"), keys)}
        else:
            stored = base64.b64encode(value).decode()
        return {f"${kind.__name__}": stored}

    def _scalar(self, value: np.generic, keys: KeyPath) -> Any:
        try:
            name = dtypes.name_of(value.dtype)
        except ValueError:
            raise NotStorable(
                keys, f"a number of numpy of dtype {value.dtype} cannot be stored. Pass its fields."
            ) from None
        return {"$scalar": [name, base64.b64encode(np.asarray(value).tobytes()).decode()]}


def _int(value: int) -> Any:
    return value if -_WORD <= value < _WORD else {"$int": hex(value)}


def _float(value: float) -> Any:
    if math.isfinite(value):
        return value
    return {"$float": struct.pack(">d", value).hex() if value != value else repr(value)}  # nan: with what it carries


_WRITERS: dict[type, Callable[[Any], Any]] = {
    int: _int,
    float: _float,
    complex: lambda value: {"$complex": [_float(value.real), _float(value.imag)]},
    datetime.datetime: lambda value: {"$datetime": value.isoformat()},
    datetime.date: lambda value: {"$date": value.isoformat()},
    datetime.time: lambda value: {"$time": value.isoformat()},
    datetime.timedelta: lambda value: {"$timedelta": [value.days, value.seconds, value.microseconds]},
}


class TreeDecoder:
    """Turns JSON into the tree that it was made of. ``get`` returns the array that a reference means.

    Raises ValueError for what no version has written.
    """

    def __init__(self, get: GetArray):
        self._get = get

    def decode(self, value: Any) -> Any:
        """Return the tree."""
        if isinstance(value, list):
            return [self.decode(part) for part in value]
        if not isinstance(value, dict):
            return value
        name = next(iter(value), "")
        if not name.startswith("$"):
            return {key: self.decode(part) for key, part in value.items()}
        if len(value) != 1 or name not in _READERS:
            raise ValueError(f"this version does not know what {name[:40]!r} is")
        try:
            return _READERS[name](self, value[name])
        except (TypeError, IndexError, KeyError, OverflowError) as error:
            raise ValueError(f"a {name[:40]!r} is damaged ({error})") from error

    def array(self, value: Any) -> Any:
        """Return the array of a reference."""
        return self._get(value)

    def elements(self, value: Any) -> list[Any]:
        """Return the elements of a list, a tuple or a deque; long lists of numbers are arrays."""
        found = self.decode(value)
        if isinstance(found, list):
            return found
        numbers: list[Any] = np.asarray(loaded(found)).tolist()
        return numbers

    def pairs(self, value: Any) -> list[tuple[Any, Any]]:
        """Return the pairs of a dict."""
        return [(self.decode(key), self.decode(part)) for key, part in value]

    def bytes(self, value: Any) -> bytes:
        """Return bytes."""
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
        return np.asarray(loaded(self.decode(value))).tobytes()


def _read_float(value: str) -> float:
    if value in ("inf", "-inf"):
        return float(value)
    return float(struct.unpack(">d", bytes.fromhex(value))[0])


def _read_part(value: Any) -> float:
    return _read_float(value["$float"]) if isinstance(value, dict) else value


def _read_scalar(value: Any) -> Any:
    dtype, data = dtypes.dtype_of(value[0]), base64.b64decode(value[1], validate=True)
    return np.frombuffer(data, dtype, 1)[0] if dtype.itemsize else np.zeros((), dtype)[()]  # an empty text has no bytes


def _read_key(decoder: TreeDecoder, value: Any) -> Any:
    from rla_hooks.state import jax_leaves

    implementation, data = value
    return jax_leaves.key_of(implementation, loaded(decoder.decode(data)))


def _read_quantized(decoder: TreeDecoder, value: Any) -> Any:
    from rla_hooks.state import torch_leaves

    return torch_leaves.quantized_of(*(loaded(decoder.decode(part)) for part in value))


_READERS: dict[str, Callable[[TreeDecoder, Any], Any]] = {
    ARRAY: lambda decoder, value: decoder.array(value),
    "$list": lambda decoder, value: decoder.elements(value),
    "$tuple": lambda decoder, value: tuple(decoder.elements(value)),
    "$deque": lambda decoder, value: deque(decoder.elements(value[0]), value[1]),
    "$dict": lambda decoder, value: dict(decoder.pairs(value)),
    "$ordered": lambda decoder, value: OrderedDict(decoder.pairs(value)),
    "$counter": lambda decoder, value: Counter(dict(decoder.pairs(value))),
    "$set": lambda decoder, value: set(decoder.decode(value)),
    "$frozenset": lambda decoder, value: frozenset(decoder.decode(value)),
    "$bytes": lambda decoder, value: decoder.bytes(value),
    "$bytearray": lambda decoder, value: bytearray(decoder.bytes(value)),
    "$int": lambda decoder, value: int(value, 16),
    "$float": lambda decoder, value: _read_float(value),
    "$complex": lambda decoder, value: complex(*map(_read_part, value)),
    "$scalar": lambda decoder, value: _read_scalar(value),
    "$key": _read_key,
    "$quantized": _read_quantized,
    "$path": lambda decoder, value: Path(value),
    "$dtype": lambda decoder, value: dtypes.dtype_of(value),
    "$datetime": lambda decoder, value: datetime.datetime.fromisoformat(value),
    "$date": lambda decoder, value: datetime.date.fromisoformat(value),
    "$time": lambda decoder, value: datetime.time.fromisoformat(value),
    "$timedelta": lambda decoder, value: datetime.timedelta(*value),
}


def _hint(value: Any) -> str:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return "Pass its _asdict(), or tuple(...) of it."
    for base in (dict, list, tuple, set, str, int, float):
        if isinstance(value, base):
            return f"Pass {base.__name__}(...) of it."
    if callable(value):
        return "Code cannot be stored. Leave it out, and make it again in the program."
    return (
        "Store what you need of it as numbers, text, lists, dicts or arrays; or give its class state_dict() and "
        "load_state_dict(state)."
    )
