"""Pickles that hold plain data only and can never run code.

What is no builtin of pickle (arrays, dates, paths, deques) is stored as a tagged tuple, so that a file needs
not one class to be read, and reading refuses every class:

    {"custom": {"returns": ("__rla__", "deque", [1.0, 2.0], 100)}}

Allowed: None, bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset,
OrderedDict, deque, date, time, datetime, timedelta, paths, numpy arrays and scalars of numbers, text and dates, and
dense tensors of torch, which come back on the CPU.
"""

from __future__ import annotations

import datetime
import io
import math
import pickle
import sys
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from rla_hooks.encoding import DEEPEST, Encoder, KeyPath, NotStorable
from rla_hooks.errors import RLAError
from rla_hooks.texts import cut, printable, shown

TAG = "__rla__"
NUMPY_KINDS = "biufcSUmM"  # numbers, text and dates: nothing that holds objects


class PlainDataError(RLAError, ValueError):
    """Bytes that are no plain data: damaged, of another kind, or made to run code. None of it was run."""


def dumps(content: Any) -> bytes:
    """Pickle plain data; returns bytes.

    Raises TypeError for what is not plain and says where it is: ``custom['a'][3]: a <class 'Foo'> cannot be stored``.

    >>> loads(dumps({"returns": deque([1.0], maxlen=100)}))
    {'returns': deque([1.0], maxlen=100)}
    """
    return pack(encode(content))


def loads(data: bytes) -> Any:
    """Read what :func:`dumps` returned. Raises PlainDataError for any other bytes, and runs nothing of them.

    >>> loads(dumps([1, (2.5, "x")]))
    [1, (2.5, 'x')]
    """
    try:
        _check_steps(data)
        return _Decoder(len(data)).decode(_Unpickler(io.BytesIO(data)).load())
    except (PlainDataError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise PlainDataError(
            f"These {len(data)} bytes are no plain data of rla_hooks ({type(error).__name__}: {cut(str(error), 200)}). "
            "They are damaged, or another program wrote them."
        ) from error


def encode(content: Any, left_out: list[str] | None = None) -> Any:
    """Turn plain data into builtins and tagged tuples. For ``left_out`` and the errors see :class:`Encoder`.

    >>> encode({"returns": deque([1.0], maxlen=100)})
    {'returns': ('__rla__', 'deque', [1.0], 100)}
    """
    return PlainEncoder(left_out).encode_or_omit(content)


def pack(encoded: Any) -> bytes:
    """Pickle what :func:`encode` returned: ``loads(pack(encode(content)))`` is the content."""
    return pickle.dumps(encoded, protocol=5)


class PlainEncoder(Encoder):
    """Builds builtins and tagged tuples: see the top of this file."""

    def encode_leaf(self, value: Any, keys: KeyPath) -> Any:
        kind = type(value)
        if kind in _TAGGERS:
            return _TAGGERS[kind](value)
        if isinstance(value, PurePath):
            return TAG, "path", str(value)
        if kind.__module__.partition(".")[0] == "numpy" and "numpy" in sys.modules:
            return _encode_numpy(value, keys)
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, getattr(torch, "Tensor", ())):
            return _encode_tensor(value, keys)
        return NotImplemented

    def encode_container(self, value: Any, keys: KeyPath) -> Any:
        kind = type(value)
        if kind is OrderedDict:
            return TAG, "OrderedDict", dict(self.encode_items(value, keys))
        if kind is deque:
            return TAG, "deque", list(self.encode_elements(value, keys)), value.maxlen
        encoded = super().encode_container(value, keys)
        # A tuple that looks like one of our tags is wrapped, so that it comes back as it was.
        looks_tagged = kind is tuple and encoded and type(encoded[0]) is str and encoded[0] == TAG
        return (TAG, "tuple", *encoded) if looks_tagged else encoded


_TAGGERS: dict[type, Callable[[Any], Any]] = {
    datetime.datetime: lambda value: (TAG, "datetime", value.isoformat()),
    datetime.date: lambda value: (TAG, "date", value.isoformat()),
    datetime.time: lambda value: (TAG, "time", value.isoformat()),
    datetime.timedelta: lambda value: (TAG, "timedelta", value.days, value.seconds, value.microseconds),
    complex: lambda value: (TAG, "complex", value.real, value.imag),  # pickle would store its class
}


def _encode_numpy(value: Any, keys: KeyPath) -> Any:
    """The tagged form of a numpy array or scalar; NotImplemented for what is neither."""
    import numpy as np

    if isinstance(value, np.generic):
        name = "scalar"
    elif type(value) in (np.ndarray, np.memmap):
        name = "ndarray"
    else:
        return NotImplemented
    if value.dtype.kind not in NUMPY_KINDS or value.dtype.hasobject:
        raise NotStorable(
            keys,
            f"a numpy {name} of dtype {value.dtype} cannot be stored here. Numbers, text and dates can: "
            "convert it with astype, or store its fields one by one.",
        )
    return TAG, name, value.dtype.str, tuple(value.shape), value.tobytes()


def _encode_tensor(value: Any, keys: KeyPath) -> Any:
    """The tagged form of a tensor."""
    from rla_hooks.torch_tensors import to_bytes

    try:
        return TAG, "tensor", *to_bytes(value)
    except Exception as error:  # sparse, quantized, on the meta device
        raise NotStorable(keys, f"a {type(value)} without plain numbers cannot be stored here.") from error


# The steps of a pickle that :func:`pack` makes, with the number of bytes that follow each; and those that are followed
# by a count of so many bytes, and then by as many bytes as it says. See pickletools.
_FIXED = dict.fromkeys(b".(N\x88\x89]ae)t\x85\x86\x87}su\x8f\x90\x91\x94", 0)
_FIXED |= dict.fromkeys(b"\x80Kh", 1) | dict.fromkeys(b"M", 2) | dict.fromkeys(b"Jj", 4) | dict.fromkeys(b"\x95G", 8)
_COUNTED = dict.fromkeys(b"\x8a\x8cC", 1) | dict.fromkeys(b"\x8bXB", 4) | dict.fromkeys(b"\x8d\x8e\x96", 8)


def _check_steps(data: bytes) -> None:
    """Raise PlainDataError unless ``data`` consists of steps that :func:`pack` makes.

    Python's unpickler believes every count: a few bytes make it reserve all memory, for a text that is not there or for
    the number of a reference. Here nothing of the data is built.
    """
    at, size, fixed, counted = 0, len(data), _FIXED, _COUNTED
    while at < size:
        step = data[at]
        if step in fixed:
            at += 1 + fixed[step]
        elif step in counted:
            begin = at + 1 + counted[step]
            at = begin + int.from_bytes(data[at + 1 : begin], "little")
        else:
            raise PlainDataError(_refusal(data))
        if step == pickle.STOP[0]:
            return
    raise PlainDataError(f"These {size} bytes are no plain data of rla_hooks: they have no end. They are damaged.")


def _refusal(data: bytes) -> str:
    """Say why data with steps that :func:`pack` does not make is refused."""
    import pickletools

    texts: list[str] = []
    for step, argument, _ in pickletools.genops(data):
        if step.name in ("GLOBAL", "INST", "STACK_GLOBAL"):
            name = ".".join(texts[-2:]) if step.name == "STACK_GLOBAL" else str(argument).replace(" ", ".")
            return (
                f"The data asks for {printable(name[:200])}. Plain data needs no class or function, so nothing was "
                "loaded and nothing of it was run. Do not trust where it came from."
            )
        if step.name in ("PERSID", "BINPERSID"):
            return "The data points to an object outside of it. Plain data never does; nothing was loaded."
        if isinstance(argument, str):
            texts = [*texts[-1:], argument]
    return f"These {len(data)} bytes are no plain data of rla_hooks. Another program wrote them."


class _Unpickler(pickle.Unpickler):
    """A second guard: nothing that asks for a class comes here."""

    def find_class(self, module: str, name: str) -> Any:
        raise PlainDataError(f"The data asks for {module}.{name}. Plain data needs no class or function.")


class _Decoder:
    """Builds the content from builtins and tagged tuples.

    What :func:`pack` wrote has at least one byte for each value. A pickle can also refer to a value again, and a few
    bytes of lists in lists would become more values than any memory holds: so there are at most as many as bytes.
    """

    def __init__(self, size: int):
        self._left = size
        self._ancestors: set[int] = set()

    def decode(self, value: Any) -> Any:
        self._spend(1)
        kind = type(value)
        if kind in Encoder.scalars:
            return value
        if kind not in (dict, list, tuple, set, frozenset):
            raise PlainDataError(f"The data holds a {kind}, which plain data never does.")
        if id(value) in self._ancestors or len(self._ancestors) > 3 * DEEPEST:  # a tag takes up to three levels
            raise PlainDataError("The data contains itself or is nested too deeply. It is damaged.")
        self._ancestors.add(id(value))
        try:
            if kind is dict:
                return {self.decode(key): self.decode(part) for key, part in value.items()}
            parts = [self.decode(part) for part in value]
            if kind is tuple and parts and type(value[0]) is str and value[0] == TAG:
                return self._untag(parts)
            return parts if kind is list else kind(parts)
        finally:
            self._ancestors.discard(id(value))

    def _untag(self, parts: list[Any]) -> Any:
        name, *content = parts[1:]
        if name in ("ndarray", "scalar"):
            array = self._array(*content)
            return array if name == "ndarray" else array[()]
        if name == "tensor":
            return self._tensor(*content)
        if name not in _UNTAG:
            raise PlainDataError(
                f"The data holds a {shown(name, 100)}, which this version of rla_hooks does not know. Update it."
            )
        return _UNTAG[name](*content)

    def _array(self, dtype: str, shape: tuple[int, ...], data: bytes) -> Any:
        import numpy as np

        kind = np.dtype(dtype)
        if kind.kind not in NUMPY_KINDS:
            raise PlainDataError(f"The data holds an array of dtype {shown(dtype, 100)}, which plain data never does.")
        if data and kind.itemsize:
            self._spend(len(data))
            return np.frombuffer(data, kind).reshape(shape).copy()
        # frombuffer refuses to read nothing; an empty np.str_ has no size
        number = math.prod(shape)
        if number and kind.itemsize:
            raise PlainDataError(
                f"The data holds an array of shape {shown(shape, 100)} without its numbers. It is damaged."
            )
        self._spend(number)
        return np.zeros(shape, kind)

    def _tensor(self, dtype: str, shape: tuple[int, ...], data: bytes) -> Any:
        from rla_hooks.torch_tensors import from_bytes

        return from_bytes(dtype, shape, self._array("|u1", (len(data),), data))

    def _spend(self, number: int) -> None:
        self._left -= number
        if self._left < 0:
            raise PlainDataError("The data refers to its own parts again and again, which plain data never does.")


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
}
