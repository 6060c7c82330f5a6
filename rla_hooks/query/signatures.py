"""Tells whether the small files of a run are still those that were read, by what the disk says of them."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from rla_hooks.layout import ARCHIVE, LOG
from rla_hooks.life import STALE_AFTER

_NONE = 0, 0, 0, 0  # of a file that is not there
_FIELDS = struct.Struct("<4q")
_THREE = struct.Struct("<12q").pack
# A file that changes twice within a tick of its disk's clock looks the same afterwards. So what was written just before
# it was read is read again, as git does it; so is what was written in the near future, by a clock that goes wrong.
TICK, _NEAR_FUTURE = 2.0, 3600.0  # seconds
_MAX_OTHERS = 100


class Folder:
    """A folder in which runs are. Where the system can, files are looked up from there: it takes half the time."""

    def __init__(self, root: Path, folder: str):
        self._path, self._archive = root / LOG / folder, root / ARCHIVE / folder
        self._prefix = f"{self._path}/"
        self._descriptor: int | None = None

    def __enter__(self) -> Folder:
        if os.stat in os.supports_dir_fd:
            try:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                self._prefix = ""
            except OSError:  # it has just been deleted
                pass
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def signature(self, leaf: str) -> bytes:
        """Return size, times and inode of each small file of the run; empty if they cannot be told.

        Of a run that lacks run.json or parameter.json also those of its folder, and of what the original RLA wrote.
        """
        stat, here, run = os.stat, self._descriptor, self._prefix + leaf
        try:
            one = stat(run + "/run.json", dir_fd=here)
            two = stat(run + "/parameter.json", dir_fd=here)
            if one.st_size and two.st_size:
                try:
                    last = _fields(stat(run + "/labels.json", dir_fd=here))
                except FileNotFoundError:
                    last = _NONE
                return _THREE(
                    *(one.st_mtime_ns, one.st_ctime_ns, one.st_size, one.st_ino),
                    *(two.st_mtime_ns, two.st_ctime_ns, two.st_size, two.st_ino),
                    *last,
                )
        except FileNotFoundError:
            pass
        except (OSError, ValueError, OverflowError, struct.error):
            return b""
        return self._of_unfinished(leaf)

    def _of_unfinished(self, leaf: str) -> bytes:
        try:
            found = [_FIELDS.pack(*_fields(os.stat(self._path / leaf)))]
            with os.scandir(self._path / leaf) as entries:
                names = sorted(each.name for each in entries if each.name.startswith("parameter."))[:_MAX_OTHERS]
            for name in ("run.json", "labels.json", *names):
                found.append(_pack_if_there(f"{self._path}/{leaf}/{name}"))
            found += [_pack_if_there(f"{self._archive}/{leaf}{end}") for end in ("", ".pkl")]
        except (OSError, ValueError, OverflowError, struct.error):
            return b""
        return b"?" + b"".join(found)


def trusted(signature: bytes, moment: float) -> bytes:
    """Return the signature of files that are read at this moment if it can be relied on later; else the empty one.

    >>> trusted(_THREE(*[0] * 12), 100.0) == _THREE(*[0] * 12), trusted(_THREE(99_000_000_000, *[0] * 11), 100.0)
    (True, b'')
    """
    is_unfinished = len(signature) % _FIELDS.size == 1
    files = [*_FIELDS.iter_unpack(signature[1:] if is_unfinished else signature)]
    if is_unfinished and abs(moment - files[0][0] / 1e9) < STALE_AFTER:
        return b""  # a run that may just be starting
    for written, changed, _, _ in files:
        for time_ns in (written, changed):
            if moment - TICK < time_ns / 1e9 < moment + _NEAR_FUTURE:
                return b""
    return signature


def _pack_if_there(path: str) -> bytes:
    try:
        return _FIELDS.pack(*_fields(os.stat(path)))
    except FileNotFoundError:
        return _FIELDS.pack(*_NONE)


def _fields(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
