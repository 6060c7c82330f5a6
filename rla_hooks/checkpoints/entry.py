"""One line of a manifest: a checkpoint that is complete, and where the metrics of its run stood when it was saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
DEFAULT_NAME = "checkpoint"  # of what is saved under no other name
STATE = "state"  # the name, and the writer, of whole states: see rla_hooks/state/
_OPTIONAL = ("written", "cut", "own")  # not written where they are None: older manifests stay as they are

Positions = dict[str, tuple[int | None, int]]


@dataclass(frozen=True)
class Entry:
    """One complete checkpoint of a manifest.

    file: its path in the folder. name, step: as it was saved. time: in seconds since 1970. size: in bytes.
    crc32c: in eight hex digits. info: what else is known of it and JSON can hold, such as the epoch and the score.

    written: how far the files of metrics had come when its state was taken: by path in the run's log folder, rows and
    bytes. Of a csv file the rows count, since a column that comes late moves the bytes; of an event file the bytes.
    The rows are None for files that this process did not write. All of it is None where it is not known.

    cut: the number of the cut by which a resume went back to before this checkpoint; None for others. Its file is kept.

    own: True where :class:`~rla_hooks.checkpoints.saver.Saver` has put the whole file in its place: nobody writes into
    it again, so that a fork may share it. None for files that a framework or the program has written by itself.

    >>> Entry("best-3.pt", "best", 3, time=0.0, size=10, crc32c="e3069283").step
    3
    """

    file: str
    name: str
    step: int
    time: float
    size: int
    crc32c: str
    info: dict[str, Any] = field(default_factory=dict, hash=False)
    written: Positions | None = field(default=None, hash=False)
    cut: int | None = None
    own: bool | None = None

    @property
    def line(self) -> str:
        """The entry as JSON. It is made once: each save writes the lines of all checkpoints."""
        line: str | None = self.__dict__.get("_made_line")
        if line is None:
            content = {name: getattr(self, name) for name in self.__dataclass_fields__}
            content = {name: value for name, value in content.items() if value is not None or name not in _OPTIONAL}
            line = self.__dict__["_made_line"] = json.dumps(content, ensure_ascii=False)
        return line


def is_state(entry: Entry) -> bool:
    """Return whether an entry is a whole state, which ``load_state`` restores, and no checkpoint of models alone.

    >>> is_state(Entry("state-3", "state", 3, time=0.0, size=10, crc32c="e3069283", info={"writer": "state"}))
    True
    """
    return entry.info.get("writer") == STATE


def entry_of(raw: Any) -> Entry | None:
    """Return the entry that a manifest has; None for what no version wrote, such as a path that leads elsewhere.

    >>> entry_of({"file": "../best.pt", "name": "best", "step": 3, "time": 0.0, "size": 10, "crc32c": "e3069283"})
    """
    try:
        content = {key: raw[key] for key in Entry.__dataclass_fields__ if key in raw}
        if "written" in content:
            content["written"] = _written_of(content["written"])
        content["own"] = True if content.get("own") is True else None
        entry = Entry(**content)
    except TypeError:  # it is no dict, or lacks a key
        return None
    texts = isinstance(entry.file, str) and isinstance(entry.name, str) and isinstance(entry.crc32c, str)
    whole = type(entry.step) is int and type(entry.size) is int and type(entry.time) in (int, float)
    # One that is cut, if it is not known by which cut, must not be taken for one that is not.
    whole = whole and (entry.cut is None or (type(entry.cut) is int and entry.cut > 0))
    return entry if texts and whole and isinstance(entry.info, dict) and _is_inside(entry.file, MANIFEST) else None


def _written_of(raw: Any) -> Positions | None:
    """Return the positions of an entry; None if a part cannot be understood: the checkpoint itself is good."""
    if not isinstance(raw, Mapping):
        return None
    found: Positions = {}
    for file, position in raw.items():
        if not isinstance(position, list) or len(position) != 2 or not _is_inside(file):
            return None
        rows, size = position
        if not _is_count(size) or not (rows is None or _is_count(rows)):
            return None
        found[file] = rows, size
    return found


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_inside(file: str, other_than: str | None = None) -> bool:
    """Return whether a file is in the folder, or in one below it, as frameworks make them."""
    is_plain = not {"\\", "\0"} & set(file) and not {"", ".", ".."} & set(file.split("/"))
    return is_plain and file != other_than and not Path(file).drive
