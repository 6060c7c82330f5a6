"""The time step of rows that are given none: RLA's ``time_step_holder``."""

from __future__ import annotations

from rla_hooks.errors import WarnOnce
from rla_hooks.values import LARGE


class TimeStepHolder:
    """The time step of dumps that are given none. While it is not set, dumps count 0, 1, 2..."""

    def __init__(self) -> None:
        self._time: int | None = None
        self._warn = WarnOnce()

    def set_time(self, time: int) -> None:
        whole = int(time)
        if whole != time:
            self._warn("fraction", f"the time step {time} was set: time steps are whole numbers, so it is {whole}.")
        self._time = max(1 - LARGE, min(whole, LARGE - 1))

    def get_time(self) -> int:
        """Return the time step; 0 while it is not set."""
        return 0 if self._time is None else self._time

    def inc_time(self) -> None:
        self.add_time(1)

    def add_time(self, add: int) -> None:
        self.set_time(self.get_time() + int(add))

    def clear(self) -> None:
        """Unset the time step: dumps count on from the last row."""
        self._time = None

    @property
    def is_set(self) -> bool:
        return self._time is not None
