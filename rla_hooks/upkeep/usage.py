"""What takes the room of a log root: by run, task, tree and user, the largest checkpoints, and what is no run's."""

from __future__ import annotations

import os
from collections.abc import Iterable

from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import ConfigError
from rla_hooks.layout import ARCHIVED, SWEEPS, TRASH, TREES
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.selection import select
from rla_hooks.upkeep.survey import Progress, Survey
from rla_hooks.upkeep.usage_parts import Usage


def disk_usage(
    log_root: str | os.PathLike[str] | None = None,
    runs: Iterable[SavedRun] | None = None,
    progress: Progress | None = None,
) -> Usage:
    """Return what takes the room of a log root: see :class:`~rla_hooks.upkeep.usage_parts.Usage`. Changes nothing.

    log_root: by default that of the config, or of the runs. runs: only these; then ``rest`` is empty.
    progress: called as ``progress(done, total)`` for each folder of a run.

    Bytes are those that the disk has allocated; ``content`` has the lengths of the files. Links are not followed; a
    tree of the log root that is itself a link to another disk is walked. Raises
    :class:`~rla_hooks.errors.ConfigError` for runs of several log roots, and for a folder of another tool.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["size"], task="demo", writers=["csv"], backup="none")
    ... def main(size):
    ...     rla.save_checkpoint({"weights": [0.5] * size}, step=0)
    >>> for size in (1000, 100_000, 10):
    ...     main(size)
    >>> usage = disk_usage()
    >>> usage.runs[0].run.hparams, usage.checkpoints[0].path.name, list(usage.tasks)
    ({'size': 100000}, 'checkpoint-0.pkl', ['demo'])
    >>> usage.trees["checkpoint"].content > usage.trees["log"].content
    True
    """
    if runs is None:
        root = log_root_of(log_root)
        every = select(root)
        survey = Survey(root, every.runs(), progress, every.column("task"))
        for kind in TREES:
            survey.add_tree(kind)
        survey.add_rest(root / TRASH, TRASH)
        survey.add_rest(root / ARCHIVED, ARCHIVED)
        survey.add_rest(root / SWEEPS, SWEEPS)
        return survey.usage()
    chosen = list(runs)
    roots = {run.paths.log_root for run in chosen} or {log_root_of(log_root)}
    if len(roots) > 1:
        raise ConfigError(f"the runs are of {len(roots)} log roots. Give those of one: rla.runs(log_root).")
    root = roots.pop()
    survey = Survey(root, chosen, progress)
    for run in chosen:
        survey.add_run(run)
    survey.add_store()
    return survey.usage(with_rest=False)
