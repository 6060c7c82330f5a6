"""Which runs are open in this process, and which one is current: the run that a call such as ``rla.log`` uses.

| called from | the current run |
| --- | --- |
| a tracked call or a ``with rla.run()`` block, in its thread or asyncio task | the innermost of these |
| after ``rla.start()``, in the same thread, until ``finish`` | the innermost one that this thread has started |
| a thread, or a thread pool, that a tracked call has started | the innermost open run of the thread of that call |
| the same, while runs are open side by side (none is the parent of the other) | none: RunError |
| a forked child | as above among its own runs; else its parent's run, which accepts every call and writes nothing |
| outside of all runs | none: RunError |

A run that a hook has created counts only if the user has no run open. The parent of a new run is the current run, if it
was opened in the same thread or in the main thread.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any, Protocol, cast

from rla_hooks.core import not_writing, process_end
from rla_hooks.errors import Note, set_note_finder
from rla_hooks.fields import Fields
from rla_hooks.layout import RunPaths
from rla_hooks.locks import new_in_child


class Registered(Protocol):
    """What this module uses of a run."""

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
    @property
    def guard(self) -> Any: ...
    @property
    def ending(self) -> Any: ...
    @property
    def files(self) -> Any: ...


class Entered(Fields):
    """A run that is current in a thread or asyncio task: during a block, or until it is finished."""

    run: Registered
    outer: Entered | None
    until_finish: bool


_entered: ContextVar[Entered | None] = ContextVar("rla_hooks_current_run", default=None)
_open: dict[Registered, threading.Thread] = {}  # oldest first, with the thread that opened it
_started: set[Registered] = set()  # those that rla.start has made current in their thread
_planned: list[Registered] = []  # planned, loaded, or begun by another process: to be finished at the process's end
_has_begun = False
_lock = threading.RLock()
new_in_child(globals(), "_lock")


def current() -> Any:
    """Return the current run here, or None: see the table at the top of this file."""
    entered = _entered.get()
    if entered is not None and not entered.until_finish:  # the most frequent case, at every row
        return entered.run
    run = _entered_run()
    if run is not None:
        return run
    with _lock:
        if len(_open) == 1:  # nothing to choose from
            return next(iter(_open))
        here = threading.current_thread()
        mine = {run: thread for run, thread in _open.items() if thread is here and run in _started}
        # A forked child has copies of its parent's runs, which take everything and write nothing.
        own = mine or {run: thread for run, thread in _open.items() if run.is_writing} or _open
        # A run that a hook has created does not make it unclear which of the user's runs is meant.
        return _innermost({run: thread for run, thread in own.items() if not run.made_by_hook} or own)


def _note_of_current() -> Note | None:
    """What keeps a warning that comes from outside of a run's parts: the current run, or the one that is planned."""
    run = current() or (_planned[0] if len(_planned) == 1 else None)
    return cast(Note, run.guard.note) if run is not None else None


set_note_finder(_note_of_current)


def _entered_run() -> Registered | None:
    entered = _valid_entry()
    return None if entered is None else entered.run


def _valid_entry() -> Entered | None:
    """The innermost entry of this thread or task; those of started runs that are finished are forgotten."""
    first = _entered.get()
    entered = _not_ended(first)
    if entered is not first:
        _entered.set(entered)
    return entered


def _not_ended(entered: Entered | None) -> Entered | None:
    while entered is not None and entered.until_finish and entered.run not in _started:
        entered = entered.outer
    return entered


def _innermost(runs: dict[Registered, threading.Thread]) -> Registered | None:
    """The innermost run of the thread that opened the first run; None if they are not nested in each other."""
    found: Registered | None = None
    family: set[str | None] = set()
    for run, thread in runs.items():
        if family and run.parent not in family:
            return None
        family.add(run.name)
        if thread is next(iter(runs.values())):
            found = run
    return found


def enclosing() -> Any:
    """Return the parent of a run that starts here, or None."""
    run = _entered_run()
    if run is not None:
        return run
    run = current()
    around = (threading.main_thread(), threading.current_thread())
    return run if run is not None and _open.get(run) in around else None


def of_earlier_cells() -> list[Registered]:
    """Return the open runs that ``rla.start`` has opened in earlier cells of this notebook, innermost first.

    Inside a block, and anywhere but in a notebook, there are none.
    """
    entered, here = _entered.get(), threading.current_thread()
    if entered is not None and not entered.until_finish:
        return []
    with _lock:
        mine = [run for run, thread in _open.items() if thread is here and run in _started]
    return [run for run in reversed(mine) if run.ending.is_of_earlier_cell]


def has_begun() -> bool:
    """Whether a run has begun in this process, though it may have ended."""
    return _has_begun


def open_count() -> int:
    """Return how many runs are open in this process."""
    return len(_open)


def enter_block(run: Registered) -> Entered:
    """Make ``run`` the current one of this thread or asyncio task until :func:`leave_block`; :func:`replace` swaps it.

    A run that ``rla.start`` opens inside the block, and that is not finished there, stays current after the block.
    """
    here = Entered(run, _entered.get(), until_finish=False)
    run.ending.in_block = True
    _entered.set(here)
    return here


def leave_block(here: Entered) -> None:
    """The block has ended: maybe after one that began later, or in another thread or task, as those of generators."""
    inner = _entered.get()
    if inner is here:
        _entered.set(here.outer)
        return
    while inner is not None and inner.outer is not here:
        inner = inner.outer
    if inner is not None:
        inner.outer = here.outer
    else:
        here.until_finish = True  # over where the block began, too


def replace(old: Registered, new: Registered) -> None:
    """Make ``new`` current in place of ``old``, in this thread or task: for log_files_gen inside a tracked call."""
    here = _entered.get()
    while here is not None:
        if here.run is old:
            here.run = new
            new.ending.in_block = old.ending.in_block
            if here.until_finish:
                _started.add(new)
        here = here.outer


def enter_until_finish(run: Registered) -> None:
    """Make ``run`` the current one of this thread and asyncio task, until :func:`leave`."""
    with _lock:
        _started.add(run)
    here: Entered | None = Entered(run, _valid_entry(), until_finish=True)
    _entered.set(here)
    while here is not None:  # keep no run that has ended before the one that is around it
        here.outer = _not_ended(here.outer)
        here = here.outer


def leave(run: Registered) -> None:
    """End what :func:`enter_until_finish` began."""
    with _lock:
        _started.discard(run)


def register_planned(run: Registered) -> None:
    """Register a run that is not open in this process (yet): it is finished, with the others, when the process ends."""
    with _lock:
        if run not in _planned:
            _planned.append(run)
        process_end.watch(ending_runs)


def forget_planned(run: Registered) -> None:
    """Take a run off that has nothing more to write."""
    with _lock:
        if run in _planned:
            _planned.remove(run)
        if not _open and not _planned:
            process_end.release()


def guests() -> list[Any]:
    """Return the runs that others have started, and that have something to write here; oldest first."""
    with _lock:
        return [run for run in _planned if run.is_writing]


def register_open(run: Registered) -> None:
    """Register an open run: when the process ends, it is finished if nobody has finished it before."""
    global _has_begun
    with _lock:
        if run in _planned:
            _planned.remove(run)
        paused = [other for other in _open if run.made_by_hook and other.made_by_hook and other is not run]
        _open.setdefault(run, threading.current_thread())
        _has_begun = True
        process_end.watch(ending_runs, run.ending.in_block)
    for other in paused:  # outside of the lock: a logger in trouble asks for the current run
        other.logger.close()  # a sweep of a thousand runs would use up the process's file descriptors


def forget(run: Registered) -> None:
    """Remove a run that has ended."""
    with _lock:
        _open.pop(run, None)
        around = next(reversed(_open), None)
        not_writing.export_run(around.paths if around is not None else None)
        if not _open and not _planned:
            process_end.release()


def ending_runs() -> list[Registered]:
    """The runs to finish when the process ends, innermost first; a forked child cannot finish its parent's."""
    return [*reversed(list(_open)), *_planned]


def reset() -> None:
    """End all runs as the end of the process would, and forget them: for tests."""
    process_end.end_all(ending_runs)
    with _lock:
        _open.clear()
        _started.clear()
        _planned.clear()
        not_writing.export_run(None)
        process_end.release()
    _entered.set(None)
