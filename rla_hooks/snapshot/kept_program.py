"""Starts a program on the code that a run has kept: ``python [options] kept_program.py TREE PROJECT [-m] NAME ...``.

    TREE      the folder into which the kept code was copied
    PROJECT   the folder of the code as it is now
    NAME      the script, below PROJECT or outside of it (an installed command); a module after ``-m``

What would be imported from PROJECT comes from TREE, by whichever way Python finds it: the working directory,
PYTHONPATH, an editable install. What is in PROJECT but not in TREE was not kept, and cannot be imported. Data paths
that start at the working directory mean the same files as ever. This file is run by its path, before all imports.

Where a run is repeated (RLA_RERUN), a file of PROJECT that is opened for reading is its copy, too, if it is not the
same and nobody has written it since the program began: a config that is given by a path, or executed, is that of then.
"""

import sys

# Python puts the folder of this file first, where files are named like modules of other packages.
IS_SAFE = bool(sys.flags.isolated or getattr(sys.flags, "safe_path", False))
# ruff: noqa: E402
if __name__ == "__main__" and not IS_SAFE:
    del sys.path[0]

import builtins
import importlib.machinery
import importlib.util
import io
import os
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_PACKAGES = {"site-packages", "dist-packages"}
_LIBRARY = os.path.dirname(os.path.realpath(os.__file__))
_IS_RERUN = "RLA_RERUN" in os.environ
_ADVICE = "Copy it there: rla rerun --into FOLDER --print." if _IS_RERUN else "Resume without same_code."


class Places:
    """Where the kept code lies, and where it was taken from."""

    def __init__(self, tree: str, project: str):
        self.tree, self.project = os.path.realpath(tree), os.path.realpath(project)
        self._environments: dict[str, bool] = {}  # folders in the project: whether they are one

    def kept(self, path: str) -> str | None:
        """Return where the copy of a file or folder of the project would be; None if it is no code of the project."""
        real = os.path.realpath(path)
        if not _is_inside(real, self.project) or _is_inside(real, self.tree) or _is_inside(real, _LIBRARY):
            return None
        if not _PACKAGES.isdisjoint(real.split(os.sep)) or self._is_installed(real):
            return None
        return os.path.normpath(os.path.join(self.tree, os.path.relpath(real, self.project)))

    def _is_installed(self, real: str) -> bool:
        """Whether a file of the project is one of an environment in it, such as an installed command."""
        folder = os.path.dirname(real)
        while folder != self.project and _is_inside(folder, self.project):
            if folder not in self._environments:
                self._environments[folder] = os.path.isfile(os.path.join(folder, "pyvenv.cfg"))
            if self._environments[folder]:
                return True
            folder = os.path.dirname(folder)
        return False

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
            f"the run, or was left out then, as what git ignores is. {_ADVICE}"
        )
        return ModuleNotFoundError(text, name=name)


class Opener:
    """``open`` of a program that repeats a run. No function: a class that has it as an attribute makes no method of it.

    Only files that are not the same now as in the copy are looked for, by their paths without links.
    """

    def __init__(self, plain: Callable[..., Any], copies: dict[str, tuple[str, tuple[int, ...] | None]]):
        self._plain, self._copies = plain, copies
        self.__name__, self.__doc__ = plain.__name__, plain.__doc__

    def __call__(self, file: Any, *more: Any, **named: Any) -> Any:
        mode = named.get("mode", more[0] if more else "r")
        if isinstance(file, (str, os.PathLike)) and isinstance(mode, str) and not set(mode) & set("wax+"):
            place = os.path.realpath(file)
            copy, state = self._copies.get(place, (None, None))
            if copy is not None and state == _state(place):
                file = copy
        return self._plain(file, *more, **named)


def _changed(places: Places) -> Iterator[tuple[str, str]]:
    """The files of the project that are not what their copies are, or are gone, with the copies."""
    for folder, _, names in os.walk(places.tree):
        for name in names:
            copy = os.path.join(folder, name)
            place = os.path.join(places.project, os.path.relpath(copy, places.tree))
            if not os.path.islink(copy) and not _is_same(copy, place):
                yield os.path.realpath(place), copy


def _is_same(first: str, second: str) -> bool:
    try:
        with io.open_code(first) as one, io.open_code(second) as other:
            return bool(one.read() == other.read())
    except OSError:
        return False


def _state(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read_copies(places: Places) -> None:
    """Let the program read the copies: see the top of this file."""
    copies = {place: (copy, _state(place)) for place, copy in _changed(places)}
    if not copies:
        return
    opener = Opener(builtins.open, copies)
    builtins.open = io.open = opener  # type: ignore[assignment]
    io.open_code = Opener(io.open_code, copies)  # type: ignore[assignment]  # of runpy
    accessor = getattr(sys.modules.get("pathlib"), "_NormalAccessor", None)  # of Python 3.10
    if accessor is not None:
        accessor.open = opener


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

        if _IS_RERUN:
            _read_copies(places)
        sys.argv[:] = ["-m", *arguments]
        runpy._run_module_as_main(name)  # type: ignore[attr-defined]  # what Python's own -m calls
        return
    sys.argv[:] = [script, *arguments]
    loader = importlib.machinery.SourceFileLoader("__main__", script)
    main.__dict__.update(__file__=script, __cached__=None, __loader__=loader, __spec__=None, __builtins__=__builtins__)
    if _IS_RERUN:
        _read_copies(places)
    with open(script, "rb") as file:
        code = compile(file.read(), script, "exec", dont_inherit=True)
    exec(code, main.__dict__)


if __name__ == "__main__":
    _start(sys.argv[1], sys.argv[2], sys.argv[3:])
