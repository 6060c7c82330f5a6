"""Which framework is installed, and whether it is new enough. Nothing is imported to find out."""

from __future__ import annotations

import importlib.util
import re
from importlib import metadata


def is_installed(package: str) -> bool:
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None  # a mere folder of that name has none


def check(package: str, oldest: tuple[int, int], install: str) -> None:
    """Raise ImportError with the line that installs it where ``package`` is missing or too old."""
    if not is_installed(package):
        raise ImportError(f"{package} is not installed. Install it: {install}", name=package)
    try:
        version = metadata.version(package.replace("_", "-"))
    except metadata.PackageNotFoundError:  # a copy without metadata: somebody's own build
        return
    number = re.match(r"(\d+)\.(\d+)", version)
    if number and (int(number[1]), int(number[2])) < oldest:
        wanted = ".".join(map(str, oldest))
        raise ImportError(
            f"{package} {version} is too old: rla_hooks works with {wanted} and newer. "
            f"Install it: pip install --upgrade '{package.replace('_', '-')}>={wanted}'",
            name=package,
        )
