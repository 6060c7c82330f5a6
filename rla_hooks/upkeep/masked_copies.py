"""Copies the texts of a run of the original RLA without the passwords in them.

RLA keeps its config, with the password of the file server, pickled in ``archive_tester/`` and in the copy of the code,
and prints it into logs. No password gets into another log root.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from rla_hooks.checkpoints.links import take_file
from rla_hooks.masking import MASK, mask_value
from rla_hooks.masking.files import MAX_TEXT, masked_file
from rla_hooks.patterns import pattern
from rla_hooks.query.inert_pickle import NoAttributeError, read_pickle
from rla_hooks.query.rla_runs import PICKLE_LIMIT
from rla_hooks.smallfiles import open_regular, read_bytes

_BLOCK = MAX_TEXT // 2  # bytes, and a line
_LOGS = (".txt", ".log")
_PRINTED = pattern(rb"(key: ([^\n]{1,200}?), value: )([^\n]+)")  # as RLA prints hyper-parameters
_NULS = pattern(rb"(\0+)")
_WITH_CONFIG = ("private_config", "hyper_param")  # attributes of the pickled Tester


def take_masked(source: Path, target: Path) -> None:
    """Copy a text with its secrets masked, and any other file as it is. Raises OSError.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     old, new = Path(folder, "log.txt"), Path(folder, "new.txt")
    ...     _ = old.write_text("k: REMOTE_SETTING, v: {'username': 'me', 'password': '1234'}\\n")
    ...     take_masked(old, new)
    ...     print(new.read_text(), end="")
    k: REMOTE_SETTING, v: {'username': 'me', 'password': '***'}
    """
    if not any(kept is not data for data, kept in _blocks(source)):
        take_file(source, target, link=False)
        return
    with open(target, "xb") as new:
        new.writelines(kept for _, kept in _blocks(source))
    shutil.copystat(source, target)


def _blocks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the parts of a file, each with what is kept of it: the same object where that is all."""
    with open_regular(path) as file:
        is_log = path.suffix in _LOGS  # which may be long, and is masked line by line
        if not is_log and os.fstat(file.fileno()).st_size > MAX_TEXT:
            return
        while data := file.read(_BLOCK if is_log else MAX_TEXT):
            data += file.readline(_BLOCK)
            kept = _masked_log(data) if is_log else masked_file(path.name, data)
            kept = MASK.encode() + b"\n" if kept is None else kept
            yield data, data if kept == data else kept


def _masked_log(data: bytes) -> bytes:
    """Mask what stands between the NULs that a power cut has left."""
    parts = [part if part[:1] in (b"", b"\0") else masked_file(".txt", part) for part in _NULS.split(data)]
    return _PRINTED.sub(_masked_value, b"".join(MASK.encode() if part is None else part for part in parts))


def _masked_value(found: re.Match[bytes]) -> bytes:
    begin, name, value = found.groups()
    is_secret = mask_value(name.decode("utf-8", "replace"), value.decode("utf-8", "replace")) == MASK
    return begin + (MASK.encode() if is_secret else value)


def holds_secret(pickle: Path) -> bool:
    """Whether the pickle of a Tester has a password in its config or its hyper-parameters; nothing of it is run.

    One that cannot be read as plain data has one if it names such a thing at all. Raises OSError.
    """
    try:
        data = read_bytes(pickle, PICKLE_LIMIT)
    except ValueError:  # too large to tell
        return True
    try:
        return any(mask_value(name, found) != found for name, found in _attributes(data))
    except ValueError:
        return b"password" in data


def _attributes(data: bytes) -> Iterator[tuple[str, object]]:
    for name in _WITH_CONFIG:
        try:
            yield name, read_pickle(data, name)
        except NoAttributeError:
            pass
