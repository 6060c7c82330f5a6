"""Chooses runs as RLA's tools do: by a pattern of folders below their task, such as ``2026/01/31/12-0*``."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Callable, Sequence

from rla_hooks.errors import ConfigError
from rla_hooks.patterns import pattern as pattern_of
from rla_hooks.query.run_list import Runs
from rla_hooks.query.selection import select
from rla_hooks.run_folders import task_starts
from rla_hooks.texts import shown

_START = pattern_of(r"[0-9]{4}(?:/[0-9]{2}){3}(?:-[0-9]{2}){2}-[0-9]{6}")


def runs_in_folders(log_root: str | os.PathLike[str] | None, task: str | None, pattern: str | None) -> Runs:
    """Return the runs whose log folder, or a folder that it is in, fits a pattern below that of a task, newest last.

    task: may be a pattern, too; the empty text for all tasks. pattern: as a shell has it, where ``*`` is a part of one
    folder's name: ``2026/01*`` are all runs of a month. It is what RLA calls ``regex`` and ``regs``. Raises
    :class:`~rla_hooks.errors.ConfigError` for a pattern that is no text, or that leads out of the log root.

    >>> import rla_hooks as rla
    >>> for seed in range(3):
    ...     with rla.run(task="demo", record=["seed"], writers=["csv"], backup="none", seed=seed):
    ...         pass
    >>> [run.hparams["seed"] for run in runs_in_folders(None, "demo", "2*/*/*/*seed=[12]")]
    [1, 2]
    >>> [len(runs_in_folders(None, *each)) for each in (("demo", "2*"), ("d*", ""), ("", ""), ("demo", "seed=1"))]
    [3, 3, 3, 0]
    """
    inner = _parts("the pattern", pattern)
    tests = [_test_of([*start, *inner]) for start in _starts(task)]
    selection = select(log_root)
    numbers = [
        number
        for number, name in zip(selection.numbers, selection.column("name"))
        if any(fits(name.split("/")) for fits in tests)
    ]
    root = None if log_root is None else os.fspath(log_root)
    return Runs(selection.candidates.runs(numbers), f"runs_in_folders({root!r}, {task!r}, {pattern!r})")


def _parts(what: str, given: object) -> list[str]:
    """The folders in a pattern."""
    if not isinstance(given, str):
        raise ConfigError(f"{what} is {shown(given, 100)}. Allowed: a text such as '2026/01/31/12-0*'; * is any name.")
    parts = [part for part in given.replace(os.sep, "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ConfigError(f"{what} is {shown(given, 100)}, which leads out of the log root. Leave .. out.")
    return parts


def _starts(task: object) -> list[list[str]]:
    """The folders of a task: as somebody writes it, and as they are called where letters are escaped in them."""
    written = _parts("the task", task)
    spellings = task_starts("/".join(written)) if written else set()
    return [written, *(glob.escape(each).split("/") for each in sorted(spellings))]


def _test_of(parts: Sequence[str]) -> Callable[[Sequence[str]], bool]:
    """Return what tells whether the first folders of a run's name fit."""
    tests = [re.compile(fnmatch.translate(part)).match for part in parts]
    return lambda folders: len(folders) >= len(tests) and all(fits(each) for fits, each in zip(tests, folders))


def start_in(text: str) -> str | None:
    """Return the date and the time of a run's start that stand in a name or a path; None where there are none.

    >>> start_in("log/demo/2026/01/31/12-00-00-000000_10.0.0.5/progress.csv"), start_in("demo/best")
    ('2026/01/31/12-00-00-000000', None)
    """
    found = _START.search(text.replace(os.sep, "/"))
    return found and found[0]
