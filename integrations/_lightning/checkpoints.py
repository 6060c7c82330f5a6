"""The files of a ModelCheckpoint: makes its saves complete or nothing, and says what it knows of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rla_hooks.errors import did_you_mean

# What a ModelCheckpoint knows about its files (2.6).
FILES = ["best_k_models", "best_model_path", "best_model_score", "kth_best_model_path", "kth_value", "current_score"]
FILES += ["last_model_path"]


def remove_empty_folders(folder: str, deleted: str) -> None:
    """Remove the folders of a deleted file, up to ``folder``, that are empty now: a monitor may have a slash."""
    top = Path(folder).absolute()
    for parent in Path(deleted).absolute().parents:
        if top not in parent.parents:
            return
        try:
            parent.rmdir()
        except OSError:  # there is something in it
            return


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
