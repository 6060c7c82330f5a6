"""Loads a checkpoint of any run, or of a checkpoint folder elsewhere. It only reads: nothing is cut, nothing is locked.

This file is imported late, by who asks for another run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rla_hooks.checkpoints import Entry, Manifest, Saver
from rla_hooks.checkpoints.manifest import FILE
from rla_hooks.errors import ConfigError
from rla_hooks.fields import Fields
from rla_hooks.query.entry import read_entry
from rla_hooks.query.given import run_of_path, saved_run
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import shell_path

_WHAT = "rla.load_checkpoint"


class Source(Fields):
    """Where a checkpoint is loaded from: a folder, the run that it is of (if any), and the file that was named."""

    folder: Path
    run: SavedRun | None = None
    entry: Entry | None = None

    def note_of(self, entry: Entry) -> dict[str, Any]:
        """Return what run.json says of a loaded checkpoint."""
        file = entry.file if self.run else str(self.folder / entry.file)
        return {
            "run": self.run.name if self.run else None,
            "id": self.run.id if self.run else None,
            "step": entry.step,
            "file": file,
        }

    def line_of(self, entry: Entry, what: str = "loaded") -> str:
        """Return what the log says of it."""
        of = f"of {self.run.id} ({self.run.name})" if self.run else f"in {shell_path(self.folder)}"
        return f"{what} the checkpoint {entry.file} (step {entry.step}) {of}"


def source_of(run: Any, log_root: Path | None = None, own_name: str | None = None) -> Source:
    """Return the checkpoints that ``run`` means: a run, in any of the ways to name one, a checkpoint folder, or a file.

    log_root: where a run that a text names is looked for; by default that of the config. own_name: of the run that
    asks, which is not the ``latest`` that it means. Raises ConfigError.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     path = rla.save_checkpoint({"weights": [1.0]}, step=3)
    >>> source_of("latest").folder == source_of(path).folder == run.checkpoint_dir, source_of(path).entry.step
    (True, 3)
    """
    found = _at_path(run) if isinstance(run, (str, os.PathLike)) and str(run).strip() else None
    if found is not None:
        return found
    saved = saved_run(run, log_root, _WHAT, without=own_name)
    return Source(saved.checkpoint_dir, saved)


def _at_path(given: str | os.PathLike[str]) -> Source | None:
    """Return the checkpoint folder, or the checkpoint, at a path; None where there is none, but a run may be."""
    text = os.fspath(given)
    if (isinstance(given, str) and os.sep not in text and text not in (".", "..")) or not os.path.exists(text):
        return None
    path = Path(os.path.abspath(text))
    if (path / FILE).is_file():
        return Source(path, _run_at(path))
    listed = _listed(path)
    if listed is not None:
        return listed
    if _run_at(path) is None:
        raise ConfigError(
            f"{_WHAT}: {shell_path(path)} is neither of a run nor a folder of checkpoints (it has no {FILE}). "
            "Allowed: a run of rla.runs(), its id, its name, the path of one of its folders, or a checkpoint folder."
        )
    return None


def _listed(path: Path) -> Source | None:
    """Return the checkpoint at a path if it is in a manifest."""
    for folder in path.parents[:3]:  # frameworks make folders in the checkpoint folder
        if (folder / FILE).is_file():
            file = path.relative_to(folder).as_posix()
            entry = next((each for each in Manifest(folder).entries() if each.file == file), None)
            if entry is not None:
                return Source(folder, _run_at(folder), entry)
    return None


def origin_of(given: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """Return what run.json and the log say of the file that a framework has gone on from, whatever it is."""
    path = Path(os.path.abspath(given))
    source, what = _listed(path), "goes on from"
    if source is not None and source.entry is not None:
        return source.note_of(source.entry), source.line_of(source.entry, what)
    return {"run": None, "id": None, "step": None, "file": str(path)}, f"{what} {shell_path(path)}"


def _run_at(path: Path) -> SavedRun | None:
    paths = run_of_path(path)
    return SavedRun(paths, read_entry(paths)) if paths else None


def load(
    source: Source, saver: Saver, step: int | None, name: str, objects: Any, weights_only: bool
) -> tuple[Entry, dict[str, Any]]:
    """Return the entry and the content of the newest whole checkpoint there, of a name and a step where one is given.

    saver: what restores objects as the asking run does. Raises CheckpointError, which names the folder and what is
    there.
    """
    if source.entry is not None and step is None:
        step, name = source.entry.step, source.entry.name
    return saver.reading(source.folder).load_entry(step, name, objects, weights_only)


def load_outside(run: Any, step: int | None, name: str, objects: Any, weights_only: bool) -> tuple[int, dict[str, Any]]:
    """Load a checkpoint where no run is open."""
    source = source_of(run)
    entry, content = load(source, Saver(source.folder), step, name, objects, weights_only)
    return entry.step, content
