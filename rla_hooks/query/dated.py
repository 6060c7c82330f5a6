"""The run of a task that started at a date, as RLA's scripts name runs: of this package, or of the original RLA."""

from __future__ import annotations

import os
from bisect import bisect_left
from contextlib import suppress
from pathlib import Path

from rla_hooks.errors import RunError, did_you_mean
from rla_hooks.layout import ARCHIVE, LOG, RunPaths
from rla_hooks.patterns import pattern
from rla_hooks.query.moved import parsed
from rla_hooks.run_folders import run_names, task_starts
from rla_hooks.run_name import check_task, is_run_name
from rla_hooks.texts import shell_path, shown

_DATE = pattern(r"([0-9]{4}/[0-9]{2}/[0-9]{2})/([0-9]{2}.*)")
_NEAR = 2  # runs before the date, and after it, that an error names
_PICKLE = ".pkl"
_ALLOWED = "as it stands in the run's name: YYYY/mm/dd/HH-MM-SS-ffffff"


def run_at(record_date: str, task: str, log_root: str | os.PathLike[str]) -> RunPaths:
    """Return where the run of ``task`` is that started at ``record_date``.

    record_date: as it stands in the run's name, ``2026/01/31/12-00-00-000000``; its beginning, or more of the name, do
    where they fit one run. Raises :class:`~rla_hooks.errors.RunError`, which names what is near; ConfigError for a task
    that is none.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     date = run.name.removeprefix("demo/")[:26]
    >>> run_at(date, "demo", run.paths.log_root) == run.paths
    True
    """
    root, task = Path(os.path.abspath(log_root)), str(task)
    check_task(task)
    if root.name == ARCHIVE and not (root / LOG).is_dir():  # RLA's first version gave this folder, too
        root = root.parent
    date = _DATE.fullmatch(str(record_date).strip().strip("/"))
    if date is None:
        raise RunError(f"{shown(record_date, 100)} is no date of a run. Allowed: {_ALLOWED}.")
    day, begin = date.groups()
    found = [name for name in _names_of(root, task, day) if name.rpartition("/")[2].startswith(begin)]
    if len(found) == 1:
        return RunPaths(root, found[0])
    count, near = len(found) or "no", found or _near(root, task, f"{day}/{begin}")
    listed = f" Near it: {', '.join(map(_date_of, near[: 2 * _NEAR]))}." if near else _what_is_there(root, task)
    what = f"{count} run{'s' * (len(found) > 1)} of task {task!r} started at {record_date!r}"
    raise RunError(f"{what} in {shell_path(root)}.{listed} Give the date {_ALLOWED}.")


def _names_of(root: Path, task: str, day: str) -> list[str]:
    """Return the names of a task's runs of one day: those with log files, and those with an archived Tester only."""
    found = set()
    for start in task_starts(task):
        for tree in (LOG, ARCHIVE):
            with suppress(OSError):
                for leaf in os.listdir(root / tree / start / day):
                    found.add(f"{start}/{day}/{leaf.removesuffix(_PICKLE) if tree == ARCHIVE else leaf}")
    return sorted(filter(is_run_name, found))


def _near(root: Path, task: str, date: str) -> list[str]:
    """Return the names of the task's runs that started next to a date."""
    names = [name for name in run_names(root, task) if parsed(name)]
    dates = [_date_of(name) for name in names]
    at = bisect_left(dates, date)
    return names[max(0, at - _NEAR) : at + _NEAR]


def _what_is_there(root: Path, task: str) -> str:
    if not (root / LOG).is_dir():
        return f" There is no folder {LOG}/ in it, so that it is no log root."
    tasks = {name.task for name in map(parsed, run_names(root)) if name}
    known = f" Its tasks: {', '.join(sorted(tasks)[:10])}." if tasks else " It has no runs."
    return f" The task has none at all.{known}{did_you_mean(task, tasks)}"


def _date_of(name: str) -> str:
    """Return the date in a run's name.

    >>> _date_of("demo/2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.1")
    '2026/01/31/12-00-00-000000'
    """
    folder, _, leaf = name.rpartition("/")
    return f"{'/'.join(folder.split('/')[-3:])}/{leaf[:15]}"
