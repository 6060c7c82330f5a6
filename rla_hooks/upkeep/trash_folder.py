"""The acts in the trash of a log root: lists them, and frees what they hold for good."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.layout import TRASH
from rla_hooks.query.times import since_of
from rla_hooks.texts import listed, shell_path, shown
from rla_hooks.upkeep.act_lock import acting
from rla_hooks.upkeep.acting import Act, Progress, act_of, finish_begun
from rla_hooks.upkeep.journal import BEGUN, JOURNAL, UNDOING, Journal, any_unfinished, numbers_in, read, read_in
from rla_hooks.upkeep.part_checks import Checks
from rla_hooks.upkeep.planning import HOLDING, trash_of
from rla_hooks.upkeep.undoing import trouble_of

EMPTYING = ".emptying-"
DAMAGED = "damaged"  # the kind of an act whose act.json cannot be read


class Emptied(NamedTuple):
    """What was freed: the acts, by their numbers, and their files; and a line for each that could not be removed.

    What deleted runs shared with others, such as code, is freed only when the last one goes.
    """

    numbers: tuple[int, ...]
    files: int
    bytes: int
    problems: tuple[str, ...] = ()


def acts(log_root: str | os.PathLike[str] | None = None) -> list[Act]:
    """Return the acts that are in the trash of a log root, oldest first; ``trouble`` says why one cannot be undone.

    An act that was killed in the middle is finished first, if this user may.

    >>> import rla_hooks as rla
    >>> from rla_hooks import upkeep
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     rla.log({"loss": 0.5}, step=0)
    >>> _ = upkeep.delete(rla.runs()[-1])
    >>> last = upkeep.acts()[-1]
    >>> last.kind, len(last.runs), last.trouble
    ('delete', 1, None)
    """
    root = log_root_of(log_root)
    if not numbers_in(root):
        return []
    if any_unfinished(root):
        with suppress(RLAError), acting(root, "list the trash", wait=0.0):
            finish_begun(root)
    found = []
    for number in numbers_in(root):
        try:
            journal = read(root, number)
            found.append(act_of(journal)._replace(trouble=trouble_of(journal)))
        except FileNotFoundError:  # it was undone just now, or never begun
            continue
        except (OSError, RLAError) as error:
            found.append(_damaged(root, number, error))
    return found


def _damaged(root: Path, number: int, error: Exception) -> Act:
    seconds = (root / TRASH / str(number)).stat().st_mtime
    return Act(root, number, DAMAGED, datetime.fromtimestamp(seconds, timezone.utc), "", (), trouble=str(error))


def empty_trash(
    log_root: str | os.PathLike[str] | None = None,
    numbers: int | Iterable[int] | None = None,
    older_than: str | timedelta | None = None,
    progress: Progress | None = None,
) -> Emptied:
    """Free the acts in the trash of a log root for good: they cannot be undone any more.

    numbers: only these acts. older_than: only those of before, such as ``"30 days"``. progress: as in ``delete``, with
    all runs of these acts.

    What was archived, moved or renamed stays where it is; only how it was before is forgotten. Nothing outside of the
    trash is touched, and links in it are removed, not followed. Raises :class:`~rla_hooks.errors.ConfigError` for a
    number that is not there, :class:`~rla_hooks.errors.RLAError` if another process tidies this log root.

    >>> import rla_hooks as rla
    >>> from rla_hooks import upkeep
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     rla.log({"loss": 0.5}, step=0)
    >>> act = upkeep.delete(rla.runs()[-1])
    >>> upkeep.empty_trash(numbers=act.number).numbers == (act.number,)
    True
    """
    root = log_root_of(log_root)
    wanted = [numbers] if isinstance(numbers, int) else None if numbers is None else [*numbers]
    if not (root / TRASH).is_dir():
        known, wrong = [], wanted or []
    else:
        known = numbers_in(root)
        wrong = [number for number in wanted or () if number not in known]
    if wrong:
        there = f"There are: {listed([*map(str, known)], 20)}" if known else "The trash is empty"
        raise ConfigError([f"there is no act {shown(number, 40)} in {shell_path(root)}. {there}." for number in wrong])
    before = None if older_than is None else since_of(older_than, "older_than")
    if not (root / TRASH).is_dir():
        return Emptied((), 0, 0)
    with acting(root, "empty the trash"):
        finish_begun(root)
        chosen = [number for number in numbers_in(root) if wanted is None or number in wanted]
        if before is not None:
            chosen = [number for number in chosen if _time_of(root, number) < before]
        return _empty(root, chosen, progress)


def _time_of(root: Path, number: int) -> float:
    try:
        return read(root, number).time.timestamp()
    except (OSError, RLAError):
        return (root / TRASH / str(number)).stat().st_mtime


def _empty(root: Path, numbers: list[int], progress: Progress | None) -> Emptied:
    freed, files, size = list[int](), 0, 0
    problems, waiting = list[str](), _left_behind(root)
    for folder in waiting:  # first: one of these may have the name that another act needs
        problems += _remove(root, folder, lambda: None)
    waiting.clear()
    for number in numbers:
        folder = root / trash_of("", number)
        with suppress(OSError, RLAError):
            journal = read(root, number)
            if journal.state in (BEGUN, UNDOING):  # parts of a run that is in a list may be here
                problems.append(f"act {number} stays: it was killed, and cannot be finished now ({shell_path(folder)})")
                continue
            act = act_of(journal)
            if act.kind in HOLDING:  # what others have moved is not in the trash
                files, size = files + act.files, size + act.bytes
        try:
            waiting.append(folder.rename(folder.with_name(f"{EMPTYING}{number}")))
            freed.append(number)
        except OSError as error:
            problems.append(f"act {number} stays: {error.strerror} ({shell_path(folder)})")
    total, done = sum(map(_count, waiting)), itertools.count(1)
    for folder in waiting:
        problems += _remove(root, folder, lambda: progress(next(done), total) if progress else None)
    return Emptied(tuple(freed), files, size, tuple(problems))


def _left_behind(root: Path) -> list[Path]:
    """The folders that a killed process was emptying."""
    with suppress(OSError):
        return sorted(each for each in (root / TRASH).iterdir() if each.name.startswith(EMPTYING))
    return []


def _journal(folder: Path) -> Journal | None:
    """The journal of an act that is being emptied."""
    with suppress(OSError, RLAError, ValueError):
        return read_in(folder, int(folder.name.removeprefix(EMPTYING)))
    return None


def _count(folder: Path) -> int:
    """How often :func:`_remove` tells that it has come further: after each run."""
    journal = _journal(folder)
    return len(journal.runs) if journal else 0


def _remove(root: Path, folder: Path, told: Callable[[], object]) -> list[str]:
    """Remove the folder of an act, and those that it has on other disks; return a line for each that stays."""
    journal, tops, checks = _journal(folder), list[Path](), Checks(root)
    if folder.is_symlink():
        return remove_tree(folder, checks)
    if journal is not None:
        main = f"{trash_of('', journal.number)}/"
        others = [f"{trash_of(anchor, journal.number)}/" for anchor in journal.anchors if anchor]
        tops = [root / place for place in others if checks.real_parent(place.rstrip("/")) is None]
        for moved in journal.runs:
            for _, target in moved.parts:  # what an act has moved elsewhere is no part of the trash
                if target.startswith((main, *others)):
                    place = target.replace(main, f"{TRASH}/{folder.name}/", 1) if target.startswith(main) else target
                    if checks.real_parent(place) is None:  # else a link that somebody has made leads elsewhere
                        remove_tree(root / place, checks)
            told()
    problems = [problem for top in tops for problem in remove_tree(top, checks)]
    with suppress(OSError):
        for inner in sorted(folder.iterdir()):
            if inner.name != JOURNAL:  # last: it names the folders on other disks
                problems += remove_tree(inner, checks)
    return problems if problems else remove_tree(folder, checks)


def remove_tree(top: Path, checks: Checks) -> list[str]:
    """Remove a folder in the trash; links in it are removed, not followed. Return a line if something stays."""
    if top.is_symlink() or not top.is_dir():
        with suppress(OSError):
            top.unlink(missing_ok=True)
    else:
        inside = checks.mounts_in(top)
        if inside:
            return [f"{shell_path(top)} stays: another disk is mounted at {shell_path(inside[0])}"]
        shutil.rmtree(top, ignore_errors=True)
        if top.exists():  # a folder in it was read-only
            for folder, _, _ in os.walk(top):
                with suppress(OSError):
                    os.chmod(folder, 0o700)
            shutil.rmtree(top, ignore_errors=True)
    return [f"{shell_path(top)} cannot be removed: see who owns what is in it"] if os.path.lexists(top) else []
