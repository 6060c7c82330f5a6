"""File handles that are kept for the end of a run, so that a program that has used up all others can tell how it ended.

At its end a run opens two files at a time: run.json for its lock, and one to read or write; what only a failure needs
is imported then, too. A pipe has two handles, and no other file of the process can be taken for it: a program that
becomes a daemon closes all handles, and the system gives their numbers to other files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_Kept = tuple[int, os.stat_result]  # the number of a handle, and what it was opened for
_kept: list[list[_Kept]] = []  # one pipe, or none
_is_wanted = False


def keep() -> None:
    """Keep two handles from now on, if there are any; a forked child has its own."""
    global _is_wanted
    _is_wanted = True
    if not _kept:
        with suppress(OSError):
            _kept.append([(number, os.fstat(number)) for number in os.pipe()])


def drop() -> None:
    """Keep none any more: no run is open."""
    global _is_wanted
    _is_wanted = False
    _give_back()


@contextmanager
def freed() -> Iterator[None]:
    """Leave the handles to what the block opens, then keep them again. Does nothing where none are kept.

    >>> with freed():
    ...     pass
    """
    had_any = _give_back()
    try:
        yield
    finally:
        if had_any and _is_wanted:
            keep()


def _give_back() -> bool:
    """Close what is kept; return whether that was anything."""
    try:
        pipe = _kept.pop()  # by one call of C: a signal handler may come here, too
    except IndexError:
        return False
    for number, opened in pipe:
        with suppress(OSError):  # the program has closed it
            if os.path.samestat(os.fstat(number), opened):
                os.close(number)
    return True
