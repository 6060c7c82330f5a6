"""Turns errors during a run into one warning each, so that the training goes on, and keeps the warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rla_hooks.core.logger import ERROR, Logger
from rla_hooks.errors import WarnOnce
from rla_hooks.masking import mask_text
from rla_hooks.texts import cut, iso_time, text_of

_MAX_NOTES = 100  # warnings in run.json; further ones are counted there
_MAX_TEXT = 2000  # characters of one


class Guard:
    """Warns for all parts of a run, once for each subject.

    Each warning also goes to log.txt and to the ``warnings`` in run.json, since programs ignore or redirect Python's.

    >>> guard = Guard()
    >>> with guard.warn_on_error("run.json"):  # an OSError in here becomes a warning
    ...     pass
    """

    def __init__(self) -> None:
        self._reset(WarnOnce())

    def _reset(self, warn: WarnOnce) -> None:
        self.warn = warn
        self.warn.note = self.note
        self._notes: list[dict[str, Any]] = []
        self._further = 0
        self._logger: Logger | None = None
        self._noted: Callable[[], object] | None = None

    def connect(self, logger: Logger, noted: Callable[[], object]) -> None:
        """Warn for ``logger``, too; write warnings to its log.txt, and call ``noted`` when there is a new one."""
        self._logger, self._noted = logger, noted
        logger.warn_through(self.warn)

    def note(self, message: str) -> None:
        """Keep a warning that was given about the run, without secrets: its files get shared."""
        text = mask_text(cut(message, _MAX_TEXT))
        if len(self._notes) < _MAX_NOTES:
            self._notes.append({"time": iso_time(), "text": text})
        else:
            self._further += 1
        if self._logger is not None:
            self._logger.message(f"warning: {text}", level=ERROR, exclude="stdout")  # stderr has shown it there
        if self._noted is not None and not self._further:
            self._noted()

    def notes(self) -> list[dict[str, Any]]:
        """Return the warnings of this object as they are kept in run.json: ``{"time": ..., "text": ...}``."""
        if not self._further:
            return list(self._notes)
        further = f"{self._further} further warnings: see log.txt"
        return [*self._notes, {"time": self._notes[-1]["time"], "text": further}]

    def forget_notes(self) -> None:
        """List only what comes from now on: this is a copy, or a forked child."""
        self._notes, self._further = [], 0

    @contextmanager
    def warn_on_error(
        self,
        what: str,
        failed: str = "could not be written",
        ending: str = ". The training goes on.",
        kind: str | None = None,
    ) -> Iterator[None]:
        """Warn about an exception in the block: ``<what> <failed>: <error><ending>``, once for each ``what``.

        kind: the word for all things like this one. They share one warning about a disk, and a limit of their number.
        """
        try:
            yield
        except Exception as error:  # the user's objects may raise anything
            subject = what if kind is None else (kind, "the disk" if isinstance(error, OSError) else what)
            self.warn(subject, f"{what} {failed}: {text_of(error)}{ending}")

    def __getstate__(self) -> dict[str, Any]:
        return {"warn": self.warn}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy knows what was told, and keeps what it tells itself."""
        self._reset(state["warn"])
