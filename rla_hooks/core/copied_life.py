"""A resumed run that goes on in another process: in a forked child that adopts it, in a copy sent to a spawned one.

Such a process has claimed nothing, but it may be the one that loads the checkpoint and trains. Then it cuts, unless
another process has cut in this life, or logged rows; see :meth:`NewLife.begun_by_others`.
"""

from __future__ import annotations

from collections.abc import Callable

from rla_hooks.checkpoints.manifest import Entry
from rla_hooks.core.resume_request import Resumable
from rla_hooks.core.resuming import NewLife, ResumedRun


class CopiedLife(NewLife):
    """The present life of a resumed run, for a copy of the run that was made before the life's first load and row.

    trains: whether the copy is to write the run's rows. Others cut only to where the life begins: an evaluation that
    loads an older checkpoint does not mean to go back to it.
    """

    def __init__(self, run: ResumedRun, chosen: Resumable, trains: bool):
        super().__init__(run, chosen)
        self.trains = trains
        self._then: Callable[[], None] | None = run.logger.before_row
        run.logger.before_row = self.first_row

    def _cuts_to(self, entry: Entry) -> bool:
        newest = self._chosen.entry
        return self.trains or (newest is not None and newest.file == entry.file)

    def first_row(self) -> None:
        super().first_row()
        self._call_then()

    first_row.rows_only = True  # type: ignore[attr-defined]

    def _first_row_after_cut(self) -> None:
        super()._first_row_after_cut()
        self._call_then()

    _first_row_after_cut.rows_only = True  # type: ignore[attr-defined]

    def _call_then(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()
