"""All that is known of one run, as plain data: what ``rla show`` prints, and gives as JSON."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any

from rla_hooks.cli.objects import list_in, object_of
from rla_hooks.columns import Columns
from rla_hooks.layout import LOG, RunPaths
from rla_hooks.life import last_write
from rla_hooks.query import SavedRun
from rla_hooks.query.entry import seconds_of
from rla_hooks.query.family import Family, Fork
from rla_hooks.query.summaries import summary_of
from rla_hooks.texts import shell_path
from rla_hooks.writers.base import STEP, TIME

_FOLDERS = {"log": "log_dir", "checkpoint": "checkpoint_dir", "results": "results_dir", "code": "code_dir"}
_LISTS = "gaps", "notes", "restarts", "loaded_from"


def facts_of(run: SavedRun, columns: Columns, family: Family) -> dict[str, Any]:
    """Return what is known of a run, of the metrics in these columns of it, and of its family of forks."""
    noted = run.run_json
    system = run.system_columns()
    return object_of(run) | {
        "resumed": _resumed(run),
        "resumed_from": noted.get("resumed_from"),
        "ancestors": [
            {"id": each.id, "name": each.run.name if each.run else each.name, "forked_at": each.step}
            for each in family.ancestors
        ],
        "forks": [_fork(each) for each in family.forks],
        "last_write": _last_write(run, columns),
        "command": noted.get("command"),
        "folder": noted.get("folder"),
        "python": noted.get("python"),
        "rla_hooks": noted.get("rla_hooks"),
        "git": noted.get("git"),
        "machine": run.machine,
        "metrics": _summaries(columns),
        "system_metrics": _summaries(system),
        "signal": noted.get("signal"),
        **{name: list_in(noted, name) for name in _LISTS},
        "checkpoints": [
            {"file": str(each.path), "name": each.name, "step": each.step, "size": each.size}
            for each in run.checkpoints()
        ],
        "figures": [str(path) for path in run.figures()],
        "folders": {kind: str(getattr(run, name)) for kind, name in _FOLDERS.items() if _is_filled(getattr(run, name))},
        "tensorboard": tensorboard_command(run.paths),
    }


def _summaries(columns: Columns) -> dict[str, Any]:
    steps = columns.get(STEP)
    found = {name: summary_of(column, steps) for name, column in columns.items() if name not in (STEP, TIME)}
    return {name: each._asdict() for name, each in found.items() if each is not None}


def _last_write(run: SavedRun, columns: Columns) -> float | None:
    """When it last wrote: of a run of RLA its last row tells, where rows have times. Old roots are often copies."""
    times = columns.get(TIME)
    if not run.run_json and times is not None and len(times.values):
        return float(times.values[-1])
    return last_write((run.log_dir, run.tensorboard_dir, run.checkpoint_dir))


def _resumed(run: SavedRun) -> datetime | None:
    seconds = seconds_of(run.run_json.get("resumed"))
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


def _fork(fork: Fork) -> dict[str, Any]:
    found = {"id": fork.run.id, "name": fork.run.name, "status": fork.run.status, "step": fork.step}
    return found | {"forks": [_fork(each) for each in fork.forks]}


def _is_filled(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in islice(entries, 1))
    except OSError:
        return False


def tensorboard_command(paths: RunPaths) -> str:
    """Return the command that shows the curves of the run's task; of a run of another tool those of the run."""
    folder = paths.log_root / LOG / paths.name.rsplit("/", 4)[0]
    return f"tensorboard --logdir {shell_path(folder if folder in paths.log_dir.parents else paths.log_dir)}"


def command_of(facts: Mapping[str, Any]) -> str | None:
    """Return the command that starts the run again, as a shell takes it; None where run.json has none."""
    command, folder = facts["command"], facts["folder"]
    if not isinstance(command, list) or not command:
        return None
    words = " ".join(
        shell_path(str(word)) if not str(word).isprintable() else shlex.quote(str(word)) for word in command
    )
    return f"cd {shell_path(folder)} && {words}" if isinstance(folder, str) else words


def ago(seconds: float) -> str:
    """Return how long ago a time was, for people.

    >>> ago(12), ago(150), ago(7_200), ago(200_000), ago(-5)
    ('12 seconds ago', '2 minutes ago', '2 hours ago', '2 days ago', 'now')
    """
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        count = int(seconds // unit)
        if count >= 1:
            return f"{count} {name}{'s' * (count != 1)} ago"
    return "now"


def moment(when: datetime | float | None) -> str:
    """Return a time in the time zone of this machine, and how long ago it was."""
    if when is None:
        return ""
    seconds = when if isinstance(when, (int, float)) else when.timestamp()
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S} ({ago(time.time() - seconds)})"
