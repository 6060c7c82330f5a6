"""Checks the code of runs: a stored file is named by the SHA-256 of its content, and a run's file is a link to it.

Of a run's file that is in the store no more, since somebody has deleted the store, nothing tells what it was.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.layout import CODE
from rla_hooks.patterns import pattern
from rla_hooks.snapshot.filestore import STORE
from rla_hooks.snapshot.session import NOTES
from rla_hooks.upkeep.checking.found import Found, Mend
from rla_hooks.upkeep.checking.opening import BLOCK, Disk, files_below, marked, unreadable

_NAME = pattern(r"([0-9a-f]{64})(?:x|-[0-7]{3})?")
_MAX_STORED = 5_000_000
_DAMAGED = "does not match its SHA-256, by which it is stored"


class KeptCode:
    """Checks the code of the runs of one log root; a content that many runs share is read once."""

    def __init__(self, log_root: Path, disk: Disk):
        self._store, self._disk = log_root / CODE / STORE, disk
        self._names: dict[int, str] = {}  # of the stored files, by their inode
        self._whole: dict[str, bool] = {}  # of those that were read
        with suppress(OSError), os.scandir(self._store) as entries:
            for entry, _ in zip(entries, range(_MAX_STORED)):
                if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    self._names[entry.inode()] = entry.name

    def check(self, folder: Path, run_json: Mapping[str, Any], is_live: bool) -> Iterator[Found]:
        """Yield what is wrong with the code of a run."""
        count = 0
        notes = f"{folder}{os.sep}{NOTES}{os.sep}"
        for entry in files_below(folder):
            count += not entry.path.startswith(notes)
            name = self._names.get(entry.inode())
            try:
                if name is not None and not self._is_whole(name):
                    yield Found(Path(entry.path), f"{_DAMAGED}; so have all runs that share it")
            except OSError as error:
                yield unreadable(Path(entry.path), error)
        noted = run_json.get("code")
        files = noted.get("files") if isinstance(noted, Mapping) else None
        if type(files) is int and count < files and not is_live:
            yield Found(folder, f"has {count} files of the {files} that run.json counts")

    def check_rest(self) -> Iterator[Found]:
        """Yield what is wrong with the stored files that no run has asked for: none uses them, or none that is here."""
        for name in sorted(self._names.values()):
            if name in self._whole:
                continue
            path = self._store / name
            try:
                if self._is_whole(name):
                    continue
                unused = os.lstat(path).st_nlink == 1
                mend = Mend("no run uses it, and it goes to the trash", mark=self._mark) if unused else None
                yield Found(path, _DAMAGED, mend=mend)
            except FileNotFoundError:
                continue
            except OSError as error:
                yield unreadable(path, error)

    def _is_whole(self, name: str) -> bool:
        """Whether the content of a stored file matches its name. Raises OSError."""
        if name not in self._whole:
            digest = hashlib.sha256()
            with self._disk.open(self._store / name) as file:
                self._mark = marked(file)
                while data := file.read(BLOCK):
                    digest.update(data)
            self._whole[name] = name.startswith(digest.hexdigest())
        return self._whole[name]
