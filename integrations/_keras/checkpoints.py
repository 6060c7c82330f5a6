"""Decides when to save a Keras model, and as which checkpoint.

checkpoint-1200.keras     the newest ones
best-800.keras            the one with the best score
actor-checkpoint-9.keras  of RLACallback(name="actor")
manifest.json             what is complete, with epoch and score
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rla_hooks.integrations._keras.model import direction, seeds
from rla_hooks.integrations._keras.saving import ModelSaver, Target, TrainingPoint
from rla_hooks.integrations._keras.state import RunState
from rla_hooks.integrations._states import StateBeside

from rla_hooks.checkpoints import Entry, Manifest
from rla_hooks.errors import did_you_mean
from rla_hooks.hooks import WarnOnce, to_scalar

# Words in the names of metrics for which higher is better, unless the last word says that it is a loss.
_HIGHER = "acc accuracy auc precision recall f1 fbeta iou io return reward score success similarity".split()
_HIGHER += "psnr ssim ndcg bleu r2 sensitivity specificity correlation dice map rew win".split()
_LOWER = {"loss", "error", "mse", "mae", "rmse"}


class Monitor:
    """The name of a metric, and whether lower or higher is better: "min", "max", or "auto"."""

    def __init__(self, name: str, mode: str):
        self.name = name
        self._higher_is_better = None if mode == "auto" else mode == "max"  # None: until the first model is known

    def score(self, logs: Mapping[str, Any], warn: WarnOnce) -> float | None:
        """Return the value in the logs of an epoch; None if it is missing, NaN, or no number."""
        if self.name not in logs:
            return None
        try:
            score = float(to_scalar(logs[self.name]))
        except (TypeError, ValueError, OverflowError) as error:
            message = f"RLACallback(monitor={self.name!r}): {error}; no best checkpoint is kept. Log one number."
            warn(("score", self.name), message)
            return None
        return None if math.isnan(score) else score

    def is_better(self, score: float, best: float | None, model: Any) -> bool:
        """Whether a score of ``model`` is better than the best one so far."""
        if self._higher_is_better is None:
            self._higher_is_better = _higher_is_better(model, self.name)
        return best is None or (score > best if self._higher_is_better else score < best)

    def best_in(self, info: Mapping[str, Any]) -> float | None:
        """Return the best score so far that an entry of the manifest has, if it is of this metric."""
        score = info.get("best")
        if info.get("monitor") != self.name or not isinstance(score, (int, float)) or isinstance(score, bool):
            return None
        return None if math.isnan(score) else float(score)


@dataclass(eq=False)
class Checkpoints:
    """Saves the newest models and the best one."""

    monitor: Monitor
    saver: ModelSaver
    best_only: bool  # keep only the best one
    max_to_keep: int | None  # the number of newest ones
    every: int | None  # epochs between the newest, counted over all fits; None for no checkpoints
    model_name: str  # put before the checkpoint names
    states: StateBeside

    def __post_init__(self) -> None:
        prefix = f"{self.model_name}-" if self.model_name else ""
        self.names = self.newest, self.best = prefix + "checkpoint", prefix + "best"
        self._info: dict[str, Any] = {"writer": "keras"}  # of the last epoch
        self._logged: dict[str, None] = {}  # names of metrics

    def after_epoch(self, at: TrainingPoint, epoch: int, last_epoch: int | None, logs: Mapping[str, Any]) -> None:
        """Save what is due after an epoch. ``last_epoch``: the number of epochs of the fit, None in a custom loop."""
        self._logged |= dict.fromkeys(logs)
        if self.every is None or at.model is None:
            return
        score, best = self.monitor.score(logs, at.state.warn), self._best_score(at)
        improved = score is not None and self.monitor.is_better(score, best, at.model)
        self._info = {"writer": "keras", "model": at.state.name_of(at.model), "fits": at.state.fits}
        self._info |= {"epoch": epoch, "epochs": last_epoch} | ({} if score is None else {"score": score})
        if improved or best is not None:  # of the run so far: the best file may be that of an earlier run
            self._info |= {"monitor": self.monitor.name, "best": score if improved else best}
        saved = None
        if improved:
            self._save_state(at)
        is_due = at.state.epochs - at.state.saved_epoch >= self.every and not self._best_is_enough(at, score)
        self._info |= at.state.counts
        if is_due:
            saved = self._save_newest(at)
        if improved and self.saver.save(at, Target(self.best, 1, self._info), saved):
            at.state.best = {self.monitor.name: score}  # the file of another monitor was replaced

    def after_fit(self, at: TrainingPoint, epochs: int) -> None:
        """Save the end of a fit, if it was longer than the interval between two saves or the first of the run.

        ``epochs``: the number of epochs of the fit. A monitor that was never logged is reported only here, since it may
        be logged late in a fit.
        """
        if self.every is None or at.model is None:
            return
        state = at.state
        unsaved = state.epochs > state.saved_epoch and (state.saved_epoch == 0 or epochs > self.every)
        if unsaved and not self._best_is_enough(at):
            self._save_newest(at)
        if epochs and self.monitor.name not in self._logged:
            self._warn_of_missing_monitor(state)
        elif epochs and self.best_only and self._best_score(at) is None:
            message = f"RLACallback(monitor={self.monitor.name!r}): it was NaN so far; the newest checkpoints are kept."
            state.warn(("score", self.monitor.name), message)

    def preempted(self, at: TrainingPoint) -> None:
        """Save a fit that ends in the middle of an epoch, which a resume begins anew."""
        if self.every is not None and at.model is not None:
            self._info = {
                "writer": "keras",
                "model": at.state.name_of(at.model),
                "fits": at.state.fits,
            } | self._info
            self._save_newest(at)

    def _save_state(self, at: TrainingPoint) -> None:
        """Save what Keras' file does not have, before it. Models that take turns have no common point to go on from."""
        if self.states and at.state.has_several:
            message = "RLACallback(state=...) keeps the state of one model in a run, and this run has several: their"
            at.state.warn(
                "state", f"{message} states are not saved. Call rla.save_state where all of them stand still."
            )
            return
        point = at.step, at.state.epochs
        self.states.save(at.run, at.step, point, self.max_to_keep, at.state.warn, models=seeds(at.model))

    def _save_newest(self, at: TrainingPoint) -> Path | None:
        self._save_state(at)
        at.state.saved_epoch = at.state.epochs
        self._info["saved_epoch"] = at.state.epochs
        return self.saver.save(at, Target(self.newest, self.max_to_keep, self._info))

    def _best_is_enough(self, at: TrainingPoint, score: float | None = None) -> bool:
        """Whether only the best checkpoint is kept, and there is one or will be one."""
        return self.best_only and (score is not None or self._best_score(at) is not None)

    def _best_score(self, at: TrainingPoint) -> float | None:
        """Return the best score of the run so far, from the manifest if an earlier callback or process saved it."""
        best, folder = at.state.best, at.run.checkpoint_dir
        if self.monitor.name not in best:
            entry = newest_whole(Manifest(folder), self.best) if folder else None
            best[self.monitor.name] = self.monitor.best_in(entry.info) if entry else None
        return best[self.monitor.name]

    def _warn_of_missing_monitor(self, state: RunState) -> None:
        """Warn, with the metrics there are; but not for the default monitor in a training without validation."""
        name, known = self.monitor.name, [key for key in self._logged if key != "learning_rate"]
        if name == "val_loss" and not self.best_only and not any(key.startswith("val_") for key in known):
            return
        state.warn(
            ("monitor", name),
            f"RLACallback(monitor={name!r}): no such metric was logged; the newest checkpoints are kept, no "
            f"best one. Logged: {', '.join(known) or 'none'}.{did_you_mean(name, known)}",
        )


def newest_whole(manifest: Manifest, name: str) -> Entry | None:
    """Return the entry of that name that was written last and is not damaged."""
    return manifest.newest_whole(lambda entries: [entry for entry in entries if entry.name == name])[0]


def _higher_is_better(model: Any, metric: str) -> bool:
    """Whether higher is better: as Keras says for its own metrics, else by the words of the name."""
    known = direction(model, metric.removeprefix("val_"))
    if known is not None:
        return known == "up"
    words = [word if word in _LOWER else word.removesuffix("s") for word in re.split(r"[^a-z0-9]+", metric.lower())]
    return words[-1] not in _LOWER and bool(set(words) & set(_HIGHER))
