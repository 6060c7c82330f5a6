"""RLA's ``time_step_holder``: the time step that dumps are written at."""

from rla_hooks.easy_log.tester import time_step_holder

__all__ = ["time_step_holder"]
