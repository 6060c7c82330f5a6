"""RLA's clocks: ``time_record`` and ``time_record_end``, and ``time_tracker`` for blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rla_hooks.easy_log.logger import log_time_tracker, open_time_tracker
from rla_hooks.tester import needed_run

__all__ = ["log_time_tracker", "time_record", "time_record_end", "time_tracker"]


def time_record(name: str) -> None:
    """Start the clock ``name`` of the current run."""
    needed_run("time_record").time_record(name)


def time_record_end(name: str) -> float:
    """Stop the clock ``name``, record ``time_used/<name>`` in seconds, and return it."""
    return needed_run("time_record_end").time_record_end(name)


@contextmanager
def time_tracker(name: str) -> Iterator[None]:
    """Measure a block: ``with time_tracker("rollout"): ...``, then ``log_time_tracker()``."""
    with open_time_tracker(name):
        yield
