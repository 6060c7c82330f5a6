"""run.json: the facts about a run and how it ended, readable without rla_hooks.

    {"format": 1, "name": "cartpole/2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.1", "task": "cartpole",
     "status": "finished", "started": "2026-01-31T12:00:00.000000+00:00", "ended": "...", "seconds": 61.2,
     "host": "...", "pid": 4242, "process": "...", "command": [...], "folder": "...", "parent": null,
     "python": "3.11.7", "rla_hooks": "0.1.0", "git": {...}, "code": {...},
     "rows": 97, "last_step": 99, "last": {"perf/return": 500.0}, "gaps": [], "error": null}

The status words are in :mod:`rla_hooks.endings`.
"""

from __future__ import annotations

import os
import platform
import re
import socket
import time
import traceback
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rla_hooks.atomic import read_json, write_json
from rla_hooks.command import command_line
from rla_hooks.endings import RUNNING, SEVERITY, traceback_of
from rla_hooks.life import namespace, process_identity, read_status

FORMAT = 1
load = read_json  # of a run.json; raises OSError, or ValueError where it holds something else
# Not tokens and tokenizers, which are hyper-parameters.
_SECRET_OPTION = re.compile(r"(token(?!s|i[sz])|passw|secret|api[-_]?key|credential)", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(://[^/:@\s]*:)[^/@\s]+@")


class RunRecord:
    """The content of a run's run.json, and the file."""

    def __init__(self, path: Path, **content: Any):
        self.path = path
        self._started = time.time()
        self.counted = 0  # rows of this process that are in the file's count
        self._gaps: list[dict[str, Any]] = []  # and its gaps
        self.content: dict[str, Any] = {
            "format": FORMAT,
            **content,
            "status": RUNNING,
            "started": _iso(self._started),
            "ended": None,
            "seconds": None,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process": process_identity(os.getpid()),
            "pid_namespace": namespace(),
            "command": _without_secrets(command_line()),
            "folder": _working_directory(),
            "python": platform.python_version(),
            "rows": 0,
            "last_step": None,
            "last": {},
            "gaps": [],
            "error": None,
        }

    @classmethod
    def existing(cls, path: Path) -> RunRecord:
        """Return the record of a run that another process, or another object, has started.

        Raises OSError if there is no such file, ValueError if it is damaged.
        """
        record, content = cls(path), read_json(path)
        read_status(content)
        record.content = content | {key: value for key, value in record.content.items() if key not in content}
        record._started = datetime.fromisoformat(str(record.content["started"])).timestamp()
        return record

    @property
    def status(self) -> str:
        return str(self.content["status"])

    def end(self, status: str, error: BaseException | None = None) -> bool:
        """Set the status if it is worse than the present one; return whether it was. The end time is always set."""
        now = time.time()
        self.content |= {"ended": _iso(now), "seconds": round(now - self._started, 3)}
        return _note(self.content, status, error)

    def save(self, **content: Any) -> None:
        """Write run.json with ``content``; keep what other processes wrote. On OSError the old file stays."""
        self._catch_up()
        self.content |= content
        write_json(self.path, self.content)

    def save_progress(self, rows: int, last_step: int | None, last: dict[str, Any], gaps: list[dict[str, Any]]) -> None:
        """Add what this process has logged to the numbers in run.json; write the file only if something has changed."""
        noted = self._catch_up()
        progress: dict[str, Any] = {}
        if rows > self.counted:
            progress["rows"] = self.content["rows"] + rows - self.counted
            progress |= {"last_step": last_step, "last": self.content["last"] | last}
        progress["gaps"] = [gap for gap in self.content["gaps"] if gap not in self._gaps] + gaps
        if noted != self.content | progress:
            write_json(self.path, self.content | progress)
        self.content |= progress
        self.counted, self._gaps = rows, gaps

    def _catch_up(self) -> dict[str, Any]:
        """Read run.json, and take over what other processes wrote (a failed rank, a child that trains); return it."""
        try:
            noted = read_json(self.path)
        except (OSError, ValueError):  # the first time, or somebody has damaged it
            return {}
        known = ["rows", "last_step", "last", "gaps"]
        worse = SEVERITY.get(noted.get("status", ""), 0) - SEVERITY[self.status]
        if worse > 0 or (worse == 0 and noted.get("error")):  # one that was noted before, and maybe added to
            known += ["status", "error"]
        if self.content["ended"] is None:
            known += ["ended", "seconds"]
        self.content |= {key: noted[key] for key in known if key in noted}
        return noted


def _note(content: dict[str, Any], status: str, error: BaseException | None) -> bool:
    if SEVERITY[status] <= SEVERITY[content["status"]]:
        return False
    content["status"] = status
    if error is not None:
        content["error"] = traceback_of(error)
    return True


def report_in_file(path: Path, status: str, error: BaseException | None) -> None:
    """Set the status in the run.json of another process. Raises OSError if it is missing, ValueError if damaged.

    A further rank's error is appended: the first one is often only the lost connection to the rank that failed.
    """
    record = RunRecord.existing(path)
    before = record.content["error"]
    if record.end(status, error):
        record.save()
    elif error is not None and status == record.status and before is not None:
        news = traceback.format_exception_only(type(error), error)[-1].strip() not in before
        if news:
            record.save(error=f"{before}\n{traceback_of(error)}")


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="microseconds")


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:  # somebody removed it
        return None


def _without_secrets(arguments: list[str]) -> list[str]:
    """Mask secrets, since run.json gets shared: in ``--api-key KEY``, ``db.password=...`` and in URLs."""
    masked, hide = [], False
    for argument in map(str, arguments):
        option, equals, _ = argument.partition("=")
        is_option = argument.startswith("-")
        secret = bool(_SECRET_OPTION.search(option))
        if secret and equals:
            masked.append(f"{option}=***")
        elif hide and not is_option:
            masked.append("***")
        else:
            masked.append(_URL_PASSWORD.sub(r"\1***@", argument))
        hide = secret and is_option and not equals
    return masked
