"""A run's entry as an index keeps it: bytes, which are read when somebody asks."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from rla_hooks.endings import RUNNING
from rla_hooks.query.entry import Entry

to_json = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps makes one for each call


class StoredEntry:
    """An :class:`Entry` that an index has kept; it is equal to that one. Its JSON is read when it is asked for."""

    def __init__(self, name: str, started: float, content: bytes, judge: Callable[[dict[str, Any]], str] | None = None):
        self.name = name
        self.started = started
        self._content = content
        self._judge = judge  # says by run.json what the status is now, of a run that had not ended when it was read

    @functools.cached_property
    def _parts(self) -> tuple[Any, ...]:
        return tuple(json.loads(self._content))

    @property
    def task(self) -> str:
        return str(self._parts[0])

    @functools.cached_property
    def status(self) -> str:
        if self._judge is not None and self.run_json.get("status") == RUNNING:
            return self._judge(self.run_json)
        return str(self._parts[1])

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self._parts[2])

    @property
    def run_json(self) -> dict[str, Any]:
        found: dict[str, Any] = self._parts[3]
        return found

    @property
    def hparams(self) -> dict[str, Any]:
        found: dict[str, Any] = self._parts[4]
        return found

    @property
    def labels(self) -> dict[str, Any]:
        found: dict[str, Any] = self._parts[5]
        return found

    def whole(self) -> Entry:
        """Return it as an Entry."""
        return Entry(self.name, self.task, self.status, self.run_json, self.hparams, self.labels, self.problems)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoredEntry):
            other = other.whole()
        return self.whole() == other if isinstance(other, Entry) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # its content is dicts

    def __reduce__(self) -> tuple[Any, ...]:
        return Entry, tuple(self.whole())


def content_of(entry: Entry) -> bytes:
    """Return what a StoredEntry is made of."""
    parts = entry.task, entry.status, entry.problems, entry.run_json, entry.hparams, entry.labels
    return to_json(parts).encode()
