"""``wandb.init``: the options of the run that it starts, from its arguments and the WANDB_ variables.

``project`` is the task, by default the script's name, and ``name`` the title; ``group``, ``notes`` and ``tags`` are the
run's own; ``job_type`` is a further tag, and ``id`` the tag ``id:<id>``, by which ``resume`` finds it. With ``dir`` the
log root is ``<dir>/rla_data``.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks.integrations._wandb.errors import UsageError

import rla_hooks as rla
from rla_hooks import hooks
from rla_hooks.errors import ConfigError, warn
from rla_hooks.hooks import OwnRun, Run

_OVER = ("failed", "interrupted", "killed", "preempted")  # what resume=True goes on with
_LONGEST_TAG, _LONGEST_NOTE = 100, 100_000  # characters


def with_settings(given: dict[str, Any], settings: Any) -> dict[str, Any]:
    """Return the arguments of ``init`` with what ``settings=`` says, and the variables where neither says anything."""
    fields = settings if isinstance(settings, Mapping) else vars(settings) if hasattr(settings, "__dict__") else {}
    for name, field in _FIELDS.items():
        if given.get(name) is None and fields.get(field) is not None:
            given[name] = fields[field]
    variables = {
        "project": os.environ.get("WANDB_PROJECT"),
        "name": os.environ.get("WANDB_NAME"),
        "group": os.environ.get("WANDB_RUN_GROUP"),
        "job_type": os.environ.get("WANDB_JOB_TYPE"),
        "tags": os.environ.get("WANDB_TAGS"),
        "notes": os.environ.get("WANDB_NOTES"),
        "dir": os.environ.get("WANDB_DIR"),
        "id": os.environ.get("WANDB_RUN_ID"),
        "resume": os.environ.get("WANDB_RESUME"),
    }
    for name, text in variables.items():
        if given.get(name) is None and text:
            given[name] = text.split(",") if name == "tags" else text
    return given


# The arguments that ``settings=`` may give, and their names there.
_FIELDS = {
    "project": "project",
    "mode": "mode",
    "resume": "resume",
    "dir": "root_dir",
    "id": "run_id",
    "name": "run_name",
    "group": "run_group",
    "job_type": "run_job_type",
    "tags": "run_tags",
    "notes": "run_notes",
}


def is_disabled(mode: str | None) -> bool:
    """Whether nothing is to be recorded. ``online`` and ``offline`` are the same here. Raises UsageError."""
    said = mode or os.environ.get("WANDB_MODE") or "online"
    if said not in ("online", "offline", "disabled", "dryrun", "run", "shared"):
        raise UsageError(f"mode is {said!r}. Known: online, offline, disabled.")
    is_off = os.environ.get("WANDB_DISABLED", "").lower() in ("true", "1", "yes")
    return said == "disabled" or (is_off and mode is None)


def start(given: dict[str, Any], config: dict[str, Any], options: dict[str, Any]) -> tuple[Run, Any]:
    """Start the run, or go on with one; return it with the result of its life before.

    Raises ConfigError with all mistakes, UsageError if ``resume`` cannot be met.
    """
    record = options.pop("record", None)
    if isinstance(record, (list, tuple)):
        absent = [key for key in record if key not in config]
        if absent:
            raise ConfigError(f"record has {absent[0]!r}. Known: {', '.join(config) or 'the config is empty'}.")
        record = {key: config[key] for key in record}
    title, group, notes = (given.get(name) for name in ("name", "group", "notes"))
    labels = {
        "title": None if title is None else one_line(title),
        "group": None if group is None else one_line(group),
        "tags": tags_of(given),
        "note": None if notes is None else str(notes)[:_LONGEST_NOTE],
    }
    project = given.get("project")
    task = None if project in (None, "") else str(project)
    of_run = {"task": task, "record": record, **labels, **options}
    if given.get("dir") is not None and "log_root" not in options:
        of_run["log_root"] = Path(given["dir"]) / "rla_data"
    asked = OwnRun("wandb.init", hooks.script_task(), **of_run)
    if problems := asked.problems((*given, "config", "settings")):
        raise ConfigError(problems, "wandb.init")
    former = _former(asked, given)
    own = OwnRun("wandb.init", hooks.script_task(), **of_run, **({} if former is None else {"resume": former}))
    run = hooks.start_run(own, config, keeps_rows=True)
    run.quiet_stdout()  # wandb prints no rows, and the script what it wants to
    return run, getattr(former, "result", None)


def tags_of(given: Mapping[str, Any]) -> list[str]:
    """Return the tags, with the job type and the id."""
    tags = given.get("tags") or ()
    found = [tags] if isinstance(tags, str) else [*tags]
    found += [each for each in (given.get("job_type"),) if each]
    found = [as_tag(each) for each in found]
    found += [id_tag(given["id"])] if given.get("id") else []
    return [*dict.fromkeys(found)]


def one_line(text: Any, longest: int = 500) -> str:
    """Return a text as a label of a run may be: on one line, without what cannot be shown, and cut.

    >>> one_line("a  long name", longest=8)
    'a long n'
    """
    words = " ".join(str(text).split())
    return "".join(char if char.isprintable() else "?" for char in words)[:longest].strip()


def as_tag(text: Any) -> str:
    """Return a text as a tag may be; empty where nothing of it may.

    >>> as_tag("-first run")
    'first run'
    """
    return one_line(str(text).lstrip("- \t\n"), _LONGEST_TAG)


def id_tag(name: Any) -> str:
    """Return the tag of an id. One that no tag can hold as it is ends with a hash, so that no two have the same.

    >>> id_tag("8f2k1"), id_tag("x" * 200) == id_tag("x" * 201)
    ('id:8f2k1', False)
    """
    text = f"id:{name}"
    tag = as_tag(text)
    return tag if tag == text else f"{tag[:80].strip()}~{zlib.crc32(text.encode('utf-8', 'backslashreplace')):08x}"


def _former(own: OwnRun, given: Mapping[str, Any]) -> Any:
    """Return the saved run that is to go on, or None."""
    resume, name = given.get("resume"), given.get("id")
    if given.get("resume_from") or given.get("fork_from"):
        warn("wandb.init: resume_from and fork_from have no effect. See rla fork, or resume= with id=.")
    if resume in (None, False, "") and not name:
        return None
    if resume not in (None, False, "", True, "auto", "allow", "must", "never", "true", "True"):
        raise UsageError(f"resume is {resume!r}. Known: True, 'allow', 'must', 'never', 'auto'.")
    settings = own.settings()
    root = settings.config.log_root if settings.config is not None else None
    found = [*rla.runs(root, task=settings.task_name)] if root is not None and root.is_dir() else []
    if not name:
        newest = found[-1] if found else None
        return newest if newest is not None and newest.status in _OVER and resume not in ("never", "must") else None
    same = [run for run in found if id_tag(name) in run.tags or run.id == name]
    if resume == "never" and same:
        raise UsageError(f"resume is 'never', and there is a run of the id {name!r}: {same[-1].log_dir}.")
    if resume == "must" and not same:
        raise UsageError(f"resume is 'must', and no run of {settings.task_name!r} in {root} has the id {name!r}.")
    return same[-1] if same and resume not in (None, False, "", "never") else None
