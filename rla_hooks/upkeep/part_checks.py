"""Whether a file or a folder of a log root can be renamed: asked before anything is changed."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from rla_hooks.layout import ARCHIVED, TRASH, TREES
from rla_hooks.texts import shell_path


def is_inside(path: str) -> bool:
    """Whether a text is a path of something in a tree of a log root, its trash or its archived runs."""
    parts = path.split("/")
    is_plain = not {"", ".", ".."} & {*parts} and "\0" not in path
    return is_plain and len(parts) > 1 and parts[0] in {*TREES, TRASH, ARCHIVED}


class Checks:
    """Looks at parts of a log root; each folder is looked at once."""

    def __init__(self, log_root: str | os.PathLike[str]):
        self.root = Path(log_root)
        self._top = f"{self.root}/"  # a text: thousands of paths are made of it
        self._mounts = _mounts()
        self._devices: dict[str, int | None] = {}
        self._parents: dict[str, str | None] = {}
        self._is_real_by_folder: dict[str, bool] = {}
        self._stats: dict[str, os.stat_result] = {}
        self._reals: dict[str, str] = {}
        self._nearest: dict[str, str] = {}
        self._writable: dict[str, str | None] = {}

    def anchor(self, source: str) -> str:
        """Return the highest folder on the disk of a part, from which on all is on that disk; ``""`` for the root."""
        folder = source.rpartition("/")[0]
        device = self._device(folder)
        while folder:
            above = folder.rpartition("/")[0]
            if self._device(above) != device:
                break
            folder = above
        return folder

    def trouble(self, source: str, target: str | None, anchor: str) -> str | None:
        """Return why a part cannot be renamed, as the end of a sentence; None where nothing is in the way."""
        if not is_inside(source) or (target is not None and not is_inside(target)):
            return f"is not in a tree of the log root: {shell_path(source)}"
        path = self._top + source
        try:
            state = os.lstat(path)
        except OSError as error:
            return f"cannot be read: {shell_path(path)}: {error.strerror}"
        parent = source.rpartition("/")[0]
        if parent not in self._parents:
            self._parents[parent] = self._trouble_of_parent(parent)
        return (
            self._parents[parent]
            or self._trouble_of(path, state)
            or self._trouble_of_target(parent, target if target is not None else f"{anchor}/{TRASH}".lstrip("/"))
            or self._taken(target)
        )

    def real_parent(self, source: str) -> str | None:
        """Return why the folder of a part is none of this log root, as the end of a sentence; None if it is."""
        parent = source.rpartition("/")[0]
        if self._is_real(parent):
            return None
        tree, there = parent.partition("/")[0], os.path.realpath(self.root / parent)
        return (
            f"is not only in this log root: {shell_path(self.root / parent)} leads to {shell_path(there)}. "
            f"Links are followed only for whole trees, such as {shell_path(self.root / tree)}"
        )

    def _is_real(self, folder: str) -> bool:
        """Whether no folder below a tree, down to this one, is a link."""
        if folder not in self._is_real_by_folder:
            above = folder.rpartition("/")[0]
            is_real = not above or (not os.path.islink(self._top + folder) and self._is_real(above))
            self._is_real_by_folder[folder] = is_real
        return self._is_real_by_folder[folder]

    def _trouble_of_parent(self, parent: str) -> str | None:
        return self.real_parent(f"{parent}/x") or self._not_writable(parent)

    def _not_writable(self, folder: str) -> str | None:
        """Why names in a folder cannot be changed."""
        if folder not in self._writable:
            path = self.root / folder
            self._writable[folder] = (
                None if _may_write(path) else f"cannot be moved: this user may not write to {shell_path(path)}"
            )
        return self._writable[folder]

    def _trouble_of(self, path: str, state: os.stat_result) -> str | None:
        parent = os.path.dirname(path)
        if parent not in self._stats:
            self._stats[parent] = os.stat(parent)
        above = self._stats[parent]
        is_sticky = above.st_mode & stat.S_ISVTX and hasattr(os, "geteuid")
        if is_sticky and os.geteuid() not in (0, state.st_uid, above.st_uid):
            return f"cannot be moved: {shell_path(path)} belongs to another user"
        if stat.S_ISDIR(state.st_mode):
            if not _may_write(path):  # its parent is noted in it
                return f"cannot be moved: this user may not write to {shell_path(path)}"
            inside = self.mounts_in(path) or ([path] if state.st_dev != above.st_dev else [])
            if inside:
                return f"cannot be moved: another disk is mounted at {shell_path(inside[0])}"
        return None

    def _trouble_of_target(self, parent: str, target: str) -> str | None:
        """Why nothing can be made where the part is to go: the nearest folder that is there tells."""
        folder = above = target.rpartition("/")[0]
        if above not in self._nearest:
            while folder and not os.path.isdir(self._top + folder):
                folder = folder.rpartition("/")[0]
            self._nearest[above] = folder
        folder = self._nearest[above]
        if self._device(folder) != self._device(parent):
            there = shell_path(self.root / folder)
            return f"cannot be moved: {there} is on another disk than {shell_path(self.root / parent)}"
        return self._not_writable(folder)

    def mounts_in(self, folder: str | os.PathLike[str]) -> list[str]:
        """Return the places in a folder, or the folder itself, where disks are mounted, as far as the system tells."""
        parent, name = os.path.split(folder)
        if parent not in self._reals:
            self._reals[parent] = os.path.realpath(parent)
        real = os.path.join(self._reals[parent], name)
        return [each for each in self._mounts if each == real or each.startswith(f"{real}/")]

    def _taken(self, target: str | None) -> str | None:
        if target is not None and os.path.lexists(self._top + target):
            return f"cannot be moved: {shell_path(self.root / target)} is there already"
        return None

    def _device(self, folder: str) -> int | None:
        if folder not in self._devices:
            try:
                self._devices[folder] = os.stat(self.root / folder).st_dev
            except OSError:
                self._devices[folder] = None
        return self._devices[folder]


def _may_write(folder: str | Path) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)


def _mounts() -> list[str]:
    """The places where disks are mounted, also by a second name for one that is there already. Linux tells."""
    if sys.platform != "linux":
        return []
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return []
    return [os.fsdecode(line.split(b" ")[4].decode("unicode_escape").encode("latin-1")) for line in lines]
