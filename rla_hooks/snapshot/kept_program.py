"""Starts a program on the code that a run has kept: ``python [options] kept_program.py TREE PROJECT [-m] NAME ...``.

    TREE      the folder into which the kept code was copied
    PROJECT   the folder of the code as it is now
    NAME      the script, below PROJECT or outside of it (an installed command); a module after ``-m``

What would be imported from PROJECT comes from TREE, by whichever way Python finds it: the working directory,
PYTHONPATH, an editable install. What is in PROJECT but not in TREE was not kept, and cannot be imported. Data paths
that start at the working directory mean the same files as ever. This file is run by its path, before all imports.
"""

import sys

# Python puts the folder of this file first, where files are named like modules of other packages.
IS_SAFE = bool(sys.flags.isolated or getattr(sys.flags, "safe_path", False))
# ruff: noqa: E402
if __name__ == "__main__" and not IS_SAFE:
    del sys.path[0]

import importlib.machinery
import importlib.util
import os
import types
from collections.abc import Sequence

_PACKAGES = {"site-packages", "dist-packages"}
_LIBRARY = os.path.dirname(os.path.realpath(os.__file__))


class Places:
    """Where the kept code lies, and where it was taken from."""

    def __init__(self, tree: str, project: str):
        self.tree, self.project = os.path.realpath(tree), os.path.realpath(project)

    def kept(self, path: str) -> str | None:
        """Return where the copy of a file or folder of the project would be; None if it is no code of the project."""
        real = os.path.realpath(path)
        if not _is_inside(real, self.project) or _is_inside(real, self.tree) or _is_inside(real, _LIBRARY):
            return None
        if not _PACKAGES.isdisjoint(real.split(os.sep)):
            return None
        return os.path.normpath(os.path.join(self.tree, os.path.relpath(real, self.project)))

    def is_kept(self, path: str) -> bool:
        """Whether there is a copy at this path of the tree, and no link to what is in the project now."""
        return os.path.exists(path) and _is_inside(os.path.realpath(path), self.tree)

    def former(self, folders: Sequence[str]) -> list[str]:
        """Return the folders of the project of which there are copies among these."""
        copies = [os.path.abspath(folder) for folder in folders if _is_inside(os.path.abspath(folder), self.tree)]
        return [os.path.normpath(os.path.join(self.project, os.path.relpath(each, self.tree))) for each in copies]

    def mapped(self, folders: Sequence[str]) -> list[str]:
        """Return folders of modules, with their copies in place of those of the project."""
        found = []
        for folder in folders:
            copy = self.kept(folder or os.getcwd())
            found.append(folder if copy is None or not os.path.isdir(copy) else copy)
        return list(dict.fromkeys(found))


class Finder:
    """Finds modules as Python does, and gives the copy of each that lies in the project."""

    def __init__(self, places: Places):
        self._places = places

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return what the other finders find; its copy if it is of the project. Raises ModuleNotFoundError without."""
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None and finder is not self else None
            if spec is not None:
                return self._copy_of(spec)
        former = self._places.former(sys.path if path is None else path)
        lost = importlib.machinery.PathFinder.find_spec(name, former) if former else None
        if lost is not None and lost.origin is not None and lost.has_location:
            raise self._error(name, lost.origin)
        return None

    def invalidate_caches(self) -> None:
        """Nothing is kept here."""

    def _copy_of(self, spec: importlib.machinery.ModuleSpec) -> importlib.machinery.ModuleSpec:
        places, inner = self._places, spec.submodule_search_locations
        if spec.origin is None or not spec.has_location:
            if inner is None or all(places.kept(folder) is None for folder in inner):
                return spec  # built in, or a namespace of others
            folders = [copy for copy in places.mapped(list(inner)) if places.kept(copy) is None]
            if not folders:
                raise self._error(spec.name, next(iter(inner)))
            found = importlib.machinery.ModuleSpec(spec.name, None, is_package=True)
            found.submodule_search_locations = folders
            return found
        copy = places.kept(spec.origin)
        if copy is None:
            return spec
        if not places.is_kept(copy):
            raise self._error(spec.name, spec.origin)
        if "." not in spec.name:  # processes that this one spawns get its path, but not this finder
            folder = os.path.dirname(os.path.dirname(copy) if inner is not None else copy)
            if folder not in sys.path:
                sys.path.append(folder)
        search = None if inner is None else places.mapped(list(inner))
        made = importlib.util.spec_from_file_location(spec.name, copy, submodule_search_locations=search)
        return made if made is not None else spec

    def _error(self, name: str, place: str) -> ModuleNotFoundError:
        text = (
            f"No module named {name!r} in the code that the run has kept ({self._places.tree}): {place} is newer than "
            "the run, or was left out then, as what git ignores is. Resume without same_code."
        )
        return ModuleNotFoundError(text, name=name)


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _start(tree: str, project: str, words: list[str]) -> None:
    places = Places(tree, project)
    is_module = words[0] == "-m"
    name, arguments = (words[1], words[2:]) if is_module else (words[0], words[1:])
    script = name if is_module else places.kept(name) or os.path.abspath(name)
    interpreter = sys.orig_argv[: sys.orig_argv.index(__file__)] if __file__ in sys.orig_argv else [sys.executable]
    sys.orig_argv[:] = [*interpreter, *words]  # a further run of the program notes what starts it in the project
    first = [] if IS_SAFE else [os.getcwd() if is_module else os.path.dirname(script)]
    sys.path[:] = places.mapped([*first, *sys.path])
    sys.meta_path.insert(0, Finder(places))  # type: ignore[arg-type]
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    if is_module:
        import runpy

        sys.argv[:] = ["-m", *arguments]
        runpy._run_module_as_main(name)  # type: ignore[attr-defined]  # what Python's own -m calls
        return
    sys.argv[:] = [script, *arguments]
    loader = importlib.machinery.SourceFileLoader("__main__", script)
    main.__dict__.update(__file__=script, __cached__=None, __loader__=loader, __spec__=None, __builtins__=__builtins__)
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec", dont_inherit=True)
    exec(code, main.__dict__)


if __name__ == "__main__":
    _start(sys.argv[1], sys.argv[2], sys.argv[3:])
