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
from typing import Any

from rla_hooks import handles, ranks
from rla_hooks.atomic import remove_unfinished
from rla_hooks.core import notebook, program_exit
from rla_hooks.core.logger import is_writing_row
from rla_hooks.core.notebook import Runs
from rla_hooks.core.program_exit import ProgramEnd
from rla_hooks.endings import FINISHED, INTERRUPTED, traceback_module

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
    _catch_sigterm()
    program_exit.watch()
    notebook.watch(runs)
    if _hooked == ranks.process_id:
        return
    _hooked = ranks.process_id
    atexit.register(_at_exit)
    multiprocessing = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None:  # its children leave without atexit
        multiprocessing.Finalize(None, _at_exit, exitpriority=0)
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
    if _in_main_thread() and signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_all(runs: Runs) -> None:
    """End the runs that ``runs()`` returns, as after the last line of a program."""
    _end(runs, ProgramEnd(FINISHED))


@handles.freed()
def _at_exit() -> None:
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


def _catch_sigterm() -> None:
    """Handle SIGTERM as an interruption, unless the program has its own handler."""
    if _in_main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> Any:
    name = signal.Signals(number).name
    if signal.getsignal(number) is not _on_sigterm:  # called by a framework's handler, which will stop the training
        for run in _runs():
            run.ending.report_signal(name)
        return
    if is_writing_row(frame) and _try_later(number):
        return
    _end(_runs, ProgramEnd(INTERRUPTED, None, name))
    signal.signal(number, signal.SIG_DFL)
    remove_unfinished()  # a checkpoint that the signal has interrupted
    os.kill(os.getpid(), number)  # so that the process dies of the signal, as its parent expects


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


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
