"""The files of runs in a log root here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from rla_hooks.layout import LOG, TREES
from rla_hooks.remote.files import INCOMING, STORED, Stat, is_safe
from rla_hooks.run_folders import run_names


def local_files(root: Path, runs: Iterable[str] | None = None) -> dict[str, Stat]:
    """Return the regular files of all runs of a log root, or of these, and of its store, by their paths in it."""
    names = [*run_names(root)] if runs is None else [*runs]
    places = [f"{tree}/{name}" for name in names for tree in (*TREES, f"{INCOMING}/{LOG}")]
    return {name: each for place in [*places, STORED] for name, each in _below(root, place) if is_safe(name)}


def _below(root: Path, place: str) -> Iterator[tuple[str, Stat]]:
    waiting = [place]
    while waiting:
        folder = waiting.pop()
        with suppress(OSError), os.scandir(root / folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}"
                with suppress(OSError):  # it is gone just now
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(name)
                        continue
                    state = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(state.st_mode):
                        yield name, Stat(state.st_size, state.st_mtime, entry.inode())
