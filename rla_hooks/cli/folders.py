"""Shows the folders of one run as a tree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.text import Text
from rich.tree import Tree

from rla_hooks.atomic import is_temporary
from rla_hooks.cli.facts import tensorboard_command
from rla_hooks.layout import LOG, TREES, RunPaths
from rla_hooks.query import SavedRun
from rla_hooks.texts import printable, shell_path

_MAX_ENTRIES = 8  # of one folder in the tree: a project may have thousands of files
_MAX_SCANNED = 10_000
_MAX_LEVELS = 8
_MAX_LINES = 500


def print_run(paths: RunPaths) -> None:
    """Print the folders of a run as a tree, its path, and the command that opens its task in TensorBoard."""
    # Lines are as long as they are: a pipe has no edge, and a terminal breaks them so that they can be copied.
    console = Console(highlight=False, soft_wrap=True, width=100_000)
    console.print(run_tree(paths))
    command = tensorboard_command(paths)
    console.print(f"\nthe run: {shell_path(paths.log_dir)}\nsee the curves: {command}", markup=False)


def files_of(run: SavedRun) -> dict[str, Any]:
    """Return the files in each folder of a run, their paths within it, as plain data; of many the first ones found."""
    folders = {"log": run.log_dir, "checkpoint": run.checkpoint_dir, "results": run.results_dir, "code": run.code_dir}
    found = {kind: [*islice(_files_in(folder), _MAX_SCANNED)] for kind, folder in folders.items() if folder.is_dir()}
    return {"id": run.id, "name": run.name, "files": {kind: sorted(files) for kind, files in found.items()}}


def _files_in(folder: Path) -> Iterator[str]:
    for top, _, names in os.walk(folder):
        yield from (os.path.relpath(os.path.join(top, name), folder) for name in names if not is_temporary(name))


def run_tree(paths: RunPaths) -> Tree:
    """Return the five folders of a run as a rich tree, or the one folder of a run of another tool."""
    tree = Tree(Text(printable(paths.log_root)), guide_style="dim")
    lines_left = [_MAX_LINES]
    if paths.log_dir != paths.log_root / LOG / paths.name:
        _add_entries(tree.add(Text(printable(paths.name))), paths.log_dir, lines_left, level=1)
        return tree
    for kind in TREES:
        folder = paths.log_root / kind / paths.name
        if os.path.isdir(folder):
            branch = tree.add(Text.assemble((kind, "bold"), (f"/{printable(paths.name)}", "dim")))
            _add_entries(branch, folder, lines_left, level=1)
    return tree


def _add_entries(branch: Tree, folder: Path, lines_left: list[int], level: int) -> None:
    """Add the first entries of a folder, and of the folders in it, as far as lines and levels are left."""
    try:
        with os.scandir(folder) as scan:
            found = [entry for entry in islice(scan, _MAX_SCANNED) if not is_temporary(entry.name)]
    except OSError as error:
        branch.add(Text(f"cannot be read: {error.strerror}", "dim"))
        return
    found.sort(key=lambda entry: (entry.is_dir(follow_symlinks=False), entry.name))
    shown = found[: min(_MAX_ENTRIES, max(lines_left[0], 0))]
    lines_left[0] -= len(shown)
    for entry in shown:
        name = printable(entry.name)
        if not entry.is_dir(follow_symlinks=False):
            branch.add(Text.assemble(name, (f" {_size(entry)}", "dim")))
            continue
        inner = branch.add(Text(f"{name}/"))
        if level < _MAX_LEVELS:
            _add_entries(inner, Path(entry.path), lines_left, level + 1)
        else:
            inner.add(Text("...", "dim"))
    if len(found) > len(shown):
        more = f"{len(found) - len(shown)}" if len(found) < _MAX_SCANNED else f"{_MAX_SCANNED} or"
        branch.add(Text(f"... {more} more", "dim"))


def _size(entry: os.DirEntry[str]) -> str:
    try:
        return decimal(entry.stat(follow_symlinks=False).st_size)
    except OSError:  # it has just been deleted
        return ""
