"""What is not as it was when a run was started: Python, packages, git's commit, data, and what code is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rla_hooks.query import SavedRun
from rla_hooks.smallfiles import read_bytes
from rla_hooks.snapshot.git import top_of
from rla_hooks.snapshot.head import head_of
from rla_hooks.snapshot.restoring import KeptCode
from rla_hooks.snapshot.sources import MASKED
from rla_hooks.upkeep.environment import Environment

_HASH = re.compile(r"^[ \t-]*(?:md5|etag|checksum|hash):[ \t]*([\w.-]{6,80})[ \t]*$", re.MULTILINE)
_MAX_NOTE = 1 << 20  # bytes of a file of DVC
_SHORT = 12  # characters of a commit


class Difference(NamedTuple):
    """What was and what is now; None where it is not there. kind: python, package, git, data or code."""

    kind: str
    name: str
    then: str | None
    now: str | None

    def __str__(self) -> str:
        if self.kind == "code":
            return f"{self.name}: {self.now}"
        name = self.name if self.kind in ("python", "package") else f"{self.kind}: {self.name}"
        return f"{name} was {self.then or 'not there'}, and is {self.now or 'not there'}"


def of_environment(then: Environment, now: Environment) -> Iterator[Difference]:
    """Compare Python and packages. Packages that were not there then are no difference."""
    name = then.implementation if then.implementation == now.implementation else None
    if (then.version, then.implementation or now.implementation) != (now.version, now.implementation):
        words = [each.version if name else f"{each.implementation or 'Python'} {each.version}" for each in (then, now)]
        yield Difference("python", "Python", *words)
    installed = now.packages or {}
    for package, version in (then.packages or {}).items():
        if installed.get(package) != version and package != "pip":  # no program imports it
            yield Difference("package", package, version, installed.get(package))


def of_data(run: SavedRun, kept: KeptCode) -> Iterator[Difference]:
    """Compare the commit of the project, which tells of data that git tracks, and what DVC has noted of data."""
    git = run.run_json.get("git")
    commit = git.get("commit") if isinstance(git, dict) else None
    top = top_of(str(kept.project))
    now = head_of(top)[0] if top else None
    if isinstance(commit, str) and kept.project.is_dir() and commit != now:
        yield Difference("git", "the commit of the project", commit[:_SHORT], now and now[:_SHORT])
    for name in sorted(kept.files()):
        if name.endswith(".dvc") or name.rpartition("/")[2] == "dvc.lock":
            there = (kept.project / name).is_file()
            if kept.project.is_dir() and not kept.is_same(name):
                yield Difference(
                    "data", name, _hash(kept.code_dir / name), _hash(kept.project / name) if there else None
                )


def of_code(kept: KeptCode) -> Iterator[Difference]:
    """What cannot be restored: files whose secrets are lost; all that was left out, where the project is gone."""
    for name, reason in sorted(kept.left_out().items()):
        if reason == MASKED:
            yield Difference("code", name, None, "not restored: its secrets were masked, and it has changed since")
        elif not kept.project.is_dir():
            yield Difference("code", name, None, f"not restored: it was left out ({reason})")


def _hash(path: Path) -> str:
    with suppress(OSError, ValueError):
        found = _HASH.findall(read_bytes(path, _MAX_NOTE).decode("utf-8", "replace"))
        if len(found) == 1:
            return str(found[0])
    return "another version"
