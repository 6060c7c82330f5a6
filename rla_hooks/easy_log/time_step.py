"""RLA's ``time_step_holder``: the time step that dumps are written at."""

from __future__ import annotations

from typing import Any

from rla_hooks.core import time_step
from rla_hooks.easy_log.tester import time_step_holder

__all__ = ["TimeStepHolder", "time_step_holder"]


class TimeStepHolder(time_step.TimeStepHolder):
    """A counter of the user's own, as ``time_step_holder``; no row has its step.

    >>> holder = TimeStepHolder(3)
    >>> holder.inc_time()
    >>> holder.get_time()
    4
    """

    def __init__(self, time: int = 0, epoch: Any = 0, tf_log: bool = False):
        super().__init__()
        self.config(time, epoch, tf_log)
