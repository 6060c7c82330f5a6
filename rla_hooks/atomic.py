"""Writes files and folders completely or not at all.

A file is written beside its target under a temporary name, synced, and moved onto the target with
:func:`os.replace`. A process that dies in between leaves the old file as it was, and a temporary file
``.saving-<host>-<process id>-<random>.tmp``, of which :func:`is_abandoned` says by its name that it may be removed.
"""

from __future__ import annotations

import json
import os
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rla_hooks.life import is_alive, pid_namespace
from rla_hooks.patterns import pattern
from rla_hooks.smallfiles import read_json as read_json

TEMPORARY_SUFFIX = ".tmp"
_TEMPORARY = pattern(r"\.saving-([0-9a-f]{8})-(\d+)-[0-9a-f]{32}\.tmp")
_in_use: dict[str, Path] = {}  # temporary paths of this process, by name: another of its threads may be writing


@contextmanager
def temporary_in(folder: Path) -> Iterator[Path]:
    """Yield an unused path in ``folder`` for a file or a folder; what is there at the end is removed."""
    temporary = temporary_name(folder)
    try:
        yield temporary
    finally:
        # What cannot be removed now may be swept later; the error that ended the block matters more.
        with suppress(OSError):
            remove(temporary)
        release_name(temporary)


def temporary_name(folder: Path) -> Path:
    """Return an unused path in ``folder`` that no other process sweeps, until :func:`release_name` or our end."""
    # The name is short and does not grow with the target's: a file name has at most 255 bytes.
    temporary = folder / f".saving-{_host()}-{os.getpid()}-{os.urandom(16).hex()}{TEMPORARY_SUFFIX}"
    _in_use[temporary.name] = temporary
    return temporary


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that :func:`temporary_name` has named: no file of the run."""
    return _TEMPORARY.fullmatch(name) is not None


def release_name(temporary: Path) -> None:
    """Say that this process does not use a temporary path any more."""
    _in_use.pop(temporary.name, None)


@contextmanager
def replacing(path: str | os.PathLike[str], sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends well, it becomes ``path``.

    Where the block raises, the temporary file is removed and ``path`` stays as it was. Raises OSError.
    ``sync=False`` skips the fsync: for small files that may be lost with the machine, not with the process.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder, "note.txt")
    ...     with replacing(target) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     target.read_text()
    'whole'
    """
    path = Path(path)
    with temporary_in(path.parent) as temporary:
        yield temporary
        if sync:
            fsync(temporary)
        os.replace(temporary, path)
    if sync:
        with suppress(OSError):  # some network file systems cannot sync a folder; the file itself is on the disk
            fsync(path.parent)


def is_abandoned(name: str) -> bool:
    """Whether a file name is a temporary one of a process that has died on this machine.

    >>> is_abandoned("model.pt")
    False
    """
    match = _TEMPORARY.fullmatch(name)
    if match is None or match[1] != _host() or name in _in_use:
        return False
    pid = int(match[2])
    return pid == os.getpid() or not is_alive(pid)  # our own number, on a name not in use, was an earlier process's


def sweep(folder: Path) -> None:
    """Remove the temporary files and folders in a folder whose processes have died on this machine. Never raises."""
    with suppress(OSError):
        for name in filter(is_abandoned, os.listdir(folder)):
            with suppress(OSError):
                remove(folder / name)


def remove_unfinished() -> None:
    """Remove the temporary files and folders of this process, which is about to die of a signal. Never raises."""
    for name, path in list(_in_use.items()):
        match = _TEMPORARY.fullmatch(name)
        if match is not None and int(match[2]) == os.getpid():  # else it is the parent's, which goes on
            with suppress(OSError):
                remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder that we wrote. No error where there is none."""
    if path.is_dir() and not path.is_symlink():
        import shutil  # late: it takes milliseconds, and a run starts without it

        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike[str], data: bytes, sync: bool = True) -> None:
    """Write ``data`` to ``path``, complete or not at all."""
    with replacing(path, sync) as temporary:
        temporary.write_bytes(data)


def write_json(path: str | os.PathLike[str], content: Any, sync: bool = False) -> None:
    """Write ``content`` as indented JSON, complete or not at all. NaN is written as ``NaN``, which Python reads."""
    write_bytes(path, json_bytes(content), sync)


def json_bytes(content: Any) -> bytes:
    """Return the content of a file of indented JSON."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def fsync(path: Path) -> None:
    """Hand a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _host() -> str:
    """What the process number in a temporary name counts: in a container, processes have numbers of their own."""
    counted = socket.gethostname() + pid_namespace()
    return f"{zlib.crc32(counted.encode('utf-8', 'surrogateescape')):08x}"
