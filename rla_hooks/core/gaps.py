"""Rows that a writer could not write: counted, merged, and told once.

A disk that is nearly full takes some rows and refuses others. So trouble of a writer that comes back soon is the same
trouble: it goes on with the gap that it had, and no further warning is given.
"""

from __future__ import annotations

import time
from typing import Any

from rla_hooks.fields import Fields
from rla_hooks.masking import mask_text
from rla_hooks.texts import cut

_MAX_GAPS = 100  # of one process in run.json; then the last one of the writer goes on
_SAME_TROUBLE = 60.0  # seconds of good writing after which the next trouble is another one
_SAVE_EVERY = 1.0  # seconds
_MAX_REASON = 500  # characters
_MISSING = "; rows are missing there until writing works again, and run.json counts them"


class Gap(Fields):
    """Rows that a writer could not write: how many, from which step to which, and why. Some between may be there."""

    writer: str
    missing_rows: int
    first_step: int
    last_step: int
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return the gap as it is kept in run.json."""
        steps = {"first_step": self.first_step, "last_step": self.last_step}
        return {"writer": self.writer, "rows": self.missing_rows, **steps, "reason": self.reason}


class _Trouble(Fields):
    """What a writer is in from its first error to the end of a minute of good writing."""

    gap: Gap | None = None  # none where no row is missing, but a picture or a line of text
    over: float = 0.0  # when writing worked again, by time.monotonic
    told: bool = False  # whether that was told


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"


class Gaps:
    """The gaps of one run in this process. ``open`` holds the writers that are in trouble now, by name.

    unsaved: whether rows are missing that run.json does not count yet.
    """

    def __init__(self) -> None:
        self.gaps: list[Gap] = []
        self.unsaved = False
        self.open: dict[str, _Trouble] = {}
        self._over: dict[str, _Trouble] = {}
        self._saved = 0.0

    def failed(self, writer: str, reason: str, step: int | None) -> str | None:
        """Count a row that is missing; return a warning if this is news. ``step``: of the row, None if it is no row."""
        trouble = self.open.get(writer)
        news = False
        if trouble is None:
            trouble = self._over.pop(writer, None)
            news = trouble is None or time.monotonic() - trouble.over > _SAME_TROUBLE
            if trouble is None or news:
                trouble = _Trouble()
            self.open[writer] = trouble
        if step is not None:
            if trouble.gap is None:
                trouble.gap = self._gap(writer, mask_text(cut(reason, _MAX_REASON)), step)
            trouble.gap.missing_rows += 1
            self.unsaved = True
            trouble.gap.last_step = step
        if not news:
            return None
        return f"{writer}: {reason}. The training goes on{'' if step is None else _MISSING}."

    def _gap(self, writer: str, reason: str, step: int) -> Gap:
        if len(self.gaps) >= _MAX_GAPS:
            for gap in reversed(self.gaps):
                if gap.writer == writer:
                    return gap
        gap = Gap(writer, 0, step, step, reason)
        self.gaps.append(gap)
        return gap

    def recovered(self, writer: str) -> str | None:
        """Note that a writer that was in trouble has written; return a line about it if that is news."""
        trouble = self.open.pop(writer)
        self._over[writer] = trouble
        trouble.over = time.monotonic()
        if trouble.told:
            return None
        trouble.told = True
        gap = trouble.gap
        missing = f"; {_rows(gap.missing_rows)} missing" if gap is not None else ""
        return f"{writer}: writing works again{missing}"

    def as_text(self) -> str:
        """Return for people how many rows of this process are missing: ``12 rows are missing in csv``, or ``""``."""
        rows: dict[str, int] = {}
        for gap in self.gaps:
            rows[gap.writer] = rows.get(gap.writer, 0) + gap.missing_rows
        return ", ".join(f"{_rows(count)} missing in {writer}" for writer, count in rows.items())

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return the gaps as they are kept in run.json."""
        return [gap.as_dict() for gap in self.gaps]

    def forget(self) -> None:
        """Begin a new list, in a copy or a forked child; the troubles go on, and are no news."""
        self.gaps, self.unsaved = [], False
        for trouble in (*self.open.values(), *self._over.values()):
            trouble.gap = None

    def should_save(self) -> bool:
        """Whether it is time to note the gaps in run.json: at most once a second, however often trouble comes."""
        now = time.monotonic()
        if now - self._saved < _SAVE_EVERY:
            return False
        self._saved = now
        return True
