"""A run that has begun takes over the history of another one: RLA's order, fork_log_files after log_files_gen.

All rows and checkpoints come, since nobody knows yet which checkpoint the training will go on from: the one that is
loaded before the first row cuts what came after it, as in any fork. Where something fails, the run is as it was.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rla_hooks.checkpoints.entry import Entry, Positions
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.core.fork_request import Fork
from rla_hooks.core.forking import ForkedFiles, ForkedLife
from rla_hooks.core.handover import State
from rla_hooks.core.positions import positions
from rla_hooks.core.resuming import ResumedRun
from rla_hooks.core.starting import RunStart
from rla_hooks.errors import RunError
from rla_hooks.layout import RunPaths
from rla_hooks.texts import printable, shell_path, text_of

if TYPE_CHECKING:
    from rla_hooks.cutting import Cut

Fill = Callable[[RunPaths], ForkedFiles]  # writes the files into the folders of a run. May raise OSError, ValueError


class BegunRun(ResumedRun, Protocol):
    """What this module uses of a run."""

    starting: RunStart


def why_not(run: BegunRun) -> str | None:
    """Return why a run can take over no history any more; None if it can."""
    paths, record = run.ownership.paths, run.files.record
    if run.ownership.state is not State.OWNER or paths is None or record is None:
        return "it was not started by this object"
    if run.starting.new_life is not None:
        return "it goes on with the history of another one already"
    rows = run.logger.rows + (record.content["rows"] or 0)
    if rows or os.path.lexists(paths.progress_csv):
        return f"it has {rows} row{'s' * (rows != 1)} of its own already"
    if Manifest(paths.checkpoint_dir).entries():
        return "it has checkpoints of its own already"
    return None


def everything(paths: RunPaths) -> Entry:
    """Return what stands for a checkpoint that was saved at the end of a run: all its rows come before it."""
    return Entry("", "", 0, math.inf, 0, "", written=positions((), paths.log_dir))


def begin(run: BegunRun, fork: Fork, fill: Fill) -> None:
    """Fill the folders of a run for which :func:`why_not` returns None, and let it go on from there as a fork.

    Raises RunError where that cannot be done.
    """
    record = run.files.record
    assert record is not None
    files, own = run.logger.while_closed(lambda: _filled(run, fork, fill))
    record.take_over(files.content)
    with run.guard.warn_on_error("run.json"):
        record.save(**files.content)
    run.settings.forked = files.fork
    run.starting.new_life = life = LateForkedLife(run, files, own)
    life.begin()
    life.started()


def _filled(run: BegunRun, fork: Fork, fill: Fill) -> tuple[ForkedFiles, Positions]:
    paths = run.ownership.paths
    assert paths is not None
    before = _files_of(paths)
    try:
        own = positions((), paths.log_dir)
        return fill(paths), own
    except BaseException as error:
        for path in _files_of(paths) - before:
            with suppress(OSError):
                path.unlink()
        if isinstance(error, (OSError, ValueError)):
            what = f"nothing was forked from the run {fork.id} ({printable(fork.name)}): {text_of(error)}"
            needed = f"room on the disk of {shell_path(paths.log_root)}, and files that can be read"
            raise RunError(f"{what}. Needed: {needed}.") from error
        raise


def _files_of(paths: RunPaths) -> set[Path]:
    return {
        Path(top, name)
        for folder in (paths.log_dir, paths.checkpoint_dir)
        for top, _, names in os.walk(folder)
        for name in names
    }


class LateForkedLife(ForkedLife):
    """The life of a run that has taken over the history of another one after its start."""

    def __init__(self, run: BegunRun, files: ForkedFiles, own: Positions):
        super().__init__(run, files)
        self._own = own
        self.may_cut = files.fork.entry is not None

    def begin(self) -> None:
        run = self._run
        run.logger.last_step = self._files.progress.last_step
        run.logger.before_row = self.first_row
        for line in self._files.lines():
            run.logger.message(line)

    def _own_positions(self) -> Positions:
        return self._own

    def _note(self, entry: Entry, cut: Cut | None) -> None:
        super()._note(entry, cut)
        record = self._run.files.record
        if record is not None:
            with self._run.guard.warn_on_error("run.json"):
                record.save(forked_from=self._files.fork.replaced(entry=entry).note())
