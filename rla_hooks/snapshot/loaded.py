"""Finds the files of the modules that the program has imported from a folder of its own."""

from __future__ import annotations

import os
import sys

from rla_hooks.places import is_installed
from rla_hooks.snapshot.git import is_inside


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
        try:
            file = vars(module).get("__file__")  # not getattr: a lazy module would be loaded by the question
        except TypeError:
            continue  # somebody's own object in place of a module
        if not isinstance(file, str) or not file:
            continue
        folder, name = os.path.split(os.path.abspath(file))
        real = real_folder(folder)
        if real is not None:
            found.add(os.path.join(real, name))
    return sorted(found)
