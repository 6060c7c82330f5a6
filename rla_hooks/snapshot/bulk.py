"""Tells data and other tools' outputs from source: what git does not track, and nobody wrote by hand.

A folder at the top of the project keeps its data files while they are few. Where there are more than MAX_FILES of
them, or more than MAX_BYTES together, all of them stay out: a data set of many small files would cost the start of
every run seconds. Source beside them stays in, however many files it has. So does all that git tracks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from rla_hooks.fields import Fields, made_by
from rla_hooks.masking.names import word_set

MAX_FILES, MAX_BYTES = 500, 20 * 2**20
DATA, OUTPUT = "data folder", "output folder"  # reasons why something is left out
KEY = "BACKUP_CONFIG.data_files"
OUTPUTS = word_set(
    "wandb mlruns mlartifacts lightning_logs tb_logs tensorboard_logs outputs multirun runs checkpoints ray_results "
    "catboost_info .aim .neptune .guild .dvc/cache .dvc/tmp"
)
WRITTEN = word_set(
    ".py .pyx .pxd .pyi .ipynb .c .cc .cpp .cxx .h .hh .hpp .cu .cuh .rs .go .jl .lua .m .r .java .js .ts .proto "
    ".cmake .sh .bash .bat .ps1 .sql .yaml .yml .toml .cfg .ini .conf .gin .jsonnet .libsonnet .jinja .j2 .md .rst "
    ".urdf .mjcf"
)
_PROGRAMS = (".py", ".ipynb", ".sh", ".bash")
_WRITTEN_NAMES = frozenset(["makefile", "dockerfile", "license", ".gitignore", ".gitattributes", ".gitmodules"])

Item = TypeVar("Item")


def is_data(name: str) -> bool:
    """Whether a file may be data by its name. Much of .json, .txt and .xml is data, so thousands of them are, too.

    >>> is_data("00001.png"), is_data("labels.json"), is_data("train.py"), is_data("Makefile")
    (True, True, False, False)
    """
    name = name.lower()
    return f".{name.rpartition('.')[2]}" not in WRITTEN and name not in _WRITTEN_NAMES


def is_output(path: str, names: Iterable[str] = ()) -> bool:
    """Whether a folder is made by another tool, by its path and the names in it: code right in it speaks against that.

    >>> is_output("wandb"), is_output("a/.dvc/cache"), is_output("runs", ["__init__.py"])
    (True, True, False)
    """
    parts = path.split("/")
    is_known = parts[-1] in OUTPUTS or "/".join(parts[-2:]) in OUTPUTS
    return is_known and not any(name.endswith(_PROGRAMS) for name in names)


class _Group(Fields):
    files: int = 0
    bytes: int = 0
    common: str | None = None  # the deepest folder that all are in
    kept: list[Any] = made_by(list)

    @property
    def is_full(self) -> bool:
        return self.files > MAX_FILES or self.bytes > MAX_BYTES


class DataFiles(Generic[Item]):
    """The data files of a project, by the folder at its top that they are in. Paths are relative, with ``/``.

    >>> files = DataFiles()
    >>> for number in range(501):
    ...     files.add(f"data/train/{number}.png", 100, number)
    >>> files.add("assets/robot.stl", 100, "robot")
    >>> files.kept(), files.left_out()
    (['robot'], [('data/train', 501)])
    """

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}

    def is_full(self, path: str) -> bool:
        """Whether the data files beside a file are too many already, so that its size need not be asked."""
        group = self._groups.get(_top(path))
        return group is not None and group.is_full

    def add(self, path: str, size: int = 0, item: Item | None = None) -> None:
        """Count a file; ``item`` is given back by :meth:`kept`."""
        group = self._groups.setdefault(_top(path), _Group())
        group.files += 1
        group.bytes += size
        folder = path.rpartition("/")[0]
        if group.common is None:
            group.common = folder
        while group.common and folder != group.common and not folder.startswith(f"{group.common}/"):
            group.common = group.common.rpartition("/")[0]
        if group.is_full:
            group.kept.clear()
        elif item is not None:
            group.kept.append(item)

    def kept(self) -> list[Item]:
        """The items of the groups that are small enough."""
        return [item for group in self._groups.values() for item in group.kept]

    def left_out(self) -> list[tuple[str, int]]:
        """The folder, "" for the project's own, and the number of files of each group that is not."""
        return [(group.common or "", group.files) for group in self._groups.values() if group.is_full]


def _top(path: str) -> str:
    return path.partition("/")[0] if "/" in path else ""


def without_data(paths: Iterable[str], size_of: Callable[[str], int]) -> tuple[list[str], list[tuple[str, int]]]:
    """Divide untracked files: what stays in, and folder and number of the data files that do not.

    Other tools' outputs are in neither.
    """
    paths = list(paths)
    names: dict[str, list[str]] = {}
    for path in paths:
        names.setdefault(path.rpartition("/")[0], []).append(path)
    verdicts = {"": False}

    def within_output(folder: str) -> bool:
        unknown = []
        while folder not in verdicts:
            unknown.append(folder)
            folder = folder.rpartition("/")[0]
        inside = verdicts[folder]
        for each in reversed(unknown):
            inside = verdicts[each] = inside or is_output(each, names.get(each, ()))
        return inside

    kept, data = [], DataFiles[str]()
    for path in paths:
        folder, _, name = path.rpartition("/")
        if within_output(folder):
            continue
        if is_data(name):
            data.add(path, 0 if data.is_full(path) else size_of(path), path)
        else:
            kept.append(path)
    return sorted([*kept, *data.kept()]), data.left_out()
