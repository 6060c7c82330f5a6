"""The folders of runs, and the creation of new ones.

    LOG_ROOT/
      log/<run name>/progress.csv, log.txt, tb/, parameter.json, labels.json, run.json
      results/<run name>/<figure>.png
      checkpoint/<run name>/...
      code/<run name>/<project files>
      archive_tester/<run name>/tester.pkl
      tmp_data/<run name>/, hyperparameter/<run name>/   of RLA's scripts only
      .trash/<n>/                            what was deleted (rla_hooks/upkeep): the same trees again
      archived/                              runs that were archived: the same trees again

All trees carry the same run name: see :mod:`rla_hooks.run_name`. :mod:`rla_hooks.run_folders` finds the runs.
"""

from __future__ import annotations

import errno
import functools
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rla_hooks.errors import ConfigError
from rla_hooks.run_name import RunName as RunName  # this and parse: where users have them from
from rla_hooks.run_name import check_task, run_leaf
from rla_hooks.run_name import parse as parse

LOG, RESULTS, CHECKPOINT, CODE, ARCHIVE = "log", "results", "checkpoint", "code", "archive_tester"
KINDS = (LOG, RESULTS, CHECKPOINT, CODE, ARCHIVE)
TMP_DATA, HYPARAMETER = "tmp_data", "hyperparameter"
TREES = (*KINDS, TMP_DATA, HYPARAMETER)  # with those that RLA's later versions have made, and RLA's words make
TRASH, ARCHIVED = ".trash", "archived"  # folders of a log root that are log roots themselves
SWEEPS, CLAIMS, JOBS = ".sweeps", "claims", "jobs"  # in a log root: claims of settings, files of submitit's jobs
# What a tree that is on a disk of its own has of these: a run can be renamed only within one disk.
OUT_OF_LISTS = {TRASH, f".{ARCHIVED}"}

RUN_JSON = "run.json"
_ATTEMPTS = 100  # to make a folder


class RunPaths:
    """The folders and files of one run."""

    def __init__(self, log_root: Path, name: str):
        self.log_root, self.name = log_root, name

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (self.log_root, self.name) == (other.log_root, other.name)

    def __hash__(self) -> int:
        return hash((self.log_root, self.name))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.log_root)!r}, {self.name!r})"

    @property
    def log_dir(self) -> Path:
        return self.log_root / LOG / self.name

    @property
    def results_dir(self) -> Path:
        return self.log_root / RESULTS / self.name

    @property
    def checkpoint_dir(self) -> Path:
        return self.log_root / CHECKPOINT / self.name

    @property
    def code_dir(self) -> Path:
        return self.log_root / CODE / self.name

    @property
    def archive_dir(self) -> Path:
        return self.log_root / ARCHIVE / self.name

    @property
    def tensorboard_dir(self) -> Path:
        return self.log_dir / "tb"

    @property
    def progress_csv(self) -> Path:
        return self.log_dir / "progress.csv"

    @property
    def log_txt(self) -> Path:
        return self.log_dir / "log.txt"

    @property
    def parameter_json(self) -> Path:
        return self.log_dir / "parameter.json"

    @property
    def labels_json(self) -> Path:
        return self.log_dir / "labels.json"

    @property
    def system_csv(self) -> Path:
        return self.log_dir / "system.csv"

    @property
    def run_json(self) -> Path:
        return self.log_dir / RUN_JSON

    @property
    def tester_pkl(self) -> Path:
        return self.archive_dir / "tester.pkl"


def plan(log_root: Path, task: str, record: Mapping[str, Any], now: datetime) -> RunPaths:
    """Return where a run that starts now would live. Nothing is created."""
    name = f"{check_task(task)}/{now:%Y/%m/%d}/{run_leaf(now, local_ip(), record)}"
    return RunPaths(Path(os.path.abspath(log_root)), name)


def create(
    log_root: Path, task: str, record: Mapping[str, Any], now: datetime | None = None, planned: bool = False
) -> RunPaths:
    """Take a name that no other run has and make its folders.

    ``log/<run name>`` is created exclusively: of several processes that start in the same microsecond one gets the
    name, and the others use the next microsecond. If the name was ``planned``, somebody may have put a file there
    already (LightningCLI its config.yaml); then the folder in ``archive_tester/`` is the one to be created exclusively.
    Raises :class:`ConfigError` if the log root cannot be written, which the user can mend; OSError if the disk is full
    or fails. No empty folders of the run are left then.
    """
    check_task(task)
    time = now or datetime.now()
    paths: RunPaths | None = None
    try:
        for kind in KINDS:  # what is in the way of one of them shows before the run's name is taken
            _make(Path(log_root) / kind)
        while True:
            paths = plan(log_root, task, record, time)
            try:
                _make(paths.archive_dir if planned else paths.log_dir, exist_ok=False)
                break
            except FileExistsError:
                time += timedelta(microseconds=1)
        make_folders(paths)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        for folder in reversed(_folders(paths) if paths else ()):
            with suppress(OSError):  # not there, or not empty
                folder.rmdir()
        if isinstance(error, OSError) and error.errno in _DISK_FAILS:
            raise
        where = f" ({error.filename})" if isinstance(error, OSError) else ""
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"the log root {str(log_root)!r} cannot be written: {reason}{where}. "
            "Allowed: a folder this user may create files in. Set LOG_ROOT in rla_config.yaml or pass log_root=."
        ) from error
    return paths


# Not the user's mistake: no room or inodes, within the quota or at all; a disk, a server or a connection that is gone.
_DISK_FAILS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENXIO, errno.ENODEV, errno.ENOMEM, errno.ENFILE, errno.EMFILE),
    *(errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ECONNABORTED),
}


def _folders(paths: RunPaths) -> tuple[Path, ...]:
    """The folders of a run, in the order in which they are made."""
    others = (paths.results_dir, paths.checkpoint_dir, paths.code_dir, paths.archive_dir)
    return (paths.log_dir, *others, paths.tensorboard_dir)


def make_folders(paths: RunPaths) -> None:
    """Make those folders of a run that are not there. Raises OSError."""
    for folder in _folders(paths):
        _make(folder)


def _make(folder: Path, exist_ok: bool = True) -> None:
    """Make a folder and those above it, however often somebody who deletes runs removes one of these meanwhile."""
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            return folder.mkdir(parents=True, exist_ok=exist_ok)
    folder.mkdir(parents=True, exist_ok=exist_ok)


def path_within(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> str | None:
    """Return the path of a file relative to a folder that it is in, also through links above it; None if it is not.

    A log root may be a link to another disk; frameworks resolve it, and users do not.

    >>> path_within("logs/checkpoint/model.pt", "logs"), path_within("model.pt", "logs")
    ('checkpoint/model.pt', None)
    """
    parent, name = os.path.split(os.path.abspath(path))
    file, top = Path(os.path.realpath(parent), name), Path(os.path.realpath(folder))
    return file.relative_to(top).as_posix() if top in file.parents else None


@functools.lru_cache(maxsize=1)
def local_ip() -> str:
    """Return the address of this machine's default route, or ``noip``. Nothing is sent over the network."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            # Connecting a datagram socket only asks the kernel for a route. The address is one of those reserved
            # for documentation (RFC 5737), so it never is a real host.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
    except OSError:
        return "noip"
