"""Rows that have the same keys and types, as most rows of a training do: what is made ready to write them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from rla_hooks.values import MAX_TEXT, WORD
from rla_hooks.writers.base import Row, ValuesWriter, Writer

PLAIN = {float, int, str}


class RowShape:
    """Rows with the same keys, whose values are of the same types (of :data:`PLAIN`): what writes them.

    bounded: where their ints and texts stand, which may be too large to be written as they are.
    """

    def __init__(self, keys: tuple[str, ...], types: Sequence[type], writers: Sequence[Writer]):
        self.bounded = [at for at, kind in enumerate(types) if kind is not float]
        self.writers = [*writers]
        self.writes = [(writer, _values_writer(writer, keys, types)) for writer in writers]

    def fits(self, values: Sequence[Any]) -> bool:
        """Whether all ints and texts of a row can be written as they are."""
        for at in self.bounded:
            value = values[at]
            if not (len(value) <= MAX_TEXT if type(value) is str else -WORD < value < WORD):
                return False
        return True


def _values_writer(writer: Writer, keys: tuple[str, ...], types: Sequence[type]) -> ValuesWriter:
    """Return what writes rows of these types: the writer's own function, if there is one that works, else ``write``."""
    if _has_values_writer(writer):
        with suppress(Exception):  # no error of a writer stops the training; its rows go the longer way
            write: ValuesWriter = writer.values_writer(keys, types)  # type: ignore[attr-defined]
            if callable(write):
                return write
    return lambda step, time, values: writer.write(Row(step, time, dict(zip(keys, values)), keys))


def _has_values_writer(writer: Writer) -> bool:
    """Whether ``values_writer`` belongs to ``write``: not where a subclass, a wrapper or an object has another one."""
    if "write" in getattr(writer, "__dict__", ()):
        return False
    for kind in type(writer).__mro__:
        if "write" in kind.__dict__ or "values_writer" in kind.__dict__:
            return "write" in kind.__dict__ and "values_writer" in kind.__dict__
    return False
