"""Keras models in the run's checkpoint folder: the newest and the best, complete or not at all. Imports no framework.

checkpoint-1200.keras     the newest ones
best-800.keras            the one with the best score
actor-checkpoint-9.keras  of RLACallback(name="actor")
manifest.json             what is complete, with epoch and score
"""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.integrations._keras_model import direction, without_tensorflow
from rla_hooks.integrations._keras_state import RunState

from rla_hooks import Run
from rla_hooks.checkpoints import Entry, Manifest, Saver
from rla_hooks.errors import did_you_mean
from rla_hooks.values import to_scalar

WHOLE, WEIGHTS = ".keras", ".weights.h5"
NEWEST, BEST = "checkpoint", "best"
# Words in the names of metrics that are better when they are greater, but for the last one saying what is lost.
_GREATER = "acc accuracy auc precision recall f1 fbeta iou io return reward score success similarity".split()
_GREATER += "psnr ssim ndcg bleu r2 sensitivity specificity correlation dice map rew win".split()
_LESS = {"loss", "error", "mse", "mae", "rmse"}


class Moment(NamedTuple):
    """A model, and where its training is."""

    run: Run
    state: RunState
    model: Any
    step: int


class Checkpoints:
    """When to save what of a model, and how."""

    def __init__(
        self,
        monitor: str,
        mode: str,
        best_only: bool,
        max_to_keep: int | None,
        weights_only: bool,
        every: int | None,
        model_name: str,
    ):
        self.names = self.newest, self.best = names_of(model_name)
        self.monitor = monitor
        self.greater = None if mode == "auto" else mode == "max"  # until a model says which of its metrics is which
        self.best_only = best_only
        self.max_to_keep = max_to_keep
        self.weights_only = weights_only
        self.every = every
        self.info: dict[str, Any] = {"writer": "keras"}  # of the last epoch
        self._keys: dict[str, None] = {}  # what has been logged

    def after_epoch(self, at: Moment, epoch: int, epochs: int | None, logs: Mapping[str, Any]) -> None:
        """Save what is due after an epoch. ``epochs``: where its fit ends, as far as that is known."""
        self._keys |= dict.fromkeys(logs)
        if self.every is None or at.model is None:
            return
        score, best = self._score(at.state, logs), self._best(at)
        if self.greater is None:
            self.greater = _is_greater_better(at.model, self.monitor)
        improved = score is not None and (best is None or (score > best if self.greater else score < best))
        self.info = {"writer": "keras", "model": str(getattr(at.model, "name", "")), "fits": at.state.fits}
        self.info |= {"epoch": epoch, "epochs": epochs}
        if score is not None:
            self.info |= {"score": score}
        if improved or best is not None:  # of the run so far: the best file may be that of an earlier run
            self.info |= {"monitor": self.monitor, "best": score if improved else best}
        saved = None
        if at.state.epochs - at.state.saved_epoch >= self.every and not self._keeps_best(at, score):
            saved = self.save_newest(at)
        if improved and self._save(at, self.best, saved):
            at.state.best = {self.monitor: score}  # the file of another monitor has made room

    def save_newest(self, at: Moment) -> Path | None:
        """Save the model as it is."""
        at.state.saved_epoch = at.state.epochs
        return self._save(at, self.newest)

    def after_fit(self, at: Moment, epochs: int) -> None:
        """Save the end of a fit that was longer than the time between two saves, or the first of the run.

        ``epochs``: how many the fit had. A monitor that never came is told here: it may come late in a fit.
        """
        if self.every is None or at.model is None:
            return
        state = at.state
        pending = state.epochs > state.saved_epoch and (state.saved_epoch == 0 or epochs > self.every)
        if pending and not self._keeps_best(at):
            self.save_newest(at)
        if epochs and self.monitor not in self._keys:
            self._tell_missing_monitor(state)
        elif epochs and self.best_only and self._best(at) is None:
            message = f"RLACallback(monitor={self.monitor!r}): it was NaN so far; the newest checkpoints are kept."
            state.warn(("score", self.monitor), message)

    def _keeps_best(self, at: Moment, score: float | None = None) -> bool:
        """Whether a best checkpoint is all that shall be kept, and there is one, or is about to be."""
        return self.best_only and (score is not None or self._best(at) is not None)

    def _tell_missing_monitor(self, state: RunState) -> None:
        """Say which metrics there are; but not in a training without validation whose monitor is the default one."""
        known = [key for key in self._keys if key != "learning_rate"]
        if self.monitor == "val_loss" and not self.best_only and not any(key.startswith("val_") for key in known):
            return
        state.warn(
            ("monitor", self.monitor),
            f"RLACallback(monitor={self.monitor!r}): no such metric was logged; the newest checkpoints are kept, no "
            f"best one. Logged: {', '.join(known) or 'none'}.{did_you_mean(self.monitor, known)}",
        )

    def _score(self, state: RunState, logs: Mapping[str, Any]) -> float | None:
        if self.monitor not in logs:
            return None
        try:
            score = float(to_scalar(logs[self.monitor]))
        except (TypeError, ValueError, OverflowError) as error:
            message = f"RLACallback(monitor={self.monitor!r}): {error}; no best checkpoint is kept. Log one number."
            state.warn(("score", self.monitor), message)
            return None
        return None if math.isnan(score) else score

    def _best(self, at: Moment) -> float | None:
        """The best score of the run so far, also by an earlier callback or process: it stands beside the file."""
        best, folder = at.state.best, at.run.checkpoint_dir
        if self.monitor not in best:
            entry = newest_whole(Manifest(folder), self.best) if folder else None
            best[self.monitor] = best_in(entry.info, self.monitor) if entry else None
        return best[self.monitor]

    # --- writing --------------------------------------------------------------------------------------------------

    def _save(self, at: Moment, name: str, same: Path | None = None) -> Path | None:
        """Save under a name; where the model has just been saved, as ``same``, the file gets a second name."""
        model, warn = at.model, at.state.warn
        if not at.run.is_writing and (same is not None or not _saves_together(model)):
            return same
        if same is not None:
            return self._write(at, name, suffix_of(same), lambda path: link_or_copy(same, path))
        if not getattr(model, "built", True):
            message = "the model was not saved: it is not built. Call it on a batch, or model.build(input_shape)."
            warn("unbuilt", message)
            return None
        if not self.weights_only:
            try:
                return self._write(at, name, WHOLE, _asking(lambda path: _save_whole(model, path)))
            except _Unsavable as error:
                self.weights_only = True
                message = (
                    f"the model cannot be saved whole ({error}); its weights are saved instead. Give its class a "
                    "get_config(), and @keras.saving.register_keras_serializable(), or pass save_weights_only=True."
                )
                warn("whole", message)
        try:
            return self._write(at, name, WEIGHTS, _asking(lambda path: model.save_weights(str(path))))
        except _Unsavable as error:
            warn("checkpoint", f"the weights were not saved: {error}. The training goes on.")
            return None

    def _write(self, at: Moment, name: str, suffix: str, write: Callable[[Path], object]) -> Path | None:
        if not at.run.is_writing:
            return _take_part(write, suffix)
        assert at.run.checkpoint_dir is not None
        saver = Saver(at.run.checkpoint_dir, 1 if name == self.best else self.max_to_keep)
        try:
            path = saver.write(write, suffix, at.step, name, self.info)
        except _Unsavable:
            raise
        except Exception as error:  # above all the disk's
            message = f"the checkpoint of step {at.step} was not saved: {error}. The training goes on."
            at.state.warn("disk", message)
            return None
        at.state.warn.rearm("disk")
        return path


class _Unsavable(Exception):
    """A model that refuses to be saved: what its own get_config does is open."""


def _asking(write: Callable[[Path], object]) -> Callable[[Path], object]:
    """Tell what the model raises from what the disk and the manifest do."""

    def asked(path: Path) -> None:
        try:
            write(path)
        except OSError:
            raise
        except Exception as error:
            text = " ".join(str(error).split())[:300]
            raise _Unsavable(f"{type(error).__name__}: {text}" if text else type(error).__name__) from error

    return asked


def _save_whole(model: Any, path: Path) -> None:
    with without_tensorflow():
        model.save(str(path))


def names_of(model_name: str) -> tuple[str, str]:
    """The names of the newest and the best checkpoints of a model that a run knows by a name, or has no name for."""
    prefix = f"{model_name}-" if model_name else ""
    return prefix + NEWEST, prefix + BEST


def newest_whole(manifest: Manifest, name: str) -> Entry | None:
    """The entry of that name that was written last and is not damaged."""
    entries = (entry for entry in reversed(manifest.complete()) if entry.name == name)
    return next((entry for entry in entries if manifest.trouble(entry) is None), None)


def best_in(info: Mapping[str, Any], monitor: str) -> float | None:
    """The best score so far that a manifest's entry tells, if it is that of this metric."""
    score = info.get("best")
    known = info.get("monitor") == monitor and type(score) in (int, float) and not math.isnan(score)
    return float(score) if known else None


def _is_greater_better(model: Any, monitor: str) -> bool:
    """What Keras says of its metric, else what the words say."""
    known = direction(model, monitor.removeprefix("val_"))
    if known is not None:
        return known == "up"
    words = [word if word in _LESS else word.removesuffix("s") for word in re.split(r"[^a-z0-9]+", monitor.lower())]
    return words[-1] not in _LESS and bool(set(words) & set(_GREATER))


def _saves_together(model: Any) -> bool:
    """Whether the workers of a training must all save, though one keeps the file: some variables are read by all."""
    strategy = getattr(model, "distribute_strategy", None)
    return bool(getattr(getattr(strategy, "extended", None), "_in_multi_worker_mode", bool)())


def _take_part(write: Callable[[Path], object], suffix: str) -> Path:
    """Save into the system's temporary folder, and away with it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        write(path)
    return path


def suffix_of(path: Path) -> str:
    """Return ``.keras`` or ``.weights.h5``."""
    return WEIGHTS if path.name.endswith(WEIGHTS) else WHOLE


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name. Raises OSError."""
    with suppress(OSError):  # some file systems have no links
        os.link(source, target)
        return
    shutil.copyfile(source, target)
