"""Which file this process writes to: the run's, or one of its own beside it.

No two processes write to the same file. The process that owns the run writes progress.csv and log.txt. Any other one
makes ``progress.<host>-<pid>.csv`` and ``log.<host>-<pid>.txt``, exclusively; ``-2`` follows where a name is taken, by
an earlier process of the same number say. So does the owner where another program writes to progress.csv. All writers
of one process, a writer and its copies, share the file.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rla_hooks.errors import WarnOnce
from rla_hooks.filenames import safe_part
from rla_hooks.locks import in_forked_child
from rla_hooks.writers.appendfile import AppendFile
from rla_hooks.writers.base import lock_of

_HOST_LIMIT = 160  # bytes: a file name has at most 255
_token = ""


def process_token() -> str:
    """Return a random text that no other process has; a forked child gets another one.

    >>> process_token() == process_token()
    True
    """
    return _token


class Destination:
    """What the writers of one file share in this process.

    lock: to be held while writing. path: the file, once it is known; None for a process that has not made its own yet.
    open: the open file, or what holds it; None while it is closed. A new one replaces it in one step.
    """

    def __init__(self, base: str, own: bool):
        self.base = base  # the run's file
        self.lock = lock_of(base)
        self.path = base if own else None
        self.open: Any = None
        self.warn = WarnOnce()

    def append(self, data: bytes, is_ours: Callable[[AppendFile], bool] = lambda file: True) -> None:
        """Append to the file. It is opened, also again if somebody has deleted or changed it. Raises OSError.

        is_ours: whether this process may go on with a file that has just been opened; else it makes one beside it.
        """
        with self.lock:
            file: AppendFile | None = self.open
            if file is None or not file.look(time.time()):
                file = self._opened(is_ours)
            file.append(data)

    def _opened(self, is_ours: Callable[[AppendFile], bool]) -> AppendFile:
        file = None
        if self.path is not None:
            with suppress(IsADirectoryError, PermissionError):
                file = AppendFile(self.path)
        if file is None or not is_ours(file):
            file = self.create_beside()
        self.open, self.path = file, file.path
        return file

    def create_beside(self) -> AppendFile:
        """Create a file of this process's own beside the run's. Raises OSError."""
        stem, suffix = os.path.splitext(self.base)
        stem = f"{stem}.{safe_part(socket.gethostname(), _HOST_LIMIT)}-{os.getpid()}"
        return create_numbered(lambda number: f"{stem}{f'-{number}' if number > 1 else ''}{suffix}")

    def leave(self) -> None:
        """Make a file of its own for this process, a forked child: the open one is the parent's."""
        self.lock, self.path, self.open = lock_of(self.base), None, None


def create_numbered(path_of: Callable[[int], str]) -> AppendFile:
    """Create the first of ``path_of(1)``, ``path_of(2)`` and so on that is not there yet. Raises OSError."""
    number = 1
    while True:
        try:
            return AppendFile(path_of(number), new=True)
        except FileExistsError:
            number += 1


def set_aside(file: AppendFile, torn: bytes) -> str:
    """Keep a torn end in a file beside, cut it off since the next row would continue it, and return what to tell."""
    stem = os.path.splitext(file.path)[0]
    kept = create_numbered(lambda number: f"{stem}.torn-{number}.txt")
    kept.append(torn)
    kept.close()
    file.cut(file.end - len(torn))
    return (
        f"{file.path} ended in a torn row ({len(torn)} bytes), which the machine's or another program's end has "
        f"left; it is kept in {os.path.basename(kept.path)}, and the file goes on without it."
    )


# (the run's file, own) -> what its writers share; it goes, and its file closes, with the last of them
_destinations: weakref.WeakValueDictionary[tuple[str, bool], Any] = weakref.WeakValueDictionary()
_registry = threading.RLock()  # re-entrant, for signal handlers


def destination_of(base: str, own: bool, kind: type[Destination] = Destination) -> Any:
    """Return the Destination of ``kind`` that all writers of the file ``base`` in this process share.

    own: whether the file is this process's; else it gets one beside it.
    """
    with _registry:
        destination = _destinations.get((base, own))
        if destination is None:
            destination = _destinations[base, own] = kind(base, own)
        return destination


def _begin_process() -> None:
    global _token, _registry
    _token, _registry = os.urandom(8).hex(), threading.RLock()
    inherited = list(_destinations.values())
    _destinations.clear()
    for destination in inherited:  # writers of the parent's that are used in this child
        destination.leave()
        _destinations[destination.base, False] = destination


_begin_process()
in_forked_child(_begin_process)
