"""On what kind of file system a folder lies, how much room is there, and whether locks work."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rla_hooks.atomic import release_name, temporary_name

# As mount names them; fuse.x counts as x.
_NETWORK = re.compile(
    r"(fuse\.)?(nfs4?|cifs|smb3?|smbfs|sshfs|lustre|gpfs|mmfs|beegfs\w*|ceph\w*|glusterfs|9p|v9fs|afs|panfs|pvfs2|orangefs"
    r"|wekafs|vast\w*|davfs\w*|s3fs|gcsfuse|rclone|goofys|juicefs|virtiofs|dbfs)"
)
_MOUNTS = "/proc/self/mountinfo"
_MAX_MOUNTS = 10_000


class Room(NamedTuple):
    """Of a file system: bytes and inodes that this user may still use. inodes: None if they are not counted."""

    free: int
    total: int
    inodes: int | None


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next((each for each in (folder, *folder.parents) if os.path.isdir(each)), Path(folder.anchor))


def file_system(folder: Path, mounts: str = _MOUNTS) -> str | None:
    """Return the type of the file system that an existing folder lies on, such as ext4 or nfs4; None if unknown."""
    real, found, longest = os.path.realpath(folder), None, -1
    with suppress(OSError), open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
        for _, line in zip(range(_MAX_MOUNTS), lines):
            before, _, after = line.partition(" - ")
            fields = before.split()
            if len(fields) < 5 or not after:
                continue
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
            inside = real == point or real.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= longest:  # of several on one point the last one shows
                found, longest = after.split()[0], len(point)
    return found


def is_network(kind: str | None) -> bool:
    """Whether a type of file system is one of other machines.

    >>> [is_network(kind) for kind in ("ext4", "nfs4", "fuse.sshfs", "fuseblk", None)]
    [False, True, True, False, False]
    """
    return kind is not None and _NETWORK.fullmatch(kind) is not None


def room(folder: Path) -> Room | None:
    """Return how much room this user has where an existing folder lies; None where the system does not tell."""
    if not hasattr(os, "statvfs"):
        return None
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    if not found.f_blocks:  # /proc, say
        return None
    inodes = found.f_favail if found.f_files else None
    return Room(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, inodes)


def try_writing(folder: Path) -> tuple[str | None, bool | None]:
    """Write a hidden file into a folder, lock it and remove it.

    Return why that cannot be written, None if it can, and whether locks keep two processes apart, None if unknown.
    """
    path = temporary_name(folder)
    try:
        path.write_bytes(b"rla doctor\n")
        return None, _locks_hold(path)
    except OSError as error:
        return error.strerror or str(error), None
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        release_name(path)


def _locks_hold(path: Path) -> bool | None:
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    with path.open("r+b") as first, path.open("r+b") as second:  # each has a lock of its own, as two processes have
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return False
