"""What ``disk_usage`` returns: what each run takes, each tree and task, and what is no run's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rla_hooks.query.saved_run import SavedRun
from rla_hooks.upkeep.tally import Size

CODE_STORE, UNUSED_CODE, ORPHANS, OTHER = "code store", "unused code", "orphans", "of no run"  # keys of ``Usage.rest``


class RunUsage(NamedTuple):
    """What one run takes, and each of its trees; user: who owns its log folder."""

    run: SavedRun
    size: Size
    trees: Mapping[str, Size]
    user: str


class PathUsage(NamedTuple):
    """A checkpoint, or a tree without a run: its path, the bytes that it takes on the disk, and its run."""

    path: Path
    on_disk: int
    run: SavedRun | None = None


class Usage(NamedTuple):
    """What :func:`~rla_hooks.upkeep.disk_usage` finds. Each list and mapping begins with what takes most.

    total: of all together. runs: of each run. tasks, users: of their runs; trees: of the five trees of all runs. A file
    that several share by hard links counts for each of them, and once in the total. checkpoints: the largest files and
    folders in the runs' checkpoint folders. rest: what is no run's: ``code store``, ``unused code`` (what is in the
    store for no run), ``.trash``, ``archived``, ``.sweeps``, ``orphans`` (trees of runs that have no log folder) and
    ``of no run`` (folders of dates, stray files). temporary: what dead processes have left; it is counted with its run,
    too. orphans: one by one. problems: what could not be read. links: how many were not followed.
    """

    log_root: Path
    total: Size
    runs: list[RunUsage]
    tasks: dict[str, Size]
    trees: dict[str, Size]
    users: dict[str, Size]
    checkpoints: list[PathUsage]
    rest: dict[str, Size]
    temporary: Size
    orphans: list[PathUsage]
    problems: list[str]
    links: int
