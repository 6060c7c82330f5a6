"""What is done to open runs when the process ends: by its last line, by an exception, by a signal."""

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
from rla_hooks.record import FINISHED, INTERRUPTED, ending_of


class Ending(Protocol):
    """What can be ended."""

    def finish(self, status: str = ..., error: BaseException | None = None) -> None: ...
    def report(self, status: str, error: BaseException | None = None) -> None: ...


Runs = Callable[[], Sequence[Ending]]

_hooked = 0  # the process whose end is seen to
_runs: Runs = tuple  # what is open; nothing before the first watch


def watch(runs: Runs) -> None:
    """See to it that whatever ``runs()`` gives then is ended with this process."""
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
        """An exception that ends the program ends the runs that were opened without a decorator."""
        for run in _runs():
            run.finish(ending_of(error), error)
        previous(kind, error, trace)

    sys.excepthook = excepthook


def release() -> None:
    """Nothing is open any more: give SIGTERM back, unless the program has a handler of its own by now."""
    if _in_main_thread() and signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def end_all(runs: Runs) -> None:
    """End what ``runs()`` gives as a program does that comes to its last line."""
    for run in runs():
        run.finish(FINISHED)


def _at_exit() -> None:
    end_all(_runs)


def _catch_sigterm() -> None:
    """Note SIGTERM as an interruption. A program with a handler of its own keeps it."""
    if _in_main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)


def _on_sigterm(number: int, frame: FrameType | None) -> Any:
    if signal.getsignal(number) is not _on_sigterm:  # a framework has put its own around it, and will stop in order
        for run in _runs():
            run.report(INTERRUPTED)
        return
    for run in _runs():
        run.finish(INTERRUPTED)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)  # die as the signal would have it


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
