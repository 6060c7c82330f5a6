"""Trouble while a run goes on: it gives a warning, once, and the training goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rla_hooks.errors import WarnOnce


class Guard:
    """What all parts of a run warn by, so that a subject is told once by run.

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
        """Make a warning of whatever the block raises: ``<what> <failed>: <error><ending>``, once for each ``what``."""
        try:
            yield
        except Exception as error:  # objects of the user, and foreign conversions, raise what they like
            self.warn(what, f"{what} {failed}: {error}{ending}")
