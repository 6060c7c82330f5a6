"""The names of runs: ``<task>/<YYYY>/<mm>/<dd>/<HH-MM-SS-ffffff>_<ip>_&<key>=<value>&<key>=<value>``.

This module alone builds and parses them; :mod:`rla_hooks.filenames` makes their parts, and :mod:`rla_hooks.new_names`
changes them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rla_hooks.errors import ConfigError
from rla_hooks.fields import Fields
from rla_hooks.filenames import PART_LIMIT, VALUE_LIMIT, cap, part_of_pair, percent, safe_part
from rla_hooks.patterns import pattern

_DATE_FORMAT = "%Y/%m/%d/%H-%M-%S-%f"
_DATE_AND_CLOCK = pattern(r"[0-9]{4}(?:/[0-9]{2}){3}(?:-[0-9]{2}){2}-[0-9]{6}")


def check_task(task: object) -> str:
    """Return the task as a safe relative path (``a/b`` groups tasks), or raise :class:`ConfigError`."""
    allowed = "Give a relative name such as 'cartpole' or 'atari/pong'."
    if not isinstance(task, str):
        raise ConfigError(f"the task is {task!r} ({type(task).__name__}). Allowed: a string. {allowed}")
    if not task.strip():
        raise ConfigError(f"the task name is empty ({task!r}). {allowed}")
    if task.startswith(("/", "\\", "~")) or (len(task) > 1 and task[1] == ":"):
        raise ConfigError(f"the task name {task!r} is an absolute path; runs live in the log root. {allowed}")
    parts = [part for part in task.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        raise ConfigError(f"the task name {task!r} climbs out of the log root. {allowed}")
    return "/".join(map(_task_part, parts))


def _task_part(part: str) -> str:
    """A leading dot would hide the folder, and ``code/.store`` is not a task's."""
    escaped = safe_part(part, PART_LIMIT - len("%2E"))
    return f"%2E{escaped[1:]}" if escaped.startswith(".") else escaped


def task_spellings(task: str) -> set[str]:
    """Return all folders in which runs of this task may be: as :func:`check_task` names it, and other spellings.

    The original RLA escapes nothing, the first version of rla_hooks kept colons, and where the encoding of file names
    was not UTF-8, letters were escaped.
    """
    now = check_task(task)
    ascii_only = "".join(char if char.isascii() else percent(char) for char in now)
    spellings = {now, ascii_only, now.replace("%3A", ":"), task}
    return {os.fsdecode(each.encode("utf-8", "surrogatepass")) for each in spellings}


def run_leaf(time: datetime, ip: str, record: Mapping[str, Any]) -> str:
    """Return the last part of a run name: ``<HH-MM-SS-ffffff>_<ip>_&<key>=<value>...``."""
    leaf = f"{time:%H-%M-%S-%f}_{safe_part(ip, VALUE_LIMIT)}" + (f"_{record_info(record)}" if record else "")
    return cap(leaf, leaf, PART_LIMIT)


def record_info(record: Mapping[str, Any]) -> str:
    """Return the values of record parameters as a run name has them.

    >>> record_info({"lr": 0.1, "seed": 3})
    '&lr=0.1&seed=3'
    """
    return "".join(f"&{part_of_pair(key)}={part_of_pair(value)}" for key, value in record.items())


class RunName(Fields):
    """A parsed run name. ``record`` holds texts, as the name does; the exact values are in ``parameter.json``."""

    task: str
    time: datetime
    ip: str
    record: dict[str, str]


def parse(name: str) -> RunName:
    """Parse a run name, also one that the original RLA wrote (blanks for ``_``). Raises ValueError if it is none."""
    from urllib.parse import unquote  # late: it would take a tenth of the start of a run

    *task, year, month, day, leaf = name.split("/")
    clock, ip, info = _split_leaf(leaf)
    record = {}
    for pair in filter(None, info.split("&")):
        key, _, value = pair.partition("=")
        record[unquote(key)] = unquote(value)
    return RunName("/".join(task), _time_of(f"{year}/{month}/{day}/{clock}"), ip, record)


def task_folders(name: str) -> str | None:
    """Return the task in a run name, as its folders have it; None if it is no run's name.

    >>> task_folders("cartpole/2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.1"), task_folders("cartpole/best")
    ('cartpole', None)
    """
    folder, _, leaf = name.rpartition("/")
    date = DATE.search(folder)
    if date is not None and LEAF.fullmatch(leaf):
        return folder[: date.start()]
    try:
        return parse(name).task
    except ValueError:
        return None


def _time_of(text: str) -> datetime:
    if _DATE_AND_CLOCK.fullmatch(text):  # as every run has it: strptime takes ten times as long
        return datetime(*map(int, text.replace("/", "-").split("-")))  # type: ignore[arg-type]
    return datetime.strptime(text, _DATE_FORMAT)


def _split_leaf(leaf: str) -> tuple[str, str, str]:
    head, _, info = leaf.partition("&")
    fields = head.replace(" ", "_").rstrip("_").split("_")
    if len(fields) != 2:
        raise ValueError(f"{leaf!r} is no run: expected <HH-MM-SS-ffffff>_<ip>_&<key>=<value>")
    return fields[0], fields[1], info


# What parses without doubt: parsing takes ten times as long.
DATE = pattern(r"(?:^|/)(?!0000)[0-9]{4}/(?:0[1-9]|1[0-2])/(?:0[1-9]|1[0-9]|2[0-8])\Z")
LEAF = pattern(r"(?:[01][0-9]|2[0-3])(?:-[0-5][0-9]){2}-[0-9]{6}_[^_& ]+_?(?:&.*)?", re.DOTALL)


def is_run_name(name: str) -> bool:
    """Whether :func:`parse` can parse a name."""
    try:
        parse(name)
    except ValueError:
        return False
    return True
