"""The files of a log root, here or on another machine: what is known of one, which count, and whose they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from rla_hooks.layout import CODE, LOG, RUN_JSON, TREES
from rla_hooks.run_name import is_run_name
from rla_hooks.snapshot.filestore import STORE

INCOMING = ".incoming"  # of new runs, until they are whole: LOG_ROOT/.incoming/log/<run name>
TEMPORARY = ".saving-"  # with which the names of files and folders begin that are being written: rla_hooks.atomic
PART = ".rla-part"  # files, and rsync's folders, of what is not whole yet
STORED = f"{CODE}/{STORE}"
# What rsync leaves where it is killed: .progress.csv.x7Kq2a. Code may have such names: .eslintrc.config
_LEFT_BY_RSYNC = re.compile(r"\..+\.[A-Za-z0-9]{6}")


class Stat(NamedTuple):
    """What is known of a file: bytes, seconds since 1970 of its last change (None: not told), inode (0: none)."""

    size: int
    time: float | None = None
    inode: int = 0


def and_above(folder: str) -> list[str]:
    """Return a folder and those above it, from the top down."""
    parts = folder.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def stat_of(info: dict[str, Any]) -> Stat:
    """Return what fsspec tells of a file, whose words differ from one file system to the next."""
    time: Any = info.get("mtime") or info.get("LastModified") or info.get("updated")
    seconds = time.timestamp() if hasattr(time, "timestamp") else time
    return Stat(
        int(info["size"]), float(seconds) if isinstance(seconds, (int, float)) else None, int(info.get("ino", 0))
    )


def stamp_of(info: dict[str, Any]) -> str | None:
    """Return what changes when the content of a file there does; None where the file system tells nothing."""
    known = (info.get(key) for key in ("ETag", "etag", "mtime", "modify", "LastModified", "updated"))
    return next((f"{info['size']} {each}" for each in known if each), None)


def is_safe(name: str) -> bool:
    """Whether a path of another machine stays in the log root, and is no temporary file."""
    parts = name.split("/")
    return (
        not name.startswith("/")
        and not {"", ".", ".."} & set(parts)
        and PART not in name
        and not any(part.startswith(TEMPORARY) for part in parts)  # a folder, too: a state is written into one
        and not (parts[0] != CODE and _LEFT_BY_RSYNC.fullmatch(parts[-1]))
        and "\0" not in name
        and not (os.name == "nt" and "\\" in name)
    )


def names_in(files: Iterable[str]) -> set[str]:
    """Return the names of the runs that have these files: folders with a run.json, or with a run's name, in log/."""
    found, folders = set[str](), set[str]()
    for path in files:
        if path.startswith(f"{LOG}/"):
            folder, _, leaf = path[len(LOG) + 1 :].rpartition("/")
            if leaf == RUN_JSON and folder:
                found.add(folder)
            folders.add(folder)
    for folder in folders - found:
        parts = folder.split("/")
        found.update(name for end in range(5, len(parts) + 1) if is_run_name(name := "/".join(parts[:end])))
    return {name for name in found if not _is_in_another(name, found)}


def _is_in_another(name: str, names: set[str]) -> bool:
    parts = name.split("/")
    return any("/".join(parts[:end]) in names for end in range(1, len(parts)))


def by_run(files: Iterable[str], names: set[str]) -> dict[str, list[str]]:
    """Return the files of each run; those of new runs that are not whole yet are under the path that they will have."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for path in files:
        parts = path.split("/")
        for end in range(2, len(parts)):
            name = "/".join(parts[1:end])
            if parts[0] in TREES and name in found:
                found[name].append(path)
                break
    return found
