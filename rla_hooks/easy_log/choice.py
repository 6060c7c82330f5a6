"""Which logger RLA's words mean: that of the run, one of ``logger.configure``, or the one that only prints.

| called | the logger |
| --- | --- |
| in a run | the run's |
| after ``logger.configure(dir)``, where the same run is open as then, or none again | that of the folder |
| elsewhere | the default, on stdout: nothing is created |
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from rla_hooks.core import handover, not_writing, registry
from rla_hooks.core.logger import Logger
from rla_hooks.core.timers import TimeTracker
from rla_hooks.errors import warn
from rla_hooks.locks import in_forked_child
from rla_hooks.tester import current_tester, needed_run
from rla_hooks.writers.human_writer import StdoutWriter


class Chosen(NamedTuple):
    """A logger of the user's, and which run was open when it was chosen."""

    logger: Logger
    within: Callable[[], Any]


_chosen: Chosen | None = None
_default: Logger | None = None
_GONE = object()


def current() -> Logger:
    """Return the logger that is meant here. Raises RunError where it is unclear which of several runs is."""
    run = registry.current()
    is_clear = run is not None or not registry.open_count()
    if _chosen is not None and is_clear and _chosen.within() is run:
        return _with_time_step(_chosen.logger)
    if run is not None:
        return run.logger  # type: ignore[no-any-return]
    return run_logger() or default()


def _with_time_step(logger: Logger) -> Logger:
    """Let a logger have the time step of ``time_step_holder``: that of the run, or of the one that comes next."""
    logger.time_step = current_tester().logger.time_step
    return logger


def run_logger() -> Logger | None:
    """Return the logger of the current run; in a process that writes nothing, one that takes everything; else None."""
    run = registry.current()
    if run is not None:
        return run.logger  # type: ignore[no-any-return]
    if registry.open_count() or handover.writing_disabled() or not_writing.run_of_parent() is not None:
        return needed_run("the logger").logger
    return None


def default() -> Logger:
    """Return the logger that prints, and keeps nothing."""
    global _default
    if _default is None:
        _default = Logger([StdoutWriter(math.inf)])
        _default.before_row = _tell
    return _with_time_step(_default)


def timers() -> TimeTracker:
    """Return what measures blocks here: the tracker of the run, or of the one that comes next."""
    return current_tester().timers  # type: ignore[no-any-return]


def _tell() -> None:
    warn(
        "logger has no run and no folder: its rows are printed, and kept nowhere. To keep them call "
        "tester.configure(...) and tester.log_files_gen() before, use @rla.track, or call logger.configure(dir)."
    )


def choose(logger: Logger | None) -> None:
    """Use a logger from now on, as long as the same run is open as now, or none; None: the run's, or the default."""
    global _chosen
    run = registry.current()
    _chosen = None if logger is None else Chosen(logger, (lambda: None) if run is None else _reference(run))


def _reference(run: Any) -> Callable[[], Any]:
    found = weakref.ref(run)
    return lambda: _GONE if (run := found()) is None else run  # one that is gone is not "no run"


def chosen() -> Chosen | None:
    """Return what :func:`choose` has chosen last, for :func:`restore`."""
    return _chosen


def restore(before: Chosen | None) -> None:
    """Go back to what :func:`chosen` has returned."""
    global _chosen
    _chosen = before


def forget_state() -> None:
    """Forget all, as between two tests."""
    global _default
    if _chosen is not None:
        _chosen.logger.close()
    restore(None)
    _default = None


def _begin_process() -> None:
    global _default
    _default = None  # a child of multiprocessing prints, too
    restore(None)  # the files are the parent's


in_forked_child(_begin_process)
