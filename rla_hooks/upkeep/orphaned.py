"""Trees without a run: folders below checkpoint/, results/, code/ and archive_tester/ of a run that has no log folder.

Somebody has deleted that by hand, or has put it elsewhere: so they are only taken where nothing speaks against it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from rla_hooks.layout import LOG, TREES
from rla_hooks.texts import counted, listed, shell_path
from rla_hooks.upkeep.survey import Survey

_MOST = 3  # links that are named


class Orphan(NamedTuple):
    """The trees of a run that has no log folder. parts: their paths, relative to the log root."""

    name: str
    parts: tuple[str, ...]


def orphans_of(survey: Survey, age: float, log_is_read: bool) -> tuple[list[Orphan], list[str]]:
    """Return the trees without a run in which nothing has changed for ``age`` seconds, and why others stay.

    Those in which there are only folders are left to :func:`~rla_hooks.upkeep.leftovers.empty_folders`.

    log_is_read: whether all folders below log/ could be read. A run may be in one that could not, or behind a link.
    """
    root = survey.root
    trees: dict[str, list[str]] = {}
    for each in survey.orphans:
        if is_without_files(each.path):
            continue
        part = os.path.relpath(each.path, root).replace(os.sep, "/")
        trees.setdefault(part.partition("/")[2].removesuffix(".pkl"), []).append(part)
    if not trees:
        return [], []
    count = counted(len(trees), "tree")
    if not log_is_read:
        return [], [f"{count} without a run: not all of {shell_path(root / LOG)} can be read"]
    if not survey.has_runs:
        return [], [f"{count} without a run: there is no run at all in {shell_path(root / LOG)}. Is its disk mounted?"]
    found, young, behind = list[Orphan](), 0, 0
    for name, parts in sorted(trees.items()):
        if any(name.startswith(f"{link}/") for link in survey.links_in_log):
            behind += 1
        elif os.path.lexists(root / LOG / name) or any(_age(root / part) < age for part in parts):
            young += 1
        else:
            found.append(Orphan(name, tuple(sorted(parts, key=_order))))
    notes = (
        [f"{counted(young, 'tree')} without a run: something in them is younger than {_words(age)}"] if young else []
    )
    if behind:
        links = listed([shell_path(root / LOG / link) for link in survey.links_in_log], _MOST)
        notes.append(f"{counted(behind, 'tree')} without a run: the runs may be behind links: {links}")
    return found, notes


def is_without_files(folder: str | os.PathLike[str]) -> bool:
    """Whether there are only folders in a folder. What cannot be read may have files."""
    problems: list[OSError] = []
    if not os.path.isdir(folder) or os.path.islink(folder):
        return False
    for place, folders, names in os.walk(folder, onerror=problems.append):
        if names or any(os.path.islink(os.path.join(place, name)) for name in folders):
            return False
    return not problems


def _order(part: str) -> int:
    return TREES.index(part.partition("/")[0])


def _words(age: float) -> str:
    return f"{age / 3600:.0f} hours" if age >= 3600 else f"{age:.0f} seconds"


def _age(path: os.PathLike[str]) -> float:
    """Return for how many seconds nothing in a folder has changed.

    The time of its inode counts, too: rsync and tar give copied files the times of the originals.
    """
    return time.time() - max(_times(os.fspath(path)), default=0.0)


def _times(path: str) -> Iterator[float]:
    waiting = [path]
    while waiting:
        place = waiting.pop()
        try:
            state = os.lstat(place)
            yield max(state.st_mtime, state.st_ctime)
            if os.path.isdir(place) and not os.path.islink(place):
                waiting += [os.path.join(place, name) for name in os.listdir(place)]
        except OSError:  # what cannot be read may be younger than all else
            yield time.time()
