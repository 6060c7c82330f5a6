"""RLA's and baselines' ``logger``: ``from rla_hooks.easy_log import logger``.

    logger.record_tabular("performance/reward", 10)
    logger.dump_tabular()

In a run it is the run's logger. Elsewhere it prints, as that of openai/baselines does, and after
``logger.configure(dir)`` it writes to that folder, too: log.txt and progress.csv, by default.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from rla_hooks import ranks
from rla_hooks.core.logger import BACKUP, DEBUG, DISABLED, ERROR, INFO, WARN  # noqa: F401 - logger.DISABLED, say
from rla_hooks.easy_log import choice
from rla_hooks.easy_log.configuring import configure, reset, scoped_configure  # noqa: F401 - as in baselines
from rla_hooks.easy_log.formats import (  # noqa: F401 - as in baselines
    CSVOutputFormat,
    HumanOutputFormat,
    JSONOutputFormat,
    KVWriter,
    SeqWriter,
    TensorBoardOutputFormat,
    make_output_format,
)
from rla_hooks.easy_log.logger_class import Logger, over
from rla_hooks.easy_log.reading import read_csv, read_json, read_tb  # noqa: F401 - as in baselines
from rla_hooks.easy_log.time_used_recorder import log_time_tracker, open_time_tracker  # noqa: F401 - as in RLA
from rla_hooks.errors import WarnOnce
from rla_hooks.old_words import tell_modern_name
from rla_hooks.tester import needed_run
from rla_hooks.writers.base import RawSummary

P = ParamSpec("P")
R = TypeVar("R")
Exclude = str | Iterable[str] | None
_warn = WarnOnce()


def get_current() -> Logger:
    """Return the logger that is meant here: the run's, that of ``configure``, or the default, which prints."""
    return over(choice.current())


def logkv(key: str, val: Any, exclude: Exclude = None, freq: int | None = None) -> None:
    """Record a value for the next dump; the last one wins.

    exclude: writers that do not get it. freq: record only when so many time steps have passed since the last time.
    """
    choice.current().record(key, val, exclude, freq)


def logkv_mean(key: str, val: Any, exclude: Exclude = None) -> None:
    """Record the mean of the values given until the next dump."""
    choice.current().record_mean(key, val, exclude)


def logkvs(d: Mapping[str, Any], prefix: str = "", exclude: Exclude = None) -> None:
    """Record every value of a mapping, with ``prefix`` before each key."""
    choice.current().record_all(d, prefix, exclude)


def log_key_value(keys: Iterable[str], values: Iterable[Any], prefix_name: str = "") -> None:
    """Record values by parallel lists of keys and values."""
    choice.current().record_all(dict(zip(keys, values)), prefix_name)


def ma_record_tabular(
    key: str, val: Any, record_len: int, ignore_nan: bool = False, exclude: Exclude = None, freq: int | None = None
) -> None:
    """Record the mean of the last ``record_len`` values, once there are so many."""
    choice.current().record_moving_average(key, val, record_len, ignore_nan, exclude, freq)


def dumpkvs(step: int | None = None) -> dict[str, Any]:
    """Write what is recorded as one row, and return it. step: by default the time step."""
    return choice.current().dump(step)  # type: ignore[return-value]


def getkvs() -> dict[str, Any]:
    """Return what is recorded and not yet dumped."""
    return choice.current().name_to_value


record_tabular = record = logkv
record_tabular_mean = record_mean = logkv_mean
dump_tabular = dump = dumpkvs


def log(*args: Any, level: int = INFO) -> None:
    """Write the arguments as a line on the console and in log.txt."""
    choice.current().message(*args, level=level)


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
    choice.current().set_level(level)


def get_level() -> int:
    return choice.current().level


def set_comm(comm: Any) -> None:
    """baselines' mean over MPI's ranks, without effect: the rows are those of rank 0."""
    if comm is not None:
        _warn("comm", "logger.set_comm has no effect: rows are those of rank 0. Log the mean over the ranks there.")


def get_rank_without_mpi_import() -> int:
    """Return the rank of this process, as its launcher has told it; 0 where there is none."""
    return ranks.global_rank()


def get_dir() -> str | None:
    """Return the folder of the log files, or None where there is none: outside a run and before ``configure``."""
    return choice.current().get_dir()


# --- time -------------------------------------------------------------------------------------------------------------


def set_time(time: int) -> None:
    """Set the time step that dumps are written at."""
    choice.current().time_step.set_time(time)


def get_time() -> int:
    return choice.current().time_step.get_time()


def timestep() -> int:
    return get_time()


class ProfileKV:
    """Adds the time of a block, in seconds, to the value ``wait_<name>`` of the next dump."""

    def __init__(self, name: str):
        self.name = f"wait_{name}"
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *exc_info: Any) -> None:
        seconds = time.perf_counter() - self._start
        logger = choice.current()
        logger.record(self.name, logger.name_to_value.get(self.name, 0.0) + seconds)


profile_kv = ProfileKV


def profile(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Add the time of each call of a function to ``wait_<name>``: ``@logger.profile("step")``."""

    def decorator(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            with ProfileKV(name):
                return function(*args, **kwargs)

        return measured

    return decorator


# --- TensorBoard ------------------------------------------------------------------------------------------------------


def log_from_tf_summary(summary: Any) -> None:
    """Record the scalars of a ``Summary`` message, or of its bytes, for the next dump; show the rest in TensorBoard.

    TensorFlow is not needed. What is no such message gives one warning.
    """
    tell_modern_name("logger.log_from_tf_summary", "run.add_summary(message, step)")
    from rla_hooks.summaries.messages import parsed, scalars, without

    logger = choice.current()
    try:
        message = parsed(summary)
    except ValueError as mistake:
        _warn("summary", f"log_from_tf_summary: {mistake}; nothing was logged.")
        return
    logger.record_all(dict(scalars(message)))
    rest = without(message, lambda value: value.HasField("simple_value"))
    if rest:
        logger.write_media("summary", RawSummary(rest))


def get_tbx_writer() -> Any:
    """Return the current run, which has the words of tensorboardX's SummaryWriter. Raises RunError without a run."""
    tell_modern_name("logger.get_tbx_writer()", "rla.current_run()")
    return needed_run("get_tbx_writer").writer


def summary_val(key: str, value: float) -> Any:
    """Return a scalar as a value of a ``Summary`` message of TensorBoard."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary.Value(tag=key, simple_value=float(value))


def valid_float_value(value: Any) -> bool:
    """Whether ``float`` takes the value."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def forget_state() -> None:
    """Warn once more, as between two tests."""
    _warn.forget_all()
