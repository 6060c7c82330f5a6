"""``rla.open(run)``: add to a run that has ended, or that another process trains."""

from __future__ import annotations

import os

from rla_hooks.core import handover
from rla_hooks.core.appended import AppendedRun, silent
from rla_hooks.core.settings import Writers
from rla_hooks.query import SavedRun
from rla_hooks.query.given import saved_run
from rla_hooks.query.moved import paths_of


def open(
    run: SavedRun | str, *, log_root: str | os.PathLike[str] | None = None, writers: Writers | None = None
) -> AppendedRun:
    """Open a run to add to it: rows, figures, checkpoints and labels, of an evaluation say.

    run: one of ``rla.runs()``; or a text that means one run in ``log_root``: an id or its first letters (three or
    more), a name, a title, a part of one of these, the time of a start, ``latest``, ``latest~2`` (the last but two); or
    the path of one of its folders.
    writers: by default those that the run had.

    As a context manager it is the current run in the block, to which ``rla.log`` and the others add; else use its
    methods, and ``finish()``. How the run ended stays: its status, error and times. An error in the block is the
    caller's, and a run that was killed stays killed. Rows go into files of their own beside those that are there, and
    readers join them; ``rows``, ``last`` and ``warnings`` in run.json grow. A run that is still training goes on
    undisturbed. With ``RLA_MODE=off``, and on ranks that do not write, it accepts every call and writes nothing.

    Raises :class:`~rla_hooks.errors.RunError` for a run that cannot be added to, of the original RLA or in a folder
    that may not be written, say; :class:`~rla_hooks.errors.ConfigError` for a text that fits no run, or several;
    :class:`~rla_hooks.errors.RLAError` for a ``latest~N`` that is not there.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     rla.log({"perf/return": 12.0}, step=100)
    >>> with rla.open(rla.runs()[-1]) as run:
    ...     rla.log({"eval/return": 14.5}, step=100)
    ...     run.tag("evaluated")
    >>> saved = rla.runs()[-1]
    >>> saved.status, saved.last, saved.tags
    ('finished', {'perf/return': 12.0, 'eval/return': 14.5}, ['evaluated'])
    """
    if handover.writing_disabled():
        return silent(run.paths if isinstance(run, SavedRun) else None)
    saved = saved_run(run, log_root)
    return AppendedRun.append_to(paths_of(saved), saved.task, saved.hparams, saved.run_json, writers)
