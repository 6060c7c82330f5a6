"""Renames the parts of a run, one after the other, so that its readers see the run here or there, never half.

The log folder goes first where the run leaves a list, and comes back last. A run that moves within its list keeps what
its run.json calls it until all parts are there: readers find the others by that name (rla_hooks.query.moved). All of it
can be called again after a kill, in either direction: each part is where it was, or where it goes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks import atomic
from rla_hooks.checkpoints.entry import entry_of
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.layout import OUT_OF_LISTS, TRASH
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import shell_path
from rla_hooks.upkeep.journal import Journal, Moved
from rla_hooks.upkeep.part_checks import Checks
from rla_hooks.upkeep.planning import MOVE, RENAME, RESTORE

_ATTEMPTS = 100  # to make a folder that somebody else removes while it is empty

Pair = tuple[str, str]


class Renames:
    """Carries the runs of one act there, or ``back``."""

    def __init__(self, journal: Journal, back: bool = False):
        self.journal, self.back, self.root = journal, back, journal.root
        self._top = f"{self.root}/"  # a text: thousands of paths are made of it
        self._checks = Checks(self.root)
        self._made: set[str] = set()
        self._left: set[str] = set()  # folders from which something went
        self._inside: set[str] = set()
        self.is_stuck = False  # a run could neither go nor be put back: it is half here, half there

    def pairs(self, moved: Moved) -> list[Pair]:
        """Where each part is, and where it goes, in the order in which they go."""
        pairs = [(target, source) for source, target in moved.parts] if self.back else [*moved.parts]
        comes_back = self.back != (self.journal.kind == RESTORE)
        return pairs[::-1] if comes_back and self.journal.kind not in (MOVE, RENAME) else pairs

    def is_begun(self, moved: Moved) -> bool:
        """Whether any part is where it goes."""
        return any(self._is_there(target) and not self._is_there(source) for source, target in self.pairs(moved))

    def is_left(self, moved: Moved) -> bool:
        """Whether any part has not gone."""
        return any(self._is_there(source) for source, _ in self.pairs(moved))

    def lost(self, moved: Moved) -> list[str]:
        """Return the parts that are neither where they were nor where they go: somebody has removed them by hand."""
        return [source for source, target in moved.parts if not self._is_there(source) and not self._is_there(target)]

    def in_the_way(self, moved: Moved) -> list[str]:
        """Return a line for each place that a part goes to and where something else is."""
        pairs = self.pairs(moved)
        return [
            f"{shell_path(self.root / target)} is there again"
            for source, target in pairs
            if self._is_there(source) and self._is_taken(target)
        ]

    def carry(self, moved: Moved) -> None:
        """Let all parts go that have not gone. Raises OSError; then all are back, and it can be tried again.

        The caller holds the lock of :meth:`run_json`, if there is one.
        """
        gone = list[Pair]()
        try:
            for source, target in self.pairs(moved):
                if self._is_there(source) and not self._is_in_trash(target):
                    self._rename(source, target)
                gone.append((source, target))
            self._note(moved)
        except OSError:
            for source, target in reversed(gone):
                try:
                    if self._is_there(target):  # else somebody has removed it by hand
                        self._rename(target, source)
                except OSError:
                    self.is_stuck = True
            raise

    def _rename(self, source: str, target: str) -> None:
        for place in (source, target):
            self._check(place)
        if self._is_taken(target):
            raise FileExistsError(errno.EEXIST, "it is there already", str(self.root / target))
        folder = self._top + target.rpartition("/")[0]
        for attempt in range(_ATTEMPTS):
            try:
                if folder not in self._made or attempt:
                    os.makedirs(folder, exist_ok=True)
                    self._made.add(folder)
                os.rename(self._top + source, self._top + target)
                break
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1 or not self._is_there(source):
                    raise
        self._left.add(source.rpartition("/")[0])

    def _check(self, place: str) -> None:
        """Let nothing be renamed from or to outside of the log root, whatever links somebody has made meanwhile."""
        folder = place.rpartition("/")[0]
        if folder not in self._inside:
            reason = self._checks.real_parent(place)
            if reason:
                raise OSError(errno.EPERM, reason)
            self._inside.add(folder)

    def _is_there(self, place: str) -> bool:
        return os.path.lexists(self._top + place)

    def _is_in_trash(self, target: str) -> bool:
        """Whether a part is in the trash of the act: what is in its old place, a running process has made since."""
        return f"{TRASH}/{self.journal.number}/" in target and self._is_there(target)

    def _is_taken(self, place: str) -> bool:
        """Whether something is at a place; empty folders, which a running process has made again, do not count."""
        path = self._top + place
        if not os.path.lexists(path):
            return False
        is_folder = os.path.isdir(path) and not os.path.islink(path)
        return place.startswith("log/") or not is_folder or bool(os.listdir(path))

    def run_json(self, moved: Moved) -> Path:
        """Where the run.json of a run is now; a path where there is none for what has none."""
        noted, (old, new) = moved.item.run_json, moved.parts[0]
        file = self.root / (noted or f"{old}/run.json")
        return self.root / new / "run.json" if noted == f"{old}/run.json" and not file.exists() else file

    def _note(self, moved: Moved) -> None:
        """Write what follows from the new places: the name in run.json, or the entries of a manifest."""
        item = moved.item
        if item.news:
            place = moved.parts[0][0 if self.back else 1]
            self._check(f"{place}/run.json")
            news = item.former if self.back else item.news
            change_run_json(self.root / place / "run.json", news or {})
        if item.manifest and item.checkpoints:
            self._check(f"{item.manifest}/manifest.json")
            entries = [entry for each in item.checkpoints if (entry := entry_of(each))]
            manifest = Manifest(self.root / item.manifest)
            atomic.sweep(manifest.folder)  # of who was killed as it wrote the manifest
            if self.back:
                manifest.put_back(entries)
            elif manifest.path.exists():
                gone = {(entry.file, entry.time) for entry in entries}
                manifest.forget(*(entry for entry in manifest.entries() if (entry.file, entry.time) in gone))

    def remove_empty_folders(self) -> None:
        """Remove the folders that are empty now, up to their tree: of dates and tasks."""
        waiting = {*self._left}
        while waiting:
            folder = max(waiting, key=lambda each: each.count("/"))
            waiting.remove(folder)
            above, _, name = folder.rpartition("/")
            if above and name not in OUT_OF_LISTS:  # else it is a tree, or like one
                with suppress(OSError):  # it is not empty
                    os.rmdir(self._top + folder)
                    waiting.add(above)


def change_run_json(file: Path, news: Mapping[str, Any]) -> None:
    """Change these keys of a run.json; None takes one out. A damaged or missing file stays as it is. Raises OSError."""
    try:
        content = read_json(file)
    except (FileNotFoundError, ValueError):
        return
    changed = {key: value for key, value in (content | dict(news)).items() if value is not None or key not in news}
    atomic.sweep(file.parent)  # of who was killed as it wrote this file
    if changed != content:
        atomic.write_json(file, changed)
