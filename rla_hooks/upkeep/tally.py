"""Adds up the room that files take, each file once, however many names (hard links) it has.

What belongs to whom is told by numbers, the owners: each file is counted for one. Afterwards owners are put into
groups, the trees of a run, the runs of a task, and :meth:`Tally.sizes` says what each group takes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Hashable, Sequence
from operator import attrgetter
from typing import NamedTuple, TypeVar

from rla_hooks import atomic
from rla_hooks.texts import printable, shell_path

Group = TypeVar("Group", bound=Hashable)

# What a file or a folder takes on the disk, and in how many bytes each: of a sparse file less than its length. Windows
# tells the length only.
_taken, _UNIT = (attrgetter("st_size"), 1) if os.name == "nt" else (attrgetter("st_blocks"), 512)
_KIND = 0o170000  # the bits of a mode that say whether it is a file, a folder, a link, ...
_SAVING = ".saving-"  # with which the names begin that rla_hooks.atomic gives


class Size(NamedTuple):
    """What some files take.

    on_disk: bytes that are allocated for them, folders included, each file once. freed: how many of these would be free
    if they all went: not those that other runs share by hard links. content: the lengths of the files. files: how many.
    """

    on_disk: int = 0
    freed: int = 0
    content: int = 0
    files: int = 0


class Leftover(NamedTuple):
    """A temporary file or folder that a dead process has left."""

    path: str
    size: Size


class Tally:
    """The files of folders, by owner. ``temporary``: what dead processes have left, which is counted as all else is.

    ``apart``: folders that are passed over in others, since they have owners of their own. ``problems``: folders that
    could not be read, a line for each. ``links``: how many links were passed over.
    """

    def __init__(self) -> None:
        self.apart: set[str] = set()
        self.problems: list[str] = []
        self.links = 0
        self.temporary: list[Leftover] = []
        self._on_disk: list[int] = []
        self._content: list[int] = []
        self._files: list[int] = []
        # By device and inode: how many names it has, bytes on the disk, its length, then an owner for each name.
        self._shared: dict[tuple[int, int], list[int]] = {}

    def new_owner(self) -> int:
        """Return the number of a further owner."""
        for numbers in (self._on_disk, self._content, self._files):
            numbers.append(0)
        return len(self._on_disk) - 1

    def add(self, state: os.stat_result, owner: int, path: str = "") -> int:
        """Count one file, or a folder without what is in it, and return the bytes that it takes on the disk.

        path: where it is, if it may be a temporary file.
        """
        on_disk: int = _taken(state) * _UNIT
        if stat.S_ISDIR(state.st_mode):
            self._on_disk[owner] += on_disk
            return on_disk
        self.links += stat.S_ISLNK(state.st_mode)
        if state.st_nlink > 1:
            self._add_shared(state, on_disk, owner)
        else:
            self._add(owner, on_disk, state.st_size, 1)
        if path and _is_leftover(path.rpartition("/")[2]):
            self.temporary.append(Leftover(path, Size(on_disk, on_disk, state.st_size, 1)))
        return on_disk

    def add_folder(self, folder: str, owner: int, state: os.stat_result | None = None) -> int:
        """Count a folder and all below it, and return the bytes on the disk. Links are counted, and not followed.

        state: of the folder, where that is known.
        """
        before = self._files[owner], self._content[owner]
        try:
            shared = self.add(state or os.lstat(folder), owner)
        except OSError as error:
            self.note(folder, error)
            return 0
        waiting, apart, links = [folder], self.apart, 0
        taken = content = files = 0  # a log root may have millions of files: this loop calls next to nothing
        while waiting:
            place = waiting.pop()
            try:
                with os.scandir(place) as entries:
                    for entry in entries:
                        try:
                            state = entry.stat(follow_symlinks=False)
                        except FileNotFoundError:  # it has just gone
                            continue
                        kind = state.st_mode & _KIND
                        if kind == stat.S_IFDIR:
                            if entry.name.startswith(_SAVING):
                                shared += self.add_folder(entry.path, owner)
                            elif entry.path not in apart:
                                waiting.append(entry.path)
                                taken += _taken(state)
                            continue
                        if kind == stat.S_IFLNK:
                            links += 1
                        if state.st_nlink > 1:
                            shared += self._add_shared(state, _taken(state) * _UNIT, owner)
                        else:
                            taken += _taken(state)
                            content += state.st_size
                            files += 1
                        if entry.name.startswith(_SAVING) and _is_leftover(entry.name):
                            room = _taken(state) * _UNIT
                            self.temporary.append(Leftover(entry.path, Size(room, room, state.st_size, 1)))
            except OSError as error:
                self.note(place, error)
        self.links += links
        self._add(owner, taken * _UNIT, content, files)
        total = taken * _UNIT + shared
        if _is_leftover(os.path.basename(folder)):
            files, content = self._files[owner] - before[0], self._content[owner] - before[1]
            self.temporary.append(Leftover(folder, Size(total, total, content, files)))
        return total

    def _add(self, owner: int, on_disk: int, content: int, files: int) -> None:
        self._on_disk[owner] += on_disk
        self._content[owner] += content
        self._files[owner] += files

    def _add_shared(self, state: os.stat_result, on_disk: int, owner: int) -> int:
        key = state.st_dev, state.st_ino
        known = self._shared.get(key)
        if known is None:
            self._shared[key] = [state.st_nlink, on_disk, state.st_size, owner]
        else:
            known.append(owner)
        return on_disk

    def note(self, folder: str, error: OSError) -> None:
        """Keep that a folder could not be read; one that is gone is no problem."""
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            self.problems.append(f"{shell_path(folder)} cannot be read: {printable(error.strerror or error)}")

    def sizes(self, group_of: Sequence[Group | None], stored: int | None = None) -> dict[Group, Size]:
        """Return what each group takes. A file that two groups share counts in both, and is freed by neither.

        group_of: the group of each owner, by its number; None for owners that do not count here. stored: the owner
        whose names keep no file: once no run has one, ``rla gc`` removes those.
        """
        found: dict[Group, list[int]] = {}
        for group, on_disk, content, files in zip(group_of, self._on_disk, self._content, self._files, strict=True):
            if group is None:
                continue
            numbers = found.get(group)
            if numbers is None:
                found[group] = [on_disk, on_disk, content, files]
            else:
                numbers[0] += on_disk
                numbers[1] += on_disk
                numbers[2] += content
                numbers[3] += files
        for nlink, on_disk, size, *owners in self._shared.values():
            is_all = len(owners) >= nlink  # else it has a name that was not looked at
            groups = keepers = {*map(group_of.__getitem__, owners)}
            if stored in owners:
                others = [*owners]
                others.remove(stored)
                keepers = {*map(group_of.__getitem__, others)}
            for group in groups:
                if group is not None:
                    numbers = found[group]
                    numbers[0] += on_disk
                    numbers[1] += on_disk if is_all and keepers <= {group} else 0
                    numbers[2] += size
                    numbers[3] += 1
        return {group: Size(*numbers) for group, numbers in found.items()}


def _is_leftover(name: str) -> bool:
    return name.startswith(_SAVING) and atomic.is_abandoned(name)
