"""RLA's later home of the clocks: as ``rla_hooks.easy_log.time_used_recorder``, but for one name of a metric."""

from __future__ import annotations

from rla_hooks.easy_log import time_used_recorder
from rla_hooks.easy_log.time_used_recorder import SingleTimeTracker, time_record, time_record_end

__all__ = ["SingleTimeTracker", "TimeTracker", "time_record", "time_record_end", "time_tracker"]


class TimeTracker(time_used_recorder.TimeTracker):
    """Measures blocks: ``with tracker.add("rollout"): ...``, then ``tracker.log()``."""

    per_call = "average time cost"


time_tracker = TimeTracker()
