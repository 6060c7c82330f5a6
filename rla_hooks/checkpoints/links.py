"""Gives another run checkpoints that are there already, without a second copy of their bytes where that is safe.

clone   the file system shares the bytes until somebody writes to one of both files (btrfs, XFS, bcachefs, ...)
link    a second name of the same file: whoever writes into one changes both. So only files get it that rla_hooks
        has put in their places whole, and replaces by other files
copy    for the rest: Lightning writes its last.ckpt again and again into the same file, and so may a program
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path

from rla_hooks import atomic
from rla_hooks.checkpoints import staging
from rla_hooks.checkpoints.entry import Entry
from rla_hooks.smallfiles import open_regular

_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)


def may_link(entry: Entry) -> bool:
    """Whether a second name of the file is safe.

    >>> may_link(Entry("last.ckpt", "last", 3, time=0.0, size=10, crc32c="e3069283"))
    False
    """
    return entry.own is True


def take(entry: Entry, source: Path, target: Path) -> Counter[str]:
    """Give a checkpoint of the folder ``source`` to the folder ``target``; return the bytes by kind: see the top.

    It appears whole or not at all, is on the disk, and keeps its time. Raises OSError, FileNotFoundError if it is gone.
    """
    counts: Counter[str] = Counter()
    path, new = source / entry.file, target / entry.file
    new.parent.mkdir(parents=True, exist_ok=True)
    is_folder = path.is_dir()
    with atomic.temporary_in(new.parent) as temporary:
        for file in staging.files_of(path):
            copy = temporary / file.relative_to(path) if is_folder else temporary
            if is_folder:
                copy.parent.mkdir(parents=True, exist_ok=True)
            size = file.stat().st_size
            counts[take_file(file, copy, may_link(entry))] += size
        os.replace(temporary, new)
    with suppress(OSError):
        atomic.fsync(new.parent)
    return counts


def take_file(source: Path, target: Path, link: bool) -> str:
    """Give a file to a path where there is none; return the kind: see the top. It keeps its time. Raises OSError."""
    if _clone(source, target):
        kind = "clone"
    elif link and _link(source, target):
        return "link"
    else:
        shutil.copyfile(source, target)
        kind = "copy"
    atomic.fsync(target)
    with suppress(OSError):
        found = source.stat()
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
    return kind


def _link(source: Path, target: Path) -> bool:
    """Give a file a second name; return False where that cannot be: another disk, or somebody else's file."""
    try:
        os.link(os.path.realpath(source), target)
    except FileNotFoundError:
        raise
    except (OSError, NotImplementedError):
        return False
    return True


def _clone(source: Path, target: Path) -> bool:
    """Let two files share their bytes until one changes, where the file system can do that."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    with open_regular(source) as old:
        try:
            with open(target, "xb") as new:
                fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
            return True
        except OSError:
            target.unlink(missing_ok=True)
    return False
