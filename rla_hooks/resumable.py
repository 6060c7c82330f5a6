"""Which run a request to resume means, and whether it may go on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.core.resume_request import AUTO, Resumable
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import ConfigError
from rla_hooks.query import SavedRun
from rla_hooks.query.given import saved_run
from rla_hooks.query.moved import paths_of


def choose(settings: RunSettings) -> Resumable | None:
    """Return the run that ``settings.resume`` means; None where ``auto`` finds none. Raises ConfigError."""
    request = settings.resume
    if request is None or request.run == AUTO:
        return None
    config = settings.config
    saved = find(request.run, None if config is None else config.log_root)
    paths = paths_of(saved)
    if request.from_start:
        return Resumable(paths)
    entry = Manifest(paths.checkpoint_dir).newest("checkpoint")
    if entry is None:
        raise ConfigError(
            f"the run {saved.id} ({saved.name}) cannot be resumed: it has no complete checkpoint. Pass "
            "from_start=True, which begins it anew and keeps what it has under cut/, or start a new run."
        )
    return Resumable(paths, entry)


def find(run: SavedRun | str | os.PathLike[str], log_root: Path | None) -> SavedRun:
    """Return the run that was meant: as in ``rla.open``. Raises ConfigError."""
    return saved_run(run, log_root, "resume")


def arguments_of(run: SavedRun | str | os.PathLike[str], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters of a run as arguments of its function, with these in place of the stored ones."""
    return {**find(run, None).hparams, **overrides}
