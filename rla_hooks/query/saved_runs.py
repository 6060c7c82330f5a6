"""Reads runs back from their folders. It needs no open run and changes nothing."""

from __future__ import annotations

import functools
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import unquote

from rla_hooks import rowfiles
from rla_hooks.config.reading import log_root_of
from rla_hooks.delegation import value_of
from rla_hooks.endings import KILLED, RUNNING, SEVERITY
from rla_hooks.errors import ConfigError, RLAError, warn
from rla_hooks.layout import LOG, RunPaths, check_task, parse, run_names
from rla_hooks.life import STALE_AFTER, is_running, read_status
from rla_hooks.record import FORMAT
from rla_hooks.smallfiles import parse_object, read_bytes
from rla_hooks.texts import shell_path, shown

if TYPE_CHECKING:
    import pandas

UNKNOWN = "unknown"
_LONGEST_TASK = 10_000  # characters; folders have at most 4096 bytes
_NOT_YET = "is missing", "is empty"  # the files of a run that is just starting
_FOLDER = "Of this run; see rla_hooks.layout."


class HasCheckpoints(Protocol):
    """A saved run, or one that is open."""

    @property
    def checkpoint_dir(self) -> Path | None: ...


@dataclass(frozen=True)
class SavedRun:
    """A run as read from its folders. ``problems`` lists what is damaged; everything else can be read.

    ``name``, ``task``; ``status``: ``running``, ``finished``, ``pruned``, ``interrupted``, ``failed``; ``killed`` if it
    did not end and its process is gone; ``running (silent since 2026-01-31 12:00 UTC)`` if it runs, or ran, in a
    container or on another host, and has written nothing for ten minutes; ``unknown`` where run.json is damaged.
    ``hparams``: parameter.json; ``info``: run.json, and of a run that did not end what rows it has; ``paths``: where
    its files are.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["lr"], task="demo", writers=["csv"], backup="none")
    ... def main(lr=0.1, steps=3):
    ...     for step in range(steps):
    ...         rla.log({"loss": 1.0 / (step + 1)}, step=step)
    >>> main()
    >>> run = rla.runs()[-1]
    >>> run.task, run.status, run.hparams
    ('demo', 'finished', {'lr': 0.1, 'steps': 3})
    >>> run.info["rows"], run.info["last_step"], run.record
    (3, 2, {'lr': '0.1'})
    """

    paths: RunPaths = field(repr=False)
    name: str
    task: str
    status: str
    hparams: dict[str, Any] = field(repr=False)
    run_json: dict[str, Any] = field(repr=False)  # its content, as it stands there
    problems: tuple[str, ...] = ()

    @functools.cached_property
    def info(self) -> dict[str, Any]:
        """run.json; for a run that is running or was killed with ``rows``, ``last_step`` and ``last`` of its files."""
        if not is_running(self.status) and self.status != KILLED:
            return self.run_json
        files = rowfiles.files(self.log_dir)
        if not files:  # it has other writers
            return self.run_json
        found, noted = rowfiles.summary(files), self.run_json.get("last")
        last = {**(noted if isinstance(noted, dict) else {}), **found.last}
        count = self.run_json.get("rows") if found.rows is None else found.rows
        return self.run_json | {"rows": count, "last_step": found.last_step, "last": last}

    @property
    def record(self) -> dict[str, str]:
        """The record parameters as texts, as in the run's name; ``hparams`` has the values."""
        return parse(self.name).record

    log_dir: ClassVar[Path] = value_of("paths", "log_dir", _FOLDER)
    code_dir: ClassVar[Path] = value_of("paths", "code_dir", _FOLDER)
    checkpoint_dir: ClassVar[Path] = value_of("paths", "checkpoint_dir", _FOLDER)
    results_dir: ClassVar[Path] = value_of("paths", "results_dir", _FOLDER)
    tensorboard_dir: ClassVar[Path] = value_of("paths", "tensorboard_dir", _FOLDER)

    def metrics(self) -> pandas.DataFrame:
        """Return the rows as a pandas DataFrame, one row per dump, in the order of writing; empty without rows.

        Those of several processes are joined by time. A step may have several rows, each with other columns filled.
        Floats are bit-equal to those that were logged. Raises :class:`~rla_hooks.errors.RLAError` if pandas is not
        installed.
        """
        try:
            return rowfiles.read(rowfiles.files(self.log_dir))
        except ModuleNotFoundError as error:
            raise RLAError("metrics() needs pandas. Install it: pip install 'rla-hooks[pandas]'") from error


def runs(log_root: str | os.PathLike[str] | None = None, task: str | None = None) -> list[SavedRun]:
    """Return the saved runs of a log root, newest last: in the order in which they started, in whatever time zone.

    log_root: by default that of the config (see :func:`rla_hooks.config.load`). task: only runs of this task. A damaged
    run is listed, too, with what is wrong in ``problems``; so are runs of the original RLA. A log root that this user
    may not read gives a warning.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["seed"], task="demo", writers=["csv"], backup="none")
    ... def main(seed):
    ...     rla.log({"return": 10.0 * seed}, step=0)
    >>> for seed in range(3):
    ...     main(seed)
    >>> [(run.hparams["seed"], run.info["last"]["return"]) for run in rla.runs(task="demo")]
    [(0, 0.0), (1, 10.0), (2, 20.0)]
    """
    root = log_root_of(log_root)
    found = [_read(RunPaths(root, name)) for name in run_names(root, task)]
    if not found:
        _tell_if_unreadable(root / LOG)
    return sorted(found, key=lambda run: (_start_of(run), run.name))


def _tell_if_unreadable(folder: Path) -> None:
    try:
        os.scandir(folder).close()
    except PermissionError as error:
        warn(f"no runs are listed: {shell_path(folder)} cannot be read: {error.strerror}. Ask its owner for access.")
    except OSError:  # it is not there, say
        pass


def _start_of(run: SavedRun) -> float:
    """When a run started, in seconds since 1970: as run.json says; else the time in its name, read as local time."""
    started = run.run_json.get("started")
    with suppress(ValueError, OverflowError, OSError):
        if isinstance(started, str):
            return datetime.fromisoformat(started).timestamp()
    with suppress(ValueError, OverflowError, OSError):
        return parse(run.name).time.timestamp()
    return 0.0  # the year 1


def _read(paths: RunPaths) -> SavedRun:
    # A run writes run.json first, then parameter.json. Read the other way round, what a run that is just starting
    # has not written yet can be told from what somebody has lost.
    hparams, lost = _load(paths.parameter_json)
    info, damage = _load(paths.run_json)
    status = UNKNOWN
    if damage is None:
        status, damage = _status(info, paths)
        hparams, lost = _load(paths.parameter_json) if lost else (hparams, lost)
    elif damage.endswith(_NOT_YET) and lost is not None and lost.endswith(_NOT_YET) and _is_young(paths):
        status, damage = RUNNING, None
    if lost is not None and lost.endswith(_NOT_YET) and is_running(status) and _is_young(paths):
        lost = None
    problems = tuple(problem for problem in (damage, lost) if problem)
    return SavedRun(paths, paths.name, _task(paths.name, info), status, hparams, info, problems)


def _load(path: Path) -> tuple[dict[str, Any], str | None]:
    """Return the content of a file, and why it cannot be read."""
    try:
        data = read_bytes(path)
        return (parse_object(data), None) if data else ({}, f"{path.name} {_NOT_YET[1]}")
    except FileNotFoundError:
        return {}, f"{path.name} {_NOT_YET[0]}"
    except (OSError, ValueError) as error:
        return {}, f"{path.name} cannot be read: {error}"


def _status(info: dict[str, Any], paths: RunPaths) -> tuple[str, str | None]:
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
        return read_status(info, (paths.log_dir, paths.tensorboard_dir, paths.checkpoint_dir)), newer
    except ValueError as error:
        return UNKNOWN, f"run.json cannot be read: {error}"


def _is_young(paths: RunPaths) -> bool:
    """Whether files were made in the run's folder moments ago, so that it may just be starting."""
    try:
        return abs(time.time() - paths.log_dir.stat().st_mtime) < STALE_AFTER
    except OSError:
        return False


def _task(name: str, info: dict[str, Any]) -> str:
    """The task as the user wrote it; its folders have it in escaped form."""
    folders, written = parse(name).task, info.get("task")
    if isinstance(written, str) and len(written) <= _LONGEST_TASK:
        with suppress(ConfigError):
            if check_task(written) == folders:
                return written
    return unquote(folders)


def latest_checkpoint(run: HasCheckpoints | str | os.PathLike[str], name: str | None = None) -> Path | None:
    """Return the path of the newest complete checkpoint of a run, or None if there is none.

    run: a saved run, an open one, or the path of a checkpoint folder. name: only checkpoints that were saved under this
    name, such as "best". The checksum is compared, which reads the file, once in a process; a damaged checkpoint is
    passed over with a warning.

    >>> import rla_hooks as rla
    >>> @rla.track(task="demo", writers=["csv"], backup="none")
    ... def main():
    ...     for step in range(3):
    ...         rla.save_checkpoint({"weights": [0.5, step]}, step=step)
    >>> main()
    >>> run = rla.runs()[-1]
    >>> rla.latest_checkpoint(run).name, rla.latest_checkpoint(run, "best")
    ('checkpoint-2.pkl', None)
    """
    from rla_hooks.checkpoints.manifest import latest

    folder: Any = getattr(run, "checkpoint_dir", run)
    return None if folder is None else latest(folder, name)
