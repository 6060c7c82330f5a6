"""What is known of a run from its small files, as plain data that an index can keep."""

from __future__ import annotations

import functools
import math
import re
import time
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from rla_hooks.endings import KILLED, RUNNING, SEVERITY
from rla_hooks.endings import UNKNOWN as UNKNOWN
from rla_hooks.errors import ConfigError
from rla_hooks.layout import LOG, RUN_JSON, RunPaths
from rla_hooks.life import STALE_AFTER, is_running, read_status
from rla_hooks.query.moved import noted_name, parsed
from rla_hooks.query.rla_runs import is_of_rla, read_hparams
from rla_hooks.record import FORMAT
from rla_hooks.run_name import check_task, task_folders
from rla_hooks.smallfiles import parse_object, read_bytes
from rla_hooks.texts import shown

_LONGEST_TASK = 10_000  # characters; folders have at most 4096 bytes
# The times that can be shown in every time zone: at the very ends of the calendar some have none.
_FIRST, _LAST = (datetime(year, 12, 1, tzinfo=timezone.utc).timestamp() for year in (1, 9999))
_DATE = re.compile(r"(^|/)\d{4}/\d\d/\d\d$")
_NOT_YET = "is missing", "is empty"  # the files of a run that is just starting


class Entry(NamedTuple):
    """A run as its small files tell it. ``status`` is that of the moment: a process that runs now may be gone later."""

    name: str
    task: str
    status: str
    run_json: dict[str, Any]
    hparams: dict[str, Any]
    labels: dict[str, Any]
    problems: tuple[str, ...] = ()

    @property
    def started(self) -> float:
        """When it started, in seconds since 1970: as run.json says; else the time in its name, read as local time."""
        noted = seconds_of(self.run_json.get("started"))
        return _time_of_name(noted_name(self.run_json) or self.name) if noted is None else noted


def read_entry(paths: RunPaths) -> Entry:
    """Read the small files of a run. What is damaged stands in ``problems``."""
    # A run writes run.json first, then parameter.json. Read the other way round, what a run that is just starting
    # has not written yet can be told from what somebody has lost.
    folder = f"{paths.log_root}/{LOG}/{paths.name}"  # a text: a list of ten thousand runs takes half the time
    hparams, lost = _load(folder, "parameter.json")
    info, damage = _load(folder, RUN_JSON)
    status = UNKNOWN
    if damage is not None and damage.endswith(_NOT_YET[0]) and is_of_rla(paths):
        hparams, lost = read_hparams(paths)
        damage = None
    elif damage is None:
        status, damage = _judge(info, paths)
        hparams, lost = _load(folder, "parameter.json") if lost else (hparams, lost)
    elif damage.endswith(_NOT_YET) and lost is not None and lost.endswith(_NOT_YET) and _is_young(paths):
        status, damage = RUNNING, None
    if lost is not None and lost.endswith(_NOT_YET) and is_running(status) and _is_young(paths):
        lost = None
    labels, mislabelled = _load(folder, "labels.json")
    if mislabelled is not None and mislabelled.endswith(_NOT_YET):  # few runs have labels
        mislabelled = None
    problems = tuple(problem for problem in (damage, lost, mislabelled) if problem)
    return Entry(paths.name, _task(paths.name, info), status, info, hparams, labels, problems)


def seconds_of(text: object) -> float | None:
    """Return a time that run.json has, in seconds since 1970; None for anything else."""
    with suppress(ValueError, OverflowError, OSError):
        seconds = datetime.fromisoformat(text).timestamp() if isinstance(text, str) else math.nan
        return seconds if _FIRST < seconds < _LAST else None
    return None


@functools.lru_cache(maxsize=1024)
def _time_of_name(name: str) -> float:
    found = parsed(name)
    with suppress(ValueError, OverflowError, OSError):
        return found.time.timestamp() if found else 0.0
    return 0.0  # the year 1


def _load(folder: str, name: str) -> tuple[dict[str, Any], str | None]:
    """Return the content of a file, and why it cannot be read."""
    try:
        data = read_bytes(f"{folder}/{name}")
        return (parse_object(data), None) if data else ({}, f"{name} {_NOT_YET[1]}")
    except FileNotFoundError:
        return {}, f"{name} {_NOT_YET[0]}"
    except (OSError, ValueError) as error:
        return {}, f"{name} cannot be read: {error}"


def is_complete(run_json: dict[str, Any], status: str) -> bool:
    """Whether run.json has all that there is of the rows of a run: it has ended, and nobody adds rows since then.

    A status that was only reported is no end: rows may come after it, as in the grace time of a preemption.
    """
    is_over = not is_running(status) and status != KILLED and not run_json.get("reported")
    return is_over and not run_json.get("appending")


def status_of(run_json: dict[str, Any], paths: RunPaths) -> str:
    """Return the status that a run has now, by what its run.json says."""
    return _judge(run_json, paths)[0]


def _judge(info: dict[str, Any], paths: RunPaths) -> tuple[str, str | None]:
    """Return the status in a run.json, and what is wrong with it."""
    number, status = info.get("format"), info.get("status")
    newer = None
    if isinstance(number, int) and number > FORMAT:
        newer = (
            f"run.json has format {shown(number, 40)}; this version knows formats 1 to {FORMAT}: read as far as known"
        )
        if isinstance(status, str) and status not in SEVERITY:
            return status, newer
    try:
        return read_status(info, _folders(paths) if status == RUNNING else ()), newer
    except ValueError as error:
        return UNKNOWN, f"run.json cannot be read: {error}"


def _folders(paths: RunPaths) -> tuple[Path, ...]:
    return paths.log_dir, paths.tensorboard_dir, paths.checkpoint_dir


def _is_young(paths: RunPaths) -> bool:
    """Whether files were made in the run's folder moments ago, so that it may just be starting."""
    try:
        return abs(time.time() - paths.log_dir.stat().st_mtime) < STALE_AFTER
    except OSError:
        return False


def _task(name: str, info: dict[str, Any]) -> str:
    """The task as the user wrote it; its folders have it in escaped form.

    The folders count, also where somebody has moved the run; directly below log/, run.json does.
    """
    written = info.get("task")
    folders = task_folders(name)
    if folders is None:
        folders = _DATE.sub("", name.rpartition("/")[0])
    if isinstance(written, str) and len(written) <= _LONGEST_TASK:
        with suppress(ConfigError):
            if _safe(written) == folders or not folders:
                return written
    return unquote(folders or name)


_safe = functools.lru_cache(maxsize=128)(check_task)
