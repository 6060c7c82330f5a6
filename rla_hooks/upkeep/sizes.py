"""How many files and bytes are in folders of a log root. Links are counted as themselves, and never followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rla_hooks.texts import shell_path


class Counted(NamedTuple):
    """Files, their bytes, and a line for each folder that could not be read."""

    files: int
    bytes: int
    problems: list[str]


class Sizes:
    """Counts parts of a log root. What has several names, such as code that runs share, counts once."""

    def __init__(self, log_root: str | os.PathLike[str]):
        self._root = Path(log_root)
        self._seen: set[tuple[int, int]] = set()

    def count(self, paths: Iterable[str]) -> Counted:
        """Count the files in these files and folders."""
        files, size, problems, waiting = 0, 0, list[str](), list[str]()
        for part in paths:
            path = os.path.join(self._root, part)
            try:
                state = os.lstat(path)
            except FileNotFoundError:  # another act was first, which is told when its turn comes
                continue
            if stat.S_ISDIR(state.st_mode):
                waiting.append(path)
            else:
                files, size = files + 1, size + self._bytes(state)
        while waiting:
            path = waiting.pop()
            try:
                with os.scandir(path) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        else:
                            files, size = files + 1, size + self._bytes(entry.stat(follow_symlinks=False))
            except FileNotFoundError:  # it was just deleted
                continue
            except OSError as error:
                problems.append(f"cannot be read: {shell_path(path)}: {error.strerror}")
        return Counted(files, size, problems)

    def _bytes(self, state: os.stat_result) -> int:
        if state.st_nlink > 1:
            key = state.st_dev, state.st_ino
            if key in self._seen:
                return 0
            self._seen.add(key)
        return state.st_size
