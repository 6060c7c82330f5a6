"""Temporary names that say which process writes them, so that what a killed one left can be swept away.

``.saving-<host>-<pid>-<random>.tmp`` lies beside its target and becomes it with :func:`os.replace`.
:func:`rla_hooks.atomic.replacing` does the same for one file; its names do not tell whose they are.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rla_hooks import atomic, ranks

_NAME = re.compile(r"\.saving-([0-9a-f]{8})-(\d+)-[0-9a-f]{32}\.tmp")
_mine: set[str] = set()  # names in use in this process: another thread may be in the middle of a save


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Yield an unused temporary path in ``folder``; whatever still lies there at the end is removed."""
    temporary = folder / f".saving-{_host()}-{os.getpid()}-{uuid.uuid4().hex}{atomic.TEMPORARY_SUFFIX}"
    _mine.add(temporary.name)
    try:
        yield temporary
    finally:
        # What cannot be removed now is swept by a later save; the error that brought us here matters more.
        with contextlib.suppress(OSError):
            remove(temporary)
        _mine.discard(temporary.name)


def write_bytes(path: Path, data: bytes, synced: bool) -> None:
    """Write ``data`` to ``path``, complete or not at all; ``synced``: hand it and the folder to the disk."""
    with staging(path.parent) as temporary:
        temporary.write_bytes(data)
        if synced:
            sync(temporary)
        os.replace(temporary, path)
    if synced:
        sync_one(path.parent)


def sweep(folder: Path) -> None:
    """Remove the temporary files of saves in this folder whose process died on this machine."""
    for name in os.listdir(folder):
        match = _NAME.fullmatch(name)
        if match and match[1] == _host() and name not in _mine and not _alive(int(match[2])):
            with contextlib.suppress(OSError):
                remove(folder / name)


def remove(path: Path) -> None:
    """Remove a file or a folder that we wrote. No error where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def files_of(path: Path) -> list[Path]:
    """The files of a checkpoint in a fixed order: itself, or all files in the folder it is."""
    if not path.is_dir():
        return [path]
    return sorted((Path(top) / name for top, _, names in os.walk(path) for name in names), key=lambda p: p.as_posix())


def sync(path: Path) -> None:
    """Hand a file, or a folder with all that is in it, to the disk."""
    if path.is_dir():
        for top, _, names in os.walk(path):
            for name in names:
                sync_one(Path(top) / name)
            sync_one(Path(top))
    else:
        sync_one(path)


sync_one = atomic._fsync


def _host() -> str:
    return f"{zlib.crc32(platform.node().encode('utf-8', 'surrogateescape')):08x}"


def _alive(pid: int) -> bool:
    """Whether another process has this number. Our own, on a name not in use, was an earlier process's."""
    return pid != os.getpid() and ranks.is_alive(pid)
