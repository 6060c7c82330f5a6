"""Which runs are open in this process, and which one is meant by a call that names none.

| called from | means |
| --- | --- |
| inside a tracked call or a ``with rla.run()``, in its thread or task | the innermost of these |
| after ``rla.start()``, in its thread, until ``finish`` | the innermost that this thread has started |
| a thread, or a thread pool, that the training has started | the innermost open run of the training's own thread |
| the same, while runs are open side by side (none is the parent of the other) | none: a clear error |
| a forked child | as above among its own runs; else its parent's run, which takes everything and writes nothing |
| outside of all runs | none: a clear error |

A run that a hook has made for itself counts only where there is no other. The parent of a new run is the run that is
meant where it starts; but of two threads that the main thread has started neither is the other's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from rla_hooks.core import handover, process_end
from rla_hooks.layout import RunPaths


class Registered(Protocol):
    """What is asked of a run here."""

    parent: str | None

    @property
    def name(self) -> str | None: ...
    @property
    def paths(self) -> RunPaths | None: ...
    @property
    def is_writing(self) -> bool: ...
    @property
    def made_by_hook(self) -> bool: ...
    @property
    def logger(self) -> Any: ...
    def finish(self, status: str = ..., error: BaseException | None = None) -> None: ...
    def report(self, status: str, error: BaseException | None = None) -> None: ...


@dataclass
class Entered:
    """A run that is current in a thread or task: for the time of a block, or until it is finished."""

    run: Registered
    outer: Entered | None
    until_finish: bool


_entered: ContextVar[Entered | None] = ContextVar("rla_hooks_current_run", default=None)
_open: dict[Registered, int] = {}  # oldest first, with the thread that opened it
_started: set[Registered] = set()  # those that rla.start has made current in their thread
_planned: list[Registered] = []  # planned, and maybe started by a child process; or loaded, or begun by another process
_lock = threading.RLock()


def current() -> Any:
    """Return the run that a call from here means, or None: see the table at the top of this file."""
    entered = _entered.get()
    if entered is not None and not entered.until_finish:  # as mostly, at every row
        return entered.run
    run = _entered_run()
    if run is not None:
        return run
    with _lock:
        if len(_open) == 1:  # nothing to choose from
            return next(iter(_open))
        here = threading.get_ident()
        mine = {run: thread for run, thread in _open.items() if thread == here and run in _started}
        # A forked child has copies of its parent's runs, which take everything and write nothing.
        own = mine or {run: thread for run, thread in _open.items() if run.is_writing} or _open
        # What a hook has opened for itself is no reason to doubt which run the user means.
        return _innermost({run: thread for run, thread in own.items() if not run.made_by_hook} or own)


def _entered_run() -> Registered | None:
    entered = _valid_entry()
    return None if entered is None else entered.run


def _valid_entry() -> Entered | None:
    """The innermost entry of this thread or task; those of started runs that are finished are forgotten."""
    first = entered = _entered.get()
    while entered is not None and entered.until_finish and entered.run not in _started:
        entered = entered.outer
    if entered is not first:
        _entered.set(entered)
    return entered


def _innermost(runs: dict[Registered, int]) -> Registered | None:
    """The innermost run of the thread that opened the first; None where they are no chain of parents."""
    found: Registered | None = None
    family: set[str | None] = set()
    for run, thread in runs.items():
        if family and run.parent not in family:
            return None
        family.add(run.name)
        if thread == next(iter(runs.values())):
            found = run
    return found


def enclosing() -> Any:
    """Return the run that a run which starts here is a part of, or None."""
    run = _entered_run()
    if run is not None:
        return run
    run = current()
    around = (threading.main_thread().ident, threading.get_ident())
    return run if run is not None and _open.get(run) in around else None


def open_count() -> int:
    """Return how many runs are open in this process."""
    return len(_open)


@contextmanager
def entered(run: Registered) -> Iterator[Entered]:
    """Make ``run`` the current one of this thread or task for the time of the block; :func:`replace` may change it.

    A run that is started inside of the block, and left open, stays current after it.
    """
    here = Entered(run, _entered.get(), until_finish=False)
    token = _entered.set(here)
    try:
        yield here
    finally:
        inner, left_open = _entered.get(), []
        while inner is not None and inner is not here:
            if inner.until_finish and inner.run in _started:
                left_open.append(inner.run)
            inner = inner.outer
        _entered.reset(token)
        for each in reversed(left_open):
            enter_until_finish(each)


def replace(old: Registered, new: Registered) -> None:
    """Let ``new`` be current where ``old`` was, in this thread or task: RLA's log_files_gen inside a tracked call."""
    here = _entered.get()
    while here is not None:
        if here.run is old:
            here.run = new
        here = here.outer


def enter_until_finish(run: Registered) -> None:
    """Make ``run`` the current one of this thread, and of this task, until :func:`leave`."""
    with _lock:
        _started.add(run)
    _entered.set(Entered(run, _valid_entry(), until_finish=True))


def leave(run: Registered) -> None:
    """Let a run be the current one of its thread no longer."""
    with _lock:
        _started.discard(run)


def register_planned(run: Registered) -> None:
    """Note a run that is not open in this process, or not yet: something may be left to write when the process ends."""
    with _lock:
        if run not in _planned:
            _planned.append(run)
        process_end.watch(ending_runs)


def register_open(run: Registered) -> None:
    """Note an open run: it is ended with the process if nobody ends it before."""
    with _lock:
        if run in _planned:
            _planned.remove(run)
        for other in _open:
            if run.made_by_hook and other.made_by_hook and other is not run:
                other.logger.close()  # a sweep of a thousand of them would use up the files of the process
        _open.setdefault(run, threading.get_ident())
        process_end.watch(ending_runs)


def forget(run: Registered) -> None:
    """Take a run off that has ended."""
    with _lock:
        _open.pop(run, None)
        around = next(reversed(_open), None)
        handover.export_to_child_ranks(around.paths if around is not None else None)
        if not _open and not _planned:
            process_end.release()


def ending_runs() -> list[Registered]:
    """What the end of the process ends, innermost first. In a forked child ending one of its parent's does nothing."""
    return [*reversed(list(_open)), *_planned]


def reset() -> None:
    """End all runs as the end of the process would, and forget them: for tests."""
    process_end.end_all(ending_runs)
    with _lock:
        _open.clear()
        _started.clear()
        _planned.clear()
        handover.export_to_child_ranks(None)
        process_end.release()
    _entered.set(None)
