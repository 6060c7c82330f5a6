"""Measures how long the parts of a training take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rla_hooks.errors import RunError


class TimeTracker:
    """Adds up calls and seconds of named blocks.

    >>> tracker = TimeTracker()
    >>> with tracker("rollout"):
    ...     pass
    >>> sorted(tracker.summary())[0]
    'calls/rollout'
    """

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._calls: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self._running: dict[str, float] = {}

    def start(self, name: str) -> None:
        """Start the clock ``name``."""
        self._running[name] = time.perf_counter()

    def stop(self, name: str) -> float:
        """Stop the clock ``name`` and return its seconds. Raises RunError if it was not started."""
        if name not in self._running:
            raise RunError(f"time_record_end({name!r}) without time_record({name!r}). Running: {list(self._running)}.")
        return time.perf_counter() - self._running.pop(name)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - start
            self._calls[name] = self._calls.get(name, 0) + 1

    def seconds(self, name: str) -> float:
        """Return the seconds spent in ``name`` so far."""
        return self._seconds.get(name, 0.0)

    def calls(self, name: str) -> int:
        """Return how often ``name`` was measured so far."""
        return self._calls.get(name, 0)

    def summary(self) -> dict[str, float]:
        """Return for each name its calls, seconds, seconds per call, and share (0 to 1) of the time since the start."""
        passed = time.perf_counter() - self._started
        values: dict[str, float] = {}
        for name, seconds in self._seconds.items():
            calls = self._calls[name]
            values |= {
                f"calls/{name}": calls,
                f"total/{name}": seconds,
                f"per_call/{name}": seconds / calls,
                f"share/{name}": seconds / passed if passed else 0.0,
            }
        return values

    def clear(self) -> None:
        """Forget everything; the shares are then of the time since this call."""
        self._started = time.perf_counter()
        self._calls.clear()
        self._seconds.clear()
