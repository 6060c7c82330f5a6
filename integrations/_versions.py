"""Which framework is installed, whether it is new enough, and what is of it. Nothing is imported to find out."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from rla_hooks.errors import ConfigError


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


def package_of(thing: Any, packages: Iterable[str]) -> str | None:
    """Return which of these packages the class of a thing comes from."""
    modules = (f"{each.__module__}." for each in type(thing).__mro__)
    return next((package for module in modules for package in packages if module.startswith(f"{package}.")), None)


def check_same_package(ours: str | None, thing: Any, what: str, packages: Iterable[str]) -> None:
    """Raise ConfigError for a thing of another package than ``ours``, with the import that fits it."""
    theirs = package_of(thing, packages)
    if theirs is not None and theirs != ours:
        raise ConfigError(
            f"this RLACallback is made for {ours}, the {what} is of {theirs}. Write: from "
            f"rla_hooks.integrations.{theirs.replace('.', '_')} import RLACallback"
        )
