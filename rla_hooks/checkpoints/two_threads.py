"""Does what is to be done with many files in two threads: the disk, the system's copies and checksums let others run.

More than two gain nothing: the machine's memory is busy then.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_AT_ONCE = 16  # items that are taken before their results are waited for: each may be an open file

Item = TypeVar("Item")
Result = TypeVar("Result")


def each_of(items: Iterable[Item], work: Callable[[Item], Result]) -> Iterator[Result]:
    """Yield what ``work`` returns for each item, in order, and raise what it raises. Few items are taken in advance.

    >>> list(each_of([3, -4], abs))
    [3, 4]
    """
    waiting = iter(items)
    first = list(itertools.islice(waiting, 2))
    if len(first) < 2:
        yield from map(work, first)
        return
    from concurrent.futures import ThreadPoolExecutor  # late: most checkpoints are one file

    batch = [*first, *itertools.islice(waiting, _AT_ONCE - 2)]
    with ThreadPoolExecutor(2, "reads a checkpoint") as pool:
        while batch:
            try:
                begun = [pool.submit(work, item) for item in batch]
            except RuntimeError:  # the interpreter ends, and starts no threads any more
                yield from map(work, batch)
            else:
                yield from [each.result() for each in begun]
            batch = list(itertools.islice(waiting, _AT_ONCE))
