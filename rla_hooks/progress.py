"""The rows of a run as run.json has them, and what one process, of several that may log to the run, has added there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

MAX_LAST = 10_000  # metrics whose last value is in run.json


class Progress(NamedTuple):
    """The rows of a run: how many, the step of the last one, and the last value of each metric.

    rows: None where nobody has counted them. last_step: None without rows.

    >>> Progress(None, None, {}).noted(3)
    {'rows': 3, 'last_step': None, 'last': {}}
    """

    rows: int | None
    last_step: int | None
    last: dict[str, Any]

    def noted(self, rows: Any) -> dict[str, Any]:
        """Return it as run.json has it. rows: their number where nobody has counted them."""
        return self._replace(rows=rows if self.rows is None else self.rows)._asdict()


class AddedProgress:
    """What one object has added to the rows and lists of a run.json, so that it adds nothing twice."""

    def __init__(self) -> None:
        self.rows = 0  # rows of this process that are in the file's count
        self._rows_written = 0  # the count as this object has left it in the file
        self._has_others = False  # whether other processes, or copies, have added rows
        self._listed: dict[str, list[Any]] = {}  # what of this process is in the file's lists
        self._attempt: tuple[dict[str, Any], int, dict[str, list[Any]]] | None = None  # a write that may have failed

    def found(self, content: Mapping[str, Any]) -> None:
        """This object has written, or taken over, a run.json of this content."""
        self._rows_written = number(content["rows"])

    def skip(self, rows: int) -> None:
        """Count from ``rows`` on, and list nothing twice: this is a copy, and the original adds what was before."""
        self.rows, self._listed, self._attempt = rows, {}, None

    def attempt(
        self,
        content: Mapping[str, Any],
        rows: int,
        last_step: int | None,
        last: Mapping[str, Any],
        lists: Mapping[str, list[Any]],
    ) -> dict[str, Any]:
        """Return the content with what this process has logged since the last time; :meth:`finish` counts it.

        rows, last_step, last: of this process since its start. lists: all its ``gaps``, ``warnings`` and ``notes``.
        """
        added: dict[str, Any] = {}
        if rows > self.rows:
            added["rows"] = number(content["rows"]) + rows - self.rows
            added["last"] = content["last"] | dict(last)
            added["last_step"] = self._last_step(content, last_step)
        for name, own in lists.items():
            listed = self._listed.get(name, [])
            added[name] = [each for each in content[name] if each not in listed] + own
        attempted = {**content, **added}
        self._attempt = attempted, rows, {name: list(own) for name, own in lists.items()}
        return attempted

    def finish(self, noted: Mapping[str, Any]) -> dict[str, Any]:
        """Count what was written: now, or before Ctrl-C came between the writing and the counting.

        noted: what run.json says. Returns what of it is this process's news.
        """
        if self._attempt is None:
            return {}
        (attempted, rows, lists), news = self._attempt, {}
        if all(attempted[key] == noted.get(key) for key in ("rows", "gaps", "notes")):
            self.rows, self._rows_written = rows, attempted["rows"]
            self._listed = self._listed | lists
            news = {key: attempted[key] for key in ("rows", "last", "last_step", *lists)}
        self._attempt = None  # last: after a further Ctrl-C all this is done again
        return news

    def _last_step(self, content: Mapping[str, Any], own: int | None) -> int | None:
        """The step of the last row; where other processes have logged, too, the greatest."""
        noted = content["last_step"]
        self._has_others |= self._rows_written != content["rows"]
        if not self._has_others or not isinstance(noted, int):
            return own
        return noted if own is None else max(own, noted)


def number(value: Any) -> int:
    """Return an int of run.json, which somebody may have edited; 0 for anything else.

    >>> number("many")
    0
    """
    return value if isinstance(value, int) else 0
