"""Saves a Keras model as a file in the run's checkpoint folder, completely or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.integrations._keras.model import without_tensorflow
from rla_hooks.integrations._keras.state import RunState

from rla_hooks import Run
from rla_hooks.checkpoints import Saver

WHOLE, WEIGHTS = ".keras", ".weights.h5"


class TrainingPoint(NamedTuple):
    """A model at a certain point of its training."""

    run: Run
    state: RunState
    model: Any
    step: int


class Target(NamedTuple):
    """How to save a checkpoint: its name, how many of that name to keep (None: all), and the info in the manifest."""

    name: str
    max_to_keep: int | None
    info: Mapping[str, Any]


class ModelSaver:
    """Saves a whole model, or its weights if only these are wanted or the whole cannot be saved."""

    def __init__(self, weights_only: bool):
        self._weights_only = weights_only

    def save(self, at: TrainingPoint, target: Target, same: Path | None = None) -> Path | None:
        """Save the model and return its file; warn and return None where that fails.

        same: the file that this model has just been saved to, under another name; it gets a second one.
        """
        model, warn = at.model, at.state.warn
        if not at.run.may_save_checkpoint() and (same is not None or not _saves_together(model)):
            return same
        if not getattr(model, "built", True):
            message = "the model was not saved: it is not built. Call it on a batch, or model.build(input_shape)."
            warn("unbuilt", message)
            return None
        if same is None and not self._weights_only:
            try:
                with without_tensorflow():
                    return _store(at, target, WHOLE, lambda path: model.save(str(path)))
            except Exception as error:  # its get_config may raise anything
                self._weights_only = True
                message = (
                    f"the model cannot be saved whole ({_text(error)}); its weights are saved instead. Give its class "
                    "a get_config(), and @keras.saving.register_keras_serializable(), or pass save_weights_only=True."
                )
                warn("whole", message)
        try:
            if same is not None:
                return _store(at, target, suffix_of(same), lambda path: link_or_copy(same, path))
            return _store(at, target, WEIGHTS, lambda path: model.save_weights(str(path)))
        except Exception as error:
            warn("checkpoint", f"the weights were not saved: {_text(error)}. The training goes on.")
            return None


def _store(at: TrainingPoint, target: Target, suffix: str, write: Callable[[Path], None]) -> Path | None:
    """Store what ``write`` makes; warn and return None where the disk fails. Raises what the model raises."""
    if at.run.checkpoint_dir is None or not at.run.may_save_checkpoint():
        with tempfile.TemporaryDirectory() as folder:  # all ranks must save; the writing one keeps its file
            write(path := Path(folder) / f"model{suffix}")
        return path
    try:
        saver = Saver(at.run.checkpoint_dir, target.max_to_keep)
        path = saver.write(write, suffix, at.step, target.name, target.info, at.run.positions())
    except OSError as error:
        at.state.warn("disk", f"the checkpoint of step {at.step} was not saved: {error}. The training goes on.")
        return None
    at.state.warn.rearm("disk")
    return path


def _text(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _saves_together(model: Any) -> bool:
    """Whether all ranks must save, though only one keeps the file, since reading some variables needs all of them."""
    strategy = getattr(model, "distribute_strategy", None)
    return bool(getattr(getattr(strategy, "extended", None), "_in_multi_worker_mode", bool)())


def suffix_of(path: Path) -> str:
    """Return ``.keras`` or ``.weights.h5``."""
    return WEIGHTS if path.name.endswith(WEIGHTS) else WHOLE


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name. Raises OSError."""
    with suppress(OSError):  # some file systems have no links
        os.link(source, target)
        return
    shutil.copyfile(source, target)
