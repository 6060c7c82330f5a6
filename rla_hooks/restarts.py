"""A run that goes on in a new life: what its run.json says of the present life, and of those before.

    "status": "running", "started": "...", "resumed": "...", "life": "k3xq7aod", "job": null,
    "restarts": [{"host": "...", "pid": 4242, "process": "...", "pid_namespace": "...", "status": "killed",
                  "started": "...", "ended": null, "seconds": null, "error": null, "signal": null, "rows": 97,
                  "last_step": 96, "job": null, "taken_up": "...", "reason": "resume=", "step": 90, "rows_cut": 6,
                  "cut": 1}]

An entry of ``restarts`` is the life that ended; from ``taken_up`` on it tells of the resume that followed: when, who
asked for it, the step of the checkpoint that was loaded (null until one is), and what was cut. ``machine`` stands
there where the next life is on another one. ``resumed`` is when the present life began, ``life`` its name, ``job`` that
of the cluster's job. All functions here take the content of a run.json and change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rla_hooks import life
from rla_hooks.endings import KILLED, RUNNING
from rla_hooks.life import PROCESS
from rla_hooks.texts import iso_time, shown

_MAX_ERROR = 2000  # characters of the traceback of the life before
_MAX_OLDER_ERROR = 200  # of those before that one: a run may be resumed a hundred times
_LENGTHS = ("step", "epoch", "iter", "frame", "episode")  # in names of how long a training is
_ENDING = ("ended", "seconds", "error", "signal", "rows", "last_step", "job")


def status_of_former(
    content: Mapping[str, Any], folders: Iterable[Path] = (), over: Mapping[str, Any] | None = None
) -> tuple[str, str | None]:
    """Return how the life in ``content`` ended, and why it cannot be resumed now: None if it can.

    over: the process of a life that is known to be over, though nobody can see it from here. Raises ValueError for a
    damaged content.

    >>> status_of_former({"status": "interrupted"})
    ('interrupted', None)
    """
    folders = tuple(folders)
    status = life.read_status(content, folders)
    if status == RUNNING and over is not None and all(content.get(key) == over.get(key) for key in PROCESS):
        return KILLED, None
    if status == RUNNING:
        return status, f"it is still alive: {_process(content)} on {shown(content.get('host'), 100)}"
    owner = content.get("owner")
    if status == KILLED and isinstance(owner, Mapping) and _lives_on(owner, content, folders):
        return status, f"a process of it is still alive: {_process(owner)} on {shown(owner.get('host'), 100)}"
    return (KILLED if life.is_running(status) else status), None


def _lives_on(owner: Mapping[str, Any], content: Mapping[str, Any], folders: tuple[Path, ...]) -> bool:
    """Whether a child process that writes the rows has outlived the one that ends the run."""
    is_other = any(owner.get(key) != content.get(key) for key in PROCESS)
    return is_other and not life.is_gone(owner, folders) and life.silent_since(owner, folders) is None


def _process(content: Mapping[str, Any]) -> str:
    return f"process {shown(content.get('pid'), 20)}"


def former_life(content: Mapping[str, Any], status: str, reason: str, machine: Any = None) -> dict[str, Any]:
    """Return the entry of ``restarts`` for a life that has ended, and for the resume that follows it now.

    machine: that of the life which follows; another one is noted.
    """
    started = content.get("resumed") or content.get("started")
    entry = {key: content.get(key) for key in PROCESS} | {"status": status, "started": started}
    entry |= {key: content.get(key) for key in _ENDING}
    if isinstance(entry["error"], str):
        entry["error"] = entry["error"][-_MAX_ERROR:]
    from rla_hooks.machine.words import is_other  # late: most runs begin only once

    if is_other(content.get("machine"), machine):
        entry["machine"] = content["machine"]
    return entry | {"taken_up": iso_time(), "reason": reason, "step": None, "rows_cut": 0, "cut": None}


def _shortened(entry: Any) -> Any:
    """An entry of ``restarts`` once another life has followed: the end of its error, which says what it was."""
    error = entry.get("error") if isinstance(entry, dict) else None
    return {**entry, "error": error[-_MAX_OLDER_ERROR:]} if isinstance(error, str) else entry


def new_life(content: Mapping[str, Any], me: Mapping[str, Any], status: str, **news: Any) -> dict[str, Any]:
    """Return the content of a run.json whose run goes on in the process ``me``.

    status: how the life before ended. news: what is to stand there of the new one, with ``reason``.
    """
    former = former_life(content, status, news.pop("reason"), news.get("machine"))
    listed = content.get("restarts")
    kept = {key: value for key, value in content.items() if key != "result"}
    return kept | {
        **me,
        "owner": dict(me),
        "status": RUNNING,
        "resumed": iso_time(),
        **dict.fromkeys(("ended", "seconds", "error", "signal")),
        "reported": False,
        "restarts": [*map(_shortened, listed if isinstance(listed, list) else []), former],
        **news,
    }


def with_cut(content: Mapping[str, Any], back: int = 1, **news: Any) -> list[Any]:
    """Return ``restarts`` where one of the resumes, by default the newest, has these keys: step, rows_cut, cut.

    back: 2 for the one before the newest. Where there is none, nothing changes.
    """
    listed = [*content["restarts"]]
    if len(listed) >= back:
        listed[-back] = {**listed[-back], **news}
    return listed


def length_among(hparams: Iterable[str]) -> str:
    """The hyper-parameter that one would change to let a finished run go on: how long it trains, if one says that.

    >>> length_among(["lr", "max_epochs"]), length_among([])
    ('max_epochs', 'steps')
    """
    names = [*hparams]
    longer = [name for name in names if any(word in name.lower() for word in _LENGTHS)]
    return next(iter([*longer, *names]), "steps")
