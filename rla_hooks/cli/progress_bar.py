"""A bar on stderr while a command works, which is gone when it has ended: nothing of it is in a pipe or a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_WAIT = 0.3  # seconds: what takes less needs no bar


@contextmanager
def progress_bar(words: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield what is called as ``progress(done, total)`` and draws the bar; None where stderr is no terminal.

    words: what is done, such as "Reading".

    >>> with progress_bar("Reading") as progress:
    ...     if progress is not None:
    ...         progress(1, 2)
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    bar = Progress(*columns, console=console, transient=True)
    task, begin = bar.add_task(words, total=None), time.monotonic()

    def progress(done: int, total: int) -> None:
        if time.monotonic() - begin > _WAIT:
            bar.start()  # does nothing when it has begun
            bar.update(task, completed=done, total=total)

    try:
        yield progress
    finally:
        bar.stop()
