"""What ``wandb.run`` tells of itself: its name, folder, tags and the like."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rla_hooks.integrations._wandb import starting
from rla_hooks.integrations._wandb.starting import one_line
from rla_hooks.integrations._wandb.util import generate_id

from rla_hooks import hooks


class Facts:
    """The facts of a run. given: the arguments of ``wandb.init``."""

    def __init__(self, run: hooks.Run, given: Mapping[str, Any]):
        self._run, self._given = run, given
        self._folder: str | None = None
        self._made_id = ""

    @property
    def id(self) -> str:
        """The id that was given, else that of the run."""
        given, record = self._given.get("id"), self._run.record
        if record is not None:
            return str(given or record.content.get("id"))
        self._made_id = self._made_id or generate_id()
        return str(given or self._made_id)

    @property
    def name(self) -> str:
        """The title, if there is one; else the id."""
        return str(self._given.get("name") or self.id)

    @name.setter
    def name(self, name: str) -> None:
        self._given = {**self._given, "name": str(name)}
        self._run.set_title(one_line(name))

    @property
    def notes(self) -> str | None:
        note = self._given.get("notes")
        return None if note is None else str(note)

    @notes.setter
    def notes(self, notes: str | None) -> None:
        self._given = {**self._given, "notes": notes}
        self._run.set_note("" if notes is None else str(notes)[:100_000])

    @property
    def tags(self) -> tuple[str, ...]:
        tags = self._given.get("tags") or ()
        return (tags,) if isinstance(tags, str) else tuple(tags)

    @tags.setter
    def tags(self, tags: Any) -> None:
        wanted = tuple(filter(None, starting.tags_of({"tags": tags})))
        before = starting.tags_of({"tags": self.tags})
        self._run.tag(*(f"-{tag}" for tag in before if tag not in wanted), *wanted)
        self._given = {**self._given, "tags": wanted}

    @property
    def project(self) -> str:
        return str(self._given.get("project") or self._run.task_name or "")

    @property
    def entity(self) -> str:
        return str(self._given.get("entity") or "")

    @property
    def group(self) -> str:
        return str(self._given.get("group") or "")

    @property
    def job_type(self) -> str:
        return str(self._given.get("job_type") or "")

    @property
    def path(self) -> str:
        return "/".join(filter(None, (self.entity, self.project, self.id)))

    @property
    def url(self) -> str | None:
        """The address of the run's log folder: a file, since there is no server."""
        return None if self._run.log_dir is None else Path(self._run.log_dir).as_uri()

    project_url = url

    def get_url(self) -> str | None:
        return self.url

    def project_name(self) -> str:
        return self.project

    @property
    def resumed(self) -> bool:
        """Whether it goes on from an earlier life."""
        return self._run.settings.resumed is not None

    @property
    def disabled(self) -> bool:
        return not self._run.is_writing

    @property
    def offline(self) -> bool:
        return True

    @property
    def sweep_id(self) -> None:
        return None

    @property
    def start_time(self) -> float:
        record = self._run.record
        return datetime.fromisoformat(record.content["started"]).timestamp() if record is not None else 0.0

    @property
    def dir(self) -> str:
        """The run's results folder; where nothing is recorded, a folder that is removed at the end of the program."""
        if self._run.is_writing and self._run.results_dir is not None:
            return str(self._run.results_dir)
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="wandb-")
            atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder
