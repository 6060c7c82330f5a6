"""Ends the open runs when the process ends: after its last line, by an exception, or by a signal."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, Protocol

from rla_hooks import ranks
from rla_hooks.endings import FINISHED, INTERRUPTED, ending_of


class Ending(Protocol):
    """What can be ended."""

    def finish(self, status: str = ..., error: BaseException | None = None) -> None: ...
    def report(self, status: str, error: BaseException | None = None) -> None: ...


Runs = Callable[[], Sequence[Ending]]

_hooked = 0  # the id of the process that the handlers below were registered in
_runs: Runs = tuple  # gives the runs to end; none before the first watch


def watch(runs: Runs) -> None:
    """When this process ends, end the runs that ``runs()`` returns then."""
    global _hooked, _runs
    _runs = runs
    _catch_sigterm()
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
        for run in _runs():
            run.finish(ending_of(error), error)
        previous(kind, error, trace)

    sys.excepthook = excepthook


def release() -> None:
    """No run is open any more: restore the default handler of SIGTERM, unless the program has set another one."""
    if _in_main_thread() and signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_all(runs: Runs) -> None:
    """Finish the runs that ``runs()`` returns, as after the last line of a program."""
    for run in runs():
        run.finish(FINISHED)


def _at_exit() -> None:
    end_all(_runs)


def _catch_sigterm() -> None:
    """Handle SIGTERM as an interruption, unless the program has its own handler."""
    if _in_main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> Any:
    if signal.getsignal(number) is not _on_sigterm:  # called by a framework's handler, which will stop the training
        for run in _runs():
            run.report(INTERRUPTED)
        return
    for run in _runs():
        run.finish(INTERRUPTED)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)  # so that the process dies of the signal, as its parent expects


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
