"""Files that are whole or not there at all.

A file is written beside its target under a temporary name, synced, and moved onto the target with
:func:`os.replace`. A process that dies in between leaves the old file as it was.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TEMPORARY_SUFFIX = ".tmp"


@contextmanager
def replacing(path: str | os.PathLike[str], sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends well, it becomes ``path``.

    Where the block raises, the temporary file is removed and ``path`` stays as it was.
    ``sync=False`` skips the fsync: for small files that may be lost with the machine, not with the process.
    """
    path = Path(path)
    # The name is short and does not grow with the target's: a file name has at most 255 bytes.
    temporary = path.parent / f".{uuid.uuid4().hex}{TEMPORARY_SUFFIX}"
    try:
        yield temporary
        if sync:
            _fsync(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        with suppress(OSError):  # some network file systems cannot sync a folder; the file itself is on the disk
            _fsync(path.parent)


def write_bytes(path: str | os.PathLike[str], data: bytes, sync: bool = True) -> None:
    """Write ``data`` to ``path``, complete or not at all."""
    with replacing(path, sync) as temporary:
        temporary.write_bytes(data)


def write_json(path: str | os.PathLike[str], content: Any, sync: bool = False) -> None:
    """Write ``content`` as indented JSON, complete or not at all. NaN is written as ``NaN``, which Python reads."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode("utf-8", "backslashreplace"), sync)


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of one JSON object. Raises OSError, or ValueError where it holds something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, not a JSON object")
    return content


def _fsync(path: Path) -> None:
    """Hand a file or a folder to the disk. Folders cannot be opened for this on Windows, nor need they be."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        if os.name == "nt":
            return
        raise
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
