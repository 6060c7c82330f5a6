"""A thread that syncs the files of a state while the next ones are written."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from rla_hooks import atomic


class Syncing:
    """The thread of one state that is being written; :meth:`close` ends it."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._begun: list[Future[None]] = []

    def begin(self, path: Path) -> None:
        """Begin to sync a file that is complete. Where the interpreter ends, and starts no threads any more: do it."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "sync of a state")
        try:
            self._begun.append(self._pool.submit(atomic.fsync, path))
        except RuntimeError:
            atomic.fsync(path)

    def finish(self) -> None:
        """Wait until all files are synced. Raises OSError."""
        for each in self._begun:
            each.result()
        self._begun.clear()

    def close(self) -> None:
        """End the thread; what it has not begun is left."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
