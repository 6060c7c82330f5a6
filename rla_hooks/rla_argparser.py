"""RLA's helpers for argparse: flags that can be switched off, and a config file whose values are options.

parser = argparse.ArgumentParser()
boolean_flag(parser, "use-gpu", default=True)       # --use-gpu, --no-use-gpu
args = arg_parser_postprocess(parser).parse_args()  # --info, --loaded_task_name, --loaded_date
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import shell_path, shown

__all__ = ["CustomArgs", "CustomBoolArgs", "arg_parser_postprocess", "boolean_flag", "rla_get_args"]


def boolean_flag(
    parser: argparse.ArgumentParser, name: str, default: bool | None = False, help: str | None = None
) -> None:
    """Add ``--<name>`` and ``--no-<name>`` to a parser.

    >>> parser = argparse.ArgumentParser()
    >>> boolean_flag(parser, "use-gpu", default=True)
    >>> parser.parse_args([]).use_gpu, parser.parse_args(["--no-use-gpu"]).use_gpu
    (True, False)
    """
    parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=default, help=help)


def arg_parser_postprocess(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the options that an ExperimentLoader reads, and ``--info``; return the parser.

    >>> arg_parser_postprocess(argparse.ArgumentParser()).parse_args(["--info", "first try"])
    Namespace(loaded_task_name='', info='first try', loaded_date=True)
    """
    parser.add_argument("--loaded_task_name", default="", type=str, help="The task of the run to go on from.")
    parser.add_argument("--info", default="default exp info", type=str, help="What this run is.")
    parser.add_argument("--loaded_date", default=True, type=str, help="The date and time in the name of that run.")
    return parser


class CustomArgs:
    """An option of :func:`rla_get_args`.

    flag: ``"--learning-rate"``. target: what of the config it sets, ``"training.lr"``; by default what the flag says.
    kargs: what ``add_argument`` is given, too: type, nargs, help.
    """

    def __init__(self, flag: str, target: str | None = None, kargs: Mapping[str, Any] | None = None):
        self.flag = flag
        self.target = flag.lstrip("-").replace("-", "_") if target is None else target
        self.kargs = dict(kargs or {})

    def add_to(self, parser: argparse.ArgumentParser, dest: str) -> None:
        """Add the option to a parser. dest: where its value is found; None where it is not on the line."""
        parser.add_argument(self.flag, dest=dest, **{"default": None, **self.kargs})


class CustomBoolArgs(CustomArgs):
    """An option that is true or false: ``--flag``, ``--no-flag``. kargs: help and default only."""

    def add_to(self, parser: argparse.ArgumentParser, dest: str) -> None:
        """Add both options to a parser. Raises :class:`~rla_hooks.errors.ConfigError` for other keyword arguments."""
        others = {*self.kargs} - {"help", "default"}
        if others:
            raise ConfigError(f"the option {self.flag} got {', '.join(sorted(others))}. Allowed: help, default.")
        given = {"default": None, **self.kargs, "action": argparse.BooleanOptionalAction}
        parser.add_argument(self.flag, dest=dest, **given)


def rla_get_args(
    config_file: str | os.PathLike[str], options: Sequence[CustomArgs] = (), *, words: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the content of a JSON file, with what the command line says in place of its values.

    Each value of the file is an option with dots for its place, ``--training.lr 0.1``, of the type that it has there,
    unless one of ``options`` sets it. words: in place of the command line's.

    Raises :class:`~rla_hooks.errors.ConfigError` for a file that is no JSON object, and for a target inside of a plain
    value; a wrong command line ends the program, as argparse does.

    >>> import json
    >>> _ = Path("config.json").write_text(json.dumps({"training": {"lr": 0.1, "steps": 10}, "gpu": False}))
    >>> options = [CustomArgs("--learning-rate", "training.lr", {"type": float})]
    >>> rla_get_args("config.json", options, words=["--learning-rate", "0.5", "--gpu"])
    {'training': {'lr': 0.5, 'steps': 10}, 'gpu': True}
    """
    try:
        config = read_json(Path(config_file))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{shell_path(config_file)} cannot be read: {error}. Allowed: a file with one JSON object."
        ) from error
    targets = {option.target for option in options}
    every = [*(_option_of(name, value) for name, value in _leaves(config, "") if name not in targets), *options]
    # A value that is called as one of the options is set by its own name no more.
    parser = argparse.ArgumentParser(conflict_handler="resolve", description=f"Options of {os.fspath(config_file)}")
    for number, option in enumerate(every):
        option.add_to(parser, f"value_{number}")
    given = vars(parser.parse_args(words))
    for number, option in enumerate(every):
        value = given.get(f"value_{number}")
        if value is not None:
            _set(config, option.target, value)
    return config


def _leaves(config: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    """Return all values of nested mappings, with dots in their names."""
    found: list[tuple[str, Any]] = []
    for key, value in config.items():
        found += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return found


def _option_of(name: str, value: Any) -> CustomArgs:
    """Return the option for a value of the file. Elements of a list have the type of the first one."""
    if isinstance(value, bool):
        return CustomBoolArgs(f"--{name}", name)
    if isinstance(value, list):
        return CustomArgs(f"--{name}", name, {"nargs": "*", "type": _number_type(value[0] if value else None)})
    return CustomArgs(f"--{name}", name, {"type": _number_type(value)})


def _number_type(value: Any) -> Callable[[str], Any]:
    return type(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else str


def _set(config: dict[str, Any], target: str, value: Any) -> None:
    """Set a value by its name with dots. Mappings that are missing are made."""
    *path, last = target.split(".")
    at: Any = config
    for part in path:
        inner = at.setdefault(part, {})
        if not isinstance(inner, dict):
            known = [name for name, _ in _leaves(config, "")]
            raise ConfigError(
                f"the target {shown(target, 100)} lies in {part}, which is {shown(inner, 50)}."
                f"{did_you_mean(target, known)} Known: {', '.join(known)}."
            )
        at = inner
    at[last] = value
