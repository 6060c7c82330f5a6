"""What ``tester.configure`` was given, in the orders and under the names that RLA had in 2020 and in 2024.

2020: configure(task_name, private_config_path, run_file, log_root)
2024: configure(task_table_name, rla_config, data_root, ignore_file_path, run_file, ...)
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rla_hooks import config as configs
from rla_hooks.errors import did_you_mean, warn
from rla_hooks.old_words import tell_once
from rla_hooks.places import main_script, working_directory
from rla_hooks.texts import shown

_NOW = ("log_root", "ignore_file_path", "run_file", "is_master_node", "code_root", "log_callback_fn")
_OF_2020 = ("run_file", "log_root")
_LATER_SPELLING = {"task_table_name": "task_name", "rla_config": "private_config_path", "data_root": "log_root"}


def put_places(given: dict[str, Any], places: Sequence[Any]) -> list[str]:
    """Put the arguments that follow the config by position into ``given``. Return a line for each mistake.

    The first of them is the log root, or ``run_file`` if a file has its name, and a line on stderr says so. So is one
    that looks like a program, where the log root is given besides.
    """
    problems = []
    if len(places) > len(_NOW):
        problems.append(f"configure got {len(places) + 2} arguments by position. Allowed: {len(_NOW) + 2}. Name them.")
    order: tuple[str, ...] = _NOW
    if places and isinstance(places[0], (str, os.PathLike)):
        is_file = _program_file(places[0]) is not None
        is_program = os.fspath(places[0]).endswith(".py") and (len(places) == 2 or given["log_root"] is not None)
        order = _OF_2020 if is_file or is_program else _NOW
        meant = f"{order[0]}={shown(places[0], 200)}"
        tell_once("configure", f"the third argument of tester.configure is taken as {meant}. Name it, to be sure.")
    if len(places) > len(order) and order == _OF_2020:
        problems.append(f"configure got {len(places) + 2} arguments, and the third is a file. Name them.")
    for name, value in zip(order, places):
        if given[name] and value is not None:
            problems.append(f"configure got {name!r} by position and by name. Give one.")
        given[name] = given[name] if value is None else value
    return problems


def put_later_names(given: dict[str, Any], later: Mapping[str, Any], options: Sequence[str]) -> list[str]:
    """Put arguments with RLA's later names into ``given``. Return a line for each mistake.

    options: the further names that ``configure`` knows.
    """
    problems = []
    for name, value in later.items():
        if name not in _LATER_SPELLING:
            known = [*given, *_LATER_SPELLING, *options]
            problems.append(f"configure got {name!r}. Known: {', '.join(known)}.{did_you_mean(name, known)}")
        elif given[_LATER_SPELLING[name]] is not None:
            problems.append(f"configure got both {name!r} and {_LATER_SPELLING[name]!r}; they are one thing. Give one.")
        else:
            given[_LATER_SPELLING[name]] = value
    return problems


def run_files_of(given: Any, config: configs.Config) -> list[Path]:
    """Return the absolute paths of ``run_file``: None, a path, or a list of them.

    A relative one begins at the working directory, or at the program's folder, if there is such a file. What is missing
    is left out with a warning, since RLA looks for it only where a library is backed up: there it is a mistake.
    """
    files = []
    for name in _listed(given):
        found = _program_file(name)
        if found is None and config.backup != "lib":
            warn(f"run_file is {shown(os.fspath(name), 200)}, which is no file: the code backup does without it.")
        else:
            files.append(found or Path(os.path.abspath(working_directory() / name)))
    return files


def _program_file(name: str | os.PathLike[str]) -> Path | None:
    """Return the absolute path of a file that begins at the working directory, or beside the program; or None."""
    script = main_script()
    for place in [working_directory(), *([script.parent] if script else [])]:
        if os.path.isfile(place / name):
            return Path(os.path.abspath(place / name))
    return None


def ignore_files_of(given: Any, config: configs.Config) -> list[str]:
    """Return the absolute paths of ``ignore_file_path``: None, a path, or a list of them.

    A relative one begins at the project's folder, as in RLA, or at the working directory, if there is such a file.
    """
    root = config.project_root or (config.source.parent if config.source else working_directory())
    places = [[os.path.abspath(base / name) for base in (root, working_directory())] for name in _listed(given)]
    return [in_project if os.path.isfile(in_project) else here for in_project, here in places]


def _listed(given: Any) -> list[Any]:
    return [given] if isinstance(given, (str, os.PathLike)) else list(given or ())
