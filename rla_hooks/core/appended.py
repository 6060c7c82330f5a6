"""A run that was opened to add to it: rows, figures, checkpoints and labels of an evaluation, say.

It is a guest (see core/handover.py) with three rules of its own, for the run is somebody else's:

    how it ended stays      neither a hook's report nor an error in the block changes status, error or times, and a
                            killed run stays killed, where ``Run.open`` would take it up
    what is there stays     its rows go into files of their own, also in the process that has written the others; its
                            checkpoints push out none; parameter.json only grows; tester.pkl is not written
    a block ends nothing    after it the run is closed, and it opens again with its next row

As long as it adds rows, run.json says so: if it is killed, readers look for them in its files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from rla_hooks import life
from rla_hooks.core import registry
from rla_hooks.core.ending import RunEnd
from rla_hooks.core.handover import Ownership, State
from rla_hooks.core.program_exit import ProgramEnd
from rla_hooks.core.run import Run
from rla_hooks.core.settings import RunSettings, Writers
from rla_hooks.errors import RunError
from rla_hooks.layout import RunPaths
from rla_hooks.record import RunRecord
from rla_hooks.texts import printable, shell_path
from rla_hooks.writers import WRITERS


class AppendedRun(Run):
    """A run that was opened to add to it: see the top of this file. It is a context manager, too."""

    _here: registry.Entered | None = None
    _is_appending = False  # whether run.json says so

    @classmethod
    def append_to(
        cls, paths: RunPaths, task: str, hparams: Mapping[str, Any], info: Mapping[str, Any], writers: Writers | None
    ) -> AppendedRun:
        """Open the run at these paths. task, hparams, info: what its files say; writers: by default those it had.

        Raises RunError if the run cannot be added to: it has no run.json that says how it ended, or its folder is gone
        or may not be written. Raises ConfigError for a mistake in ``writers``.
        """
        _check_appendable(paths)
        parent = info.get("parent")
        settings = RunSettings(hyper_param=dict(hparams), parent=parent if isinstance(parent, str) else None)
        settings.configure(task, {}, paths.log_root, writers=writers or _writers_of(info), backup="none")
        return cls._of_others(settings, paths)

    def _owns_old_files(self) -> bool:
        return False

    def _claim_files(self) -> bool:
        return False

    def _begin_writing(self) -> None:
        super()._begin_writing()
        self._is_appending = True
        self.files.save_appending(True)

    def _pause(self) -> None:
        super()._pause()
        if self._is_appending:
            self._is_appending = False
            self.files.save_appending(False)

    def _save_archive(self) -> None:
        """The archive is of the training; custom data that is added here is kept nowhere."""

    def _make_end(self) -> RunEnd:
        return _NoEnd(self, self.starting.rejoin, self._pause, self.starting.stop_measuring)

    def _make_parts(self, record: RunRecord | None = None) -> None:
        super()._make_parts(record)
        self.checkpoints.max_to_keep = None

    def __enter__(self) -> AppendedRun:
        if self._here is not None:
            raise RunError("this run is open in a block already. Use it there, or call rla.open(...) again.")
        self._here = registry.enter_block(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        here, self._here = self._here, None
        try:
            self.finish()
        finally:
            if here is not None:
                registry.leave_block(here)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_here": None, "_is_appending": False}


class _NoEnd(RunEnd):
    """The end of what is added; the run has its own."""

    def _report(self, end: ProgramEnd, revocable: bool) -> None:
        self._run.files.save_progress()


def silent(paths: RunPaths | None = None) -> AppendedRun:
    """Return one that accepts every call and writes nothing."""
    return AppendedRun(RunSettings(), Ownership(paths, State.FOLLOWER))


def _check_appendable(paths: RunPaths) -> None:
    place = shell_path(paths.log_dir)
    try:
        life.read_status(RunRecord.existing(paths.run_json).content)
    except FileNotFoundError:
        there = "has no run.json" if os.path.isdir(paths.log_dir) else "is not there (any more)"
        raise RunError(
            f"{place} {there}, so nothing can be added to it. Allowed: runs of rla_hooks; those of the original RLA, "
            "and of other tools, can only be read."
        ) from None
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"nothing can be added to {place}: its run.json cannot be read: {printable(error)}. Mend that file first."
        ) from error
    if not os.access(paths.log_dir, os.W_OK):
        raise RunError(
            f"nothing can be added to {place}: this user may not write there. Ask its owner for access, or copy all "
            "folders of the run."
        )


def _writers_of(info: Mapping[str, Any]) -> Sequence[str]:
    """The writers that the run had, as far as they have names."""
    noted = info.get("writers")
    return [name for name in noted if name in WRITERS] if isinstance(noted, list) else ["csv", "tensorboard", "log"]
