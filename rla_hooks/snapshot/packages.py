"""Lists the installed packages, fast."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable


def packages(path: Iterable[str] | None = None) -> list[str]:
    """The installed distributions as sorted ``name==version``, of ``sys.path`` or the folders given.

    Names are normalised (PEP 503). Read from the names of the metadata folders, which takes a millisecond
    where importlib.metadata opens hundreds of files; as there, the first one on the path counts.
    """
    found: dict[str, str] = {}
    for folder in dict.fromkeys(sys.path if path is None else path):
        try:
            entries = sorted(os.listdir(folder or "."))
        except OSError:
            continue
        for entry in entries:
            stem, suffix = os.path.splitext(entry)
            if suffix in (".dist-info", ".egg-info"):
                name, _, version = stem.partition("-")
                version = version.partition("-")[0] or _version_in(os.path.join(folder, entry))
                name = re.sub(r"[-_.]+", "-", name).lower()
                if name and version:
                    found.setdefault(name, version)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _version_in(metadata: str) -> str:
    """The version of an egg-info without one in its name, as development installs leave it."""
    file = os.path.join(metadata, "PKG-INFO") if os.path.isdir(metadata) else metadata
    try:
        with open(file, encoding="utf-8", errors="replace") as lines:
            return next((line[8:].strip() for line in lines if line.startswith("Version:")), "")
    except OSError:
        return ""
