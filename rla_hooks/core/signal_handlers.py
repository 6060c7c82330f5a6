"""Handlers of SIGUSR1 and SIGUSR2: set only where there is none, and taken back only where they still are.

Python knows the handlers that were set by ``signal.signal``. Those of C code, such as ``faulthandler.register``, it
takes for the default; the operating system knows them. Only the main thread can set handlers.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from rla_hooks.core.process_end import in_main_thread

Handler = Callable[[int, Any], Any]
NAMES = ("SIGUSR1", "SIGUSR2")
_set: dict[int, int | None] = {}  # the signals that have our handler, with the address of Python's own in C


def set_free(handler: Handler, leave: tuple[int, ...] = ()) -> None:
    """Set ``handler`` for the signals that have none, but for those in ``leave``. Does nothing in other threads."""
    if os.name == "nt" or not in_main_thread():
        return
    for number in (getattr(signal, name) for name in NAMES):
        if number in leave or signal.getsignal(number) is not signal.SIG_DFL or _address(number):
            continue
        signal.signal(number, handler)
        _set[number] = _address(number)


def free(leave: tuple[int, ...] = ()) -> list[str]:
    """Return the names of SIGTERM and these signals that have no handler, but for those in ``leave``."""
    if os.name == "nt":
        return []
    numbers = {name: getattr(signal, name) for name in ("SIGTERM", *NAMES)}
    return [
        name
        for name, number in numbers.items()
        if number not in leave and signal.getsignal(number) is signal.SIG_DFL and not _address(number)
    ]


def take_back(handler: Handler, only: tuple[int, ...] | None = None) -> None:
    """Restore the default where ``handler`` still is; a handler that was set later stays. only: of these signals."""
    if not in_main_thread():
        return
    for number in list(_set if only is None else _set.keys() & set(only)):
        address = _set.pop(number)
        if signal.getsignal(number) is handler and _address(number) == address:
            signal.signal(number, signal.SIG_DFL)


def _address(number: int) -> int | None:
    """The address of a signal's handler in C: 0 for none, 1 for one that ignores it; None where that is not known.

    The first field of C's ``struct sigaction`` is the handler, on Linux and macOS alike.
    """
    try:
        import ctypes  # late: few programs need it

        found = ctypes.create_string_buffer(512)  # of some 150 bytes
        if ctypes.CDLL(None).sigaction(number, None, found):
            return None
        return int.from_bytes(found.raw[: ctypes.sizeof(ctypes.c_void_p)], sys.byteorder)
    except (ImportError, OSError, AttributeError):
        return None
