"""Saves SB3's models in a run's checkpoint folder, by SB3's own methods, each checkpoint complete or not at all.

    checkpoint-50000/model.zip           model.save
                     replay_buffer.pkl   model.save_replay_buffer
                     vecnormalize.pkl    VecNormalize.save
                     recorded.json       what was recorded in the logger, and not dumped yet
    best-30000/model.zip, vecnormalize.pkl

SB3's files are pickles: nothing here reads them. The program gives them to SB3's ``load``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.integrations._sb3.whole_state import WholeState
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from rla_hooks.checkpoints import Entry, Manifest, Saver
from rla_hooks.errors import did_you_mean
from rla_hooks.hooks import Run, WarnOnce, to_scalar

DEFAULT_MONITOR = "eval/mean_reward"  # what EvalCallback logs
WRITER = "sb3"  # what the manifest says of these checkpoints
NEWEST, BEST = "checkpoint", "best"
MODEL, BUFFER, STATISTICS, RECORDED = "model.zip", "replay_buffer.pkl", "vecnormalize.pkl", "recorded.json"
_LARGE = 10**9  # bytes; a larger replay buffer is saved only if the user asks for it


class Checkpoints:
    """The checkpoints of one callback: what is due, and what it saves.

    every: steps between two of the newest; None for no checkpoints. max_to_keep: of the newest (None: all).
    replay_buffer: whether they have it; None: if it is not larger than a gigabyte. whole: saves the whole state in
    place of the newest ones.
    """

    def __init__(
        self,
        every: int | None,
        max_to_keep: int | None,
        replay_buffer: bool | None,
        best: Best,
        whole: WholeState | None = None,
    ):
        self.every, self.max_to_keep, self.replay_buffer = every, max_to_keep, replay_buffer
        self.best, self.whole = best, whole
        self.warn = WarnOnce()
        self._run_name: str | None = None
        self._saved_at: int | None = None  # None before the first one of a training
        self._counted_from = self._began_at = 0

    def begin(self, run: Run, step: int) -> None:
        """A call of ``learn`` begins at this step."""
        if self._run_name != run.name or (self._saved_at is not None and step < self._saved_at):
            self._run_name, self._saved_at = run.name, None  # a training that begins anew
        if self._saved_at is None:
            self._counted_from = step
        self._began_at = step

    def save_if_due(self, run: Run, model: BaseAlgorithm, root: BaseCallback, at_once: bool = False) -> None:
        """At the start of a rollout, when all steps so far have been learnt from. root: the callback of ``learn``."""
        steps = model.num_timesteps - self._counted_from
        if self.every is not None and (steps >= self.every or (at_once and steps)):
            self.save(run, model, root)

    def load_whole(self, run: Run, model: BaseAlgorithm, root: BaseCallback) -> bool:
        """Load the whole state of a run that is resumed, and count on from it; return whether there was one."""
        missing = None if self.whole is None else self.whole.load(run, model, root)
        if missing is None:
            return False
        if missing:
            self.warn("missing", f"the state of step {model.num_timesteps} does not have all: {'; '.join(missing)}.")
        self._saved_at = self._counted_from = self._began_at = model.num_timesteps
        return True

    def end(self, run: Run, model: BaseAlgorithm, root: BaseCallback) -> None:
        """``learn`` is over: save its end, unless it is one of many short ones, or this was just saved."""
        step = model.num_timesteps
        self.best.warn_if_missing(self.warn)
        if self.every is None or step in (self._saved_at, self._began_at):
            return
        if self._saved_at is None or step - self._began_at >= self.every or run.should_stop():
            self.save(run, model, root)

    def save(self, run: Run, model: BaseAlgorithm, root: BaseCallback) -> None:
        self._saved_at = self._counted_from = model.num_timesteps
        if self.whole is not None:
            try:
                self.whole.save(run, model, root, self.max_to_keep)
            except Exception as error:  # an object that cannot be stored
                self._tell(model.num_timesteps, "state", error)
            return

        def write(path: Path) -> None:
            _write_model(path, model)
            if self._takes_buffer(model):
                model.save_replay_buffer(path / BUFFER)  # type: ignore[attr-defined]
            (path / RECORDED).write_text(json.dumps(_recorded(model.logger)), encoding="utf-8")

        self._store(run, model, write, NEWEST, self.max_to_keep, {"writer": WRITER})

    def note_score(self, run: Run, model: BaseAlgorithm, values: Mapping[str, Any]) -> None:
        """A row was dumped: if it has the best score so far, save the model, which is the one that got it."""
        score = self.best.score_in(values)
        if score is None or self.every is None or not self.best.is_better(score, run):
            return
        info = {"writer": WRITER, "monitor": self.best.monitor, "score": score}
        if self._store(run, model, lambda path: _write_model(path, model), BEST, 1, info):
            self.best.keep(score, run)

    def _store(self, run: Run, model: BaseAlgorithm, write: Any, name: str, keep: int | None, info: Any) -> bool:
        """Return whether it was saved. If not, the training goes on, with one warning."""
        folder = run.checkpoint_dir
        if folder is None or not run.may_save_checkpoint():
            return False
        step = model.num_timesteps
        try:
            Saver(folder, keep).write(write, "", step, name, info, run.positions())
        except Exception as error:  # a full disk; or an attribute of the model that no pickle takes
            self._tell(step, "checkpoint", error)
            return False
        self.warn.rearm("checkpoint")
        return True

    def _tell(self, step: int, what: str, error: Exception) -> None:
        message, head = str(error), f"the {what} of step {step} was not saved: "
        if not message.startswith(head):
            message = f"{head}{type(error).__name__}: {message}"
        self.warn("checkpoint", f"{message.rstrip('.')}. The training goes on.")

    def _takes_buffer(self, model: Any) -> bool:
        buffer = getattr(model, "replay_buffer", None)
        if buffer is None or self.replay_buffer is not None:
            return buffer is not None and bool(self.replay_buffer)
        size = _bytes_of(vars(buffer))
        if size <= _LARGE:
            return True
        said = f"the replay buffer has {size / 1e9:.1f} GB, and is not saved with the checkpoints, so that a training"
        self.warn("buffer", f"{said} that goes on begins with an empty one. Pass replay_buffer=True to save it.")
        return False


class Best:
    """The best score of a run so far. monitor: the key in SB3's logger. mode: "min" or "max"."""

    def __init__(self, monitor: str, mode: str):
        self.monitor, self._sign = monitor, -1.0 if mode == "min" else 1.0
        self._missing: dict[str, None] | None = {}  # what was logged, as long as the key was not
        self._of: tuple[Any, float | None] = None, None  # the best score, and of which run

    def score_in(self, values: Mapping[str, Any]) -> float | None:
        """Return the score in a row; None if there is none, or no number."""
        value = values.get(self.monitor)
        if value is None:
            if self._missing is not None:
                self._missing.update(dict.fromkeys(values))
            return None
        self._missing = None
        try:
            score = float(to_scalar(value))
        except (TypeError, ValueError):
            return None
        return None if math.isnan(score) else score

    def is_better(self, score: float, run: Run) -> bool:
        if self._of[0] != run.name:  # in a run that goes on, the manifest has it
            entries = [entry for entry in _entries(run) if entry.name == BEST]
            scores = [entry.info["score"] for entry in entries if entry.info.get("monitor") == self.monitor]
            self._of = run.name, max(scores, key=lambda each: self._sign * each, default=None)
        best = self._of[1]
        return best is None or self._sign * score > self._sign * best

    def keep(self, score: float, run: Run) -> None:
        self._of = run.name, score

    def warn_if_missing(self, warn: WarnOnce) -> None:
        """A key that the user has named was never logged."""
        if not self._missing or self.monitor == DEFAULT_MONITOR:
            return
        message = f"monitor is {self.monitor!r}, which was not logged, so no best model is kept. Logged: "
        warn("monitor", message + f"{', '.join(self._missing)}.{did_you_mean(self.monitor, self._missing)}")


def loaded_by(run: Run, model: BaseAlgorithm) -> Path | None:
    """Return the checkpoint of the run that the program has loaded into the model: that of its number of steps."""
    entries = [entry for entry in _entries(run) if entry.step == model.num_timesteps]
    newest = [entry for entry in entries if entry.name == NEWEST] or entries
    return run.checkpoint_dir / newest[-1].file if newest and run.checkpoint_dir is not None else None


def record_again(path: Path, model: BaseAlgorithm) -> None:
    """Record what stood in the logger when a checkpoint was saved: the results of an update, for the next row."""
    try:
        values = json.loads((path / RECORDED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    for key, (value, excluded) in values.items():
        model.logger.record(key, value, tuple(excluded))


def _write_model(path: Path, model: BaseAlgorithm) -> None:
    path.mkdir()
    model.save(path / MODEL)
    statistics = model.get_vec_normalize_env()
    if statistics is not None:
        statistics.save(str(path / STATISTICS))


def _entries(run: Run) -> list[Entry]:
    """The whole checkpoints of SB3's in the run."""
    folder = run.checkpoint_dir
    entries = [] if folder is None else Manifest(folder).complete()
    return [entry for entry in entries if entry.info.get("writer") == WRITER]


def _bytes_of(value: Any) -> int:
    """The size of the arrays in a replay buffer; those of dict observations are in dicts."""
    if isinstance(value, dict):
        return sum(map(_bytes_of, value.values()))
    return int(getattr(value, "nbytes", 0))


def _recorded(logger: Any) -> dict[str, tuple[float, tuple[str, ...]]]:
    """The numbers that are recorded in an SB3 logger, each with the formats that do not get it."""
    found = {}
    for key, value in logger.name_to_value.items():
        with suppress(Exception):  # a figure, say
            number = to_scalar(value)
            if not isinstance(number, str):
                found[key] = number, logger.name_to_excluded.get(key, ())
    return found
