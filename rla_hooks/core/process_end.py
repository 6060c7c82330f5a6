"""Ends the open runs when the process ends: after its last line, by an exception, by an exit code, or by a signal."""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Protocol

from rla_hooks import handles, ranks
from rla_hooks.atomic import remove_unfinished
from rla_hooks.core import notebook, program_exit
from rla_hooks.core.logger import is_writing_row
from rla_hooks.core.notebook import Runs
from rla_hooks.core.program_exit import ProgramEnd
from rla_hooks.endings import FINISHED, INTERRUPTED, PREEMPTED, traceback_module


class Preemption(Protocol):
    """What this module, and the end of a run, ask of core/preemption.py, which a program that needs it loads."""

    @property
    def number(self) -> int:
        """The signal that has asked the program to stop; 0: none has."""

    def is_first(self, number: int) -> bool | None:
        """Whether this signal only asks the program to stop; None where it has another meaning, as in a child."""

    def on_new_run(self) -> None: ...
    def forget(self, follower: object) -> None: ...
    def leave(self, error: BaseException | None) -> None: ...
    def before_death(self) -> None: ...
    def release(self) -> None: ...


preemption: Preemption | None = None  # core/preemption.py, once something has asked for it
_hooked = 0  # the id of the process that the handlers below were registered in
_LONGEST_POSTPONED = 2.0  # seconds that SIGTERM waits for a row that is being written
_postponed_since = 0.0  # on the monotonic clock; 0: never
_runs: Runs = tuple  # gives the runs to end; none before the first watch


def watch(runs: Runs, in_block: bool = False) -> None:
    """When this process ends, end the runs that ``runs()`` returns then.

    in_block: whether the new one of them is ended by a tracked call or a block, and not by the excepthook.
    """
    global _hooked, _runs
    if not in_block:
        _load_what_shows_errors()
    _runs = runs
    handles.keep()
    catch_sigterm()
    program_exit.watch()
    notebook.watch(runs)
    if preemption is not None:
        preemption.on_new_run()
    if _hooked == ranks.process_id:
        return
    _hooked = ranks.process_id
    atexit.register(end_with_program)
    multiprocessing = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None:  # its children leave without atexit
        multiprocessing.Finalize(None, end_with_program, exitpriority=0)
    previous = sys.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """End the runs that no decorator or block ends, with the exception that ends the program."""
        if not program_exit.is_shell():  # there, the session goes on
            _end(_runs, ProgramEnd.by(error))
        previous(kind, error, trace)

    sys.excepthook = excepthook


def _load_what_shows_errors() -> None:
    """At the end, these imports would run code from a text: then Python forgets that Ctrl-C ends the program."""
    with suppress(OSError, ImportError):  # no file handle is left: the run fails by itself, or goes on
        traceback_module()
        import tokenize  # noqa: F401  which reads the lines to show; from Python 3.13 on, only when it does


def release() -> None:
    """No run is open any more: restore the default handler of SIGTERM, unless the program has set another one."""
    handles.drop()
    program_exit.release()
    if preemption is not None:
        preemption.release()
    release_sigterm()


def end_all(runs: Runs) -> None:
    """End the runs that ``runs()`` returns, as after the last line of a program."""
    _end(runs, ProgramEnd(FINISHED))


@handles.freed()
def end_with_program() -> None:
    """End the open runs as the program has ended: well, with an exit code, or by an exception."""
    try:
        end = program_exit.how()
    except BaseException as error:  # Ctrl-C; the runs end all the same
        end = ProgramEnd.by(error)
    _end(_runs, end)


@handles.freed()
def _end(runs: Runs, end: ProgramEnd) -> None:
    for run in runs():
        try:
            run.ending.end_with_process(end)
        except BaseException:  # Ctrl-C: the others end, too, and so does the process
            continue


def catch_sigterm() -> None:
    """Handle SIGTERM as an interruption, or as a preemption, unless the program has its own handler."""
    if in_main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def release_sigterm() -> None:
    """Restore the default handler, unless the program has set another one."""
    if in_main_thread() and signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def preempted_by() -> str | None:
    """Return the name of the signal that has asked this program to stop and to be resumed later; None: no such one."""
    number = 0 if preemption is None else preemption.number
    return signal.Signals(number).name if number else None


def _on_sigterm(number: int, frame: FrameType | None) -> Any:
    is_first = None if preemption is None else preemption.is_first(number)
    if is_first:
        return
    if is_first is False:
        die(number, frame, PREEMPTED)
        return
    name = signal.Signals(number).name
    if signal.getsignal(number) is not _on_sigterm:  # called by a framework's handler, which will stop the training
        for run in _runs():
            run.ending.report_signal(name)
        return
    die(number, frame, INTERRUPTED)


def die(number: int, frame: FrameType | None, status: str) -> None:
    """End the open runs with this status, then the process by this signal; called by the handler of the signal.

    A row that is being written is written first, unless that takes seconds.
    """
    if is_writing_row(frame) and _try_later(number):
        return
    _end(_runs, ProgramEnd(status, None, signal.Signals(number).name))
    if status == PREEMPTED and preemption is not None:
        preemption.before_death()
    signal.signal(number, signal.SIG_DFL)
    remove_unfinished()  # a checkpoint that the signal has interrupted
    os.kill(os.getpid(), number)  # so that the process dies of the signal, as its parent expects


def die_as_ever(number: int) -> None:
    """Give the signal its usual handler, and send it again: in a worker that had another one."""
    signal.signal(number, _on_sigterm)
    os.kill(os.getpid(), number)


def _try_later(number: int) -> bool:
    """Send the signal again in a moment; False if that cannot be, or if the disk seems to hang."""
    global _postponed_since
    _postponed_since = _postponed_since or time.monotonic()
    if os.name == "nt" or time.monotonic() - _postponed_since > _LONGEST_POSTPONED:
        return False
    try:
        _thread.start_new_thread(_send, (number,))  # a Thread would need locks, which the interrupted line may hold
    except RuntimeError:  # none can be had
        return False
    return True


def _send(number: int) -> None:
    time.sleep(0.001)
    os.kill(os.getpid(), number)


def in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


# A forked child has no run to end, and gets the default of SIGTERM back; a run that it starts sets the handler again.
# In a worker of a multiprocessing.Pool that waits for a lock, a handler of Python's runs only by chance, and Python
# forgets signals that come before a child has begun: Pool.terminate() would wait for ever for such a worker to die.
_masks: dict[int, set[Any]] = {}  # the blocked signals of each thread that forks, as they were before


def _before_fork() -> None:
    if signal.getsignal(signal.SIGTERM) is _on_sigterm:
        _masks[threading.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _after_fork() -> None:
    mask = _masks.pop(threading.get_ident(), None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _after_fork_in_child() -> None:
    release_sigterm()
    _after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
