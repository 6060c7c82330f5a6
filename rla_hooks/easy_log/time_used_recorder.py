"""RLA's clocks: ``time_record`` and ``time_record_end``, and ``time_tracker`` for blocks.

with time_tracker("rollout"):
    ...
time_tracker.log()       # time_used/total calls/rollout, time_used/total time cost/rollout, ...
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from rla_hooks.easy_log import choice

__all__ = [
    "SingleTimeTracker",
    "TimeTracker",
    "log_time_tracker",
    "open_time_tracker",
    "time_record",
    "time_record_end",
    "time_tracker",
]
_CSV = ("csv",)


def time_record(name: str) -> None:
    """Start the clock ``name``."""
    choice.timers().start(name)


def time_record_end(name: str) -> float:
    """Stop the clock ``name``, record ``time_used/<name>`` in seconds, and return it."""
    seconds = choice.timers().stop(name)
    choice.current().record(f"time_used/{name}", seconds)
    return seconds


class SingleTimeTracker:
    """What measures a block, and what the blocks of its name have cost."""

    def __init__(self, name: str = "untitled"):
        self.name = name
        self._open: list[AbstractContextManager[None]] = []

    def __enter__(self) -> SingleTimeTracker:
        block = choice.timers()(self.name)
        block.__enter__()
        self._open.append(block)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.pop().__exit__(kind, error, trace)

    @property
    def call_time(self) -> int:
        """How many blocks there were."""
        return choice.timers().calls(self.name)

    @property
    def time_cost(self) -> float:
        """Their seconds."""
        return choice.timers().seconds(self.name)


class TimeTracker:
    """Measures blocks, and tells what they have cost by RLA's names of metrics. It is the run's tracker.

    >>> tracker = TimeTracker()
    >>> tracker.clear()
    >>> with tracker("rollout"):
    ...     pass
    >>> [*tracker.get_info()]  # doctest: +NORMALIZE_WHITESPACE
    ['total calls/rollout', 'total time cost/rollout', 'time cost per call/rollout', 'time cost percentage/rollout']
    """

    per_call = "time cost per call"  # "average time cost" in RLA's module trackers

    def __call__(self, name: str = "untitled") -> SingleTimeTracker:
        """Return what measures a block under this name: ``with time_tracker("rollout"): ...``"""
        return SingleTimeTracker(name)

    add = __call__

    def clear(self) -> None:
        """Forget all; the percentages are of the time from now on."""
        choice.timers().clear()

    def statistic_entry(self, name: str) -> dict[str, float]:
        """Return calls, seconds, seconds per call, and share (0 to 1) of a name. Raises KeyError for an unknown one."""
        found = {key: value for key, value in self.get_info().items() if key.partition("/")[2] == name}
        if not found:
            raise KeyError(f"time_tracker has measured no block {name!r}")
        return found

    def get_info(self) -> dict[str, float]:
        """Return the same of all names."""
        words = {"calls": "total calls", "total": "total time cost", "share": "time cost percentage"}
        words["per_call"] = self.per_call
        found: dict[str, float] = {}
        for key, value in choice.timers().summary().items():
            kind, _, name = key.partition("/")
            found[f"{words[kind]}/{name}"] = value
        return found

    def log(self, exclude_lst: str | Iterable[str] | None = _CSV) -> None:
        """Record all of it for the next dump, under ``time_used/``. exclude_lst: the writers that do not get it."""
        choice.current().record_all(self.get_info(), "time_used/", exclude_lst)

    def __reduce__(self) -> Any:
        return type(self), ()


time_tracker = TimeTracker()


def open_time_tracker(name: str) -> SingleTimeTracker:
    """Measure the time of a block under ``name``: ``with logger.open_time_tracker("rollout"): ...``"""
    return time_tracker(name)


def log_time_tracker(exclude: str | Iterable[str] | None = None) -> None:
    """Record what the blocks have cost so far for the next dump: see :meth:`TimeTracker.get_info`."""
    time_tracker.log(exclude)
