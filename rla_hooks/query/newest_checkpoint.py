"""The newest complete checkpoint of a run, which is saved, open, or named by a word for it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from rla_hooks.query.given import saved_run
from rla_hooks.query.products import checkpoints_in


class HasCheckpoints(Protocol):
    """A saved run, or one that is open."""

    @property
    def checkpoint_dir(self) -> Path | None: ...


def latest_checkpoint(run: HasCheckpoints | str | os.PathLike[str], name: str | None = None) -> Path | None:
    """Return the path of the newest complete checkpoint of a run, or None if there is none.

    run: a saved run, an open one, the path of a checkpoint folder, or a text that means a run: its id, a part of its
    name, ``latest``. name: only checkpoints that were saved under this name, such as "best"; whole states
    (``rla.save_state``) are found only by theirs, "state". The checksum is compared, which reads the file, once in a
    process; a damaged checkpoint is passed over with a warning. Of a run of the original RLA, which noted no checksums,
    it is the one of the highest step, of TensorFlow its .index file. Raises
    :class:`~rla_hooks.errors.ConfigError` for what is no run, or means none.

    >>> import rla_hooks as rla
    >>> @rla.track(task="demo", writers=["csv"], backup="none")
    ... def main():
    ...     for step in range(3):
    ...         rla.save_checkpoint({"weights": [0.5, step]}, step=step)
    >>> main()
    >>> run = rla.runs()[-1]
    >>> rla.latest_checkpoint(run).name, rla.latest_checkpoint(run, "best")
    ('checkpoint-2.pkl', None)
    """
    from rla_hooks.checkpoints.manifest import FILE, latest

    if not hasattr(run, "checkpoint_dir") and not _is_folder(run):
        run = saved_run(run, None, "latest_checkpoint")
    folder: Any = getattr(run, "checkpoint_dir", run)
    if getattr(run, "run_json", None) == {} and not os.path.lexists(folder / FILE):
        old = [each.path for each in checkpoints_in(folder, of_rla=True) if name in (None, each.name)]
        return old[-1] if old else None
    return None if folder is None else latest(folder, name)


def _is_folder(given: object) -> bool:
    """Whether it is the path of a folder, which may be missing where it is absolute; other texts name a run."""
    return isinstance(given, os.PathLike) or (isinstance(given, str) and (os.path.isabs(given) or os.path.isdir(given)))
