"""What a push or a pull will do: which files of which runs, from which byte."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from rla_hooks.checkpoints.entry import MANIFEST
from rla_hooks.layout import CHECKPOINT, CODE, LOG, RESULTS, RUN_JSON
from rla_hooks.remote.files import INCOMING, STORED, Stat, by_run, names_in
from rla_hooks.remote.local_files import local_files
from rla_hooks.remote.marks import Mark, Marks
from rla_hooks.remote.place import Place

_SAME_TIME = 2.0  # seconds: the times of some file systems are no finer
# Files that only get longer, but for a header that is written anew.
_GROWING = re.compile(r"(progress|log|system|warn|backup)[^/]*\.(csv|txt|json)|.*tfevents.*|error.*\.txt")
_KINDS = {LOG: "log", CODE: "code", RESULTS: "results", CHECKPOINT: "checkpoint"}
KINDS = ("log", "code", "results", "checkpoint")


class Step(NamedTuple):
    """A file to be moved. offset: the byte from which on. stored: the file of the store that has its content, or ""."""

    path: str
    size: int
    offset: int = 0
    stored: str = ""


class RunPlan(NamedTuple):
    """What is to be moved of a run, in this order. is_new: whether the other side has no such run yet."""

    name: str
    steps: tuple[Step, ...]
    is_new: bool

    @property
    def bytes(self) -> int:
        """How many bytes are moved, at most: what the other store has is not."""
        return sum(step.size - step.offset for step in self.steps)


class Plan(NamedTuple):
    """What a push or a pull will do. same: how many runs are the same on both sides.

    source: all files that are known of the side from which they come; is_full: and that is all of its trees. only: the
    names that the files have, where no others are wanted.
    """

    place: Place
    root: Path
    is_push: bool
    runs: tuple[RunPlan, ...]
    same: int = 0
    source: Mapping[str, Stat] = MappingProxyType({})
    is_full: bool = False
    only: tuple[str, ...] = ()

    @property
    def files(self) -> int:
        return sum(len(run.steps) for run in self.runs)

    @property
    def bytes(self) -> int:
        return sum(run.bytes for run in self.runs)


def plan_push(
    place: Place, root: Path, runs: Iterable[str] | None = None, newer: bool = False, kinds: Iterable[str] = KINDS
) -> Plan:
    """Return what is to be sent of runs here, by their names; None: of all. Nothing is changed.

    newer: leave files alone that the other side has and that are not older there. kinds: which of the trees.

    >>> from rla_hooks.remote import Address
    >>> from rla_hooks.remote.opening import open_remote
    >>> from rla_hooks.remote.moving import carry_out
    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     rla.log({"loss": 0.5})
    >>> place = open_remote(Address.parse(Path("other").absolute().as_uri()))
    >>> done = carry_out(plan_push(place, Path("rla_data")))
    >>> len(done.runs), done.problems, len(rla.runs("other")), plan_push(place, Path("rla_data")).same
    (1, (), 1, 1)
    """
    here = local_files(root, runs)
    names = names_in(here)
    there = place.files(None if runs is None else names)
    return _plan(place, root, True, (here, there), names, newer, kinds)


def plan_pull(
    place: Place,
    root: Path,
    chosen: Callable[[set[str]], set[str]] | None = None,
    newer: bool = False,
    kinds: Iterable[str] = KINDS,
    only: Iterable[str] = (),
) -> Plan:
    """Return what is to be fetched of runs there. Nothing is changed.

    chosen: chooses among their names. only: the names of the only files in log/ that are wanted.
    """
    there = place.files()
    names = names_in(there)
    names = names if chosen is None else chosen(names)
    if only:
        wanted = {f"{LOG}/{name}/{leaf}" for name in names for leaf in only}
        there = {path: stat for path, stat in there.items() if path in wanted}
    plan = _plan(place, root, False, (there, local_files(root, names)), names, newer, kinds)
    return plan._replace(is_full=True, only=tuple(only))


def _plan(
    place: Place,
    root: Path,
    is_push: bool,
    sides: tuple[Mapping[str, Stat], Mapping[str, Stat]],
    names: set[str],
    newer: bool,
    kinds: Iterable[str],
) -> Plan:
    source, target = sides
    left_out = {tree for tree, kind in _KINDS.items() if kind not in kinds}
    marks = Marks(root, place.address.url).load()
    there, stores = names_in(target), _store_of(source)
    runs = list[RunPlan]()
    for name, paths in sorted(by_run(source, names).items()):
        is_new = name not in there
        steps = []
        for path in paths:
            if path.partition("/")[0] in left_out:
                continue
            other = target.get(path) or (target.get(f"{INCOMING}/{path}") if is_new else None)
            mark = marks.get(path)
            mark = mark if mark is None or is_push else (mark[1], mark[0])
            if not _is_same(path, source[path], other, mark, newer):
                offset = _offset(path, source[path], other)
                stored = stores.get(source[path].inode, "") if path.startswith(f"{CODE}/") else ""
                steps.append(Step(path, source[path].size, offset, stored))
        if steps or (is_new and any(path.startswith(f"{LOG}/") for path in paths)):
            runs.append(RunPlan(name, tuple(sorted(steps, key=_order)), is_new))
    return Plan(place, root, is_push, tuple(runs), len(names) - len(runs), source)


def _store_of(files: Mapping[str, Stat]) -> dict[int, str]:
    return {stat.inode: path for path, stat in files.items() if stat.inode and path.startswith(f"{STORED}/")}


def _is_same(path: str, source: Stat, target: Stat | None, mark: Mark | None, newer: bool) -> bool:
    """Whether the other side has the file as it is here, or one that is to stay.

    One that is newer there is another one's: of a run that trains there, say, and that was pushed from there before. It
    stays, unless we have put it there. What is shorter, of a file that grows, a transfer that broke off has left.
    """
    if target is None:
        return False
    is_ours = mark is not None and target[:2] == mark[1][:2]
    if mark is not None and is_ours and source[:2] == mark[0][:2]:
        return True
    is_begun = _is_growing(path) and target.size < source.size
    if source.time is None or target.time is None:
        return _is_growing(path) and target.size > source.size and not is_ours
    if newer and target.time > source.time - _SAME_TIME and not is_begun:
        return True
    if not is_ours and not is_begun and target.size and target.time > source.time + _SAME_TIME:
        return True
    return source.size == target.size and abs(source.time - target.time) < _SAME_TIME


def _is_growing(path: str) -> bool:
    return path.startswith(f"{LOG}/") and _GROWING.fullmatch(os.path.basename(path)) is not None


def _offset(path: str, source: Stat, target: Stat | None) -> int:
    """The byte from which on a file is to be moved; that what is there is its beginning, is looked at later."""
    return target.size if _is_growing(path) and target is not None and 0 < target.size < source.size else 0


def _order(step: Step) -> tuple[bool, bool, bool, str]:
    """run.json last, so that it tells of nothing that has not come; manifest.json after what it lists."""
    leaf = step.path.rpartition("/")[2]
    return step.path.startswith(f"{LOG}/"), leaf == MANIFEST, leaf == RUN_JSON, step.path


def log_steps(run: RunPlan) -> Iterator[Step]:
    return (step for step in run.steps if step.path.startswith(f"{LOG}/"))
