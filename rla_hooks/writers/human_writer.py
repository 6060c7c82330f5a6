"""stdout and log.txt: what a person reads.

    | time-step   | 17     |
    | perf/return | 195.2  |

People read tables, files keep rows: at most a few tables a second are shown, and always the last one. The older a run
is, the rarer they are, down to one a minute: the log.txt of a week has some thousands.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import Any

from rla_hooks.texts import printable
from rla_hooks.values import Scalar
from rla_hooks.writers import DEFAULT_TABLES_PER_SECOND
from rla_hooks.writers.base import STEP, MediaEvent, Row
from rla_hooks.writers.destination import Destination, destination_of, process_token

_MAX_WIDTH = 60  # columns of a key or a value on the screen
_MAX_LINES = 200  # of a table
_YOUNG = 500.0  # seconds in which a run shows the most tables; at twice the age there are half as many, and so on
_RAREST = 60.0  # seconds between two tables


class _TableWriter:
    """Formats rows as tables and shows at most a few of them per second."""

    name = ""

    def __init__(self, tables_per_second: float = DEFAULT_TABLES_PER_SECOND):
        self.tables_per_second = tables_per_second
        self._started = time.monotonic()
        self._next = 0.0
        self._waiting: Row | None = None

    def write(self, row: Row | MediaEvent) -> bool:
        if not isinstance(row, Row):
            return False
        self._waiting = row
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _interval(1 / self.tables_per_second, now - self._started)
        self._show(table(row))
        self._waiting = None
        return True

    def message(self, text: str) -> None:
        """Show a line of text at once."""
        self._show(text + "\n")

    def flush(self) -> None:
        """Show the last table, if it was held back."""
        if self._waiting is not None:
            self._show(table(self._waiting))
            self._waiting = None

    def close(self) -> None:
        self.flush()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._next, self._started = 0.0, time.monotonic()  # clocks of another process say nothing here

    def _show(self, text: str) -> None:
        raise NotImplementedError


class StdoutWriter(_TableWriter):
    """Prints tables and messages on standard output, whatever it is at the time (a notebook or a test may swap it)."""

    name = "stdout"

    def _show(self, text: str) -> None:
        print_text(text)


def print_text(text: str) -> None:
    """Write on standard output, above progress bars of tqdm, which are drawn again."""
    if sys.stdout is None:  # python started without one: pythonw, or a daemon
        return
    with _bars_aside():
        try:
            sys.stdout.write(text)
        except UnicodeEncodeError:
            encoding = sys.stdout.encoding or "ascii"
            sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()


@contextmanager
def _bars_aside() -> Iterator[None]:
    """Clear the bars of tqdm on this terminal during the block, if the program has tqdm."""
    with ExitStack() as stack:
        with suppress(Exception):  # half imported, or another module of that name
            # Without tqdm's lock, which a process that was killed may hold for ever; at worst a bar is drawn twice.
            stack.enter_context(sys.modules["tqdm"].tqdm.external_write_mode(sys.stdout, nolock=True))
        yield


def _interval(shortest: float, age: float) -> float:
    """Seconds until the next table of a run of this age."""
    return min(shortest * max(1.0, age / _YOUNG), max(shortest, _RAREST))


class LogWriter(_TableWriter):
    """Appends tables and messages to log.txt, or to a file of this process beside it: see ``destination.py``."""

    name = "log"

    def __init__(
        self,
        path: str | os.PathLike[str],
        tables_per_second: float = DEFAULT_TABLES_PER_SECOND,
        own: bool = True,
    ):
        super().__init__(tables_per_second)
        self.path = os.fspath(path)
        self._owner = process_token() if own else None
        self._place: Destination = destination_of(self.path, own)

    def _show(self, text: str) -> None:
        self._place.append(text.encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._place.open = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_place": None, "_waiting": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._place = destination_of(self.path, self._owner == process_token())


class MessageWriter(LogWriter):
    """Appends the messages of some levels to a file of their own, and no tables: RLA's warn.txt and backup.txt.

    levels: the least one, and the first that is too high.
    """

    def __init__(self, name: str, path: str | os.PathLike[str], levels: tuple[int, int], own: bool = True):
        super().__init__(path, own=own)
        self.name = name
        self.levels = levels

    def write(self, row: Row | MediaEvent) -> bool:
        return False


def table(row: Row) -> str:
    """Return the row as an aligned table, in the order in which its values were recorded."""
    cells = [(STEP, str(row.step))]
    cells += [(_fit(key), _fit(_shown(value))) for key, value in islice(row.values.items(), _MAX_LINES)]
    if len(row.values) > _MAX_LINES:
        cells.append(("…", f"{len(row.values) - _MAX_LINES} more"))
    key_width = max(_width(key) for key, _ in cells)
    value_width = max(_width(value) for _, value in cells)
    rule = "-" * (key_width + value_width + 7) + "\n"
    lines = [f"| {_pad(key, key_width)} | {_pad(value, value_width)} |\n" for key, value in cells]
    return rule + "".join(lines) + rule


def _shown(value: Scalar) -> str:
    return f"{value:.4g}" if type(value) is float else str(value)


def _fit(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _MAX_WIDTH else text[: _MAX_WIDTH // 2] + "…" + text[-_MAX_WIDTH // 2 + 1 :]


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two."""
    if text.isascii():
        return len(text)
    try:
        from rich.cells import cell_len  # only where it is needed: its import takes as long as the start of a run
    except (OSError, ImportError):  # no file handle is left, say; then columns may be out of line
        return len(text)
    return cell_len(text)
