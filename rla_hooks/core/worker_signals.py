"""SIGTERM in daemonic workers of a program that can be preempted: those of a DataLoader, environments in processes.

A cluster such as Slurm sends SIGTERM to all processes of a job. A worker that dies of it takes along the training, that
is just saving. So a worker that is forked while a preemption is possible asks what its parent has heard:

    the parent was asked to stop    the worker goes on, until the parent lets it go
    the parent was not              the signal is meant for the worker alone, as by terminate(): it dies
    the runs have ended             the same: at its end the parent terminates its daemonic workers

Workers of a Pool die at once: they wait for locks, where a handler of Python's may not run, and the Pool for them.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any

from rla_hooks.core import process_end

_LONGEST = 2.0  # seconds for the parent to hear the signal, too
_SILENT, _ASKED, _OVER = 0, 1, 2
_OF_TORCH = "torch.utils.data._utils.signal_handling"
_is_of_torch = False  # whether this is a worker of a DataLoader
_shared: mmap.mmap | None = None  # one of these, which workers read; of the program, or of a worker its parent's


def arm() -> None:
    """The runs of this process can be preempted: workers that are forked from now on ask."""
    global _shared
    if hasattr(os, "fork"):
        with suppress(OSError):  # a system without memory: workers die, as ever
            _shared = mmap.mmap(-1, 1)


def tell(is_over: bool = False) -> None:
    """Tell the workers that this process was asked to stop; or that its runs have ended."""
    if _shared is not None:
        _shared[0] = _OVER if is_over else _ASKED


def begin_worker() -> None:
    """In a child that was forked while a preemption was possible: handle SIGTERM, if it is a daemonic worker."""
    process = _process_of_fork()
    is_worker = process is not None and process.daemon
    if is_worker and getattr(getattr(process, "_target", None), "__module__", "") != "multiprocessing.pool":
        signal.signal(signal.SIGTERM, _on_sigterm)
        _follow_torch()


def _follow_torch() -> None:
    """Set the handler again when a DataLoader's worker has set torch's own, of C (torch 2.x); in this child alone."""
    module: Any = sys.modules.get(_OF_TORCH)
    original = getattr(module, "_set_worker_signal_handlers", None)
    if original is not None:

        def set_handlers(*arguments: Any) -> None:
            global _is_of_torch
            original(*arguments)
            _is_of_torch = True
            signal.signal(signal.SIGTERM, _on_sigterm)

        module._set_worker_signal_handlers = set_handlers


def _process_of_fork() -> Any:
    """The Process of multiprocessing that is forked just now; None where it is a fork of another kind (3.10-3.14)."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) == ("multiprocessing.popen_fork", "_launch"):
            return frame.f_locals.get("process_obj")
        frame = frame.f_back
    return None


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    """Stay, if the parent was asked to stop as well; else die of the signal, as without this handler."""
    until = time.monotonic() + _LONGEST
    while _shared is not None and _shared[0] == _SILENT and time.monotonic() < until:
        time.sleep(0.01)
    if _shared is None or _shared[0] != _ASKED:
        if _is_of_torch:
            os._exit(0)  # as torch's own handler does, or the parent would report a worker that was killed
        process_end.die_as_ever(number)
