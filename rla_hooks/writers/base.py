"""The interface of a writer, and what a writer gets: rows and media events.

To add an output format, add a file with a class like :class:`Writer`, and a line in ``rla_hooks/writers/__init__.py``.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from rla_hooks.locks import in_forked_child, new_in_child
from rla_hooks.values import Scalar

STEP, TIME = "time-step", "timestamp"


class Row:
    """One dump of scalars: ``values`` at ``step``, at ``time`` (seconds since the epoch). All writers get the same one.

    keys: ``tuple(values)``. What gives many rows of the same keys may give the same tuple each time, by which writers
    know them at once.
    """

    __slots__ = ("keys", "step", "time", "values")

    def __init__(self, step: int, time: float, values: Mapping[str, Scalar], keys: tuple[str, ...] | None = None):
        self.step = step
        self.time = time
        self.values = values
        self.keys = tuple(values) if keys is None else keys


class Image(NamedTuple):
    """A picture: PNG data and its size in pixels."""

    png: bytes
    width: int
    height: int


class Text(NamedTuple):
    """A text in Markdown."""

    markdown: str


class Histogram(NamedTuple):
    """A histogram: ``counts[i]`` values are below ``limits[i]``, and not below ``limits[i - 1]``."""

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


class Audio(NamedTuple):
    """One channel of sound: a WAV file, its samples a second, and their number."""

    wav: bytes
    rate: float
    samples: int


class Tensor(NamedTuple):
    """An array for a plugin of TensorBoard, with what the plugin wants to know of it.

    dtype: a ``DataType`` of TensorFlow's types.proto. data: the array's bytes, little-endian; of a text, the text.
    """

    plugin: str
    about: bytes
    dtype: int
    shape: tuple[int, ...]
    data: bytes


class RawSummary(NamedTuple):
    """A ``Summary`` message of TensorBoard that somebody else has made, serialised."""

    message: bytes


Media = Image | Text | Histogram | Graph | HParams | Ending | Audio | Tensor | RawSummary


class MediaEvent(NamedTuple):
    """Content that is no scalar, such as an image, for ``tag`` at ``step``. Writers that cannot show it ignore it."""

    step: int
    time: float
    tag: str
    content: Media


class Written(NamedTuple):
    """How far a file of a writer has come: ``rows`` rows end after ``bytes`` of the file at ``path``.

    A csv file's header is among the bytes, and no row. The rows of an event file are all events but the
    first two, which every such file has (its version, and that a session starts).
    """

    path: str
    rows: int
    bytes: int


ValuesWriter = Callable[[int, float, list[Any]], object]


class Writer(Protocol):
    """One output format of one run.

    name: unique among the writers of a run. write: takes a :class:`Row` or a :class:`MediaEvent`, and passes it to the
    operating system before it returns, completely or not at all. If that fails it raises, and the next call tries
    again; no error of a writer stops the training. It returns False if there was nothing to write: a format without
    pictures, say, or one that shows only some of the rows. close: may be called several times; a later ``write`` opens
    the file again and appends.

    A writer may have a method ``values_writer(keys, types)``, which returns a function of step, time and a list of
    values that does the same as ``write`` of their row. types: those of the values, float, int or str. It may remember
    what is the same for all rows of these keys, but no open file, which ``close`` could not close then. It is used only
    if the class that has it has ``write``, too: a subclass or a wrapper with a ``write`` of its own gets all rows.

    A writer may have a method ``begin_run(paths)``, which gets the folders of each run that it is of, before the first
    row, as :class:`~rla_hooks.layout.RunPaths`: ``paths.log_dir / "rows.sqlite"``. If it raises, this gives one
    warning. An object is of one run at a time; runs that are open side by side need one each.

    A writer of files may have a method ``written()``, which returns :class:`Written`; None while the file is not open.

    A writer of files creates none before its first row, and creates it again if somebody deletes it. It can be pickled
    and copied without its open file; the copy appends to the same file. With the process's several threads and copies
    in mind, hold :func:`lock_of` the path while writing.

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
_locks_lock = threading.RLock()  # re-entrant, too
new_in_child(globals(), "_locks_lock")


def lock_of(path: str) -> Any:
    """Return the lock that all writers of one path in this process share: a writer and its copies.

    It is re-entrant, since a signal handler may close a run while the main thread is in the middle of a dump.
    """
    with _locks_lock:
        return _locks.setdefault(path, threading.RLock())


in_forked_child(_locks.clear)  # the parent's threads may hold them
