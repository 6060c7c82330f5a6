"""RLA's older home of the clocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rla_hooks.easy_log import logger
from rla_hooks.easy_log.time_used_recorder import time_record, time_record_end

__all__ = ["time_record", "time_record_end", "time_used_wrap"]


def time_used_wrap(name: str, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function, record its time as ``time_used/<name>``, dump, and return what it returned."""
    time_record(name)
    result = func(*args, **kwargs)
    time_record_end(name)
    logger.dump_tabular()
    return result
