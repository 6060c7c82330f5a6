"""Threads beside the one that writes a state: checksums of what comes next, and syncing what is written.

Both let other threads run; so a state takes about as long as it takes to write its bytes. At most a few parts are in
memory at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from rla_hooks import atomic
from rla_hooks.state import checksums
from rla_hooks.state.checksums import Digest

T = TypeVar("T")
_AHEAD = 4  # parts whose checksums are being computed
_THREADS = 2


class Part(NamedTuple):
    """One part of a large array: the head of its file, its bytes, its first row and the one after its last."""

    head: bytes
    data: np.ndarray[Any, Any]
    begin: int
    end: int
    digest: Digest = Digest(0, 0)


class Workers:
    """The threads of one state that is being written; :meth:`close` ends them."""

    def __init__(self) -> None:
        self._hashing: ThreadPoolExecutor | None = None
        self._syncing: ThreadPoolExecutor | None = None
        self._synced: list[Future[None]] = []

    def digested(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield the parts with their digests, in their order."""
        if self._hashing is None:
            self._hashing = ThreadPoolExecutor(_THREADS, "checksum of a state")
        ahead: deque[tuple[Part, Future[Digest]]] = deque()
        for part in parts:
            ahead.append((part, _begun(self._hashing, checksums.digest_of, [part.head, part.data.data])))
            if len(ahead) > _AHEAD:
                yield _with_digest(*ahead.popleft())
        while ahead:
            yield _with_digest(*ahead.popleft())

    def sync(self, path: Path) -> None:
        """Begin to sync a file that is complete."""
        if self._syncing is None:
            self._syncing = ThreadPoolExecutor(1, "sync of a state")
        self._synced.append(_begun(self._syncing, atomic.fsync, path))

    def finish(self) -> None:
        """Wait until all files are synced. Raises OSError."""
        for each in self._synced:
            each.result()
        self._synced.clear()

    def close(self) -> None:
        """End the threads; what they have not begun is left."""
        for pool in (self._hashing, self._syncing):
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)


def _begun(pool: ThreadPoolExecutor, action: Callable[[Any], T], argument: Any) -> Future[T]:
    """Let a thread of the pool do something; do it here where the interpreter ends, and starts no threads any more."""
    try:
        return pool.submit(action, argument)
    except RuntimeError:
        done: Future[T] = Future()
        done.set_result(action(argument))
        return done


def _with_digest(part: Part, digest: Future[Digest]) -> Part:
    return part._replace(digest=digest.result())
