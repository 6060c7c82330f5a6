"""Pickles that hold plain data only and can never run code.

What is no builtin of pickle (arrays, dates, paths, deques) is stored as a tagged tuple, so that a file needs
not one class to be read, and reading refuses every class:

    {"custom": {"returns": ("__rla__", "deque", [1.0, 2.0], 100)}}

Allowed: None, bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset,
OrderedDict, deque, date, time, datetime, timedelta, paths, numpy arrays and scalars of numbers, text and dates.
"""

from __future__ import annotations

import datetime
import io
import pickle
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from rla_hooks.errors import RLAError

_TAG = "__rla__"
_DEEPEST = 100
_WORD = 2**63  # integers up to here are fine everywhere
_NUMPY_KINDS = "biufcSUmM"
Place = tuple[Any, ...]  # the keys that lead to a value


class PlainDataError(RLAError, ValueError):
    """Bytes that are no plain data: damaged, of another kind, or made to run code. None of it was run."""


def dumps(content: Any) -> bytes:
    """Pickle plain data.

    Raises TypeError that names the place of what is not plain: ``custom['a'][3]: a <class 'Foo'> ...``.

    >>> loads(dumps({"returns": deque([1.0], maxlen=100)}))
    {'returns': deque([1.0], maxlen=100)}
    """
    return pack(encode(content))


def loads(data: bytes) -> Any:
    """Read back what :func:`dumps` wrote. Raises PlainDataError for all else, and runs nothing of it."""
    try:
        return _decode(_Unpickler(io.BytesIO(data)).load(), set())
    except (PlainDataError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise PlainDataError(
            f"These {len(data)} bytes are no plain data of rla_hooks ({type(error).__name__}: {error}). "
            "They are damaged, or another program wrote them."
        ) from error


def encode(content: Any, left_out: list[str] | None = None) -> Any:
    """Make builtins and tagged tuples of plain data; what ``left_out`` does says :class:`Walker`."""
    return Tagger(left_out).value(content)


def pack(tagged: Any) -> bytes:
    """Pickle what :func:`encode` returned."""
    return pickle.dumps(tagged, protocol=5)


class Refused(Exception):
    """A value that cannot be stored; the message says where, what, and what to do."""

    def __init__(self, where: Place, what: str):
        super().__init__(f"{place(where)}: {what}")


class Walker:
    """Walks through content and makes what will be stored of it; the content itself stays as it is.

    Without ``left_out``, what cannot be stored raises TypeError. With a list, it is left out (of a list or a
    tuple: None stands in its place), a line that says where and what is appended to the list, and an object
    whose class derives from a builtin is stored as the builtin.
    """

    atoms: frozenset[type] = frozenset({type(None), bool, int, float, str, bytes, bytearray})
    containers: frozenset[type] = frozenset({dict, OrderedDict, list, tuple, set, frozenset, deque})

    def __init__(self, left_out: list[str] | None = None):
        self.left_out = left_out
        self.in_key = False  # a key or a member of a set is stored whole or not at all
        self._inside: set[int] = set()  # ids of the objects that the walk is inside of

    def value(self, value: Any, where: Place = ()) -> Any:
        """What is stored for a value; None for one that is left out."""
        try:
            return self.stored(value, where)
        except Refused as refused:
            self._leave_out(refused)
            return None

    def stored(self, value: Any, where: Place) -> Any:
        """What is stored for a value. Raises Refused."""
        kind = type(value)
        if kind in self.atoms:
            return value
        leaf = self.leaf(value, where)
        if leaf is not NotImplemented:
            return leaf
        plain = value
        if kind not in self.containers:
            plain = NotImplemented if self.left_out is None else _as_builtin(value)
            if plain is NotImplemented or type(plain) is kind:
                raise Refused(where, f"a {kind} cannot be stored here. {_hint(value)}")
        if type(plain) not in self.containers:
            return self.stored(plain, where)
        with self.inside(value, where):
            return self.filled(plain, where)

    def leaf(self, value: Any, where: Place) -> Any:
        """What is stored for a value that is neither an atom nor a container, or NotImplemented."""
        return NotImplemented

    def filled(self, value: Any, where: Place) -> Any:
        """What is stored for a container."""
        kind = type(value)
        if kind in (dict, OrderedDict):
            return kind(self.items(value, where))
        if kind in (set, frozenset):
            return kind(self.members(value, where))
        return kind(self.parts(value, where))

    def items(self, value: dict[Any, Any], where: Place) -> Iterator[tuple[Any, Any]]:
        """The pairs of a dict that can be stored."""
        for key, part in value.items():
            try:
                plain_key = self._whole(key, where)
                yield plain_key, self.stored(part, (*where, key))
            except Refused as refused:
                self._leave_out(refused)

    def parts(self, value: Iterable[Any], where: Place) -> Iterator[Any]:
        """The parts of a list or a tuple."""
        for index, part in enumerate(value):
            quick = type(part) in self.atoms or (type(part) is int and -_WORD < part < _WORD)
            yield part if quick else self.value(part, (*where, index))

    def members(self, value: Iterable[Any], where: Place) -> Iterator[Any]:
        """The members of a set that can be stored."""
        for part in value:
            try:
                yield self._whole(part, where)
            except Refused as refused:
                self._leave_out(refused)

    @contextmanager
    def inside(self, value: Any, where: Place) -> Iterator[None]:
        """Be inside an object for a while. Raises Refused where it contains itself, or lies too deep."""
        if id(value) in self._inside:
            raise Refused(where, f"the {type(value).__name__} contains itself. Break the circle.")
        if len(self._inside) >= _DEEPEST:
            raise Refused(where[:3], f"nested more than {_DEEPEST} levels deep. Store it flatter.")
        self._inside.add(id(value))
        try:
            yield
        finally:
            self._inside.discard(id(value))

    def _whole(self, key: Any, where: Place) -> Any:
        if type(key) in self.atoms:
            return key
        before, self.in_key = self.in_key, True
        try:
            return self.stored(key, ())
        except Refused:
            raise Refused(where, f"a key or member that is or holds a {type(key)} cannot be stored here.") from None
        finally:
            self.in_key = before

    def _leave_out(self, refused: Refused) -> None:
        if self.in_key:
            raise refused
        if self.left_out is None:
            raise TypeError(str(refused)) from None
        self.left_out.append(str(refused))


class Tagger(Walker):
    """Makes builtins and tagged tuples of plain data: see the top of this file."""

    def leaf(self, value: Any, where: Place) -> Any:
        kind = type(value)
        if kind in _LEAVES:
            return _LEAVES[kind](value)
        if isinstance(value, PurePath):
            return _TAG, "path", str(value)
        if kind.__module__.partition(".")[0] == "numpy" and "numpy" in sys.modules:
            return _numpy(value, where)
        return NotImplemented

    def filled(self, value: Any, where: Place) -> Any:
        kind = type(value)
        if kind is OrderedDict:
            return _TAG, "OrderedDict", dict(self.items(value, where))
        if kind is deque:
            return _TAG, "deque", list(self.parts(value, where)), value.maxlen
        stored = super().filled(value, where)
        # A tuple that looks like one of our tags is wrapped, so that it comes back as it was.
        looks_tagged = kind is tuple and stored and type(stored[0]) is str and stored[0] == _TAG
        return (_TAG, "tuple", *stored) if looks_tagged else stored


def place(where: Place) -> str:
    """How a place is named to the user: ``custom['a'][3]``."""
    if not where:
        return "the content"
    named = isinstance(where[0], str) and where[0].isidentifier()
    return (where[0] if named else "") + "".join(f"[{_short(key)}]" for key in where[named:])


def _short(key: Any) -> str:
    text = repr(key)
    return text if len(text) <= 60 else text[:57] + "..."


def _hint(value: Any) -> str:
    if isinstance(value, dict):
        return "Pass dict(...) of it."
    if isinstance(value, (deque, frozenset)):
        return "Pass list(...) of it."
    return "Store what you need of it as numbers, text, lists, dicts or arrays."


_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    # The base class's own method is called, never one that the subclass has overridden.
    (dict, lambda value: dict(dict.items(value))),
    (list, lambda value: list(list.__iter__(value))),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
    (bytes, lambda value: bytes.__add__(value, b"")),
)


def _as_builtin(value: Any) -> Any:
    """The builtin in an object of a class that derives from one (named tuple, IntEnum), else NotImplemented."""
    for base, plain in _BASES:
        if isinstance(value, base):
            return plain(value)
    return NotImplemented


_LEAVES: dict[type, Callable[[Any], Any]] = {
    datetime.datetime: lambda value: (_TAG, "datetime", value.isoformat()),
    datetime.date: lambda value: (_TAG, "date", value.isoformat()),
    datetime.time: lambda value: (_TAG, "time", value.isoformat()),
    datetime.timedelta: lambda value: (_TAG, "timedelta", value.days, value.seconds, value.microseconds),
    complex: lambda value: (_TAG, "complex", value.real, value.imag),  # pickle would store its class
}


def _numpy(value: Any, where: Place) -> Any:
    """The tagged form of a numpy array or scalar; NotImplemented for what is neither."""
    import numpy as np

    if isinstance(value, np.generic):
        name = "scalar"
    elif type(value) in (np.ndarray, np.memmap):
        name = "ndarray"
    else:
        return NotImplemented
    if value.dtype.kind not in _NUMPY_KINDS or value.dtype.hasobject:
        raise Refused(
            where,
            f"a numpy {name} of dtype {value.dtype} cannot be stored here. Numbers, text and dates can: "
            "convert it with astype, or store its fields one by one.",
        )
    return _TAG, name, value.dtype.str, tuple(value.shape), value.tobytes()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise PlainDataError(
            f"The data asks for {module}.{name}. Plain data needs no class or function, so nothing was loaded "
            "and nothing of it was run. Do not trust where it came from."
        )

    def persistent_load(self, pid: Any) -> Any:
        raise PlainDataError("The data points to an object outside of it. Plain data never does; nothing was loaded.")


def _decode(value: Any, inside: set[int]) -> Any:
    kind = type(value)
    if kind in Walker.atoms:
        return value
    if kind not in (dict, list, tuple, set, frozenset):
        raise PlainDataError(f"The data holds a {kind}, which plain data never does.")
    if id(value) in inside or len(inside) > 3 * _DEEPEST:  # a tag takes up to three levels
        raise PlainDataError("The data contains itself or is nested too deeply. It is damaged.")
    inside.add(id(value))
    try:
        if kind is dict:
            return {_decode(key, inside): _decode(part, inside) for key, part in value.items()}
        parts = [_decode(part, inside) for part in value]
        if kind is tuple and parts and type(value[0]) is str and value[0] == _TAG:
            return _untag(parts)
        return parts if kind is list else kind(parts)
    finally:
        inside.discard(id(value))


def _untag(parts: list[Any]) -> Any:
    name, *content = parts[1:]
    if name not in _UNTAG:
        raise PlainDataError(f"The data holds a {name!r}, which this version of rla_hooks does not know. Update it.")
    return _UNTAG[name](*content)


def _array(dtype: str, shape: tuple[int, ...], data: bytes) -> Any:
    import numpy as np

    kind = np.dtype(dtype)
    if kind.kind not in _NUMPY_KINDS:
        raise PlainDataError(f"The data holds an array of dtype {dtype!r}, which plain data never does.")
    if not data or not kind.itemsize:  # frombuffer refuses to read nothing; an empty np.str_ has no size
        return np.zeros(shape, kind)
    return np.frombuffer(data, kind).reshape(shape).copy()


_UNTAG: dict[str, Callable[..., Any]] = {
    "tuple": lambda *parts: parts,
    "OrderedDict": lambda items: OrderedDict(items),
    "deque": lambda parts, maxlen: deque(parts, maxlen),
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": datetime.timedelta,
    "path": Path,
    "complex": complex,
    "ndarray": _array,
    "scalar": lambda dtype, shape, data: _array(dtype, shape, data)[()],
}
