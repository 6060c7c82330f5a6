"""Finds runs of one task that did not finish, newest first, without reading those that did.

Of ten thousand runs most have finished, and the one that is looked for is among the last: names tell the order, and
the first bytes of run.json how a run ended. No cache is asked, which other machines may have left behind.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rla_hooks.endings import FINISHED, PRUNED
from rla_hooks.filenames import part_of_pair
from rla_hooks.layout import LOG, RUN_JSON, RunPaths
from rla_hooks.run_folders import run_folders, task_starts
from rla_hooks.run_name import task_folders
from rla_hooks.smallfiles import parse_object, read_bytes

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_HEAD = 4096  # bytes; the status stands in the first few hundred
_OVER = re.compile(rf'\n  "status": "(?:{FINISHED}|{PRUNED})"'.encode())  # only keys of the outermost level stand so


def unfinished(
    log_root: Path, task: str, parameters: Mapping[str, Any], others: list[str] | None = None
) -> Iterator[tuple[RunPaths, dict[str, Any]]]:
    """Yield the runs that may be unfinished, and what their run.json says; newest first by the times in their names.

    parameters: flat hyper-parameters, as they are stored. A run whose name says other values of them is left out; its
    name is added to ``others``. What cannot be read is left out, too.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none"):
    ...     pass
    >>> run = rla.start(task="demo", writers=[], backup="none")
    >>> [info["id"] == run.record.content["id"] for paths, info in unfinished(run.paths.log_root, "demo", {})]
    [True]
    """
    texts = {part_of_pair(key): part_of_pair(value) for key, value in parameters.items()}
    for name in _newest_first(log_root, task):
        if _may_have(name.rpartition("/")[2], texts):
            yield from contents(log_root, [name])
        elif others is not None:
            others.append(name)


def contents(log_root: Path, names: Iterable[str]) -> Iterator[tuple[RunPaths, dict[str, Any]]]:
    """Yield those of these runs that may be unfinished, as :func:`unfinished` does."""
    for name in names:
        content = _content(f"{log_root}/{LOG}/{name}/{RUN_JSON}")
        if content is not None:
            yield RunPaths(log_root, name), content


def _newest_first(log_root: Path, task: str) -> list[str]:
    """The names of the runs of the task, not of those grouped in it."""
    folders, found = task_starts(task), []
    for folder, leaves in run_folders(log_root, task):
        of_task = task_folders(f"{folder}/00-00-00-000000_x")
        if of_task is None or of_task in folders:  # None: somebody has moved it
            date = folder[len(of_task or "") :] if of_task else ""
            found += [(date, leaf, f"{folder}/{leaf}" if folder else leaf) for leaf in leaves]
    found.sort(reverse=True)
    return [name for _, _, name in found]


def _may_have(leaf: str, texts: Mapping[str, str]) -> bool:
    """Whether the values in a run's name are these, as far as it has any of them."""
    if "~" in leaf:  # it is too long, and cut
        return True
    for pair in leaf.partition("&")[2].split("&"):
        key, _, value = pair.partition("=")
        if key in texts and texts[key] != value and not _are_equal(texts[key], value):
            return False
    return True


def _are_equal(first: str, second: str) -> bool:
    """Whether both are the same number: 1 and 1.0."""
    try:
        return float(first) == float(second)
    except ValueError:
        return False


def _content(path: str) -> dict[str, Any] | None:
    """What run.json says; None where the run has finished, and where it cannot be read."""
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            head = os.read(descriptor, _HEAD)
        finally:
            os.close(descriptor)
        return None if _OVER.search(head) else parse_object(read_bytes(path))
    except (OSError, ValueError):
        return None
