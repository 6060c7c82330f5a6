"""Finds the folders of other tools below a folder, and what is in them. Links are not followed.

One folder with such files is one run, whatever lies below it. Two exceptions: of several files of Keras' CSVLogger in a
folder each is a run; and the folder that torch's ``add_hparams`` makes below a run, named by a time, belongs to it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rla_hooks.errors import warn
from rla_hooks.layout import ARCHIVE, LOG
from rla_hooks.smallfiles import open_regular
from rla_hooks.texts import shell_path

MAX_ENTRIES = 200_000  # files and folders that are looked at: a second or two
_MAX_DEPTH = 16
_MAX_SNIFFED = 100  # files of a folder whose first line is read
_HEADER = 64 << 10  # bytes
_SKIPPED = {"__pycache__", "node_modules", "site-packages", "venv"}
_PROGRESS, _METRICS, _HPARAMS = "progress.csv", "metrics.csv", "hparams.yaml"
_MONITOR = re.compile(r"(.+\.)?monitor\.csv", re.DOTALL)
_EVENTS = re.compile(r"events\.out\.tfevents\..+", re.DOTALL)
_VERSION = re.compile(r"version_\d+")  # Lightning's
_HPARAMS_FOLDER = re.compile(r"\d{9,10}(\.\d+)?")  # torch's: a time


class Found(NamedTuple):
    """A run of another tool: the folder relative to the one that was asked for, and the files of each kind.

    name: beside the folder, of one of several files of Keras. ``tables``: of SB3's logger, or Lightning's.
    """

    folder: str
    name: str = ""
    tables: tuple[str, ...] = ()
    keras: tuple[str, ...] = ()
    monitors: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    yaml: tuple[str, ...] = ()


def is_ours(root: Path) -> bool:
    """Whether a folder, or one above it, is a log root: then nothing in it is another tool's."""
    root = Path(os.path.abspath(root))
    return any(all(os.path.isdir(each / kind) for kind in (LOG, ARCHIVE)) for each in (root, *root.parents))


def find(root: Path) -> list[Found]:
    """Return the runs of other tools in a folder and below, in no order. Where there is too much, a warning says so."""
    found: list[Found] = []
    waiting, left = [("", 0)], MAX_ENTRIES
    while waiting:
        folder, depth = waiting.pop()
        files, folders = _entries(root / folder, left)
        left -= len(files) + len(folders)
        if left <= 0:
            warn(
                f"not all of {shell_path(root)} is listed: it has more than {MAX_ENTRIES:,} files. "
                "Give a folder further down."
            )
            break
        if {LOG, ARCHIVE} <= {*folders}:  # a log root
            continue
        runs = [*_runs_in(root, folder, files)]
        if runs and runs[0].events:
            runs[0], folders = _with_hparams(root, runs[0], folders)
        found += runs
        if depth < _MAX_DEPTH:
            waiting += [(f"{folder}/{child}" if folder else child, depth + 1) for child in folders]
    return found


def _entries(folder: Path, most: int) -> tuple[list[str], list[str]]:
    """Return the names of the files and folders in a folder, sorted; at most so many. Hidden ones are left out."""
    files: list[str] = []
    folders: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if len(files) + len(folders) >= most:
                break
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith(".") and entry.name not in _SKIPPED:
                        folders.append(entry.name)
                elif not entry.is_symlink() or entry.is_file():
                    files.append(entry.name)
    return sorted(files), sorted(folders)


def _runs_in(root: Path, folder: str, files: list[str]) -> Iterator[Found]:
    """Yield the run that these files of a folder are of; several where Keras left several tables."""
    events = [name for name in files if _EVENTS.fullmatch(name)]
    tables = [name for name in files if name == _PROGRESS or (name == _METRICS and _has_steps(root / folder / name))]
    rest = [name for name in files if name.endswith((".csv", ".log")) and name not in tables][:_MAX_SNIFFED]
    headers = {name: _first_line(root / folder / name) for name in rest}
    monitors = [name for name in rest if _MONITOR.fullmatch(name) and _is_monitor(headers[name])]
    keras = [name for name in rest if _is_keras(headers[name])]
    yaml = [name for name in files if name == _HPARAMS]
    is_run = events or tables or monitors or (yaml and _VERSION.fullmatch(Path(root, folder).name))
    if is_run or len(keras) == 1:
        yield Found(folder, "", *map(tuple, (tables, keras if len(keras) == 1 else (), monitors, events, yaml)))
    if len(keras) > 1:
        for name in keras:
            yield Found(folder, name, keras=(name,))


def _with_hparams(root: Path, run: Found, folders: list[str]) -> tuple[Found, list[str]]:
    """Give a run the event files that torch's add_hparams put into a folder below it."""
    events, rest = list(run.events), []
    for child in folders:
        files, inner = _entries(root / run.folder / child, 100) if _HPARAMS_FOLDER.fullmatch(child) else ([], [])
        if files and not inner and all(map(_EVENTS.fullmatch, files)):
            events += [f"{child}/{name}" for name in files]
        else:
            rest.append(child)
    return run._replace(events=tuple(events)), rest


def _first_line(path: Path) -> bytes:
    with suppress(OSError), open_regular(path) as file:
        return file.readline(_HEADER)
    return b""


def _has_steps(path: Path) -> bool:
    from rla_hooks.query.foreign.parts import steps_of
    from rla_hooks.rows.reader import names_of

    with suppress(OSError), open_regular(path) as file:
        return steps_of(names_of(file)[0]) is not None
    return False


def _is_monitor(header: bytes) -> bool:
    from rla_hooks.query.foreign.tables import is_monitor

    return is_monitor(header)


def _is_keras(header: bytes) -> bool:
    from rla_hooks.query.foreign.tables import keras_separator

    return header.startswith(b"epoch") and keras_separator(header) is not None
