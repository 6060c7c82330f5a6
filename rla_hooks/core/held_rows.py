"""Holds back rows while the files of a run are closed, to be replaced: a signal handler may log at any moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rla_hooks.writers.base import MediaEvent, Row, Writer

_Held = list[tuple[str, Callable[..., Any], Any]]  # the name of a writer, what is to be called, with what


class ClosedLogger(Protocol):
    """What this module uses of a logger."""

    output_formats: list[Writer]
    before_row: Callable[[], None] | None
    rows: int
    last_step: int | None
    _shapes: dict[Any, Any]

    def settle(self) -> None: ...
    def _begin(self) -> None: ...
    def _write(self, writer: Writer, row: Row | MediaEvent | None) -> None: ...
    def _call_writer(self, writer: Writer, action: Callable[..., object], *args: Any) -> None: ...


class _Holder:
    """Stands for a writer, and keeps what it is to write."""

    def __init__(self, writer: Writer, held: _Held):
        self.name = writer.name
        self._writer, self._held = writer, held

    def write(self, row: Row | MediaEvent) -> bool:
        self._held.append((self.name, _write, row))
        return False  # nothing is known yet of whether it can be written

    def message(self, text: str) -> None:
        self._held.append((self.name, _show, text))

    def close(self) -> None:
        pass


def _write(logger: ClosedLogger, writer: Any, row: Any) -> None:
    logger._write(writer, row)


def _show(logger: ClosedLogger, writer: Any, text: Any) -> None:
    show = getattr(writer, "message", None)
    if callable(show):
        logger._call_writer(writer, show, text)


@contextmanager
def holding_back(logger: ClosedLogger) -> Iterator[None]:
    """Close the writers of a logger, whose lock is held, and give them what is written in the block after its end.

    The block may attach other writers: then these get it. ``before_row`` is not called in the block, but at its end if
    a row has come; what the block has set it to counts.
    """
    held: _Held = []
    logger.settle()
    writers, before_row = logger.output_formats, logger.before_row
    holders: list[Any] = [_Holder(writer, held) for writer in writers]
    logger.before_row, logger.output_formats = None, holders
    try:
        logger.settle()  # what a signal handler has left open
        logger._shapes = {}
        for writer in writers:
            logger._call_writer(writer, writer.close)
        yield
    finally:
        news = [row for _, _, row in held if isinstance(row, Row)]
        if logger.output_formats is holders:
            logger.output_formats = writers
        elif news:
            logger.rows += max(Counter(name for name, _, row in held if isinstance(row, Row)).values())
        logger._shapes = {}
        if logger.before_row is None:
            logger.before_row = before_row
        if news:
            logger.last_step = news[-1].step
            logger._begin()
        for name, action, content in held:
            for writer in logger.output_formats:
                if writer.name == name:
                    action(logger, writer, content)
