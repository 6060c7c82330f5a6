"""How a run goes from one object or process to another: planned here and started there, copied, followed by ranks."""

from __future__ import annotations

import copy
import os
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from rla_hooks import layout, lifecycle, ranks
from rla_hooks.core.logger import Logger
from rla_hooks.record import RunRecord

if TYPE_CHECKING:
    from rla_hooks.config import Config
    from rla_hooks.tester import Tester


class RunHandover:
    """The part of a Tester that knows which process the run belongs to."""

    if TYPE_CHECKING:
        config: Config | None
        logger: Logger
        paths: layout.RunPaths | None
        record: RunRecord | None
        task_name: str | None
        _ended: bool
        _owner: bool
        _process: int
        _started: bool

        def check(self) -> dict[str, Any]: ...
        def log_files_gen(self) -> None: ...
        def _open_files(self, paths: layout.RunPaths) -> None: ...

    def __init__(self) -> None:
        self._planned: datetime | None = None
        self._planner: int | None = None  # the process that planned the run
        self._id = uuid.uuid4().hex  # by which copies of a planned Tester know the run that one of them has started

    def plan(self, tell: bool = True) -> None:
        """Choose the run's name and create nothing: :meth:`adopt` takes it when the run is first needed.

        For hooks whose folders are asked for before it is known whether there will be a run, and in which process. The
        run ends with this process, or with that which starts it where that is no child of this one. ``tell``: let the
        scripts that a launcher starts from here know the name.
        """
        if lifecycle.is_silent():
            self._follow_writing_rank()
            return
        record_values = self.check()
        assert self.task_name is not None and self.config is not None
        self._planned, self._planner = datetime.now(), ranks.process_id
        self.paths = layout.plan(self.config.log_root, self.task_name, record_values, self._planned)
        lifecycle.watch(cast("Tester", self))
        if tell:
            lifecycle.tell_other_ranks(self.paths)

    @property
    def is_planned(self) -> bool:
        """Whether a hook made this run for itself, rather than the user by @rla.track or log_files_gen."""
        return self._planned is not None

    def _ends_with_parent(self) -> bool:
        """Whether the process that planned the run started this one, to train in it, and will go on after it."""
        return self._planner not in (None, ranks.process_id) and self._planner == os.getppid()

    def _follow_writing_rank(self) -> None:
        """Where another rank writes the run, know its folders; take everything and write nothing."""
        self.logger = Logger()
        self.paths = lifecycle.run_of_writing_rank()

    def follow(self, paths: layout.RunPaths | None) -> None:
        """Know the folders of the run that another rank writes; take everything and write nothing."""
        self._started = self._owner = False
        self.logger = Logger()
        self.paths = paths

    def adopt(self) -> None:
        """Make this process one that writes: start a planned run, or go on with what another process has started.

        For launchers that start the processes which train. Does nothing where tracking is off or another rank writes.
        """
        if lifecycle.is_silent():
            return
        if not self._started:
            if not self._join():
                self.log_files_gen()
        elif self._process != ranks.process_id:
            self._process, self._owner = ranks.process_id, False
            self.logger = copy.deepcopy(self.logger)  # without the files that are open in the other process
            self._leave_rows_to_original()
        if not self._ended and lifecycle.current() is None:
            lifecycle.opened(cast("Tester", self))

    def _join(self) -> bool:
        """Take up the planned run where a copy of this Tester has started it: in a child that trains, say."""
        if self._planned is None or self._started or self.paths is None or lifecycle.is_silent():
            return False
        try:
            record = RunRecord.existing(self.paths.run_json)
        except (OSError, ValueError):
            return False
        if record.content.get("id") != self._id:
            return False
        self._started = True
        self._process = ranks.process_id
        self._owner = self._planner == ranks.process_id
        self._open_files(self.paths)
        self.record = record
        self.logger.last_step = record.content["last_step"]
        return True

    def _leave_rows_to_original(self) -> None:
        """Those that were logged before this copy was made are noted in run.json by the original."""
        if self.record is not None:
            self.record.counted = self.logger.rows
