"""A fit that goes on from a checkpoint: finds the run's newest one, tells the run which was loaded, and forgets files.

A run that is resumed is cut where Lightning has restored all of the state, before the first batch: not when the file is
read, since what is in it may not fit the Trainer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from rla_hooks.integrations._lightning.listing import WRITER

from rla_hooks.checkpoints import Manifest
from rla_hooks.errors import RunError
from rla_hooks.hooks import Run
from rla_hooks.layout import path_within


def newest(run: Run) -> set[str]:
    """Return the newest whole checkpoint of Lightning's in the run, for ``ckpt_path="last"``; an empty set without."""
    if run.checkpoint_dir is None:
        return set()
    manifest = Manifest(run.checkpoint_dir)
    entry, _ = manifest.newest_whole(lambda entries: [each for each in entries if each.info.get("writer") == WRITER])
    return set() if entry is None else {str(run.checkpoint_dir / entry.file)}


def tell(run: Run, trainer: Any) -> None:
    """Tell the run, on the rank that writes, which checkpoint a fit goes on from. Raises RunError."""
    if run.is_writing and is_restored(trainer):
        path = trainer.ckpt_path
        run.loaded_checkpoint(os.path.realpath(path) if os.path.lexists(path) else path)  # last.ckpt may be a link


def tell_on_all(run: Run, trainer: Any) -> None:
    """The same, called on all ranks: they raise what rank zero does, and forget what are no checkpoints any more."""
    if not is_restored(trainer):
        return
    error, gone = "", set[str]()
    callbacks = [each for each in trainer.checkpoint_callbacks if hasattr(each, "best_k_models")]
    if trainer.is_global_zero:
        try:
            tell(run, trainer)
        except RunError as problem:
            error = str(problem)
        gone = _gone(run, callbacks) if run.is_resumed else gone
    if trainer.world_size > 1:
        error, gone = trainer.strategy.broadcast((error, gone))
    if error:
        raise RunError(error)
    for callback in callbacks if gone else ():
        forget(callback, gone)


class Watch:
    """What RLALogger adds to the callbacks of a Trainer without RLACallback, for a fit that goes on from a checkpoint.

    A logger is not told when all is restored, and the module may log rows that do not come through the logger.
    """

    def __init__(self, logger: Any):
        super().__init__()
        self._logger, self._is_told = logger, False

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._is_told = True
        tell_on_all(self._logger.handle.resolve(), trainer)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """A fit that had nothing left to do has not started."""
        if not self._is_told:
            tell_on_all(self._logger.handle.resolve(), trainer)
        trainer.callbacks = [each for each in trainer.callbacks if each is not self]


def is_restored(trainer: Any) -> bool:
    """Whether a fit goes on from a checkpoint, and all that Lightning restores from it is there (2.x)."""
    connector = trainer._checkpoint_connector
    return bool(trainer.ckpt_path) and trainer.state.fn == "fit" and not connector._loaded_checkpoint


def _gone(run: Run, callbacks: Iterable[Any]) -> set[str]:
    """Return the files that the callbacks know and that are no checkpoints of the run: deleted ones, and cut ones."""
    folder = run.checkpoint_dir
    if folder is None:
        return set()
    cut = {entry.file for entry in Manifest(folder).entries() if entry.cut is not None}
    known = {path for callback in callbacks for path in _files_of(callback)}
    return {path for path in known if not os.path.lexists(path) or path_within(path, folder) in cut}


def _files_of(callback: Any) -> list[str]:
    files = [*callback.best_k_models, callback.best_model_path, callback.kth_best_model_path, callback.last_model_path]
    return [str(path) for path in files if path]


def forget(checkpoint: Any, gone: set[str]) -> None:
    """Make a ModelCheckpoint forget these files, so that none of them is its best or last one, and none is deleted."""
    scores = {path: score for path, score in checkpoint.best_k_models.items() if path not in gone}
    if checkpoint.last_model_path in gone:
        checkpoint.last_model_path = ""
    if scores != checkpoint.best_k_models or checkpoint.best_model_path in gone:
        checkpoint.best_k_models = scores
        best, worst = (min, max) if checkpoint.mode == "min" else (max, min)
        checkpoint.best_model_path = best(scores, key=scores.__getitem__) if scores else ""
        checkpoint.best_model_score = scores.get(checkpoint.best_model_path)
        checkpoint.kth_best_model_path = worst(scores, key=scores.__getitem__) if scores else ""
        checkpoint.kth_value = scores.get(checkpoint.kth_best_model_path, checkpoint.kth_value)


def moved(state: dict[str, Any], folder: str | None) -> dict[str, Any]:
    """Return a ModelCheckpoint's state with the paths of the run's folder, which may have been moved since."""
    before = str(state.get("dirpath") or "")
    if not folder or not before or before == folder:
        return {**state, "dirpath": folder}

    def there(path: str) -> str:
        file = path_within(path, before) if path else None
        new = "" if file is None else os.path.join(folder, file)
        return new if new and os.path.lexists(new) and not os.path.lexists(path) else path

    paths = {key: there(state[key]) for key in ("best_model_path", "kth_best_model_path", "last_model_path")}
    scores = {there(path): score for path, score in state["best_k_models"].items()}
    return {**state, **paths, "best_k_models": scores, "dirpath": folder}
