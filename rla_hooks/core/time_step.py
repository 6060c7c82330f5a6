"""The time step of rows that are given none: RLA's ``time_step_holder``."""

from __future__ import annotations

from typing import Any

from rla_hooks.errors import WarnOnce
from rla_hooks.texts import shown
from rla_hooks.values import LARGE


class TimeStepHolder:
    """The time step of dumps that are given none. While it is not set, dumps count 0, 1, 2..."""

    tf_log = False  # RLA's; TensorBoard has the step of the row in any case
    _epoch: Any = 0

    def __init__(self) -> None:
        self._time: int | None = None
        self._warn = WarnOnce()

    def config(self, time: int | None = None, epoch: Any = 0, tf_log: bool = False) -> None:
        """Begin anew: with this time step, or with none that is set, and this outer epoch; RLA's word.

        >>> holder = TimeStepHolder()
        >>> holder.config(time=5)
        >>> holder.inc_time()
        >>> holder.get_time(), holder.get_outer_epoch()
        (6, 0)
        """
        self.clear()
        if time is not None:
            self.set_time(time)
        self._epoch, self.tf_log = epoch, tf_log

    def set_outer_epoch(self, epoch: Any) -> None:
        """Keep the number of an outer loop, for the program: no row has it."""
        self._epoch = epoch

    def get_outer_epoch(self) -> Any:
        """Return the number that :meth:`set_outer_epoch` has kept; 0 before."""
        return self._epoch

    def inc_outer_epoch(self) -> None:
        """Add 1 to the number of the outer loop."""
        self._epoch += 1

    def set_time(self, time: int) -> None:
        """Set the time step. A fraction is cut, what is no number is ignored; each warns once."""
        try:
            whole = int(time)
            is_exact = bool(whole == time)
        except Exception:  # of the user's object
            self._warn("number", f"the time step {shown(time)} is no number; it stays {self._time}.")
            return
        if not is_exact:
            self._warn("fraction", f"the time step {shown(time)} was set; it is cut to {shown(whole)}.")
        self._time = max(1 - LARGE, min(whole, LARGE - 1))

    def get_time(self) -> int:
        """Return the time step; 0 while it is not set."""
        return 0 if self._time is None else self._time

    def inc_time(self) -> None:
        self.add_time(1)

    def add_time(self, add: int) -> None:
        """Add to the time step, as :meth:`set_time` sets it."""
        try:
            self.set_time(self.get_time() + add)
        except Exception:  # of the user's object
            self._warn("number", f"{shown(add)} is no number to add to the time step; it stays {self._time}.")

    def clear(self) -> None:
        """Unset the time step: dumps count on from the last row."""
        self._time = None

    @property
    def is_set(self) -> bool:
        return self._time is not None
