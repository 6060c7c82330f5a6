"""Carries out a push or a pull: by rsync where both ends of ssh have it, else file by file through fsspec."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rla_hooks.errors import WarnOnce
from rla_hooks.layout import LOG
from rla_hooks.remote import by_file, rsync
from rla_hooks.remote.errors import RemoteError
from rla_hooks.remote.files import INCOMING
from rla_hooks.remote.planning import Plan, RunPlan
from rla_hooks.remote.same_runs import strangers

_warn = WarnOnce()
Progress = Callable[[int, int], None]


class Moved(NamedTuple):
    """What was moved. runs: the names of those that are whole on the other side. problems: what is left, by lines."""

    runs: tuple[str, ...]
    problems: tuple[str, ...] = ()


def carry_out(plan: Plan, *, progress: Progress | None = None) -> Moved:
    """Do what a plan says. After a kill, make a new plan: it goes on.

    A new run appears on the other side when all of it has come. What cannot be moved of a run is told in ``problems``,
    and the others go on. Raises :class:`~rla_hooks.remote.RemoteError` where the remote cannot be reached any more.
    """
    if not plan.runs:
        return Moved(())
    done = 0
    plan.place.stopped.clear()

    def tick(files: int = 1) -> None:
        nonlocal done
        done += files
        if progress:
            progress(min(done, plan.files), plan.files)

    problems = strangers(plan)
    plan = plan._replace(runs=tuple(run for run in plan.runs if run.name not in problems))
    problems |= _move(plan, tick)
    whole = []
    for run in plan.runs:
        if run.name in problems:
            continue
        if run.is_new:
            try:
                _put_in_place(plan, run)
            except RemoteError as error:
                problems[run.name] = str(error)
                continue
            except OSError as error:
                problems[run.name] = f"{error.filename}: {error.strerror or error}"
                continue
        whole.append(run.name)
    if not plan.is_push:
        _tidy(plan.root)
    elif plan.place.has_rename:
        plan.place.tidy(run.name for run in plan.runs if run.is_new)
    return Moved(tuple(whole), tuple(f"{name}: {text}" for name, text in problems.items()))


def _move(plan: Plan, tick: Callable[[], None]) -> dict[str, str]:
    """Move the files; return what has gone wrong, by the names of runs."""
    if rsync.can_be_used(plan.place):
        try:
            return rsync.move(plan, tick)
        except rsync.SshRefused as error:
            _warn("ssh", f"{error}. The files go one by one, over SFTP.")
            plan.place.stopped.clear()
    return by_file.move(plan, tick)


def _put_in_place(plan: Plan, run: RunPlan) -> None:
    """Put the log folder of a new run where lists find it: the last act. Another sender may have done it before."""
    if plan.is_push:
        if plan.place.has_rename:
            plan.place.place_run(run.name)
        return
    new = plan.root / LOG / run.name
    new.parent.mkdir(parents=True, exist_ok=True)
    os.rename(plan.root / INCOMING / LOG / run.name, new)


def _tidy(root: Path) -> None:
    """Remove the empty folders that new runs have passed through."""
    for folder, _, _ in [*os.walk(root / INCOMING, topdown=False)]:
        with suppress(OSError):
            os.rmdir(folder)
