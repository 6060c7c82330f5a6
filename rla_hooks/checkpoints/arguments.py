"""Checks the arguments of a Saver: each function returns the value, or raises an error that says what is allowed."""

from __future__ import annotations

import contextlib
import importlib.util
import operator
from collections.abc import Mapping
from typing import Any

from rla_hooks import texts
from rla_hooks.checkpoints import backends
from rla_hooks.errors import CheckpointError, ConfigError
from rla_hooks.filenames import portable


def checked_count(count: Any) -> int | None:
    """Return ``max_to_keep``. Raises ConfigError."""
    if count is None:
        return None
    number = _whole(count)
    if number is None or number < 1:
        raise ConfigError(f"max_to_keep is {shown(count)}. Pass a whole number of at least 1, or None to keep all.")
    return number


def checked_framework(framework: str | None) -> str | None:
    """Return the framework. Raises CheckpointError if it is not installed, now instead of at the first save."""
    install = next((backend.install for backend in backends.BACKENDS if backend.needs == framework), "")
    with contextlib.suppress(ImportError):  # from an import hook that hides the framework
        if not framework or not install or importlib.util.find_spec(framework) is not None:
            return framework
    raise CheckpointError(f"DL_FRAMEWORK is {framework!r}, which is not installed. Install it: {install}")


def checked_step(step: Any) -> int:
    """Return the step. Raises ConfigError."""
    number = _whole(step)
    if number is None or not 0 <= number < 2**63:
        raise ConfigError(f"step is {shown(step)}. Pass a whole number from 0 up.")
    return number


def _whole(value: Any) -> int | None:
    """Return the int of a Python or numpy integer, a tensor or a variable of one; None for all else, bools too."""
    try:
        read = getattr(value, "item", None) or getattr(value, "numpy", None)  # variables of TensorFlow have no item
        if callable(read):
            value = read()
        return None if isinstance(value, bool) else operator.index(value)
    except Exception:  # tensors of many values raise errors of their own
        return None


def checked_models(models: Any, role: str) -> Mapping[str, Any]:
    """Return objects by name. ``role``: the argument's name. Raises ConfigError."""
    if not isinstance(models, Mapping):
        raise ConfigError(f"{role} is {shown(models)}. Pass a dict of names and objects: {{'policy': model}}.")
    wrong = [key for key in models if not isinstance(key, str)]
    if wrong:
        raise ConfigError(f"{role} has the key {shown(wrong[0])}. Names must be texts: {{'policy': model}}.")
    return models


def checked_name(name: Any, step: int) -> None:
    """Raise ConfigError if a name cannot be part of a file name."""
    wrong = None
    if not isinstance(name, str) or not name:
        wrong = "must be a text that is not empty"
    elif name.startswith(".") or any(mark in name for mark in "/\\") or not name.isprintable():
        wrong = "must not begin with a dot nor hold '/', '\\' or characters that cannot be printed"
    elif len(f"{portable(name)}-{step}".encode()) > 230:  # a file name has 255 bytes; some are kept for suffixes
        wrong = "must have at most 210 bytes"
    if wrong:
        raise ConfigError(f"The checkpoint name {shown(name)} {wrong}. Pass one such as 'checkpoint' or 'best'.")


def shown(value: Any) -> str:
    """Return a value as a text for an error: a short one in full, others by their type."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return texts.shown(value, 80)
    return f"a {type(value)}"
