"""RLA's ``save_model_dict`` and ``load_checkpoint`` for torch, on the run's own checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks.face import save_checkpoint
from rla_hooks.old_words import tell_modern_name

__all__ = ["load_checkpoint", "save_model_dict"]


def save_model_dict(model_dict: Mapping[str, Any]) -> Path | None:
    """Save a dict of state_dicts as a checkpoint of the current run, and return its path: ``checkpoint-<step>.pt``.

    None where nothing is written here. Raises as ``rla.save_checkpoint`` does.

    >>> import rla_hooks as rla
    >>> tester = rla.Tester()
    >>> tester.configure("demo", writers=[], backup="none")
    >>> tester.log_files_gen()
    >>> _ = save_model_dict({"weights": [0.5]})
    >>> load_checkpoint(tester)
    {'weights': [0.5]}
    >>> tester.finish()
    """
    tell_modern_name("save_model_dict", "rla.save_checkpoint")
    return save_checkpoint(model_dict)


def load_checkpoint(tester: Any) -> dict[str, Any]:
    """Return the content of the newest checkpoint of a Tester. Raises :class:`~rla_hooks.errors.CheckpointError`."""
    tell_modern_name("easy_torch.load_checkpoint", "tester.load_checkpoint")
    content: dict[str, Any] = tester.load_checkpoint()[1]
    return content
