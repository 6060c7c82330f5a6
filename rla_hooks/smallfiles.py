"""Reads the small files of a run, whoever has put them there: in bounded time and memory, and nothing else is opened.

Only regular files are read (links are followed): a FIFO, a device or a socket would block or never end. Every size,
number and depth has a limit, far beyond what a run writes, that a sparse file or a crafted one meets first.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import stat
from typing import Any, BinaryIO

LIMIT = 64 << 20  # bytes of a small file
MAX_VALUES = 2_000_000  # of a JSON file: an empty list of two bytes takes 64 in memory
_MAX_DEPTH = 200  # levels of a JSON file: everybody who walks through it later does so by recursion
_AT_ONCE = 1 << 16  # bytes
_MAX_DIGITS = 4000  # Python itself refuses longer integers, or takes minutes
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# Looked up here: Ctrl-C in the middle of the first look-up would leave the process without this encoding.
_UTF_8 = codecs.lookup("utf-8-sig").name
_KINDS = {stat.S_IFIFO: "FIFO", stat.S_IFCHR: "device", stat.S_IFBLK: "device", stat.S_IFSOCK: "socket"}


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading. Raises OSError; io.UnsupportedOperation for another, which is not touched.

    >>> open_regular("/dev/zero")
    Traceback (most recent call last):
    io.UnsupportedOperation: it is a device, not a regular file
    """
    descriptor = _open(path)
    try:
        return io.BufferedReader(io.FileIO(descriptor, "rb"))
    except BaseException:
        os.close(descriptor)
        raise


def _open(path: str | os.PathLike[str]) -> int:
    _check_regular(os.stat(path))  # before it is opened: opening a FIFO or a device can already do something
    descriptor = os.open(path, _FLAGS)
    try:
        _check_regular(os.fstat(descriptor))  # it may have been replaced in between
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError("it is a folder")
    if kind != stat.S_IFREG:
        raise io.UnsupportedOperation(f"it is a {_KINDS.get(kind, 'special file')}, not a regular file")


def read_bytes(path: str | os.PathLike[str], limit: int = LIMIT) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes. Raises OSError, else ValueError."""
    descriptor = _open(path)  # without a file object: a list of runs reads ten thousands of files
    try:
        size, parts, length = os.fstat(descriptor).st_size, [], 0
        while size <= limit and length <= limit:  # more than the size: it may grow, and in /proc it is 0
            part = os.read(descriptor, min(size or _AT_ONCE, limit) + 1)
            if not part:
                break
            parts.append(part)
            length += len(part)
            if length == size:  # of a regular file that is all; what is added now is of the next reading
                break
    finally:
        os.close(descriptor)
    if size > limit or length > limit:
        raise ValueError(f"it has {max(size, length):,} bytes; files of at most {limit:,} are read")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_json(path: str | os.PathLike[str], limit: int = LIMIT) -> dict[str, Any]:
    """Read a file of one JSON object. Raises OSError, or ValueError where it holds something else.

    NaN and infinities are read. Of a key that stands there twice the last value counts, as it does everywhere.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "run.json").write_text('{"rows": 3, "last": {"loss": NaN}}')
    ...     read_json(Path(folder, "run.json"))
    {'rows': 3, 'last': {'loss': nan}}
    """
    return parse_object(read_bytes(path, limit))


def parse_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object in ``data``. Raises ValueError where it holds something else, or too much.

    >>> parse_object(b'{"rows": 3}')
    {'rows': 3}
    """
    levels = data.count(b"[") + data.count(b"{")
    if data.count(b",") + levels > MAX_VALUES:
        raise ValueError(f"it holds more than {MAX_VALUES:,} values")
    loads = json.loads if len(data) <= _MAX_DIGITS else _loads  # no integer can be too long
    try:
        content = loads(data.decode(_UTF_8))  # editors may add a mark at the beginning
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, not a JSON object")
    if levels > _MAX_DEPTH:
        _check_depth(content)
    return content


def _loads(text: str) -> Any:
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def _check_depth(content: Any) -> None:
    level = [content]
    for _ in range(_MAX_DEPTH):
        level = [
            part
            for each in level
            for part in (each.values() if isinstance(each, dict) else each)
            if isinstance(part, (dict, list))
        ]
        if not level:
            return
    raise ValueError("it is nested too deeply")
