"""Arrays that are mapped from a file: what was read of them need not stay in this process's memory."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

_SHARED = ("r", "r+", "w+")  # of other modes, what was changed is in this memory alone


class Mapped:
    """The file's memory that an array is in."""

    def __init__(self, memory: mmap.mmap, offset: int):
        self._memory, self._offset = memory, offset

    def drop(self, begin: int, end: int) -> None:
        """Let the pages from one byte of the array to another go. They are read again if they are asked for."""
        page = mmap.PAGESIZE
        begin = -(-(self._offset + begin) // page) * page  # a page at the bounds may be in use
        end = (self._offset + end) // page * page
        if hasattr(self._memory, "madvise") and begin < end:
            try:
                self._memory.madvise(mmap.MADV_DONTNEED, begin, end - begin)
            except (OSError, ValueError):
                pass  # another system, or a map that was closed: the memory is used for longer


def mapped_of(array: Any) -> Mapped | None:
    """Return the file's memory that an array is in, as views of it are, too; None for others.

    >>> mapped_of(np.zeros(3))
    """
    root = _root(array)
    memory = getattr(root, "_mmap", None)
    if not isinstance(memory, mmap.mmap) or getattr(root, "mode", None) not in _SHARED:
        return None
    begin = root.__array_interface__["data"][0] - root.offset % mmap.ALLOCATIONGRANULARITY
    return Mapped(memory, array.__array_interface__["data"][0] - begin)


def _root(array: Any) -> Any:
    """Return the array that was mapped: the last one of those that an array is a view of."""
    found = None
    while array is not None:
        found = array if isinstance(array, np.memmap) else found
        array = getattr(array, "base", None)
    return found
