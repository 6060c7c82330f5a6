"""What a writer is: two methods and a row.

A new output format is one file with a class like these, and one line in ``rla_hooks/writers/__init__.py``.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from rla_hooks.values import Scalar

STEP, TIME = "time-step", "timestamp"


class Row:
    """One dump of scalars: ``values`` at ``step``, at ``time`` (seconds since the epoch)."""

    __slots__ = ("step", "time", "values")

    def __init__(self, step: int, time: float, values: Mapping[str, Scalar]):
        self.step = step
        self.time = time
        self.values = values


class Image(NamedTuple):
    """A picture: PNG data and its size in pixels."""

    png: bytes
    width: int
    height: int


class Text(NamedTuple):
    """A text in Markdown."""

    markdown: str


class Histogram(NamedTuple):
    """A histogram: ``counts[i]`` values lie below ``limits[i]`` and not below the limit before it."""

    minimum: float
    maximum: float
    number: int
    total: float
    total_of_squares: float
    limits: list[float]
    counts: list[float]


class HParams(NamedTuple):
    """The start of a run for TensorBoard's HParams tab. ``values`` are plain scalars."""

    values: Mapping[str, bool | float | str]
    started: float


class Ending(NamedTuple):
    """The end of a run for TensorBoard's HParams tab."""

    success: bool
    ended: float


class Graph(NamedTuple):
    """A model's graph: TensorFlow's GraphDef, serialised."""

    definition: bytes


Media = Image | Text | Histogram | Graph | HParams | Ending


class MediaEvent(NamedTuple):
    """Something that is no scalar: shown under ``tag`` at ``step``. Writers that cannot show it pass it over."""

    step: int
    time: float
    tag: str
    content: Media


class Writer(Protocol):
    """One output format of one run.

    ``write`` hands what it gets to the operating system before it returns, whole or not at all; it raises OSError
    where it cannot and works again once the trouble is over. It returns False where there was nothing to write: a
    format has no pictures, say, or shows only some of the rows. After ``close`` a further ``write`` opens again and
    appends. Writers pickle and copy without their open files; the copy appends to the same place.

    >>> import rla_hooks as rla
    >>> class Bell:
    ...     name = "bell"
    ...
    ...     def write(self, item):
    ...         if isinstance(item, Row) and item.values["perf/return"] > 400:
    ...             print("solved at step", item.step)
    ...
    ...     def close(self):
    ...         pass
    >>> with rla.run(task="demo", writers=["csv", Bell()], backup="none"):
    ...     rla.log({"perf/return": 12.0}, step=0)
    ...     rla.log({"perf/return": 500.0}, step=10)
    solved at step 10
    """

    name: str

    def write(self, row: Row | MediaEvent) -> bool | None: ...

    def close(self) -> None: ...


_locks: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_locks_lock = threading.Lock()


def lock_of(path: str) -> Any:
    """Return the lock that all writers of one path in this process share: an original and its copies take turns.

    It is re-entrant, since a signal handler may close a run while the main thread is in the middle of a dump.
    """
    with _locks_lock:
        return _locks.setdefault(path, threading.RLock())
