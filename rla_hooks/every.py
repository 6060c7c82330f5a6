"""Intervals of steps and seconds, for what a training does now and then."""

from __future__ import annotations

import numbers
import time

from rla_hooks.errors import ConfigError


class Every:
    """An interval: true at the first call, and when so many ``steps`` or ``seconds`` have passed since it was true.

    It is also true when the step goes back. Raises ConfigError if neither is given, or one is not above 0.

    >>> every = Every(steps=10)
    >>> [step for step in range(0, 30, 4) if every(step)]
    [0, 12, 24]
    """

    def __init__(self, steps: int | None = None, seconds: float | None = None):
        if steps is None and seconds is None:
            raise ConfigError("Every() got neither steps nor seconds. Give one, such as Every(steps=1000).")
        for name, value in (("steps", steps), ("seconds", seconds)):
            if value is not None and not (isinstance(value, numbers.Real) and value > 0):
                raise ConfigError(f"{name} is {value!r}. Allowed: a number above 0.")
        self.steps, self.seconds = steps, seconds
        self._last: tuple[int, float] | None = None

    def __call__(self, step: int) -> bool:
        now = time.monotonic()
        if self._last is not None:
            passed, waited = step - self._last[0], now - self._last[1]
            by_steps = self.steps is not None and not 0 <= passed < self.steps
            by_seconds = self.seconds is not None and waited >= self.seconds
            if not (by_steps or by_seconds):
                return False
        self._last = step, now
        return True
