"""What the small files of a run say of it: run.json, parameter.json and labels.json."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, ClassVar

from rla_hooks.delegation import value_of
from rla_hooks.layout import RunPaths
from rla_hooks.life import is_running
from rla_hooks.query.entry import Entry, seconds_of
from rla_hooks.query.moved import hints_of, record_of
from rla_hooks.query.stored import StoredEntry

_ID = 8  # characters
_LONGEST = 1e11  # seconds, 3000 years: what somebody may have written into run.json beyond that is no duration


class RunFacts:
    """What was known of a run when it was listed. A ``SavedRun`` has its rows and files, too."""

    def __init__(self, paths: RunPaths, entry: Entry | StoredEntry):
        self.paths = paths
        self.entry = entry

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RunFacts):
            return NotImplemented
        return (self.paths, self.entry) == (other.paths, other.entry)

    def __hash__(self) -> int:
        return hash(self.paths)

    name: ClassVar[str] = value_of("entry", "name", "The run name.")
    task: ClassVar[str] = value_of("entry", "task", "The group of runs that this one belongs to.")
    status: ClassVar[str] = value_of("entry", "status", "How it ended, or that it runs: see above.")
    hparams: ClassVar[dict[str, Any]] = value_of("entry", "hparams", "The hyper-parameters: parameter.json.")
    run_json: ClassVar[dict[str, Any]] = value_of("entry", "run_json", "The content of run.json, as it stands there.")
    problems: ClassVar[tuple[str, ...]] = value_of("entry", "problems", "What is damaged, a line for each.")

    @property
    def id(self) -> str:
        """Eight letters and digits that name the run; of a run that has none in run.json made from its name."""
        noted = self.run_json.get("id")
        return noted if isinstance(noted, str) and noted else id_of_name(self.name)

    @property
    def started(self) -> datetime:
        """When it started, in UTC."""
        return _utc(self.entry.started)

    @property
    def ended(self) -> datetime | None:
        """When it ended, in UTC; None if it has not, or nobody knows."""
        seconds = seconds_of(self.run_json.get("ended"))
        return None if seconds is None else _utc(seconds)

    @property
    def seconds(self) -> float | None:
        """How long it ran; for a run that is running how long it has, None for one that was killed.

        Of a run that was resumed this is its present life; :attr:`restarts` has the others.
        """
        noted = self.run_json.get("seconds")
        if isinstance(noted, (int, float)) and not isinstance(noted, bool):
            return float(noted) if 0 <= noted < _LONGEST else None
        resumed = seconds_of(self.run_json.get("resumed"))
        began = self.entry.started if resumed is None else resumed
        return max(0.0, time.time() - began) if is_running(self.status) else None

    @property
    def host(self) -> str | None:
        """The name of the machine that it ran on."""
        return _text(self.run_json.get("host"))

    @property
    def machine(self) -> dict[str, Any]:
        """The processor, memory and GPUs of the machine that it ran on; see docs/layout.md. Empty where not known."""
        noted = self.run_json.get("machine")
        return noted if isinstance(noted, dict) else {}

    @property
    def parent(self) -> str | None:
        """The name of the run that it was started in."""
        return _text(self.run_json.get("parent"))

    @property
    def restarts(self) -> list[dict[str, Any]]:
        """Its earlier lives, oldest first: how each ended, and from which step the run went on; see docs/layout.md.

        Empty for a run that was never resumed.
        """
        noted = self.run_json.get("restarts")
        return [each for each in noted if isinstance(each, dict)] if isinstance(noted, list) else []

    @property
    def resumed_at(self) -> list[float]:
        """When its further lives began, oldest first, in seconds since 1970; of a fork, when it began itself, too.

        Empty for a run that was never resumed, and is no fork.
        """
        times = [self.started.timestamp()] if self.forked_from else []
        for each in self.restarts:
            with suppress(ValueError):
                times.append(datetime.fromisoformat(str(each.get("taken_up"))).timestamp())
        return times

    @property
    def forked_from(self) -> dict[str, Any] | None:
        """The run that it was forked from, and where: ``run``, ``id``, ``step``, ``file``; None for other runs."""
        noted = self.run_json.get("forked_from")
        return noted if isinstance(noted, dict) and isinstance(noted.get("id"), str) else None

    @property
    def rerun_of(self) -> dict[str, Any] | None:
        """The run that it repeats: ``run``, ``id``; None for other runs. See ``rla rerun``."""
        noted = self.run_json.get("rerun_of")
        return noted if isinstance(noted, dict) and isinstance(noted.get("id"), str) else None

    @property
    def sweep(self) -> dict[str, Any] | None:
        """The sweep that it is of, and its number there: ``id``, ``index``; None for other runs. See ``rla.sweep``."""
        noted = self.run_json.get("sweep")
        return noted if isinstance(noted, dict) and isinstance(noted.get("id"), str) else None

    @property
    def tags(self) -> list[str]:
        """The tags in labels.json: of the run's start, and those that somebody has added since."""
        tags = self.entry.labels.get("tags")
        return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []

    @property
    def note(self) -> str | None:
        """The note in labels.json, a text of any number of lines."""
        return _text(self.entry.labels.get("note"))

    @property
    def title(self) -> str | None:
        """The title in labels.json, a line for people and plots."""
        return _text(self.entry.labels.get("title"))

    @property
    def group(self) -> str | None:
        """The group in labels.json: the runs of one sweep, say."""
        return _text(self.entry.labels.get("group"))

    @property
    def result(self) -> Any:
        """What the tracked function returned, where that is plain data; else None."""
        return self.run_json.get("result")

    @property
    def record(self) -> dict[str, Any]:
        """The record parameters: values of ``hparams`` where they are there, else texts, as in the run's name.

        What ``rla rename`` has set in the name counts: a text where ``hparams`` have something else.
        """
        return record_of(self.name, self.run_json, self.hparams)

    @property
    def hints(self) -> tuple[str, ...]:
        """What is unusual, though nothing is damaged: that somebody has renamed, moved or copied its folder."""
        return hints_of(self.paths, self.run_json)


def id_of_name(name: str) -> str:
    """Return the id of a run that has none of its own: the beginning of base32(sha256(name)).

    >>> id_of_name("cartpole/2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.1")
    'h7g5tebd'
    """
    digest = hashlib.sha256(os.fsencode(name)).digest()
    return base64.b32encode(digest)[:_ID].decode().lower()


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
