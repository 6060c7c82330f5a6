"""RLA's and baselines' ``logger``: ``from rla_hooks.easy_log import logger``. It calls the current run's logger.

logger.record_tabular("performance/reward", 10)
logger.dump_tabular()
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rla_hooks.core import registry
from rla_hooks.core.logger import BACKUP, DEBUG, DISABLED, ERROR, INFO, WARN, Logger  # noqa: F401 - logger.DISABLED, as in baselines
from rla_hooks.core.timers import TimeTracker
from rla_hooks.errors import RunError
from rla_hooks.tester import needed_run

Exclude = str | Iterable[str] | None


def get_current() -> Logger:
    """Return the current run's logger. Raises RunError, which says what to call first, if there is no run."""
    return needed_run("the logger").logger


def logkv(key: str, val: Any, exclude: Exclude = None, freq: int | None = None) -> None:
    """Record a value for the next dump; the last one wins.

    exclude: writers that do not get it. freq: record only when so many time steps have passed since the last time.
    """
    get_current().record(key, val, exclude, freq)


def logkv_mean(key: str, val: Any, exclude: Exclude = None) -> None:
    """Record the mean of the values given until the next dump."""
    get_current().record_mean(key, val, exclude)


def logkvs(d: Mapping[str, Any], prefix: str = "", exclude: Exclude = None) -> None:
    """Record every value of a mapping, with ``prefix`` before each key."""
    get_current().record_all(d, prefix, exclude)


def log_key_value(keys: Iterable[str], values: Iterable[Any], prefix_name: str = "") -> None:
    """Record values by parallel lists of keys and values."""
    get_current().record_all(dict(zip(keys, values)), prefix_name)


def ma_record_tabular(
    key: str, val: Any, record_len: int, ignore_nan: bool = False, exclude: Exclude = None, freq: int | None = None
) -> None:
    """Record the mean of the last ``record_len`` values, once there are so many."""
    get_current().record_moving_average(key, val, record_len, ignore_nan, exclude, freq)


def dumpkvs() -> dict[str, Any]:
    """Write what is recorded as one row, and return it."""
    return get_current().dump()  # type: ignore[return-value]


def getkvs() -> dict[str, Any]:
    """Return what is recorded and not yet dumped."""
    return get_current().name_to_value


record_tabular = logkv
record_tabular_mean = logkv_mean
dump_tabular = dumpkvs


def log(*args: Any, level: int = INFO) -> None:
    """Write the arguments as a line on the console and in log.txt."""
    get_current().message(*args, level=level)


def debug(*args: Any) -> None:
    log(*args, level=DEBUG)


def info(*args: Any) -> None:
    log(*args, level=INFO)


def warn(*args: Any) -> None:
    log("[WARN]", *args, level=WARN)


def error(*args: Any) -> None:
    log("[ERROR]", *args, level=ERROR)


def backup(*args: Any) -> None:
    log(*args, level=BACKUP)


def set_level(level: int) -> None:
    """Set the least level that is written; DISABLED stops rows too."""
    get_current().set_level(level)


def get_level() -> int:
    return get_current().level


def get_dir() -> str | None:
    """Return the folder of the log files, or None outside a run."""
    run = registry.current()
    return run.logger.get_dir() if run else None


def set_time(time: int) -> None:
    """Set the time step that dumps are written at."""
    get_current().time_step.set_time(time)


def get_time() -> int:
    return get_current().time_step.get_time()


def timestep() -> int:
    return get_time()


@contextmanager
def open_time_tracker(name: str) -> Iterator[None]:
    """Measure the time of a block under ``name``: ``with logger.open_time_tracker("rollout"): ...``"""
    with _tracker()(name):
        yield


def log_time_tracker(exclude: Exclude = None) -> None:
    """Record what the blocks have cost so far, under ``time_used/``."""
    get_current().record_all(_tracker().summary(), "time_used/", exclude)


def _tracker() -> TimeTracker:
    return needed_run("a time tracker").timers


class ProfileKV:
    """Adds the time of a block, in seconds, to the value ``wait_<name>`` of the next dump."""

    def __init__(self, name: str):
        self.name = f"wait_{name}"
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *exc_info: Any) -> None:
        seconds = time.perf_counter() - self._start
        logger = get_current()
        logger.record(self.name, logger.name_to_value.get(self.name, 0.0) + seconds)


def configure(*args: Any, **kwargs: Any) -> None:
    """baselines starts its logger here; a run of rla_hooks is started by its Tester."""
    raise RunError(
        "logger.configure(...) has no run to write to. Call tester.configure(task_name=...) and "
        "tester.log_files_gen(), or decorate your function with @rla.track."
    )
