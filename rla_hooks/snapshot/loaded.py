"""The modules that the program has imported from a folder of its own: their files, and those edited since.

A file may be edited while a program runs, between two runs of a loop over seeds, say. What is loaded stays as it was,
so the backup of the later run has the file as it was loaded: a copy of it is in the folder of the run before.
"""

from __future__ import annotations

import filecmp
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any, NamedTuple

from rla_hooks.places import PACKAGES, ipython_shell, is_installed
from rla_hooks.snapshot.git import is_inside


class _Loaded(NamedTuple):
    """A file as it was when a run of this process first saw that it was loaded."""

    module: ModuleType
    spec: Any  # a reload gives the module another one
    state: tuple[int, int]
    copy: str  # in the folder of the newest run that has it


_seen: dict[str, _Loaded] = {}  # by the file


def loaded_files(root: str) -> list[str]:
    """Return the files of all loaded modules below ``root`` (a path without links), sorted.

    Modules of the Python installation, of its packages and of environments are left out.
    """
    folders: dict[str, str | None] = {}  # as written -> without links, None for those that do not count

    def real_folder(folder: str) -> str | None:
        if folder not in folders:
            real = os.path.realpath(folder)
            folders[folder] = real if is_inside(real, root) and not is_installed(os.path.join(real, "x")) else None
        return folders[folder]

    found = set()
    for module in list(sys.modules.values()):
        file = _file_of(module)
        if file:
            folder, name = os.path.split(os.path.abspath(file))
            real = real_folder(folder)
            if real is not None:
                found.add(os.path.join(real, name))
    return sorted(found)


def edited_since(files: Mapping[str, str], code_dir: str) -> dict[str, str]:
    """Return the files that were edited since they were loaded, by their path in the backup: a copy as they were then.

    files: those of the backup, as such a path -> file. code_dir: where it will be. Edits from before the first run of
    this process are not seen, nor those of a program at a prompt or in a notebook, which may run its file again.
    """
    modules = _modules_of({file for file in files.values() if file.endswith(".py")})
    found = {}
    for path, file in files.items():
        module = modules.get(file)
        if module is None:
            continue
        spec, copy = vars(module).get("__spec__"), os.path.join(code_dir, path)
        try:
            status = os.stat(file)
        except OSError:
            continue
        state, known = (status.st_mtime_ns, status.st_size), _seen.get(file)
        if known is None or known.module is not module or known.spec is not spec:
            known = _Loaded(module, spec, state, copy)
        elif known.state != state and _differ(file, known.copy):
            found[path] = known.copy
        else:
            known = known._replace(state=state)
        _seen[file] = known._replace(copy=copy)
    return found


def forget_state() -> None:
    """As in a process that has just begun."""
    _seen.clear()


def _modules_of(files: set[str]) -> dict[str, ModuleType]:
    """The loaded modules of these files (paths without links). Thousands of modules of packages are passed over."""
    names = {os.path.basename(file) for file in files}
    is_prompt = hasattr(sys, "ps1") or ipython_shell() is not None
    found = {}
    for name, module in list(sys.modules.items()):
        file = _file_of(module)
        if file.rpartition(os.sep)[2] not in names or not PACKAGES.isdisjoint(file.split(os.sep)):
            continue
        real = os.path.realpath(file)
        if real in files and not (is_prompt and name == "__main__"):
            found[real] = module
    return found


def _file_of(module: object) -> str:
    try:
        file = vars(module).get("__file__")  # not getattr: a lazy module would be loaded by the question
    except TypeError:
        return ""  # somebody's own object in place of a module
    return file if isinstance(file, str) else ""


def _differ(file: str, copy: str) -> bool:
    with suppress(OSError):
        return not filecmp.cmp(file, copy, shallow=False)
    return False  # the copy went with its run
