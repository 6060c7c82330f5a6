"""progress.json: one row per line, each an object, as loggers of openai/baselines write it.

    {"time-step": 0, "timestamp": 1767225600.0, "perf/return": 21.5}
    {"time-step": 1, "timestamp": 1767225600.25, "perf/return": null}

``null`` stands for NaN and infinities, which JSON does not have; progress.csv has them. Readers of rla_hooks read
progress.csv: this file is for other programs.
"""

from __future__ import annotations

import json
import math
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.patterns import pattern
from rla_hooks.smallfiles import open_regular
from rla_hooks.writers.appendfile import AppendFile
from rla_hooks.writers.base import STEP, TIME, MediaEvent, Row
from rla_hooks.writers.destination import Destination, destination_of, process_token, set_aside

_NAME = pattern(r"progress(\..+-\d+(-\d+)?)?\.json", re.DOTALL)
_MOST_TORN = 16 << 20  # bytes: a longer line is no row
_BEGIN = b'{"time-step": '  # of each row


def is_name(name: str) -> bool:
    """Whether a file of this name, in the log folder of a run, has rows as JSON.

    >>> is_name("progress.json"), is_name("progress.node7-4711-2.json"), is_name("parameter.json")
    (True, True, False)
    """
    return name.startswith("progress.") and _NAME.fullmatch(name) is not None and not {"/", "\\", "\0"} & set(name)


def files(log_dir: str | os.PathLike[str]) -> list[Path]:
    """Return the files of rows as JSON in a log folder, in order; none where it is not there.

    A file of that name which another program keeps in the folder, a state of its own say, is none of them.
    """
    try:
        paths = sorted(Path(log_dir, name) for name in os.listdir(log_dir) if is_name(name))
    except OSError:
        return []
    return [path for path in paths if _begins_with_row(path)]


def _begins_with_row(path: str | os.PathLike[str]) -> bool:
    with suppress(OSError), open_regular(path) as file:
        return file.read(len(_BEGIN)) == _BEGIN
    return False


class JsonWriter:
    """Appends rows to a file of JSON lines.

    own: whether this process may write to ``path``; else it writes to a file of its own beside it.

    >>> import tempfile
    >>> writer = JsonWriter(f"{tempfile.mkdtemp()}/progress.json")
    >>> writer.write(Row(0, 0.25, {"loss": 0.5, "return": math.nan}))
    True
    >>> print(open(writer.path).read(), end="")
    {"time-step": 0, "timestamp": 0.25, "loss": 0.5, "return": null}
    """

    name = "json"

    def __init__(self, path: str | os.PathLike[str], own: bool = True):
        self.path = os.fspath(path)
        self._owner = process_token() if own else None
        self._place: Destination = destination_of(self.path, own)

    def write(self, row: Row | MediaEvent) -> bool:
        if not isinstance(row, Row):
            return False
        self._place.append(line_of(row), self._goes_on)
        return True

    def _goes_on(self, file: AppendFile) -> bool:
        """Prepare a file that has just been opened; return False if it is another program's."""
        if not file.end:
            return True
        if file.is_written_elsewhere() or not _begins_with_row(file.path):
            self._place.warn(
                "another",
                f"{file.path} is another program's: the rows of this run go to a file beside it. Give other loggers a "
                "folder of their own.",
            )
            return False
        torn = file.last_bytes(_MOST_TORN).rpartition(b"\n")[2]
        if torn:
            self._place.warn("torn", set_aside(file, torn))
        return True

    def has_written(self, row: Row) -> bool:
        """Whether the row is among the last ones of the open file: Ctrl-C may come right after it was written."""
        line, place = line_of(row), self._place
        with place.lock:
            return place.open is not None and line in place.open.last_bytes(len(line))

    def close(self) -> None:
        self._place.open = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "owner": self._owner}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["owner"] == process_token())  # type: ignore[misc]


def line_of(row: Row) -> bytes:
    """Return the line of a row."""
    values = {STEP: row.step, TIME: row.time, **row.values}
    try:
        text = json.dumps(values, allow_nan=False)
    except ValueError:
        text = json.dumps({key: _valid(value) for key, value in values.items()})
    return text.encode() + b"\n"


def _valid(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
