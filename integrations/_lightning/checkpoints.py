"""Lists the checkpoint files that Lightning writes in the run's manifest, and makes its saves complete or nothing."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rla_hooks.errors import WarnOnce, did_you_mean
from rla_hooks.hooks import Run

# What a ModelCheckpoint knows about its files (2.6).
_FILES = ["best_k_models", "best_model_path", "best_model_score", "kth_best_model_path", "kth_value", "current_score"]
_FILES += ["last_model_path"]


class Stopgap:
    """The newest checkpoint, which is kept as long as the monitored metric is missing."""

    def __init__(self) -> None:
        self.path = ""  # none is kept

    def replace(self, path: str, keep: Container[str], delete: Callable[[str], None]) -> None:
        """Keep the file ``path`` in place of the present one, which is deleted unless it is in ``keep``."""
        previous, self.path = self.path, path
        if previous not in ("", path) and previous not in keep:
            delete(previous)


def list_checkpoint(run: Run, checkpoint: Any) -> None:
    """List what a ModelCheckpoint has just saved, if it is in the run's checkpoint folder."""
    path, folder = getattr(checkpoint, "_last_checkpoint_saved", ""), run.checkpoint_dir
    if path and folder and run.is_writing and os.path.abspath(path).startswith(f"{folder}{os.sep}"):
        run.register_checkpoint(Path(path), getattr(checkpoint, "_last_global_step_saved", None))


def forget_files(checkpoint: Any) -> None:
    """Reset a ModelCheckpoint for another folder, so that it forgets, and does not delete, its earlier files."""
    checkpoint.best_k_models = {}
    checkpoint.best_model_path = checkpoint.kth_best_model_path = checkpoint.last_model_path = ""
    checkpoint.best_model_score = checkpoint.current_score = None
    checkpoint._last_checkpoint_saved, checkpoint._last_global_step_saved = "", 0


def missing_monitor(monitor: str, logged: Iterable[str]) -> str:
    """Return the warning that the monitored metric was not logged, with the most similar one that was."""
    known = [key for key in logged if key not in ("epoch", "step")]
    return (
        f"RLACallback(monitor={monitor!r}): no such metric has been logged; the newest checkpoint is kept "
        f"until it is. Logged: {', '.join(known) or 'none'}.{did_you_mean(monitor, known)}"
    )


@contextmanager
def saved_or_unchanged(checkpoint: Any, stopgap: Stopgap, warn: WarnOnce) -> Iterator[None]:
    """If the disk is full, warn and undo the changes to the lists of files: the training goes on with the old files."""
    before, path = {name: copy.copy(getattr(checkpoint, name)) for name in _FILES}, stopgap.path
    try:
        yield
    except OSError as error:
        vars(checkpoint).update(before)
        stopgap.path = path
        warn("checkpoint", f"the checkpoint was not saved: {error}. The training goes on.")


@contextmanager
def temporary_files_in(folder: str) -> Iterator[None]:
    """Make a save of Lightning's complete or nothing, by temporary files in the folder of the target.

    Lightning writes a file in the system's temporary folder and moves it (2.6, fsspec). From one disk to another that
    is a copy; if it ends halfway, it has destroyed an older file of that name.
    """
    before, tempfile.tempdir = tempfile.tempdir, folder
    try:
        yield
    finally:
        tempfile.tempdir = before
