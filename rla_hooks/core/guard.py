"""Turns errors during a run into one warning each, so that the training goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rla_hooks.errors import WarnOnce


class Guard:
    """Warns for all parts of a run, once for each subject.

    >>> guard = Guard()
    >>> with guard.warn_on_error("run.json"):  # an OSError in here becomes a warning
    ...     pass
    """

    def __init__(self) -> None:
        self.warn = WarnOnce()

    @contextmanager
    def warn_on_error(
        self, what: str, failed: str = "could not be written", ending: str = ". The training goes on."
    ) -> Iterator[None]:
        """Warn about an exception in the block: ``<what> <failed>: <error><ending>``, once for each ``what``."""
        try:
            yield
        except Exception as error:  # the user's objects may raise anything
            self.warn(what, f"{what} {failed}: {error}{ending}")
