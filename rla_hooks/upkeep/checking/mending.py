"""Mends what can be rebuilt: as an act, so that the damaged files lie in the trash, and ``undo`` brings them back.

The mended files are written beside the damaged ones first. Then they take their places, run by run: under the lock of
the run's run.json, and only if the run has not been started meanwhile. A file that has changed since it was checked is
left as it is.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rla_hooks import atomic
from rla_hooks.errors import RLAError
from rla_hooks.layout import CODE, RUN_JSON
from rla_hooks.locks import locked
from rla_hooks.query.entry import read_entry
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.snapshot.filestore import STORE
from rla_hooks.texts import printable
from rla_hooks.upkeep.acting import Act, carry_out
from rla_hooks.upkeep.checking.found import Mend
from rla_hooks.upkeep.checking.opening import mark_at, marked
from rla_hooks.upkeep.part_checks import Checks
from rla_hooks.upkeep.planning import REPAIR, Item, Part, Plan
from rla_hooks.upkeep.run_parts import seen_of, why_running
from rla_hooks.upkeep.swaps import mended_mark

_CHANGED = "has changed since it was checked"


class Wanted(NamedTuple):
    """A file to be mended. run: whose it is; None for a stored file."""

    run: SavedRun | None
    path: Path
    mend: Mend


class Mended(NamedTuple):
    """What was mended. act: None where nothing was put into the trash. problems: of files that stay, a line each."""

    paths: set[Path]
    act: Act | None
    problems: list[str]


def mend(log_root: Path, wanted: Sequence[Wanted], asked: str) -> Mended:
    """Mend files of one log root, as one act. asked: the command, for the list of the acts."""
    problems: list[str] = []
    with ExitStack() as temporaries:
        items, places = list[Item](), dict[str, list[Path]]()
        groups: dict[str, dict[Path, Wanted]] = {}
        for each in wanted:
            groups.setdefault(_name(each), {}).setdefault(each.path, each)
        checks = Checks(log_root)
        for name, files in groups.items():
            prepared = [*_prepared(log_root, files.values(), checks, temporaries, problems)]
            if prepared:
                items.append(_item(next(iter(files.values())).run, name, prepared))
                places[name] = [each.path for each in prepared]
        if not items:
            return Mended(set(), None, problems)
        try:
            act = carry_out(Plan(REPAIR, log_root, tuple(items)), asked=asked)
        except RLAError as error:
            return Mended(set(), None, [*problems, printable(error)])
    paths = {path for run in act.runs for path in places[run.name]}
    return Mended(paths, act, [*problems, *act.problems])


def finish_cut(wanted: Wanted) -> str | None:
    """Do what a mend does by itself, such as finishing a cut; return why it cannot be done."""
    run = wanted.run
    assert run is not None and wanted.mend.act is not None
    try:
        with locked(run.paths.run_json):
            reason = why_running(SavedRun(run.paths, read_entry(run.paths)))
            if reason:
                return f"{run.id} ({run.name}) {reason}"
            if mark_at(wanted.path) != wanted.mend.mark:
                return f"{printable(wanted.path)} {_CHANGED}"
            wanted.mend.act()
    except (OSError, RLAError) as error:
        return f"{printable(wanted.path)} cannot be mended: {printable(error)}"
    return None


def _name(wanted: Wanted) -> str:
    return wanted.run.name if wanted.run else f"{CODE}/{STORE}"


class _Prepared(NamedTuple):
    """A file whose mended version lies beside it. parts: of the act. size: of the damaged one. mark: of the new one."""

    path: Path
    parts: list[Part]
    size: int
    mark: tuple[str, list[int]] | None


def _prepared(
    log_root: Path, files: Iterable[Wanted], checks: Checks, temporaries: ExitStack, problems: list[str]
) -> Iterator[_Prepared]:
    """Write the mended files of a run, and yield what is to be done with each."""
    for each in sorted(files, key=lambda each: each.path.name == RUN_JSON):  # last: it has the lock
        try:
            yield _prepare(log_root, each, checks, temporaries)
        except OSError as error:
            problems.append(f"{printable(each.path)} {error.strerror or printable(error)}")


def _prepare(log_root: Path, wanted: Wanted, checks: Checks, temporaries: ExitStack) -> _Prepared:
    place, parts, size, mark = wanted.path.relative_to(log_root).as_posix(), list[Part](), 0, None
    if mark_at(wanted.path) != wanted.mend.mark:
        raise OSError(errno.ESTALE, _CHANGED)
    if wanted.mend.mark:
        part = Part(place, None, checks.anchor(place))
        problem = checks.trouble(*part)
        if problem:
            raise OSError(errno.EPERM, problem)
        parts, size = [part], os.lstat(wanted.path).st_size
    if wanted.mend.write is not None:
        new = temporaries.enter_context(_mended(wanted))
        mark = place, mended_mark(os.lstat(new))
        parts.append(Part(new.relative_to(log_root).as_posix(), place))
    return _Prepared(wanted.path, parts, size, mark)


def _item(run: SavedRun | None, name: str, prepared: Sequence[_Prepared]) -> Item:
    parts = tuple(part for each in prepared for part in each.parts)
    marks = dict(each.mark for each in prepared if each.mark)
    files, size = len(prepared), sum(each.size for each in prepared)
    item = Item("", name, parts, files=files, bytes=size, former={"mended": marks})
    if run is None:
        return item
    now = SavedRun(run.paths, read_entry(run.paths))
    run_json = f"log/{run.name}/run.json" if now.run_json else ""
    return item._replace(id=run.id, status=now.status, run_json=run_json, seen=seen_of(now))


@contextmanager
def _mended(wanted: Wanted) -> Iterator[Path]:
    """Write a mended file beside its place; it is removed in the end where it has not got there. Raises OSError."""
    assert wanted.mend.write is not None
    path = wanted.path
    with atomic.temporary_in(path.parent) as temporary:
        with open(temporary, "xb") as new:
            if wanted.mend.mark:
                with _opened(path) as old:
                    if marked(old) != wanted.mend.mark:
                        raise OSError(errno.ESTALE, _CHANGED)
                    wanted.mend.write(old, new)
            else:
                wanted.mend.write(new, new)
            new.flush()
            os.fsync(new.fileno())
        with suppress(OSError):
            shutil.copymode(path, temporary)
        yield temporary


def _opened(path: Path) -> BinaryIO:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags), "rb")
