"""Lists and syncs the files of a checkpoint.

A checkpoint is written in a temporary folder: see :mod:`rla_hooks.atomic`.
"""

from __future__ import annotations

import os
from pathlib import Path

from rla_hooks import atomic


def files_of(path: Path) -> list[Path]:
    """Return the files of a checkpoint in a fixed order: the file itself, or all files in the folder."""
    if not path.is_dir():
        return [path]
    return sorted((Path(top) / name for top, _, names in os.walk(path) for name in names), key=lambda p: p.as_posix())


def sync(path: Path) -> None:
    """Sync a file, or a folder with all its files, to the disk."""
    for file in files_of(path):
        atomic.fsync(file)
    for folder, _, _ in os.walk(path):  # of a file it finds none
        atomic.fsync(Path(folder))
