"""Rows of floats that have the same keys, as most rows of a training do: what is made ready to write them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from rla_hooks.writers.base import FloatsWriter, Row, Writer


class RowShape:
    """Rows of floats with the same keys: what writes them."""

    def __init__(self, keys: tuple[str, ...], writers: Sequence[Writer]):
        self.types: list[type] = [float] * len(keys)
        self.writers = [*writers]
        self.writes = [(writer, _floats_writer(writer, keys)) for writer in writers]


def _floats_writer(writer: Writer, keys: tuple[str, ...]) -> FloatsWriter:
    """Return what writes rows of floats: the writer's own function, if there is one that works, else its ``write``."""
    if _has_floats_writer(writer):
        with suppress(Exception):  # no error of a writer stops the training; its rows go the longer way
            write: FloatsWriter = writer.floats_writer(keys)  # type: ignore[attr-defined]
            if callable(write):
                return write
    return lambda step, time, numbers: writer.write(Row(step, time, dict(zip(keys, numbers)), keys))


def _has_floats_writer(writer: Writer) -> bool:
    """Whether ``floats_writer`` belongs to ``write``: not where a subclass, a wrapper or an object has another one."""
    if "write" in getattr(writer, "__dict__", ()):
        return False
    for kind in type(writer).__mro__:
        if "write" in kind.__dict__ or "floats_writer" in kind.__dict__:
            return "write" in kind.__dict__ and "floats_writer" in kind.__dict__
    return False
