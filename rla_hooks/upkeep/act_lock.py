"""Lets one process at a time act on a log root: it holds the lock of ``LOG_ROOT/.trash/lock``, in which it stands.

The lock is flock(2), so a killed process leaves none. Where the file system has no locks, the process that the file
names counts, as long as it lives.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rla_hooks.errors import RLAError
from rla_hooks.layout import TRASH
from rla_hooks.life import is_gone, this_process
from rla_hooks.locks import is_held, locked
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import iso_time, printable, shell_path
from rla_hooks.upkeep.journal import NO_LINK, make_trash

WAIT = 10.0  # seconds for another act to end


@contextmanager
def acting(root: Path, what: str, wait: float = WAIT) -> Iterator[None]:
    """Hold the lock of the acts of a log root during the block. Raises RLAError if another process has it for long.

    So it does where the trash cannot be made. what: is done, for others to read: ``delete 40 runs``.
    """
    file = root / TRASH / "lock"
    try:
        _make(root, file)
    except OSError as error:
        raise RLAError(
            f"{shell_path(root)} cannot be tidied: {error.strerror} ({shell_path(file)}). Needed: a log root that this "
            "user may write to. Nothing was changed."
        ) from error
    with locked(file, timeout=wait) as has_lock:
        if not has_lock:
            _check_nobody(root, file)
        _note(file, {**this_process(), "since": iso_time(), "what": what})
        try:
            yield
        finally:
            _note(file, {})


def _make(root: Path, file: Path) -> None:
    make_trash(root / TRASH)
    try:
        os.close(os.open(file, os.O_RDWR | NO_LINK))
    except FileNotFoundError:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | NO_LINK))
        with suppress(OSError):  # whoever may write to the log root
            os.chmod(file, os.stat(root).st_mode & 0o666 | 0o600)


def _check_nobody(root: Path, file: Path) -> None:
    noted: Mapping[str, Any] = {}
    with suppress(OSError, ValueError):
        noted = read_json(file)
    if (not noted or is_gone(noted)) and not is_held(file):
        return  # there are no locks here
    who = f"process {printable(noted.get('pid'))} on {printable(noted.get('host'))}"
    since = str(noted.get("since", ""))[11:19]
    raise RLAError(
        f"another process tidies {shell_path(root)}: {printable(noted.get('what'))} ({who}, since {since} UTC). "
        "Wait for its end, and try again. Nothing was changed."
    )


def _note(file: Path, content: Mapping[str, Any]) -> None:
    """Write who is at work into the file, which must stay the same one: its lock is on it."""
    with suppress(OSError):
        descriptor = os.open(file, os.O_WRONLY | NO_LINK)
        try:
            os.ftruncate(descriptor, 0)
            if content:
                os.write(descriptor, json.dumps(content).encode())
        finally:
            os.close(descriptor)
