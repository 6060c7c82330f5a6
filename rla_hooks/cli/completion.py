"""What a shell offers when a command is completed with the tab key. Whatever fails, nothing is offered or printed.

The values and the help texts come out of files that anybody may have written, and shells evaluate them (zsh does so
twice): only those of plain letters are offered.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rla_hooks.query import Runs, SavedRun

_SAFE = re.compile(r"[A-Za-z0-9_.,/=+@%-]+")
_UNSAFE_IN_HELP = re.compile(r"[^\w .,/=+@%-]+")
_MAX_ACTS = 20  # are offered, the last
_MAX_RUNS = 200  # are offered, the newest
_MAX_HELP = 100  # characters


def tasks(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the tasks of the log root."""
    found: list[str] = []
    with _silently():
        found += sorted({run.task for run in _runs(ctx) if _SAFE.fullmatch(run.task)})
    return [task for task in found if task.startswith(incomplete)]


def runs(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the ids of the runs, newest first, with their names as help; and what begins as a name does."""
    found: list[tuple[str, str]] = []
    with _silently():
        for run in reversed(_runs(ctx)):
            for word in (run.id, run.name):
                if word.startswith(incomplete) and _SAFE.fullmatch(word) and len(found) < _MAX_RUNS:
                    found.append((word, _UNSAFE_IN_HELP.sub("?", f"{run.status} {run.name}")[:_MAX_HELP]))
                    break
    if "latest".startswith(incomplete):
        found.insert(0, ("latest", "the newest run"))
    return found


def runs_and_tasks(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer what :func:`runs` and :func:`tasks` do."""
    return [*runs(ctx, incomplete), *((task, "a task") for task in tasks(ctx, incomplete))]


def acts(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Offer the numbers of the acts that can be undone, the last one first, with what they were as help."""
    found: list[tuple[str, str]] = []
    with _silently():
        from rla_hooks.config.reading import log_root_of
        from rla_hooks.texts import counted
        from rla_hooks.upkeep.journal import numbers_in, read

        root = log_root_of(ctx.params.get("log_root"))
        numbers = [number for number in numbers_in(root) if str(number).startswith(incomplete)]
        for number in numbers[: -_MAX_ACTS - 1 : -1]:
            act = read(root, number)
            found.append((str(number), f"{act.kind} {counted(len(act.runs), 'run')}"))
    return found


def columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer names of parameters and metrics for the last of the names that are separated by commas."""
    return _names(ctx, incomplete, lambda run: [*run.hparams, *run.last])


def metrics(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer names of metrics for the last of the names that are separated by commas."""
    return _names(ctx, incomplete, lambda run: run.last)


def _names(ctx: typer.Context, incomplete: str, of_run: Callable[[SavedRun], Iterable[str]]) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    found: list[str] = []
    with _silently():
        names = {name for run in _runs(ctx) for name in of_run(run)}
        found += [f"{before}{comma}{name}" for name in sorted(names) if name.startswith(last) and _SAFE.fullmatch(name)]
    return found[:_MAX_RUNS]


def _runs(ctx: typer.Context) -> Runs:
    """The runs of the log root and the task that stand on the line already."""
    from rla_hooks.query import runs

    given: dict[str, Any] = ctx.params
    root = given.get("log_root")
    is_archived = given.get("archived") or given.get("restore")
    return runs(archived_root(root) if is_archived else root, given.get("task"))


def archived_root(log_root: Path | None) -> Path:
    """Return the log root of the runs of a log root that are archived."""
    from rla_hooks.config.reading import log_root_of  # late: rla --help needs no config
    from rla_hooks.layout import ARCHIVED

    return log_root_of(log_root) / ARCHIVED


@contextmanager
def _silently() -> Iterator[None]:
    with warnings.catch_warnings(), suppress(Exception):
        warnings.simplefilter("ignore")
        yield
