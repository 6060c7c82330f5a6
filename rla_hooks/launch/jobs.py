"""The settings of a sweep with what becomes of each, and where they come from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from rla_hooks.fields import Fields
from rla_hooks.launch.task import Outcome
from rla_hooks.query import SavedRun


class Job(Fields):
    """One setting. index: its number in the sweep. former: the run that it has already. trial: of a study.

    skipped: whether that run is done, or alive elsewhere, so that nothing is to be done. outcome: of the last try.
    """

    index: int
    setting: dict[str, Any]
    former: SavedRun | None = None
    skipped: bool = False
    tries: int = 0
    trial: Any = None
    outcome: Outcome | None = None

    @property
    def run(self) -> str | SavedRun | None:
        """The run, or its folder; None where none has started."""
        if self.outcome is not None and self.outcome.run is not None:
            return self.outcome.run
        return self.former


class Source(Protocol):
    """Where settings come from: a list of them, or a study, which is told how each has ended."""

    jobs: list[Job]  # those that have come
    total: int

    def next(self) -> Job | None:
        """Return a setting that is to run now; None if there is none."""

    def ended(self, job: Job) -> None: ...


class Listed:
    """Settings that are all known when the sweep begins."""

    def __init__(self, jobs: Iterable[Job]):
        self.jobs = [*jobs]
        self.total = sum(not job.skipped for job in self.jobs)
        self._waiting = deque(job for job in self.jobs if not job.skipped)

    def next(self) -> Job | None:
        return self._waiting.popleft() if self._waiting else None

    def ended(self, job: Job) -> None:
        pass
