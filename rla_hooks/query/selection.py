"""Chooses saved runs of a log root."""

from __future__ import annotations

import os
from pathlib import Path

from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import warn
from rla_hooks.layout import LOG
from rla_hooks.query.candidates import candidates_of
from rla_hooks.query.run_list import Runs
from rla_hooks.texts import shell_path


def runs(log_root: str | os.PathLike[str] | None = None, task: str | None = None) -> Runs:
    """Return the saved runs of a log root, newest last: in the order in which they started, in whatever time zone.

    log_root: by default that of the config (see :func:`rla_hooks.config.load`). task: only runs of this task. A damaged
    run is listed, too, with what is wrong in ``problems``; so are runs of the original RLA. A log root that this user
    may not read gives a warning.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["seed"], task="demo", writers=["csv"], backup="none")
    ... def main(seed):
    ...     rla.log({"return": 10.0 * seed}, step=0)
    >>> for seed in range(3):
    ...     main(seed)
    >>> [(run.hparams["seed"], run.info["last"]["return"]) for run in rla.runs(task="demo")]
    [(0, 0.0), (1, 10.0), (2, 20.0)]
    """
    root = log_root_of(log_root)
    candidates = candidates_of(root, task)
    if not len(candidates):
        _tell_if_unreadable(root / LOG)
    given = {"log_root": None if log_root is None else str(log_root), "task": task}
    query = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
    return Runs(map(candidates.run, range(len(candidates))), f"rla.runs({query})")


def _tell_if_unreadable(folder: Path) -> None:
    try:
        os.scandir(folder).close()
    except PermissionError as error:
        warn(f"no runs are listed: {shell_path(folder)} cannot be read: {error.strerror}. Ask its owner for access.")
    except OSError:  # it is not there, say
        pass
