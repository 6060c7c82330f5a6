"""RLA's small helpers: a YAML file read safely, arguments under older names, dicts of lists."""

from __future__ import annotations

import functools
import os
import platform
import warnings
from collections.abc import Callable
from typing import Any

from rla_hooks.const import PLATFORM_TYPE

__all__ = [
    "deprecated_alias",
    "get_dir_seperator",
    "get_sys_type",
    "load_yaml",
    "optional_set",
    "rename_kwargs",
    "set_or_append",
    "set_or_keep",
]


def load_yaml(path: str | os.PathLike[str]) -> Any:
    """Return what stands in a YAML file. Nothing of it is run: a tag that would make an object is an error.

    Raises OSError, and ``yaml.YAMLError`` with the line.

    >>> with open("config.yaml", "w") as file:
    ...     _ = file.write("DL_FRAMEWORK: torch")
    >>> load_yaml("config.yaml")
    {'DL_FRAMEWORK': 'torch'}
    """
    import yaml  # late: few scripts call this

    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def get_sys_type() -> str:
    """Return the system: a value of ``PLATFORM_TYPE``."""
    return {"Windows": PLATFORM_TYPE.WIN, "Linux": PLATFORM_TYPE.LINUX}.get(platform.system(), PLATFORM_TYPE.OTHER)


def get_dir_seperator() -> str:
    """Return what stands between folders in a path: ``os.sep``."""
    return os.sep


def deprecated_alias(**aliases: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that lets a function take arguments under older names, with a DeprecationWarning.

    >>> @deprecated_alias(lr="learning_rate")
    ... def train(learning_rate):
    ...     return learning_rate
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     train(lr=0.1)
    0.1
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            rename_kwargs(function.__name__, kwargs, aliases)
            return function(*args, **kwargs)

        return called

    return decorate


def rename_kwargs(func_name: str, kwargs: dict[str, Any], aliases: dict[str, str]) -> None:
    """Rename arguments in ``kwargs``, each with a DeprecationWarning. Raises TypeError where both names are given."""
    for old, new in aliases.items():
        if old not in kwargs:
            continue
        if new in kwargs:
            raise TypeError(f"{func_name} got both {old} and {new}, which are one argument. Give {new} only.")
        warnings.warn(f"{old} is called {new} now.", DeprecationWarning, stacklevel=3)
        kwargs[new] = kwargs.pop(old)


def set_or_append(dict_obj: dict[Any, list[Any]], key: Any, value: Any) -> None:
    """Append a value to the list under a key, which is made if there is none."""
    dict_obj.setdefault(key, []).append(value)


def set_or_keep(dict_obj: dict[Any, Any], key: Any, value: Any) -> None:
    """Set a value unless the key has one."""
    dict_obj.setdefault(key, value)


def optional_set(new_val: Any, old_val: Any) -> Any:
    """Return the new value, or the old one where the new one is None."""
    return old_val if new_val is None else new_val
