"""A lock between processes, for the small files that several processes of a run change: run.json and manifest.json.

The lock is flock(2) on the file itself, so there is no lock file that a killed process could leave. Whoever holds it
may replace the file, once, as the last act: others that wait for the old file notice that, and wait for the new one.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: several processes of one run are not kept apart there
    fcntl = None  # type: ignore[assignment]

TIMEOUT = 10.0  # seconds to wait for another process; then its lock counts as stuck, and this one goes on without
_LONGEST_WAIT = 0.05  # seconds between two attempts
_LONGEST_ROUND = 1.0  # seconds of an attempt that count: a machine may stand still for longer, and the holder with it
_held = threading.local()  # .files: those that this thread has locked, by path; they go with their last reference


@contextmanager
def locked(path: str | os.PathLike[str], create: bool = False, timeout: float = TIMEOUT) -> Iterator[bool]:
    """Hold the lock of the file ``path`` during the block; yield whether it could be had.

    create: make an empty file if there is none; its readers must take an empty file for none. Without a lock the block
    runs all the same: where there is no file, where the file system has no locks, and after ``timeout`` seconds. A
    block in a block of the same thread and path, as in a signal handler, runs at once. Raises OSError if the file
    cannot be created.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with locked(os.path.join(folder, "run.json"), create=True) as has_lock:
    ...         has_lock or os.name == "nt"
    True
    """
    name = os.path.realpath(path)
    held: weakref.WeakValueDictionary[str, _OpenFile]
    held = _held.__dict__.setdefault("files", weakref.WeakValueDictionary())
    if name in held:
        yield True
        return
    file = _OpenFile()
    try:
        held[name] = file  # before the wait: a signal handler must not wait for the thread that it has interrupted
        yield _acquire(file, name, create, timeout)
    finally:
        held.pop(name, None)
        file.close()


def is_held(path: str | os.PathLike[str]) -> bool:
    """Whether somebody else holds the lock of the file; False where there is no file, or no locks.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     is_held(os.path.join(folder, "run.json"))
    False
    """
    if fcntl is None:
        return False
    file = _OpenFile()
    try:
        file.open(os.path.realpath(path), create=False)
        fcntl.flock(file.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        file.close()
    return False


class _OpenFile:
    """A file that is open for its lock. It closes with its last reference, so Ctrl-C at any line leaves no lock."""

    number = -1

    def __init__(self) -> None:
        _files.add(self)

    def open(self, path: str, create: bool) -> None:
        self.number = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o666)

    def close(self) -> None:
        if self.number >= 0:
            # Not by closing alone: a process that was forked meanwhile has the open file, too.
            with suppress(OSError):
                fcntl.flock(self.number, fcntl.LOCK_UN)
            number, self.number = self.number, -1  # first: the system gives a closed file's number to the next one
            os.close(number)

    __del__ = close


_files: weakref.WeakSet[_OpenFile] = weakref.WeakSet()


def _acquire(file: _OpenFile, path: str, create: bool, timeout: float) -> bool:
    """Open and lock the file that ``path`` now is; return whether it is locked."""
    if fcntl is None:
        return False
    left, before, wait = timeout, time.monotonic(), 0.0005
    while True:
        try:
            file.open(path, create)
        except OSError:
            if create:
                raise
            return False
        try:
            fcntl.flock(file.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_file_of(file.number, path):
                return True
            wait = 0.0
        except BlockingIOError:
            wait = min(max(wait, 0.0005) * 2, _LONGEST_WAIT)
        except OSError:  # a file system without locks
            return False
        file.close()
        now = time.monotonic()
        left, before = left - min(now - before, _LONGEST_ROUND), now
        if left < 0:
            return False
        time.sleep(wait)


def _is_file_of(descriptor: int, path: str) -> bool:
    """Whether the open file is still the one of this name: the holder of before may have replaced it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def in_forked_child(action: Callable[[], object]) -> None:
    """Call ``action`` in each child that is forked from here, before anything else of it runs."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=action)


def _after_fork_in_child() -> None:
    """The locks stay with the parent. Were the files not closed here, they would stay locked after its death."""
    for file in _files:
        if file.number >= 0:
            os.close(file.number)
            file.number = -1
    _held.__dict__.clear()


def new_in_child(variables: dict[str, Any], name: str) -> None:
    """Give forked children a lock of their own in place of the module's: a thread that they lack may hold that one.

    variables: the ``globals()`` of the module that has the lock between threads; it must look the lock up at each use.
    """
    in_forked_child(lambda: variables.update({name: threading.RLock()}))


def hold_at_fork(variables: dict[str, Any], name: str, longest: float = 1.0) -> None:
    """Let forks of this process wait until no thread holds the module's lock of this name; the child gets a new one.

    variables: as in :func:`new_in_child`. longest: seconds. A thread that holds the lock for longer may hang for ever,
    so no later fork waits for it.
    """
    if not hasattr(os, "register_at_fork"):
        return
    held: list[Any] = []
    stuck: list[Any] = []

    def before() -> None:
        lock = variables[name]
        if lock not in stuck and lock.acquire(timeout=longest):
            held.append(lock)
        elif lock not in stuck:
            stuck.append(lock)

    def after_in_parent() -> None:
        while held:
            held.pop().release()

    def after_in_child() -> None:
        held.clear()
        variables[name] = threading.RLock()

    os.register_at_fork(before=before, after_in_parent=after_in_parent, after_in_child=after_in_child)


in_forked_child(_after_fork_in_child)
