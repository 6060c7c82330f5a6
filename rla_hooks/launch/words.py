"""The settings of a sweep, and its function, as somebody types them: ``train.py:main lr=1e-4,3e-4 seed=0..4``."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.former_parameters import defaults_of
from rla_hooks.places import in_copy
from rla_hooks.texts import shell_path, shown
from rla_hooks.upkeep import new_values

_FORM = "Allowed: a file, or a module, and a function: train.py:main, package.train:main"


def settings_of(texts: Iterable[str], defaults: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the values of each parameter. Raises ConfigError with all mistakes.

    defaults: of the parameters, whose types say what a text means.

    >>> settings_of(["lr=1e-4,3e-4", "seed=0..2", "net=[64, 64],[32]", "env=a,b"], {"env": "CartPole-v1"})
    {'lr': [0.0001, 0.0003], 'seed': [0, 1, 2], 'net': [[64, 64], [32]], 'env': ['a', 'b']}
    """
    found: dict[str, list[Any]] = {}
    problems: list[str] = []
    for text in texts:
        name, sign, values = (part.strip() for part in text.partition("="))
        if not sign or not name or name in found:
            twice = " It is given twice." if name in found else ""
            problems.append(
                f"{shown(text, 100)} is no setting.{twice} Allowed: a name and values: lr=1e-4,3e-4 seed=0..4."
            )
            continue
        found[name] = []
        for part in parts_of(values):
            try:
                found[name] += _values(part, defaults.get(name))
            except ValueError as error:
                problems.append(f"{name} has {shown(part, 100)}. {error}")
    if problems:
        raise ConfigError(problems)
    return found


def _values(part: str, default: Any) -> list[Any]:
    if ".." in part and not isinstance(default, str):
        return [*new_values.seeds_of(part)]
    return [new_values.typed(part, default)]


def parts_of(text: str) -> list[str]:
    """Return what stands between commas, but for those in brackets and quotes.

    >>> parts_of("[64, 64],[32]"), parts_of("'a,b',c"), parts_of("")
    (['[64, 64]', '[32]'], ["'a,b'", 'c'], [])
    """
    found, begin, depth, quote = list[str](), 0, 0, ""
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "[{(":
            depth += 1
        elif sign in "]})":
            depth -= 1
        elif sign == "," and depth <= 0:
            found.append(text[begin:at])
            begin = at + 1
    return [part.strip() for part in [*found, text[begin:]]] if text.strip() else []


def function_of(text: str) -> Any:
    """Import the function that is meant, so that other processes of this program can import it, too.

    Raises ConfigError where it is not there, or where the import ends the program, as a parser of arguments does; what
    else the user's file raises comes as it is.
    """
    place, sign, name = text.rpartition(":")
    if not sign or not place or not name:
        raise ConfigError(f"{shown(text, 100)} names no function. {_FORM}.")
    try:
        module = _of_file(place) if place.endswith(".py") else _of_name(place)
    except SystemExit as end:
        what = f"{shell_path(place)} ends the program when it is imported ({shown(end.code, 100)})"
        advice = "Write what reads arguments, or trains, below if __name__ == '__main__'"
        raise ConfigError(f"{what}. {advice}.") from None
    function: Any = module
    for part in name.split("."):
        function = getattr(function, part, None)
    if function is None:
        tracked = [key for key, value in vars(module).items() if hasattr(value, "swept")]
        known = ", ".join(tracked) or "none"
        raise ConfigError(
            f"{shell_path(place)} has no {name!r}. Its tracked functions: {known}.{did_you_mean(name, tracked)}"
        )
    return function


def _of_file(place: str) -> Any:
    file = in_copy(os.path.abspath(place))
    if not file.is_file():
        raise ConfigError(f"there is no file {shell_path(place)}. {_FORM}.")
    _add_to_path(str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def _of_name(place: str) -> Any:
    _add_to_path(str(in_copy(os.getcwd())))
    with suppress(ImportError, ValueError):
        if importlib.util.find_spec(place) is not None:
            return importlib.import_module(place)
    raise ConfigError(f"there is no module {shown(place, 100)} here. {_FORM}.")


def _add_to_path(folder: str) -> None:
    """For this process, and for those that it starts."""
    sys.path.insert(0, folder)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{before}" if before else folder


def defaults_in(function: Any) -> dict[str, Any]:
    """Return the defaults of a tracked function's parameters; of any other thing none."""
    swept = getattr(function, "swept", None)
    return {} if swept is None else defaults_of(swept.function)
