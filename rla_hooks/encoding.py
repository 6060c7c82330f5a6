"""Walks through nested content and builds what is stored of it, for plain data and for torch's files."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rla_hooks.texts import shown

DEEPEST = 100  # levels of nesting
_WORD = 2**63  # every format stores integers up to here
KeyPath = tuple[Any, ...]  # the keys that lead to a value, from the outermost


class NotStorable(Exception):
    """A value that cannot be stored; the message says where it is, what it is, and what to do."""

    def __init__(self, keys: KeyPath, problem: str):
        super().__init__(f"{key_path_text(keys)}: {problem}")


class Encoder:
    """Builds what is stored for nested content, without changing the content.

    Without ``left_out``, a value that cannot be stored raises TypeError. With a list, the value is omitted (in a list
    or a tuple, None takes its place), a line that says where it is and what is wrong is appended to the list, and an
    object whose class derives from a builtin is stored as the builtin.
    """

    scalars: frozenset[type] = frozenset({type(None), bool, int, float, str, bytes, bytearray})  # stored as they are
    containers: frozenset[type] = frozenset({dict, OrderedDict, list, tuple, set, frozenset, deque})

    def __init__(self, left_out: list[str] | None = None):
        self.left_out = left_out
        self.in_key = False  # a key or a member of a set is stored whole or not at all
        self._ancestors: set[int] = set()  # ids of the objects that the value is inside of

    def encode_or_omit(self, value: Any, keys: KeyPath = ()) -> Any:
        """Return what is stored for a value; None for one that is omitted."""
        try:
            return self.encode(value, keys)
        except NotStorable as problem:
            self.omit(problem)
            return None

    def encode(self, value: Any, keys: KeyPath) -> Any:
        """Return what is stored for a value. Raises NotStorable."""
        kind = type(value)
        if kind in self.scalars:
            return value
        leaf = self.encode_leaf(value, keys)
        if leaf is not NotImplemented:
            return leaf
        plain = value
        if kind not in self.containers:
            plain = NotImplemented if self.left_out is None else _as_builtin(value)
            if plain is NotImplemented or type(plain) is kind:
                raise NotStorable(keys, f"a {kind} cannot be stored here. {_hint(value)}")
        if type(plain) not in self.containers:
            return self.encode(plain, keys)
        with self.entered(value, keys):
            return self.encode_container(plain, keys)

    def encode_leaf(self, value: Any, keys: KeyPath) -> Any:
        """Return what is stored for a value that is neither a scalar nor a container, or NotImplemented."""
        return NotImplemented

    def encode_container(self, value: Any, keys: KeyPath) -> Any:
        """Return what is stored for a container."""
        kind = type(value)
        if kind in (dict, OrderedDict):
            return kind(self.encode_items(value, keys))
        if kind in (set, frozenset):
            return kind(self._encode_members(value, keys))
        return kind(self.encode_elements(value, keys))

    def encode_items(self, value: dict[Any, Any], keys: KeyPath) -> Iterator[tuple[Any, Any]]:
        """Yield the pairs of a dict that can be stored."""
        for key, element in value.items():
            try:
                yield self._encode_key(key, keys), self.encode(element, (*keys, key))
            except NotStorable as problem:
                self.omit(problem)

    def encode_elements(self, value: Iterable[Any], keys: KeyPath) -> Iterator[Any]:
        """Yield the elements of a list, tuple or deque, None for those that are omitted."""
        for index, element in enumerate(value):
            quick = type(element) in self.scalars or (type(element) is int and -_WORD < element < _WORD)
            yield element if quick else self.encode_or_omit(element, (*keys, index))

    @contextmanager
    def entered(self, value: Any, keys: KeyPath) -> Iterator[None]:
        """Enter an object. Raises NotStorable where it contains itself or is nested too deeply."""
        if id(value) in self._ancestors:
            raise NotStorable(keys, f"the {type(value).__name__} contains itself. Break the circle.")
        if len(self._ancestors) >= DEEPEST:
            raise NotStorable(keys[:3], f"nested more than {DEEPEST} levels deep. Store it flatter.")
        self._ancestors.add(id(value))
        try:
            yield
        finally:
            self._ancestors.discard(id(value))

    def omit(self, problem: NotStorable) -> None:
        """Note a value that is left out; raise where that is not allowed."""
        if self.in_key:
            raise problem
        if self.left_out is None:
            raise TypeError(str(problem)) from None
        self.left_out.append(str(problem))

    def _encode_members(self, value: Iterable[Any], keys: KeyPath) -> Iterator[Any]:
        for member in value:
            try:
                yield self._encode_key(member, keys)
            except NotStorable as problem:
                self.omit(problem)

    def _encode_key(self, key: Any, keys: KeyPath) -> Any:
        if type(key) in self.scalars:
            return key
        before, self.in_key = self.in_key, True
        try:
            return self.encode(key, ())
        except NotStorable:
            raise NotStorable(keys, f"a key or member that is or holds a {type(key)} cannot be stored here.") from None
        finally:
            self.in_key = before


def key_path_text(keys: KeyPath) -> str:
    """Return the keys as Python writes them.

    >>> key_path_text(("custom", "a", 3))
    "custom['a'][3]"
    """
    if not keys:
        return "the content"
    named = isinstance(keys[0], str) and keys[0].isidentifier()
    return (keys[0] if named else "") + "".join(f"[{_short(key)}]" for key in keys[named:])


def _short(key: Any) -> str:
    text = shown(key)
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
