"""Copies the files of one run of the original RLA into the form of rla_hooks, folder by folder.

    RLA                                               rla_hooks
    log/<run>/progress.csv                            the same rows, with time-step and timestamp first
    log/<run>/tb/events/events.out...                 tb/events.out...
    log/<run>/parameter.yaml, parameter.json          as they are; the latter is parameter.of_rla.json then
    checkpoint/<run>/checkpoint_900.pt                checkpoint-900.pt, listed in manifest.json
    checkpoint/<run>/checkpoint-900.index, .data...   checkpoint-900.tf/variables.index, ..., listed in manifest.json
    archive_tester/<run>.pkl                          archive_tester/<run>/of_rla.pkl: only kept, never unpickled
    all else                                          under the same names

Passwords in texts are masked; a pickle that has one is left. Only regular files are copied. A link may lead anywhere,
and a FIFO may never end: they are left, and told.
"""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rla_hooks import atomic
from rla_hooks.checkpoints.checksum import measure
from rla_hooks.checkpoints.entry import Entry
from rla_hooks.checkpoints.links import take_file
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.checkpoints.old_listing import TORCH, OldCheckpoint, old_checkpoints
from rla_hooks.filenames import portable
from rla_hooks.masking.files import is_secret_file
from rla_hooks.smallfiles import open_regular
from rla_hooks.texts import shell_path
from rla_hooks.upkeep.masked_copies import holds_secret, take_masked
from rla_hooks.writers.base import STEP, TIME
from rla_hooks.writers.csv_format import cells_of, read_header

PICKLE = "of_rla.pkl"
_PROGRESS, _PARAMETERS, _EVENTS = "progress.csv", "parameter.json", "tb/events/"
_DEEPEST = 64  # folders in folders
_TEXTS = (".txt", ".log", ".json", ".yaml", ".yml")
_TORN = "progress.torn-1.txt"  # as a run of ours puts half of a row aside when it goes on
_WRITER = "rla import"  # noted for checkpoints, so that no saver deletes them


class Left(NamedTuple):
    """What is not copied, and why, as the end of a sentence."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{shell_path(self.path)} {self.reason}"


def copy_log(source: Path, target: Path) -> list[Left]:
    """Copy the log folder of a run; return what is left. parameter.json and run.json are not its business."""
    left = list[Left]()
    for path, name in _files(source, left):
        if name == _PROGRESS:
            left += _tried(path, target / name, copy_rows)
        elif name == _PARAMETERS:
            left += _tried(path, target / "parameter.of_rla.json", take_masked)
        else:
            moved = f"tb/{name[len(_EVENTS) :]}" if name.startswith(_EVENTS) else name
            copy = take_masked if path.suffix in _TEXTS else _take
            left += _tried(path, target / (name if os.path.lexists(target / moved) else moved), copy)
    return left


def copy_tree(source: Path, target: Path, masked: bool = False) -> list[Left]:
    """Copy a file, or a folder with all that is in it, as it is; return what is left.

    masked: without the passwords in it, and without files that are secrets by their names.
    """
    if source.is_file() and not source.is_symlink():
        return _tried(source, target)
    if not source.is_dir():
        return [Left(source, "is no regular file")]
    left = list[Left]()
    for path, name in _files(source, left):
        if masked and is_secret_file(name):
            left.append(Left(path, "may hold a secret"))
        else:
            left += _tried(path, target / name, take_masked if masked else _take)
    return left


def copy_pickle(source: Path, target: Path) -> list[Left]:
    """Copy the pickle of a Tester, unless there is a password in it; return what is left."""
    with suppress(OSError):  # what cannot be read is told below
        if source.is_file() and not source.is_symlink() and holds_secret(source):
            return [Left(source, "may hold a password: tester.pkl has the plain data of it")]
    return copy_tree(source, target)


def copy_checkpoints(source: Path, target: Path) -> list[Left]:
    """Copy a checkpoint folder, and list what is complete in a manifest; return what is left."""
    found, entries, left, taken = old_checkpoints(source), list[Entry](), list[Left](), set[Path]()
    for each in found:
        name = f"{portable(each.name)}-{each.step}{'.pt' if each.kind == TORCH else '.tf'}"
        if os.path.lexists(target / name):  # of both eras, of one step
            name = f"{each.path.stem}.of_rla{Path(name).suffix}"
        lost = [problem for file in each.files for problem in _tried(file, target / _inside(each, file, name))]
        left += lost
        taken |= {*each.files}
        if not lost:
            size, crc = measure(target / name)
            entries.append(Entry(name, each.name, each.step, each.time, size, crc, {"writer": _WRITER}))
    for path, name in _files(source, left):
        if path not in taken:
            left += _tried(path, target / name)
    if entries:
        Manifest(target).take_over(entries)
    return left


def _inside(each: OldCheckpoint, file: Path, name: str) -> str:
    """Where a file of a checkpoint goes: those of TensorFlow into a folder, under the names that ours have there."""
    if each.kind == TORCH:
        return name
    return f"{name}/{each.kind}{file.name[len(each.path.stem) :]}"


def copy_rows(source: Path, target: Path) -> None:
    """Copy a progress.csv cell by cell, with the step and the time first; half of a row at its end goes beside."""
    with open_regular(source) as file:
        header = read_header(file)
        columns = [cell.strip() for cell in cells_of(header)] if header else []
        file.seek(-1 if header else 0, os.SEEK_END)
        is_whole = file.read() == b"\n" or not header
    first = [name for name in (STEP, TIME) if name in columns]
    if (is_whole and columns[: len(first)] == first) or len({*columns}) < len(columns):
        _take(source, target)
        return
    order = [*map(columns.index, first), *(number for number, name in enumerate(columns) if name not in first)]
    try:
        _write_rows(source, target, order)
    except csv.Error:  # a NUL, or a cell of 128 kB: its reader can do with it as it is
        target.unlink(missing_ok=True)
        (target.parent / _TORN).unlink(missing_ok=True)
        _take(source, target)


def _write_rows(source: Path, target: Path, order: Sequence[int]) -> None:
    with (
        open_regular(source) as binary,
        open(target, "x", encoding="utf-8", errors="surrogateescape", newline="") as new,
    ):
        writer = csv.writer(new, lineterminator="\n")
        lines = _Lines(line.decode("utf-8", "surrogateescape") for line in binary)
        for row in csv.reader(lines):
            if not lines.is_torn:
                cells = row + [""] * (len(order) - len(row)) if row else row
                writer.writerow([cells[number] for number in order] + cells[len(order) :] if cells else [])
    if lines.is_torn:
        data = lines.last.encode("utf-8", "surrogateescape")
        (target.parent / _TORN).write_bytes(data)
    state = source.stat()
    os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))


class _Lines:
    """The lines of a file, and whether the last one that was given has no end."""

    def __init__(self, lines: Iterator[str]):
        self._lines = lines
        self.last = ""

    @property
    def is_torn(self) -> bool:
        return bool(self.last) and not self.last.endswith("\n")

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self.last = next(self._lines)
        return self.last


def _files(top: Path, left: list[Left], inner: str = "") -> Iterator[tuple[Path, str]]:
    """Yield the regular files below a folder, and their paths in it; note what is none in ``left``."""
    folder = top / inner
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        left.append(Left(folder, f"cannot be read: {error.strerror}"))
        return
    for entry in entries:
        name = f"{inner}/{entry.name}" if inner else entry.name
        if entry.is_symlink():
            left.append(Left(top / name, "is a link, which is not followed"))
        elif entry.is_dir(follow_symlinks=False):
            if name.count("/") < _DEEPEST:
                yield from _files(top, left, name)
            else:
                left.append(Left(top / name, f"lies in {_DEEPEST} folders, and what is in it is not copied"))
        elif not stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            left.append(Left(top / name, "is no regular file"))
        elif not atomic.is_temporary(entry.name):
            yield top / name, name


def _take(source: Path, target: Path) -> None:
    take_file(source, target, link=False)


def _tried(source: Path, target: Path, copy: Callable[[Path, Path], None] = _take) -> list[Left]:
    """Copy a file; return it where it cannot be read. Raises OSError where the new one cannot be written."""
    if os.path.lexists(target):  # an empty checkpoint-80.pt beside a whole checkpoint_80.pt, say
        return [Left(source, f"has no place: the copy has another file {target.name}")]
    try:
        open_regular(source).close()
    except OSError as error:
        return [Left(source, f"cannot be read: {error.strerror or error}")]
    target.parent.mkdir(parents=True, exist_ok=True)
    copy(source, target)
    return []


def same_files(one: Path, other: Path) -> bool:
    """Whether two files, or folders, have files of the same names and sizes."""
    return _sizes(one) == _sizes(other)


def _sizes(path: Path) -> dict[str, int]:
    found = {"": path.stat().st_size} if path.is_file() else {}
    for top, _, names in os.walk(path):
        for name in names:
            file = os.path.join(top, name)
            with suppress(OSError):
                found[os.path.relpath(file, path)] = os.lstat(file).st_size
    return found
