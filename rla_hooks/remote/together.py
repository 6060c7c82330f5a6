"""Does several things at once, for which nobody waits any more where the program is interrupted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import TypeVar

_T = TypeVar("_T")


def together(work: Callable[[_T], None], items: Iterable[_T], at_once: int, stopped: threading.Event) -> None:
    """Call ``work`` with each item, in so many threads; raise what one of the calls raised.

    Ctrl-C raises at once, and sets ``stopped``; calls that have begun may end later, or with the process: a pool of
    concurrent.futures would be waited for.

    >>> done = set()
    >>> together(done.add, range(5), 2, threading.Event())
    >>> sorted(done)
    [0, 1, 2, 3, 4]
    """
    waiting: SimpleQueue[_T] = SimpleQueue()
    for item in items:
        waiting.put(item)
    errors = list[BaseException]()

    def run() -> None:
        while not stopped.is_set() and not errors:
            try:
                item = waiting.get_nowait()
            except Empty:
                return
            try:
                work(item)
            except BaseException as error:
                errors.append(error)

    try:
        if at_once == 1 or waiting.qsize() == 1:
            run()
        else:
            number = min(at_once, waiting.qsize())
            threads = [threading.Thread(target=run, daemon=True, name="rla_hooks: remote") for _ in range(number)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if errors:
            raise errors[0]
    except BaseException:
        stopped.set()
        raise
