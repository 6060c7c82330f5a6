"""The names and the folders of runs.

    LOG_ROOT/
      log/<run name>/progress.csv, log.txt, tb/, parameter.json, labels.json, run.json
      results/<run name>/<figure>.png
      checkpoint/<run name>/...
      code/<run name>/<project files>
      archive_tester/<run name>/tester.pkl
      tmp_data/<run name>/, hyperparameter/<run name>/   of RLA's scripts only
      .trash/<n>/                            what was deleted (rla_hooks/upkeep): the same trees again
      archived/                              runs that were archived: the same trees again

A run name is ``<task>/<YYYY>/<mm>/<dd>/<HH-MM-SS-ffffff>_<ip>_&<key>=<value>&<key>=<value>``. All trees carry the
same run name. This module alone builds, creates and parses names; :mod:`rla_hooks.filenames` makes their parts, and
:mod:`rla_hooks.new_names` changes them.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rla_hooks.errors import ConfigError, warn
from rla_hooks.fields import Fields
from rla_hooks.filenames import PART_LIMIT, VALUE_LIMIT, cap, part_of_pair, percent
from rla_hooks.filenames import safe_part as safe_part
from rla_hooks.patterns import pattern
from rla_hooks.texts import shell_path

LOG, RESULTS, CHECKPOINT, CODE, ARCHIVE = "log", "results", "checkpoint", "code", "archive_tester"
KINDS = (LOG, RESULTS, CHECKPOINT, CODE, ARCHIVE)
TMP_DATA, HYPARAMETER = "tmp_data", "hyperparameter"
TREES = (*KINDS, TMP_DATA, HYPARAMETER)  # with those that RLA's later versions have made, and RLA's words make
TRASH, ARCHIVED = ".trash", "archived"  # folders of a log root that are log roots themselves
# What a tree that is on a disk of its own has of these: a run can be renamed only within one disk.
OUT_OF_LISTS = {TRASH, f".{ARCHIVED}"}

RUN_JSON = "run.json"
_OF_RUN = {"tb", "cut"}  # folders in the log folder of a run
_ATTEMPTS = 100  # to make a folder
_DEEPEST = 64  # parts of a run's name: beyond, nobody has grouped tasks
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


def _task_folders(task: str) -> set[str]:
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
    date = _DATE.search(folder)
    if date is not None and _LEAF.fullmatch(leaf):
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


def run_names(log_root: Path, task: str | None = None) -> Iterator[str]:
    """Yield the names of all runs below ``LOG_ROOT/log`` (of one task, and of tasks grouped in it).

    They come in the order of the times in the names, which are local times of the machines that gave them; the order
    of the starts is that of ``started`` in run.json. A folder with a run.json that somebody has renamed, or moved to
    another depth, is a run, too: it comes first, and its name is where it lies. What cannot be read is passed over, and
    so are circles of links.
    """
    found = []
    for folder, leaves in run_folders(log_root, task):
        for leaf in leaves:
            name = f"{folder}/{leaf}" if folder else leaf
            try:
                found.append((parse(name).time, name))
            except ValueError:
                found.append((datetime.min, name))
    yield from (name for _, name in sorted(found))


def run_folders(log_root: Path, task: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder below ``LOG_ROOT/log`` in which runs are, and the last parts of their names, in any order.

    Folders in it that may not be read, and may hide runs, give one warning.
    """
    root, unread = log_root / LOG, _Unread()
    waiting = [start for start in task_starts(task) if os.path.isdir(root / start)]
    while waiting:
        folder = waiting.pop()
        folders, is_run = _folders_in(root / folder, unread if folder else None)
        if is_run and folder:  # and other runs may still lie below: a stray file must not hide a task
            parent, _, leaf = folder.rpartition("/")
            yield parent, [leaf]
        leaves, is_date = [], _DATE.search(folder) is not None
        for child, is_link in folders:
            name = f"{folder}/{child}" if folder else child
            if (is_date and _LEAF.fullmatch(child)) or is_run_name(name):  # a run holds no runs
                leaves.append(child)
            elif is_link or child in OUT_OF_LISTS or (is_run and child in _OF_RUN):
                continue
            elif name.count("/") < _DEEPEST:
                waiting.append(name)
        if leaves:
            yield folder, leaves
    unread.tell()


def task_starts(task: str | None) -> set[str]:
    """Return the folders below ``LOG_ROOT/log`` in which the runs of a task are; the empty one for all tasks."""
    return {""} if task is None else {Path(each).as_posix() for each in _task_folders(task)}


# What parses without doubt: parsing takes ten times as long.
_DATE = pattern(r"(?:^|/)(?!0000)[0-9]{4}/(?:0[1-9]|1[0-2])/(?:0[1-9]|1[0-9]|2[0-8])\Z")
_LEAF = pattern(r"(?:[01][0-9]|2[0-3])(?:-[0-5][0-9]){2}-[0-9]{6}_[^_& ]+_?(?:&.*)?", re.DOTALL)


def is_listable(name: str) -> bool:
    """Whether lists find a run of this name: they look neither into the folders of runs nor into very deep ones.

    >>> is_listable("demo/2026/01/31/12-00-00-000000_10.0.0.5"), is_listable("a/" * 70 + "b")
    (True, False)
    """
    parts = name.split("/")
    return len(parts) <= _DEEPEST + 1 and not any(is_run_name("/".join(parts[:end])) for end in range(1, len(parts)))


def is_run_name(name: str) -> bool:
    """Whether :func:`parse` can parse a name."""
    try:
        parse(name)
    except ValueError:
        return False
    return True


class _Unread:
    """The folders that cannot be read: how many, and the first of them."""

    def __init__(self) -> None:
        self._count = 0
        self._first = ""

    def add(self, folder: Path, error: OSError) -> None:
        self._count += 1
        self._first = self._first or f"{shell_path(folder)} cannot be read: {error.strerror}"

    def tell(self) -> None:
        if self._count:
            more = f" So it is with {self._count - 1:,} more." if self._count > 1 else ""
            warn(f"the runs in a folder are not listed: {self._first}.{more} Ask its owner for access.")


def _folders_in(folder: Path, unread: _Unread | None) -> tuple[list[tuple[str, bool]], bool]:
    """Return the name of each folder in a folder, and whether it is a link; and whether there is a run.json."""
    found, is_run = [], False
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                is_run = is_run or entry.name == RUN_JSON
                with suppress(OSError):
                    if entry.is_dir():
                        found.append((entry.name, entry.is_symlink()))
    except (FileNotFoundError, NotADirectoryError):  # it was just deleted
        pass
    except OSError as error:
        if unread is not None:
            unread.add(folder, error)
    return found, is_run


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
