"""Opens files to be checked: regular ones only, through no link, in bounded memory; and counts what was read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rla_hooks.rowfiles import mark_of
from rla_hooks.upkeep.checking.found import Found

BLOCK = 1 << 20  # bytes that are read at once
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}
_MAX_DEPTH = 30  # folders in folders
_MAX_FILES = 1_000_000


class Disk:
    """What one verification reads. files, bytes: how many were opened, and their sizes."""

    def __init__(self) -> None:
        self.files = self.bytes = 0

    def open(self, path: Path) -> BinaryIO:
        """Open a regular file. Raises OSError, with what it is instead."""
        _check(os.lstat(path))  # before it is opened: to open a FIFO or a device can already do something
        descriptor = os.open(path, _FLAGS)
        try:
            status = os.fstat(descriptor)
            _check(status)
            file = os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
        self.count(1, status.st_size)
        return file

    def count(self, files: int, size: int) -> None:
        """Count what is read elsewhere."""
        self.files += files
        self.bytes += size


def _check(status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFLNK:
        raise OSError(errno.ELOOP, "it is a link, which is not followed")
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'a special file')}, not a regular file")


def unreadable(path: Path, error: OSError) -> Found:
    """What is told of a file that cannot be opened or read: a link is only unusual."""
    is_link = error.errno == errno.ELOOP
    text = f"cannot be read: {error.strerror or error}"
    return Found(path, "is a link, which is not followed: not checked" if is_link else text, is_damage=not is_link)


def marked(file: BinaryIO) -> bytes:
    """Return the mark of an open file: another one once somebody has changed or replaced it."""
    return mark_of(os.fstat(file.fileno()))


def mark_at(path: Path) -> bytes:
    """Return the mark of the file at a path; nothing where there is none."""
    try:
        return mark_of(os.lstat(path))
    except OSError:
        return b""


def size_of(file: BinaryIO) -> int:
    """Return the size of an open file."""
    return os.fstat(file.fileno()).st_size


def files_below(folder: Path, depth: int = 0) -> Iterator[os.DirEntry[str]]:
    """Yield the files in a folder and those below it, in order; links are yielded, and none is followed."""
    try:
        with os.scandir(folder) as listing:
            entries = sorted((each for each, _ in zip(listing, range(_MAX_FILES))), key=lambda each: each.name)
    except OSError:
        return
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            yield entry
        elif depth < _MAX_DEPTH:
            yield from files_below(Path(entry.path), depth + 1)


def skip_hole(file: BinaryIO, at: int, size: int) -> int:
    """Return where the next data of a file are, at or behind ``at``: a sparse file may say that it has terabytes."""
    try:
        return os.lseek(file.fileno(), at, os.SEEK_DATA)
    except AttributeError:  # Windows
        return at
    except OSError as error:
        return size if error.errno == errno.ENXIO else at
