"""Says whether a run that is noted as ``running`` still is: by its process, else by when it last wrote.

A process has a number in each PID namespace that it is in. A container has a namespace of its own, whatever its host is
called: number 7 in there is another process than number 7 out here. So a process is asked only from the namespace that
the run noted in run.json; from everywhere else the times of the run's files tell.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rla_hooks.endings import KILLED, RUNNING, SEVERITY
from rla_hooks.patterns import pattern
from rla_hooks.texts import shown

PROCESS = ("host", "pid", "process", "pid_namespace")  #: what identifies a process
STALE_AFTER = 600.0  #: seconds; a run elsewhere that has written nothing for longer is shown as silent
_SILENT = " (silent since "
# Files that only the training writes: labels are given to runs that have long ended, too.
_WRITTEN = pattern(
    r"run\.json|(progress|system).*\.(csv|json)|(log|warn|backup).*\.txt|events\.out\.tfevents.*|manifest\.json",
    re.DOTALL,
)
_MAX_FILES = 10_000  # of a folder that are looked at


def read_status(content: Mapping[str, Any], folders: Iterable[Path] = ()) -> str:
    """Return the status in the content of a run.json. Raises ValueError for an unknown one.

    ``killed`` if it is ``running`` and its process is gone. A process of another machine, or in a container, cannot be
    seen from here: if nothing in the run's ``folders`` was written for :data:`STALE_AFTER` seconds, the status is
    ``running (silent since 2026-01-31 12:00 UTC)``.

    >>> read_status({"status": "running", "host": "another-machine"})
    'running'
    """
    status = content.get("status")
    if not isinstance(status, str) or status not in SEVERITY:
        raise ValueError(f"run.json has the status {shown(status, 100)}. Known: {', '.join(SEVERITY)}.")
    if status != RUNNING:
        return status
    folders = tuple(folders)
    if is_gone(content, folders):
        return KILLED
    since = silent_since(content, folders)
    if since is None:
        return RUNNING
    return f"{RUNNING}{_SILENT}{datetime.fromtimestamp(since, timezone.utc):%Y-%m-%d %H:%M} UTC)"


def is_running(status: str) -> bool:
    """Whether a status that :func:`read_status` returned is ``running``, silent or not.

    >>> is_running("running (silent since 2026-01-31 12:00 UTC)"), is_running("killed")
    (True, False)
    """
    return status.partition(_SILENT)[0] == RUNNING


def is_gone(process: Mapping[str, Any], folders: Iterable[Path] = ()) -> bool:
    """Whether a process, noted as in run.json, has ended; False where that cannot be seen from here.

    folders: those it writes to. If it wrote nothing since the machine of its name was started again, it is gone, too.
    """
    alive = lives(process)
    if alive is not None or not _is_of_earlier_boot(process):
        return alive is False
    written, started = last_write(folders), _boot_time()
    return written is not None and started is not None and written < started


def silent_since(process: Mapping[str, Any], folders: Iterable[Path]) -> float | None:
    """Return when a process that cannot be seen from here last wrote to the folders, in seconds since 1970.

    None if that was within the last :data:`STALE_AFTER` seconds, if it never did, and for a process that can be seen.
    """
    if lives(process) is not None:
        return None
    written = last_write(folders)
    return written if written is not None and time.time() - written > STALE_AFTER else None


def lives(content: Mapping[str, Any]) -> bool | None:
    """Whether the process that run.json names is alive; None where it cannot be seen from here.

    >>> lives({"host": "another-machine"}) is None
    True
    """
    noted, here = content.get("pid_namespace"), namespace()
    if isinstance(noted, str) and here is not None:
        if noted != here:
            return None
    elif content.get("host") != socket.gethostname():
        return None  # format 1, or a system without namespaces
    pid = content.get("pid")
    alive = is_alive(pid, content.get("process"))
    # Number 1 lives as long as any process of its namespace. If it is another one, the run counted in a namespace of
    # its own: that of a container with the host's name, which format 1 did not note.
    return None if not alive and pid == 1 and here is not None else alive


def _is_of_earlier_boot(process: Mapping[str, Any]) -> bool:
    """Whether a process was of this host, or of one of the same name, but not since it was started last."""
    noted, boot = process.get("pid_namespace"), _boot()
    is_here = process.get("host") == socket.gethostname() and isinstance(noted, str) and boot is not None
    return is_here and str(noted).partition("/")[0] != boot


def _boot_time() -> float | None:
    """When this machine was started, in seconds since 1970."""
    try:
        return time.time() - float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def last_write(folders: Iterable[Path]) -> float | None:
    """Return when the training last wrote to one of these folders, in seconds since 1970; None if it never did."""
    times: list[float] = []
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                for entry in itertools.islice(entries, _MAX_FILES):
                    if _WRITTEN.fullmatch(entry.name):
                        times.append(entry.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=None)


def this_process() -> dict[str, Any]:
    """Return what identifies this process: ``host``, ``pid``, ``process`` (boot and start time), ``pid_namespace``."""
    pid = os.getpid()
    return dict(zip(PROCESS, (socket.gethostname(), pid, process_identity(pid), namespace())))


def namespace() -> str | None:
    """Name what the process numbers of this process count: the boot of the machine, and the PID namespace.

    Two processes that get the same text see each other under the same numbers. None where the system does not tell.
    """
    boot, numbers = _boot(), pid_namespace()
    return f"{boot}/{numbers}" if boot and numbers else None


def pid_namespace() -> str:
    """Return the system's name of the PID namespace of this process; empty where there are none."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _boot() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() or None
    except OSError:
        return None


def process_identity(pid: int) -> str | None:
    """Name a process beyond its number, which the system gives out again: boot and start time. None where unknown."""
    boot = _boot()
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")  # the name may be cut within a character
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold anything
    if boot is None or fields[0] in ("Z", "X"):
        return None  # dead, and not yet reaped by its parent
    return f"{boot}/{fields[19]}"  # field 22 of proc(5): start time in clock ticks


def is_alive(pid: object, identity: object = None) -> bool:
    """Whether the process of this number runs on this machine; with its ``identity``, whether it is still that one.

    >>> is_alive(os.getpid(), process_identity(os.getpid())), is_alive(os.getpid(), "another boot/1"), is_alive(None)
    (True, False, False)
    """
    if not isinstance(pid, int) or not 0 < pid < 2**63:  # 0 and below are groups of processes
        return False
    now = process_identity(pid) if isinstance(identity, str) else None
    if now is not None:
        return now == identity
    if os.name == "nt":
        return True  # there is no harmless question to a Windows process in the standard library
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # another user's, of which /proc may say nothing (hidepid)
    except (OSError, OverflowError):
        return False
    return not isinstance(identity, str)  # what has had one and has none now is a zombie
