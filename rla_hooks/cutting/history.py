"""What a run's metrics were at a checkpoint, written into the folder of another run: the history of a fork.

The run is only read. Of a csv file there are the header and the rows that stay, of an event file its start and the
events that stay, under the name that the file had, so that the positions of earlier checkpoints hold there, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from rla_hooks.checkpoints.entry import Entry, Positions
from rla_hooks.cutting import csvfiles, eventfiles, journal, jsonfiles
from rla_hooks.cutting.parts import Part, Range, copy, joined
from rla_hooks.layout import RunPaths
from rla_hooks.smallfiles import open_regular

Made = dict[str, Mapping[str, Any]]


def is_unfinished(paths: RunPaths) -> bool:
    """Whether the files of a run are in the middle of a cut."""
    numbers = journal.numbers_in(journal.folder_of(paths))
    return bool(numbers) and journal.is_undone(journal.folder_of(paths) / str(numbers[-1]))


def take(source: RunPaths, entry: Entry, target: RunPaths, entries: Iterable[Entry]) -> list[Entry]:
    """Write what stood at a checkpoint of a run into another one; return ``entries`` as they hold there.

    entries: checkpoints of ``source`` up to that one. Those whose position cannot be told in the new files lose it:
    one goes back to them by their step. Raises OSError.
    """
    made = journal.made(source)
    taken: dict[str, Part] = {}
    at = entry.written, entry.step, entry.time
    for part in chain(
        csvfiles.every_part(source.log_dir, *at),
        jsonfiles.every_part(source.log_dir, *at),
        eventfiles.every_part(source.tensorboard_dir, *at, made),
    ):
        if part.kept:
            _write(source.log_dir, target.log_dir, part)
            taken[part.path] = part
    return [replace(each, written=_written(each.written, entry, taken, made)) for each in entries]


def _write(source: Path, target: Path, part: Part) -> None:
    new_path = target / part.path
    new_path.parent.mkdir(exist_ok=True)
    with open_regular(source / part.path) as old, open(new_path, "xb", buffering=0) as new:
        copy(old, new, [(0, part.header), *part.kept])
        os.fsync(new.fileno())


def _written(written: Positions | None, fork: Entry, taken: Mapping[str, Part], made: Made) -> Positions | None:
    """Return the position of a checkpoint in the new files; None where it is not known, or has no place there."""
    if written is None or fork.written is None:
        return None
    found: Positions = {}
    for path, part in taken.items():
        if path.endswith((".csv", ".json")):
            if path in written:
                found[path] = written[path]
            continue
        size = _prefix(part, eventfiles.kept_of(path, written, made))
        if size is None:
            return None
        if size:
            found[path] = None, size
    return found


def _prefix(part: Part, ranges: Iterable[Range]) -> int | None:
    """Return how many bytes of the new file are those of these ranges of the old one; None if they are no prefix.

    >>> part = Part("tb/a", "move", 100, header=10, kept=[(10, 40), (60, 90)])
    >>> [_prefix(part, ranges) for ranges in ([(0, 30)], [(0, 40), (60, 70)], [(0, 20), (60, 70)], [])]
    [30, 50, None, 0]
    """
    size, wanted, ended = part.header, joined(ranges), False
    if not wanted:
        return 0
    for begin, end in part.kept:
        inside = joined((max(first, begin), min(last, end)) for first, last in wanted if first < end and last > begin)
        if not inside:
            ended = True
        elif ended or len(inside) > 1 or inside[0][0] != begin:
            return None
        else:
            size += inside[0][1] - begin
            ended = inside[0][1] < end
    return size
