"""Which runs are open in this process, which one is current, and how they end when the process does."""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from rla_hooks import ranks
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.layout import RunPaths
from rla_hooks.record import FINISHED, INTERRUPTED, ending_of

if TYPE_CHECKING:
    from rla_hooks.tester import Tester

_current: ContextVar[Tester | None] = ContextVar("rla_hooks_current_run", default=None)
_open: dict[Tester, int] = {}  # oldest first, with the thread that opened it
_lock = threading.RLock()
_RANKS_VARIABLE = "RLA_RUN_OF_RANK_ZERO"
_planned: list[Tester] = []  # planned, and maybe started by a child process; or begun by another process
_hooked = 0  # the process whose end is seen to


def current() -> Tester | None:
    """Return the run that a call from here belongs to.

    The innermost tracked call of this thread or task; else, for a thread that the training started, the innermost
    open run of the training's own thread, unless runs are open side by side; else None. Runs that other threads
    opened inside that one are their own: calls from a thread pool do not become each other's children.
    """
    run = _current.get()
    if run is not None:
        return run
    with _lock:
        # A forked child has copies of its parent's runs, which take everything and write nothing.
        own = {run: thread for run, thread in _open.items() if run.is_writing} or _open
        # What a hook has opened for itself is no reason to doubt which run the user means.
        own = {run: thread for run, thread in own.items() if not run.is_planned} or own
        family: set[str | None] = set()
        for candidate, thread in own.items():
            if family and candidate.parent not in family:
                return None
            family.add(candidate.name)
            if thread == next(iter(own.values())):
                run = candidate
        return run


def enclosing() -> Tester | None:
    """Return the run that a tracked call from here is a part of.

    As :func:`current`, but of two threads that the main thread started neither is the other's.
    """
    run = _current.get()
    if run is not None:
        return run
    run = current()
    around = (threading.main_thread().ident, threading.get_ident())
    return run if run is not None and _open.get(run) in around else None


def is_off() -> bool:
    """Whether the environment variable RLA_MODE turns tracking off."""
    mode = os.environ.get("RLA_MODE", "on").strip().lower()
    if mode not in ("on", "off", ""):
        raise ConfigError(f"RLA_MODE is {mode!r}. Known: on, off.{did_you_mean(mode, ['on', 'off'])}")
    return mode == "off"


def is_silent() -> bool:
    """Whether this process starts no runs: tracking is off, or another rank writes."""
    return is_off() or not ranks.is_writer_rank()


def open_count() -> int:
    """Return how many runs are open in this process."""
    return len(_open)


def tell_other_ranks(paths: RunPaths) -> None:
    """Leave the run's name where processes that a launcher starts from here find it: all ranks have one run."""
    os.environ[_RANKS_VARIABLE] = json.dumps([str(paths.log_root), paths.name])


def run_of_writing_rank() -> RunPaths | None:
    """Return the run of the rank that writes, on another rank that was started by it; None where it is not known."""
    if ranks.is_writer_rank():
        return None
    try:
        log_root, name = json.loads(os.environ[_RANKS_VARIABLE])
        return RunPaths(Path(log_root), name)
    except (KeyError, ValueError, TypeError):
        return None


def forget_writing_rank() -> None:
    """Where a further run starts on a rank that does not write, the name of the last one must not be taken for it."""
    if not ranks.is_writer_rank():
        os.environ.pop(_RANKS_VARIABLE, None)


@contextmanager
def entered(run: Tester) -> Iterator[None]:
    """Make ``run`` the current one of this thread or task for the time of the block."""
    token = _current.set(run)
    try:
        yield
    finally:
        _current.reset(token)


def watch(run: Tester) -> None:
    """Note a run that is not open in this process, or not yet: something may be left to write when the process ends."""
    with _lock:
        _planned.append(run)
        _hook_into_process()
        _catch_sigterm()


def opened(run: Tester) -> None:
    """Note an open run: it is ended with the process if nobody ends it before."""
    with _lock:
        if run in _planned:
            _planned.remove(run)
        for other in _open:
            if run.is_planned and other.is_planned and other is not run:
                other.logger.close()  # a sweep of a thousand of them would use up the files of the process
        _open.setdefault(run, threading.get_ident())
        _hook_into_process()
        _catch_sigterm()


def closed(run: Tester) -> None:
    with _lock:
        _open.pop(run, None)
        around = next(reversed(_open), None)
        if around is not None and around.paths is not None:
            tell_other_ranks(around.paths)
        else:
            os.environ.pop(_RANKS_VARIABLE, None)
            if not _planned:
                _release_sigterm()


def _open_runs() -> list[Tester]:
    """The open runs, innermost first. In a forked child its parent's are among them; there, ending one does nothing."""
    return [*reversed(list(_open)), *_planned]


def _hook_into_process() -> None:
    global _hooked
    if _hooked == ranks.process_id:
        return
    _hooked = ranks.process_id
    atexit.register(_at_exit)
    multiprocessing = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None:  # its children leave without atexit
        multiprocessing.Finalize(None, _at_exit, exitpriority=0)
    previous = sys.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """An exception that ends the program ends the runs that were opened without a decorator."""
        for run in _open_runs():
            run.finish(ending_of(error), error)
        previous(kind, error, trace)

    sys.excepthook = excepthook


def _at_exit() -> None:
    for run in _open_runs():
        run.finish(FINISHED)


def _catch_sigterm() -> None:
    """Note SIGTERM as an interruption. A program with a handler of its own keeps it."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _release_sigterm() -> None:
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _on_sigterm(number: int, frame: FrameType | None) -> Any:
    if signal.getsignal(number) is not _on_sigterm:  # a framework has put its own around it, and will stop in order
        for run in _open_runs():
            run.report(INTERRUPTED)
        return
    for run in _open_runs():
        run.finish(INTERRUPTED)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)  # die as the signal would have it
