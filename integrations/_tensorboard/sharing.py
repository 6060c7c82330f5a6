"""Which run a SummaryWriter writes to, and what stands before its tags there.

in an open run                          that run
log_dir of a writer that is open        the same run
a folder in that, runs/x/agent_1        the same run, tags agent_1/...
runs/x/train, runs/x/eval               the run of runs/x, tags train/... and eval/...
log_dir of a writer that was closed     the same run if the steps go on there; else a new one
else                                    a run of its own
"""

from __future__ import annotations

import os
import weakref
from typing import Any

from rla_hooks import hooks
from rla_hooks.hooks import Handle, OwnRun, Run

_PARTS = {"train", "training", "eval", "evaluation", "val", "valid", "validation", "test", "testing"}
_MOST_CLOSED = 16  # runs whose folders are remembered after their writers were closed

_by_folder: dict[str, SharedRun] = {}  # runs that writers have started; the folder is that of the first writer
_joined: weakref.WeakValueDictionary[Run, SharedRun] = weakref.WeakValueDictionary()  # a writer keeps it


def forget_state() -> None:
    """Between two tests."""
    _by_folder.clear()
    _joined.clear()


class SharedRun:
    """A run, and how many writers of it are open."""

    def __init__(self, handle: Handle, folder: str | None):
        self.handle, self.folder, self.writers = handle, folder, 0

    def end(self, error: BaseException | None) -> None:
        """A writer was closed: the last one ends a run that was started for it, as ``error`` has it; else it pauses."""
        self.writers = max(0, self.writers - 1)
        run = self.handle.run
        if run is None:  # nothing was written
            _forget(self)
        elif self.writers or not run.made_by_hook:
            run.flush()
        elif error is None:
            run.finish()
        else:
            run.finish(hooks.ending_of(error), error)

    def reopen(self) -> None:
        """A writer that was closed is used again."""
        self.writers += 1
        run = self.handle.run
        if run is not None and run.made_by_hook:
            run.reopen()

    @property
    def is_over(self) -> bool:
        """Whether all writers of a run that was started for them were closed."""
        return not self.writers

    def goes_on_at(self, step: Any) -> bool:
        """Whether the step of a value comes after the last one of the run."""
        run = self.handle.run
        last = None if run is None else run.logger.last_step
        try:
            return step is not None and last is not None and int(step) > last
        except (TypeError, ValueError, OverflowError):
            return False


def place_of(log_dir: Any, own: OwnRun) -> tuple[SharedRun, str, SharedRun | None]:
    """Return the run of a new writer, what stands before its tags, and the run that it may go on with instead."""
    folder, part = _split(log_dir)
    run = hooks.open_run()
    if run is not None:
        shared = _joined.get(run)
        if shared is None or shared.is_over or shared.folder is None:
            shared = _joined[run] = SharedRun(hooks.attach_or_plan(own), folder)
        shared.writers += 1
        return shared, _prefix(shared.folder, folder, part), None
    former = None
    for first in [] if folder is None else [*_by_folder]:
        if first == folder or _inside(first, folder):
            shared = _by_folder[first]
            if not shared.is_over:
                shared.writers += 1
                return shared, _prefix(first, folder, part), None
            former = shared if first == folder else former
    shared = SharedRun(hooks.attach_or_plan(own), folder)
    shared.writers = 1
    if former is None:
        remember(shared)
    return shared, _prefix(folder, folder, part), former


def remember(shared: SharedRun) -> None:
    """Let later writers of the same folder find the run."""
    if shared.folder is None:
        return
    _by_folder.pop(shared.folder, None)
    _by_folder[shared.folder] = shared
    closed = [each for each in _by_folder.values() if each.is_over]
    for each in closed[:-_MOST_CLOSED]:
        _forget(each)


def _forget(shared: SharedRun) -> None:
    if shared.folder is not None and _by_folder.get(shared.folder) is shared:
        del _by_folder[shared.folder]


def folder_of(log_dir: Any) -> str:
    """Return the folder that the run is called after, as it was given: ``runs/x`` for its part ``runs/x/eval``."""
    folder = os.fsdecode(log_dir or "")
    outer, last = os.path.split(folder.rstrip("/"))
    return outer if outer and last.lower() in _PARTS else folder


def _split(log_dir: Any) -> tuple[str | None, str]:
    """Return the folder of the run, and the part that the last name tells."""
    if not log_dir:
        return None, ""
    given = os.path.abspath(os.fsdecode(log_dir))
    folder = os.path.abspath(folder_of(log_dir))
    return folder, "" if folder == given else os.path.basename(given)


def _inside(outer: str, folder: str | None) -> bool:
    return folder is not None and folder.startswith(os.path.join(outer, ""))


def _prefix(first: str | None, folder: str | None, part: str) -> str:
    name = ""
    if first is not None and folder is not None and folder != first:
        name = os.path.relpath(folder, first) if _inside(first, folder) else os.path.basename(folder)
    return "".join(f"{each}/" for each in (name.replace(os.sep, "/"), part) if each)
