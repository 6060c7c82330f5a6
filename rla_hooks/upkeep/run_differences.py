"""What is not as it was when a run was started: Python, packages, git's commit, data, and what code is not there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
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
_IMPORT = re.compile(r"^[ \t]*(?:import|from)[ \t]+(\w+)", re.MULTILINE)
_PACKAGE_OF = {  # of modules that have another name than their package
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "cv2": "opencv-python",
    "PIL": "pillow",
}
_MAX_FILE = 1 << 20  # bytes of a file that is looked into
_MAX_FILES = 2000
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


def of_environment(then: Environment, now: Environment, imported: Collection[str] = ()) -> Iterator[Difference]:
    """Compare Python and packages. Packages that were not there then are no difference.

    imported: the packages that come first, since the code imports them.
    """
    name = then.implementation if then.implementation == now.implementation else None
    if (then.version, then.implementation or now.implementation) != (now.version, now.implementation):
        words = [each.version if name else f"{each.implementation or 'Python'} {each.version}" for each in (then, now)]
        yield Difference("python", "Python", *words)
    installed = now.packages or {}
    for package, version in sorted((then.packages or {}).items(), key=lambda each: each[0] not in imported):
        if installed.get(package) != version and package != "pip":  # no program imports it
            yield Difference("package", package, version, installed.get(package))


def imported_by(kept: KeptCode) -> set[str]:
    """Return the packages that the code seems to import, by their usual names."""
    found: set[str] = set()
    for name in islice((each for each in kept.files() if each.endswith(".py")), _MAX_FILES):
        with suppress(OSError, ValueError):
            found |= {*_IMPORT.findall(read_bytes(kept.code_dir / name, _MAX_FILE).decode("utf-8", "replace"))}
    return {_PACKAGE_OF.get(module, module.replace("_", "-").lower()) for module in found}


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
        found = _HASH.findall(read_bytes(path, _MAX_FILE).decode("utf-8", "replace"))
        if len(found) == 1:
            return str(found[0])
    return "another version"
