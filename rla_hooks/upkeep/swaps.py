"""Puts mended files in the place of damaged ones, which go to the trash; and takes that back.

A journal of a repair has up to two parts for each file: the damaged file goes to the trash, and the mended one, which
lies beside it under a temporary name, takes its place. The damaged file gets its second name first, so that readers
find one of both at any moment; a file that was missing has the second part only, and one that only goes the first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from rla_hooks.texts import shell_path
from rla_hooks.upkeep.journal import Journal, Moved
from rla_hooks.upkeep.planning import REPAIR
from rla_hooks.upkeep.renames import Renames


class Swap(NamedTuple):
    """A file that is repaired. kept: its place in the trash; new: that of the mended one, before it is in its place."""

    file: str
    kept: str | None
    new: str | None


def renames_of(journal: Journal, back: bool = False) -> Renames:
    """Return what carries the runs of an act there, or ``back``."""
    return Swaps(journal, back) if journal.kind == REPAIR else Renames(journal, back)


class Swaps(Renames):
    """Carries the files of a repair."""

    def swaps(self, moved: Moved) -> list[Swap]:
        """Return what is done with each file, in order."""
        kept = dict(moved.parts)
        new = {target: source for source, target in moved.parts if target in kept or self._is_new(source)}
        files = dict.fromkeys([*(each for each in kept if each not in new.values()), *new])
        return [Swap(file, kept.get(file), new.get(file)) for file in files]

    @staticmethod
    def _is_new(source: str) -> bool:
        return source.rpartition("/")[2].startswith(".saving-")

    def _is_done(self, swap: Swap) -> bool:
        """Whether the file was repaired, and is so."""
        has_new = swap.new is not None and self._is_there(swap.new)
        return not has_new and self._is_there(swap.file if swap.kept is None else swap.kept)

    def is_begun(self, moved: Moved) -> bool:
        if self.back:
            return any(not self._is_done(swap) for swap in self.swaps(moved))
        return any(self._is_done(swap) or (swap.kept and self._is_there(swap.kept)) for swap in self.swaps(moved))

    def is_left(self, moved: Moved) -> bool:
        return any(self._is_done(swap) == self.back for swap in self.swaps(moved))

    def in_the_way(self, moved: Moved) -> list[str]:
        """Return a line for each mended file that somebody has changed since: it has more by now."""
        noted: Mapping[str, Any] = (moved.item.former or {}).get("mended", {})
        found = []
        for swap in self.swaps(moved) if self.back else ():
            if swap.new is not None and self._is_done(swap) and self._mark(swap.file) != noted.get(swap.file):
                found.append(f"{shell_path(self.root / swap.file)} has changed since it was repaired")
        return found

    def _mark(self, file: str) -> list[int] | None:
        with suppress(OSError):
            return mended_mark(os.lstat(self.root / file))
        return None

    def carry(self, moved: Moved) -> None:
        """Repair the files that are not repaired, or take that back. Raises OSError; then none is repaired."""
        done = list[Swap]()
        try:
            for swap in self.swaps(moved):
                if self._is_done(swap) == self.back:
                    done.append(swap)
                    self._take_back(swap) if self.back else self._repair(swap)
        except OSError:
            for swap in reversed(done if not self.back else []):
                try:
                    self._take_back(swap)
                except OSError:
                    self.is_stuck = True
            raise

    def _repair(self, swap: Swap) -> None:
        if swap.kept is not None and not self._is_there(swap.kept):
            if swap.new is None:
                self._rename(swap.file, swap.kept)
            else:
                self._keep(swap.file, swap.kept)
        if swap.new is not None:
            self._check(swap.new)
            self._check(swap.file)
            os.replace(self.root / swap.new, self.root / swap.file)

    def _keep(self, file: str, kept: str) -> None:
        """Give a file its second name, in the trash; where the system has no such names, its only one."""
        self._check(file)
        self._check(kept)
        (self.root / kept).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(self.root / file, self.root / kept, follow_symlinks=False)
        except (OSError, NotImplementedError):
            self._rename(file, kept)

    def _take_back(self, swap: Swap) -> None:
        if swap.kept is not None:
            if self._is_there(swap.kept):
                self._check(swap.kept)
                self._check(swap.file)
                (self.root / swap.file).parent.mkdir(parents=True, exist_ok=True)
                os.replace(self.root / swap.kept, self.root / swap.file)
                if self._is_there(swap.kept):  # both were names of one file: the system does nothing then
                    os.unlink(self.root / swap.kept)
        elif swap.new is not None and self._is_there(swap.file):  # there was none before: see in_the_way
            self._check(swap.file)
            os.unlink(self.root / swap.file)


def mended_mark(status: os.stat_result) -> list[int]:
    """Return what tells later whether somebody has changed a mended file: JSON takes it."""
    return [status.st_size, status.st_mtime_ns]
