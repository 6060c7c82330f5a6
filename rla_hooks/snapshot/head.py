"""Reads commit and branch from the files of a repository, where git itself cannot say them.

Git may not be installed; and it refuses the work tree of another user ("dubious ownership": a bind mount in a
container), since that repository's config may name programs (filters, monitors, hooks) that git would run. It stays
refused here: a plain read runs nothing. What has changed since the commit is then not known.
"""

from __future__ import annotations

import os
from contextlib import suppress

from rla_hooks.patterns import pattern
from rla_hooks.smallfiles import read_bytes

_COMMIT = pattern(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")  # SHA-1 or SHA-256
_REFERENCE = pattern(r"ref: *(refs/[^\0\n]+)")
_MAX_STEPS = 5  # of references that name references, as in git


def git_folder(top: str) -> str:
    """The folder of the repository whose work tree has this top folder, the main one for a linked work tree."""
    private = _private_folder(top)
    common = _first_line(os.path.join(private, "commondir"))
    return os.path.join(private, common) if common else private


def head_of(top: str) -> tuple[str | None, str | None]:
    """Return the commit and the branch of a work tree; None for the one before the first commit, or unreadable, and
    for the other where HEAD is detached."""
    private, common = _private_folder(top), git_folder(top)
    text = _first_line(os.path.join(private, "HEAD"))
    branch: str | None = None
    for _ in range(_MAX_STEPS):
        if _COMMIT.fullmatch(text):
            return text, branch
        match = _REFERENCE.fullmatch(text)
        if match is None or ".." in match[1].split("/"):
            break
        name = match[1]
        branch = branch or (name.removeprefix("refs/heads/") if name.startswith("refs/heads/") else None)
        text = _first_line(os.path.join(common, name)) or _packed(common, name)
    return None, branch


def _private_folder(top: str) -> str:
    mark = os.path.join(top, ".git")
    linked = _first_line(mark)  # a linked work tree, or a submodule, has a file
    return os.path.join(top, linked.removeprefix("gitdir:").strip()) if linked.startswith("gitdir:") else mark


def _packed(folder: str, name: str) -> str:
    """The commit of a reference in the list that git makes of old ones."""
    with suppress(OSError, ValueError):
        for line in os.fsdecode(read_bytes(os.path.join(folder, "packed-refs"))).splitlines():
            commit, _, listed = line.partition(" ")
            if listed == name:
                return commit
    return ""


def _first_line(path: str) -> str:
    """The first line of a small file, or "" where there is none."""
    with suppress(OSError, ValueError):
        return os.fsdecode(read_bytes(path, 2**16)).partition("\n")[0].rstrip()
    return ""
