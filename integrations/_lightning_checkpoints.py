"""What a Lightning callback's checkpoints need beside Lightning's own work, of which nothing is imported here.

Lightning saves, on all ranks, and chooses what to keep; this lists the files in the run's manifest, deletes no file of
another run, and keeps a training going whose monitor is missing or whose disk is full.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rla_hooks.integrations import _runs

from rla_hooks import Run
from rla_hooks.errors import WarnOnce, did_you_mean

# What a ModelCheckpoint knows about its files (2.6); a save that fails must leave it as it was.
_SAVED = ["best_k_models", "best_model_path", "best_model_score", "kth_best_model_path", "kth_value", "current_score"]
_SAVED += ["last_model_path", "_stopgap"]


class CheckpointHooks:
    """The part of CallbackHooks that overrides ModelCheckpoint's saving, deleting and resuming."""

    _run: Run | None
    _warn: WarnOnce
    _stopgap: str  # the newest checkpoint, kept while the monitored metric is missing

    def _save_checkpoint(self, trainer: Any, filepath: str) -> None:
        """Lightning's save, on all ranks."""
        with _temporary_files_in(str(self.dirpath)):
            super()._save_checkpoint(trainer, filepath)  # type: ignore[misc]
        self._warn.rearm("checkpoint")
        if self._run is not None and trainer.is_global_zero:
            _runs.list_checkpoint(self._run, self)

    def _remove_checkpoint(self, trainer: Any, filepath: str) -> None:
        """Delete what this run wrote, never a file of the run that this one was resumed from."""
        if Path(str(self.dirpath)).absolute() not in Path(filepath).absolute().parents:
            return
        super()._remove_checkpoint(trainer, filepath)  # type: ignore[misc]
        if self._run is not None and trainer.is_global_zero:
            self._run.forget_deleted_checkpoints()

    def _save_topk_checkpoint(self, trainer: Any, monitor_candidates: dict[str, Any]) -> None:
        """A monitor that is not logged must not cost the checkpoints: the newest is kept until it is."""
        if self.save_top_k == 0:
            return
        with self._tolerant(trainer):
            if self.monitor is None or self.monitor in monitor_candidates:
                super()._save_topk_checkpoint(trainer, monitor_candidates)  # type: ignore[misc]
                self._replace_stopgap(trainer, "")
            else:
                self._warn_of_monitor(monitor_candidates)
                path = self._get_metric_interpolated_filepath_name(monitor_candidates, trainer, self._stopgap)
                self.best_model_path = self.best_model_path if self.best_k_models else path
                self._save_checkpoint(trainer, path)
                self._replace_stopgap(trainer, path)

    def _save_last_checkpoint(self, trainer: Any, monitor_candidates: dict[str, Any]) -> None:
        with self._tolerant(trainer):
            super()._save_last_checkpoint(trainer, monitor_candidates)  # type: ignore[misc]

    @contextmanager
    def _tolerant(self, trainer: Any) -> Iterator[None]:
        """A full disk costs the new checkpoint: neither the training nor the older ones."""
        before = {name: copy.copy(getattr(self, name)) for name in _SAVED}
        try:
            yield
        except OSError as error:
            if trainer.world_size > 1:
                raise  # the other ranks saved: they must not wait for this one
            vars(self).update(before)
            self._warn("checkpoint", f"the checkpoint was not saved: {error}. The training goes on.")

    def _replace_stopgap(self, trainer: Any, path: str) -> None:
        previous, self._stopgap = self._stopgap, path
        if previous not in ("", path) and previous not in self.best_k_models:
            self._remove_checkpoint(trainer, previous)

    def _warn_of_monitor(self, monitor_candidates: dict[str, Any]) -> None:
        known = [key for key in monitor_candidates if key not in ("epoch", "step")]
        self._warn(
            "monitor",
            f"RLACallback(monitor={self.monitor!r}): no such metric has been logged; the newest checkpoint is kept "
            f"until it is. Logged: {', '.join(known) or 'none'}.{did_you_mean(self.monitor, known)}",
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume: the best score and the list of the best survive in the folder of a new run, too."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})  # type: ignore[misc]

    def _is_deferred(self) -> bool:
        """Whether 2.6 puts off a save at every_n_train_steps until a validation, since the monitored metric is missing.

        Without a validation, or with one at the end of each epoch, that save would never come.
        """
        return bool(getattr(self, "_defer_save_until_validation", False))

    def _save_deferred(self, trainer: Any) -> None:
        self._defer_save_until_validation = False
        if not self._should_skip_saving_checkpoint(trainer):
            candidates = self._monitor_candidates(trainer)
            self._save_topk_checkpoint(trainer, candidates)
            self._save_last_checkpoint(trainer, candidates)

    def _forget_last_run(self) -> None:
        """One callback object for two runs: the second has its own folder and scores, the first keeps its files."""
        self.best_k_models = {}
        self.best_model_path = self.kth_best_model_path = self.last_model_path = self._last_checkpoint_saved = ""
        self.best_model_score = self.current_score = None
        self._last_global_step_saved = 0
        self._stopgap = ""
        self._warn = WarnOnce()


@contextmanager
def _temporary_files_in(folder: str) -> Iterator[None]:
    """Make a save of Lightning's complete or nothing.

    It writes a file in the system's temporary folder and moves it (2.6, fsspec). From one disk to another that is a
    copy, which can end halfway and then has destroyed an older file of that name.
    """
    before, tempfile.tempdir = tempfile.tempdir, folder
    try:
        yield
    finally:
        tempfile.tempdir = before
