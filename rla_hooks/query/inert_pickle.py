r"""Reads what stands in a pickle without running any of it: no class is looked up, nothing is called, nothing imported.

Python's unpickler calls whatever the data names, and believes every count in it. Here the steps of a pickle are walked
one by one, and only plain data comes of them: every class, call and reference to the outside is an inert note of what
it was. The number of steps and of values has limits, so that memory and time do.

>>> import pickle
>>> read_pickle(pickle.dumps({"lr": 0.1, "layers": (64, 64), "act": print}))
{'lr': 0.1, 'layers': [64, 64], 'act': '<builtins.print>'}
>>> read_pickle(b"cos\nsystem\n(S'touch /tmp/harmed'\ntR.")
'<os.system(...)>'
"""

from __future__ import annotations

import io
import pickletools
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rla_hooks.texts import printable, shown

MAX_STEPS = 500_000  # a second
MAX_VALUES = 100_000  # of the result, at all depths; what is referred to twice counts twice
_MAX_DEPTH = 50
_MAX_DIGITS = 4000  # of an integer in decimal: more take Python minutes
_MAX_NAME = 200  # characters
_STEPS = {ord(step.code): step for step in pickletools.opcodes}
_MARK = object()
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_LIST": "list", "EMPTY_DICT": "dict", "EMPTY_SET": "list", "EMPTY_TUPLE": "list"}
_FILLED = {"LIST": "list", "DICT": "dict", "TUPLE": "list", "FROZENSET": "list"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MAPPINGS = ("dict", "collections.OrderedDict", "collections.defaultdict", "argparse.Namespace")
_COLLECTIONS = [f"{module}.{kind}" for module in ("builtins", "__builtin__") for kind in ("set", "frozenset")]
_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, struct.error)
# The dtypes of numpy's numbers, as struct calls them.
_NUMPY = {
    "f2": "e",
    "f4": "f",
    "f8": "d",
    "b1": "?",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
}


class NoAttributeError(ValueError):
    """The pickle is whole, and its object has no attribute of the name."""


class _Note:
    """What the data says of one object: its class or function, and what it is given. It does nothing."""

    __slots__ = ("args", "items", "kind", "pairs", "state")

    def __init__(self, kind: str, args: Any = None):
        self.kind = kind
        self.args = args
        self.state: Any = None
        self.items: list[Any] | None = None  # made when there are some: there may be very many notes
        self.pairs: list[tuple[Any, Any]] | None = None

    def add(self, items: list[Any]) -> None:
        self.items = self.items or []
        self.items += items

    def set(self, items: list[Any]) -> None:
        self.pairs = self.pairs or []
        self.pairs += zip(items[::2], items[1::2])


def read_pickle(data: bytes, attribute: str | None = None, arrays: bool = False) -> Any:
    """Return the plain data in a pickle: dicts with texts for keys, lists, texts, bytes, numbers, None.

    An object is a dict of its attributes; one that has none, and a class or function, is a text such as
    ``<module.Class>``. attribute: only this one of the object, or this key of the dict, whatever else it holds.
    arrays: an array of numbers is one of numpy, which is then imported, instead of a text. Raises ValueError where the
    attribute or the end is missing, or there is too much.
    """
    try:
        found = _walk(io.BytesIO(data))
    except _FAILURES as error:
        raise ValueError(f"it is no pickle: {type(error).__name__}: {printable(error)[:_MAX_NAME]}") from error
    if attribute is not None:
        values = [value for key, value in _pairs(found) if isinstance(key, str) and key == attribute]
        if not values:
            raise NoAttributeError(f"it holds no {attribute}")
        found = values[-1]
    return _Plain(arrays).of(found, 0)


def _walk(file: io.BytesIO) -> Any:
    """Walk through the steps of a pickle; return what is at the top of its stack at the end."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for _ in range(MAX_STEPS):
        code = file.read(1)
        if not code:
            raise ValueError("it has no end")
        step = _STEPS[code[0]]
        name, argument = step.name, _argument(step, file)
        if name == "STOP":
            return stack[-1]
        if name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in _ACTIONS:
            _ACTIONS[name](name, argument, stack)
        elif name not in ("PROTO", "FRAME", "READONLY_BUFFER"):
            stack.append(_CONSTANTS.get(name, argument))
    raise ValueError(f"it has more than {MAX_STEPS:,} steps")


def _argument(step: Any, file: io.BytesIO) -> Any:
    """Read what stands behind a step. The readers of pickletools take from the data, never more than there is."""
    if step.arg is None:
        return None
    if step.name in ("INT", "LONG", "PUT", "GET"):
        line = file.readline(_MAX_DIGITS)
        if not line.endswith(b"\n"):
            raise ValueError("it holds an integer of too many digits")
        file.seek(-len(line), io.SEEK_CUR)
    return step.arg.reader(file)


def _to_mark(stack: list[Any]) -> list[Any]:
    """Take everything down to the last mark from the stack, and the mark."""
    at = len(stack) - 1
    while at >= 0 and stack[at] is not _MARK:
        at -= 1
    if at < 0:
        raise LookupError("a mark is missing")
    found = stack[at + 1 :]
    del stack[at:]
    return found


def _pop(name: str, argument: Any, stack: list[Any]) -> None:
    if name == "POP_MARK":
        _to_mark(stack)
    else:
        stack.pop()


def _class(name: str, argument: Any, stack: list[Any]) -> None:
    if name == "STACK_GLOBAL":
        last, first = stack.pop(), stack.pop()
        argument = " ".join(text[:_MAX_NAME] if isinstance(text, str) else "?" for text in (first, last))
    stack.append(_Note(_dotted(argument)))


def _dotted(argument: str) -> str:
    return argument.replace(" ", ".", 1)


def _call(name: str, argument: Any, stack: list[Any]) -> None:
    """Of what would be called, the name and with what."""
    if name == "INST":
        called, given = _Note(_dotted(argument)), _to_mark(stack)
    elif name == "OBJ":
        called, *given = _to_mark(stack)
    else:
        if name == "NEWOBJ_EX":
            stack.pop()
        arguments, called = stack.pop(), stack.pop()
        given = (arguments.items or []) if isinstance(arguments, _Note) else [arguments]
    stack.append(_Note(called.kind if isinstance(called, _Note) else "?", given))


def _fill(name: str, argument: Any, stack: list[Any]) -> None:
    """Lists, sets, dicts and objects get what is theirs."""
    if name in ("APPENDS", "SETITEMS", "ADDITEMS"):
        given = _to_mark(stack)
    else:
        count = 2 if name == "SETITEM" else 1
        given = stack[-count:]
        del stack[-count:]
    target = stack[-1]
    if not isinstance(target, _Note):
        return
    if name == "BUILD":
        target.state = given[0]
    elif name.startswith("SETITEM"):
        target.set(given)
    else:
        target.add(given)


def _whole(name: str, argument: Any, stack: list[Any]) -> None:
    """A list, set, dict or tuple that is made at once."""
    if name in _FILLED:
        given = _to_mark(stack)
    else:
        count = _TUPLES.get(name, 0)
        given = stack[len(stack) - count :]
        del stack[len(stack) - count :]
    note = _Note(_FILLED.get(name) or _EMPTY.get(name) or "list")
    if given:
        (note.set if note.kind == "dict" else note.add)(given)
    stack.append(note)


def _outside(name: str, argument: Any, stack: list[Any]) -> None:
    if name == "BINPERSID":
        stack.pop()
    stack.append(_Note("an object outside of the pickle"))


def _push(name: str, argument: Any, stack: list[Any]) -> None:
    stack.append(_MARK if name == "MARK" else stack[-1])


_ACTIONS: dict[str, Callable[[str, Any, list[Any]], None]] = {
    **dict.fromkeys(("MARK", "DUP"), _push),
    **dict.fromkeys(("POP", "POP_MARK"), _pop),
    **dict.fromkeys(("GLOBAL", "STACK_GLOBAL"), _class),
    **dict.fromkeys(("INST", "OBJ", "REDUCE", "NEWOBJ", "NEWOBJ_EX"), _call),
    **dict.fromkeys(("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"), _fill),
    **dict.fromkeys((*_EMPTY, *_FILLED, *_TUPLES), _whole),
    **dict.fromkeys(("PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER"), _outside),
}


class _Plain:
    """Makes plain data of notes."""

    def __init__(self, arrays: bool = False) -> None:
        self._left, self._arrays = MAX_VALUES, arrays

    def of(self, value: Any, depth: int) -> Any:
        """Return the plain form of a value that lies ``depth`` levels deep."""
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"it holds more than {MAX_VALUES:,} values")
        if not isinstance(value, _Note):
            return "<a mark>" if value is _MARK else value
        if depth >= _MAX_DEPTH:
            return "<too deep>"
        if value.kind.startswith("numpy.") and value.kind.endswith(".scalar"):
            with suppress(ValueError, *_FAILURES):
                return _number(*value.args)
        if self._arrays and value.kind.startswith("numpy.") and value.kind.endswith(".multiarray._reconstruct"):
            with suppress(ValueError, *_FAILURES):
                return _array(*value.state.items)
        pairs = _pairs(value)
        if pairs or value.kind in _MAPPINGS:
            return {self._key(key): self.of(item, depth + 1) for key, item in pairs}
        if value.items or value.kind == "list":
            return [self.of(item, depth + 1) for item in value.items or ()]
        if value.kind in _COLLECTIONS and isinstance(value.args, list) and len(value.args) == 1:
            return self.of(value.args[0], depth + 1)
        return f"<{printable(value.kind[:_MAX_NAME])}{'' if value.args is None else '(...)'}>"

    def _key(self, key: Any) -> str:
        if isinstance(key, str):
            return key
        return shown(key, _MAX_NAME) if isinstance(key, (bool, int, float, bytes)) or key is None else "<an object>"


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    """The entries of a mapping, and the attributes of an object.

    Its state is a dict, or a pair of them, of which the second one is of its slots.
    """
    if not isinstance(value, _Note):
        return []
    state = value.state
    parts = [state, *(state.items or ())] if isinstance(state, _Note) and state.kind == "list" else [state]
    attributes = [pair for part in parts if isinstance(part, _Note) for pair in part.pairs or ()]
    return [*(value.pairs or ()), *attributes]


def _number(dtype: _Note, data: Any) -> Any:
    """A number of numpy's, which is pickled as a call with a dtype and bytes."""
    return struct.unpack(_format(dtype), data)[0]


def _array(version: int, shape: _Note, dtype: _Note, is_fortran: bool, data: bytes) -> Any:
    """An array of numpy's, whose state is its shape, its dtype, its order, and its bytes."""
    import numpy as np  # late: only who asks for arrays needs it

    numbers = np.frombuffer(data, _format(dtype))
    return numbers.reshape(tuple(shape.items or ()), order="F" if is_fortran else "C").copy()


def _format(dtype: _Note) -> str:
    """The order of the bytes and the kind of a number, in the letters that struct and numpy share."""
    order = [each for each in (dtype.state.items if dtype.state else ()) if each in ("<", ">")]
    return f"{(order or ['<'])[0]}{_NUMPY[dtype.args[0]]}"
