"""Finds the checkpoint that a training goes on from: ``train(resume_from_checkpoint=...)`` tells no callback.

A Trainer has restored its state when the training begins, the history of its logs among it. So the checkpoint of that
step with the same history is the one, or a copy of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest
from rla_hooks.hooks import Run, WarnOnce

STATE = "trainer_state.json"  # the file of a Trainer's state in its checkpoints (4.x, 5.x)
_OTHERS = 100  # runs of the task, the newest ones, whose checkpoints are looked at


def tell(run: Run, args: Any, state: Any, warn: WarnOnce) -> None:
    """Tell the run which checkpoint the training goes on from: one that is resumed is cut there. Raises RunError."""
    history = _text(state.log_history)
    for folder in _candidates(run, args, state):
        if _is_of(folder, state.global_step, history):
            run.loaded_checkpoint(folder)
            return
    warn(
        "resume",
        f"the training goes on from step {state.global_step} of a checkpoint that is neither in the run, nor in "
        f"output_dir ({args.output_dir}), nor in another run of the task: the run does not know which. Give its path "
        "to the arguments, too: TrainingArguments(resume_from_checkpoint=path).",
    )


def _candidates(run: Run, args: Any, state: Any) -> Iterator[Path]:
    """The places where a checkpoint of this step may be: first those of the run, which can be cut there; then
    those that the user names, and those of other runs."""
    name = f"checkpoint-{state.global_step}"
    if run.checkpoint_dir is not None:
        yield from _of_step(run.checkpoint_dir, state.global_step)
    if isinstance(args.resume_from_checkpoint, (str, os.PathLike)):
        yield Path(args.resume_from_checkpoint)
    yield Path(args.output_dir, name)
    if state.best_model_checkpoint:
        yield Path(state.best_model_checkpoint).with_name(name)
    if run.paths is not None:
        for other in reversed(rla.runs(run.paths.log_root, run.task_name)[-_OTHERS:]):
            yield from _of_step(other.checkpoint_dir, state.global_step)


def _of_step(folder: Path, step: int) -> list[Path]:
    return [folder / entry.file for entry in reversed(Manifest(folder).entries()) if entry.step == step]


def _is_of(folder: Path, step: int, history: str) -> bool:
    try:
        saved = json.loads((folder / STATE).read_bytes())
        return bool(saved["global_step"] == step and _text(saved["log_history"]) == history)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _text(history: Any) -> str:
    """To compare them: NaN is not equal to itself."""
    return json.dumps(history, sort_keys=True, default=str)
