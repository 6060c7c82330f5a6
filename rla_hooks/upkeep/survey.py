"""Walks through the trees of a log root, and tells which files belong to which run, and which to none."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from heapq import nsmallest
from pathlib import Path
from typing import TypeVar

from rla_hooks.checkpoints.entry import MANIFEST
from rla_hooks.endings import KILLED
from rla_hooks.errors import ConfigError
from rla_hooks.layout import ARCHIVE, ARCHIVED, CHECKPOINT, CODE, LOG, OUT_OF_LISTS, TRASH, TREES, RunPaths
from rla_hooks.life import is_running
from rla_hooks.query.moved import folder_of, noted_name
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.run_name import is_run_name
from rla_hooks.snapshot.filestore import STORE
from rla_hooks.texts import shell_path
from rla_hooks.upkeep.tally import Leftover, Size, Tally
from rla_hooks.upkeep.usage_parts import CODE_STORE, ORPHANS, OTHER, UNUSED_CODE, PathUsage, RunUsage, Usage

_BESIDE = {name: TRASH if name == TRASH else ARCHIVED for name in OUT_OF_LISTS}  # in a tree that is another disk
_PICKLE = ".pkl"  # of RLA, whose archived Tester is a file
_MOST_CHECKPOINTS = 1000  # that are listed: the largest

Group = TypeVar("Group")
Progress = Callable[[int, int], object]


class Survey:
    """The files of a log root, by whom they belong to. runs: those that are told apart. tasks: theirs, if known."""

    def __init__(
        self,
        root: Path,
        runs: Sequence[SavedRun],
        progress: Progress | None = None,
        tasks: Sequence[str] | None = None,
    ):
        for run in runs:
            if type(run.paths) is not RunPaths and not hasattr(run.paths, "first_name"):
                raise ConfigError(
                    f"{shell_path(run.log_dir)} was written by another tool. Allowed: a log root of rla_hooks or RLA."
                )
        self.root, self.tally = root, Tally()
        self._runs, self._progress, self._done = runs, progress, 0
        self._folders = len(runs) * sum((root / kind).is_dir() for kind in TREES)  # about so many, those of all runs
        self._tasks = tasks
        self._number = {run.name: number for number, run in enumerate(runs)}
        self._owned: list[tuple[int, str]] = []  # of each owner the run and the tree; -1 for what is no run's, its kind
        self._owners: dict[tuple[int, str], int] = {}
        self._user_ids: dict[int, int] = {}
        self._checkpoints: list[tuple[int, str, int]] = []
        self.orphans: list[PathUsage] = []
        self.unused_code: list[PathUsage] = []
        self.links_in_log: list[str] = []  # to folders, in which other runs may lie
        self.between: list[str] = []  # the paths of folders that are no run's: of tasks and dates

    @property
    def has_runs(self) -> bool:
        """Whether there is any run."""
        return bool(self._runs)

    @cached_property
    def _former(self) -> dict[str, int]:
        """The runs whose log folder somebody has renamed, by the name that their other folders have."""
        names = ((noted_name(run.run_json), number) for number, run in enumerate(self._runs))
        return {name: number for name, number in names if name is not None and name not in self._number}

    def add_run(self, run: SavedRun) -> None:
        """Count the folders of one run."""
        number = self._number[run.name]
        for kind in TREES:
            folder = os.fspath(folder_of(run.paths, kind, run.run_json))
            for path in (folder, f"{folder}{_PICKLE}") if kind == ARCHIVE else (folder,):
                with suppress(OSError):
                    self._add_of_run(path, number, kind, os.lstat(path))

    def add_rest(self, folder: Path, kind: str) -> None:
        """Count a folder that is no run's."""
        if os.path.isdir(folder) and not os.path.islink(folder):
            self.tally.add_folder(os.fspath(folder), self._owner(-1, kind))

    def add_store(self) -> None:
        """Count the files that all runs' code is shared by, and apart those that no run has any more."""
        folder, owner = self.root / CODE / STORE, self._owner(-1, CODE_STORE)
        try:
            self.tally.add(os.lstat(folder), owner)
            with os.scandir(folder) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        state = entry.stat(follow_symlinks=False)
                        is_unused = stat.S_ISREG(state.st_mode) and state.st_nlink == 1
                        taken = self._add(entry.path, state, self._owner(-1, UNUSED_CODE) if is_unused else owner)
                        self.unused_code += [PathUsage(Path(entry.path), taken)] if is_unused else []
        except OSError as error:
            self.tally.note(os.fspath(folder), error)

    def add_tree(self, kind: str) -> None:
        """Count everything in one of the trees."""
        top = os.fspath(self.root / kind)
        inside = self._runs_in_runs
        self.tally.apart = {f"{top}/{name}" for name in inside}
        waiting = [""] if os.path.isdir(top) else []
        if waiting:
            self.tally.add(os.stat(top), self._owner(-1, OTHER))
        while waiting:
            folder = waiting.pop()
            place = f"{top}/{folder}" if folder else top
            try:
                with os.scandir(place) as entries:
                    for entry in entries:
                        name = f"{folder}/{entry.name}" if folder else entry.name
                        if self._add_entry(entry, name, kind):
                            waiting.append(name)
            except OSError as error:
                self.tally.note(place, error)
        for name, number in inside.items():
            with suppress(OSError):  # it has no such folder
                self._add_of_run(f"{top}/{name}", number, kind, os.lstat(f"{top}/{name}"))

    def _add_entry(self, entry: os.DirEntry[str], name: str, kind: str) -> bool:
        """Count what lies in a tree; return whether it is a folder in which runs may be."""
        try:
            state = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # it has just gone
            return False
        is_folder, is_link = stat.S_ISDIR(state.st_mode), stat.S_ISLNK(state.st_mode)
        run_name = name.removesuffix(_PICKLE) if kind == ARCHIVE and not is_folder else name
        number = self._number_of(run_name, kind)
        if number is not None:
            self._add_of_run(entry.path, number, kind, state)
        elif is_folder and name in _BESIDE:
            self.add_rest(Path(entry.path), _BESIDE[name])
        elif is_folder and kind == CODE and name == STORE:
            self.add_store()
        elif kind != LOG and not is_link and is_run_name(run_name):
            self.orphans.append(PathUsage(Path(entry.path), self._add(entry.path, state, self._owner(-1, ORPHANS))))
        else:
            self.tally.add(state, self._owner(-1, OTHER), entry.path)
            self.links_in_log += [name] if is_link and kind == LOG else []
            # A run that is not in the list has just started.
            self.between += [entry.path] if is_folder and not (kind == LOG and is_run_name(name)) else []
            return is_folder
        return False

    def _number_of(self, name: str, kind: str) -> int | None:
        number = self._number.get(name)
        return self._former.get(name) if number is None and kind != LOG and is_run_name(name) else number

    @cached_property
    def _runs_in_runs(self) -> dict[str, int]:
        """Runs whose folders lie in those of another run, such as one with a stray run.json above a whole task."""
        found = {}
        for name, number in self._number.items():
            above = name.rpartition("/")[0]
            while above and above not in self._number:
                above = above.rpartition("/")[0]
            if above:
                found[name] = number
        return found

    def _add_of_run(self, path: str, number: int, kind: str, state: os.stat_result) -> None:
        owner = self._owner(number, kind)
        if kind == LOG:
            self._user_ids[number] = state.st_uid
        if kind == CHECKPOINT and stat.S_ISDIR(state.st_mode):
            self._add_checkpoints(path, number, owner, state)
        else:
            self._add(path, state, owner)
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, max(self._done, self._folders))

    def _add(self, path: str, state: os.stat_result, owner: int) -> int:
        if stat.S_ISDIR(state.st_mode):
            return self.tally.add_folder(path, owner, state)
        return self.tally.add(state, owner)

    def _add_checkpoints(self, folder: str, number: int, owner: int, state: os.stat_result) -> None:
        self.tally.add(state, owner)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        state = entry.stat(follow_symlinks=False)
                        is_folder = stat.S_ISDIR(state.st_mode)
                        if is_folder:
                            taken = self.tally.add_folder(entry.path, owner, state)
                        else:
                            taken = self.tally.add(state, owner, entry.path)
                        if entry.name != MANIFEST and not entry.name.startswith("."):
                            self._checkpoints.append((taken, entry.path, number))
        except OSError as error:
            self.tally.note(folder, error)

    def checkpoints(self) -> Iterator[tuple[Path, str]]:
        """Yield the paths in the checkpoint folders of runs, each with the run's name."""
        for _, path, number in self._checkpoints:
            yield Path(path), self._runs[number].name

    def temporary(self) -> list[Leftover]:
        """Return what dead processes have left, without what a killed run needs as long as it can be taken up.

        That is the room for its run.json: see :mod:`rla_hooks.reserve`.
        """
        top = os.fspath(self.root / LOG)
        found = []
        for each in self.tally.temporary:
            number = self._number.get(os.path.relpath(os.path.dirname(each.path), top).replace(os.sep, "/"))
            if number is None or not _can_be_taken_up(self._runs[number]):
                found.append(each)
        return found

    def _owner(self, number: int, kind: str) -> int:
        owner = self._owners.get((number, kind))
        if owner is None:
            owner = self._owners[number, kind] = self.tally.new_owner()
            self._owned.append((number, kind))
        return owner

    def usage(self, with_rest: bool = True) -> Usage:
        """Return what was counted. with_rest: also what is no run's."""
        runs, trees = self._runs, self._owned
        tasks = [run.task for run in runs] if self._tasks is None else self._tasks
        stored = self._owners.get((-1, CODE_STORE))
        sizes = self.tally.sizes
        by_run = sizes([number if number >= 0 else None for number, _ in trees], stored)
        by_part = sizes([each if each[0] >= 0 else None for each in trees], stored)
        users = [_user_name(self._user_ids[n]) if n in self._user_ids else "" for n in range(len(runs))]
        largest = nsmallest(_MOST_CHECKPOINTS, self._checkpoints, key=lambda each: (-each[0], each[1]))
        of_runs = [
            RunUsage(runs[n], size, {kind: by_part[n, kind] for kind in TREES if (n, kind) in by_part}, users[n])
            for n, size in _sorted(by_run).items()
        ]
        rest = sizes([kind if number < 0 and with_rest else None for number, kind in trees], stored)
        return Usage(
            log_root=self.root,
            total=sizes([0 if number >= 0 or with_rest else None for number, _ in trees], stored).get(0, Size()),
            runs=of_runs,
            tasks=_sorted(sizes([tasks[number] if number >= 0 else None for number, _ in trees], stored)),
            trees=_sorted(sizes([kind if number >= 0 else None for number, kind in trees], stored)),
            users=_sorted(sizes([users[number] if number >= 0 else None for number, _ in trees], stored)),
            checkpoints=[PathUsage(Path(path), taken, runs[number]) for taken, path, number in largest],
            rest=_sorted(rest),
            temporary=_sum_of(each.size for each in self.temporary()),
            orphans=sorted(self.orphans, key=lambda each: -each.on_disk),
            problems=self.tally.problems,
            links=self.tally.links,
        )


def _sorted(sizes: dict[Group, Size]) -> dict[Group, Size]:
    return dict(sorted(sizes.items(), key=lambda item: (-item[1].on_disk, -item[1].content)))


def _sum_of(sizes: Iterable[Size]) -> Size:
    each = [*sizes]
    return Size(*map(sum, zip(*each, strict=True))) if each else Size()


def _can_be_taken_up(run: SavedRun) -> bool:
    return run.status == KILLED or is_running(run.status)


@lru_cache(maxsize=128)
def _user_name(number: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(number).pw_name
    except (ImportError, KeyError):
        return str(number)
