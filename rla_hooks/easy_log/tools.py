"""RLA's older home of the clocks, and of a tool that deletes runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from rla_hooks.easy_log import log_tools, logger
from rla_hooks.easy_log.time_used_recorder import time_record, time_record_end

__all__ = ["DeleteLogTool", "time_record", "time_record_end", "time_used_wrap"]


def time_used_wrap(name: str, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function, record its time as ``time_used/<name>``, dump, and return what it returned."""
    time_record(name)
    result = func(*args, **kwargs)
    time_record_end(name)
    logger.dump_tabular()
    return result


class DeleteLogTool(log_tools.DeleteLogTool):
    """The tool of ``rla_hooks.easy_log.log_tools`` with the arguments that it had here.

    The log root is the folder ``sub_proj`` in ``log_root``. config: ignored; RLA has it.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", log_root="project/data", writers=[], backup="none"):
    ...     pass
    >>> len(DeleteLogTool("project", "data", "demo", "2*", None).runs())
    1
    """

    def __init__(
        self,
        log_root: str | os.PathLike[str],
        sub_proj: str,
        task: str,
        regex: str,
        config: Any = None,
        optional_log_type: Sequence[str] | None = None,
    ):
        super().__init__(log_root, task, regex, optional_log_type=optional_log_type, sub_proj=sub_proj)
