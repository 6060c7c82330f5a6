"""The files that a run has made: figures and checkpoints."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FIGURES = frozenset(
    "apng avif bmp eps gif htm html jpeg jpg mkv mov mp4 mpeg mpg pdf png svg tif tiff webm webp avi".split()
)
_MAX_FILES = 100_000  # of results/<run name>
_MAX_DEPTH = 20


class CheckpointFile(NamedTuple):
    """A complete checkpoint: its file or folder, the name and step it was saved with, seconds since 1970, and bytes."""

    path: Path
    name: str
    step: int
    time: float
    size: int


def figures_in(folder: Path) -> list[Path]:
    """Return the images and videos in a folder and those below it, in the order of their names."""
    return sorted(path for path, _ in zip(_files(folder), range(_MAX_FILES)) if path.suffix[1:].lower() in FIGURES)


def _files(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Yield the files in a folder and those below it; links to folders are not followed."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):  # a file that is just being saved, say
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth < _MAX_DEPTH:
                yield from _files(folder / entry.name, depth + 1)
        elif entry.is_file():
            yield folder / entry.name


def checkpoints_in(folder: Path, of_rla: bool = False) -> list[CheckpointFile]:
    """Return the complete checkpoints that the manifest in a folder lists, newest last.

    of_rla: whether the original RLA may have written them: where there is no manifest, the names of the files tell.
    """
    from rla_hooks.checkpoints.manifest import Manifest

    manifest = Manifest(folder)
    if of_rla and not os.path.lexists(manifest.path):
        from rla_hooks.checkpoints.old_listing import old_checkpoints

        old = old_checkpoints(folder)
        return [CheckpointFile(each.path, each.name, each.step, each.time, each.size) for each in old]
    return [
        CheckpointFile(folder / entry.file, entry.name, entry.step, entry.time, entry.size)
        for entry in manifest.complete()
    ]
