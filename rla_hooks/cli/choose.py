"""Which run somebody means by a word on the command line. What fits several runs is never guessed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from rla_hooks.cli.nothing import no_root, no_runs, no_such_run
from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.layout import RunPaths
from rla_hooks.query import Runs, SavedRun, runs
from rla_hooks.query.entry import read_entry
from rla_hooks.query.given import run_of_path
from rla_hooks.query.meant import LATEST, is_pattern, meant
from rla_hooks.texts import cut, printable, shell_path, shown

_MAX_LISTED = 20


def choose(
    text: str | None, log_root: Path | None = None, where: str | None = None, task: str | None = None
) -> SavedRun:
    """Return the run that a text means; without a text the latest.

    text: the id of the run or its first letters (three or more), its name, its title, a part of one of these, the time
    of its start (of the day, of the year, or both), ``latest``, ``latest~2`` (the last but two), or the path of one of
    its folders. where, task: only runs for which the filter holds, and of this task; ``latest`` is the latest of these.

    Raises :class:`~rla_hooks.errors.RLAError`: for a text that fits several runs with a list of them, for one that fits
    none with where it was looked for and what is near.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["seed"], task="demo", writers=["csv"], backup="none")
    ... def main(seed):
    ...     rla.log({"return": 10.0 * seed}, step=0)
    >>> for seed in range(3):
    ...     main(seed)
    >>> choose("latest~2").hparams, choose("seed=1").hparams, choose(choose(None).id).hparams
    ({'seed': 0}, {'seed': 1}, {'seed': 2})
    """
    text = LATEST if text is None else text
    found = _choose_some(text, _Asked(log_root, where, task))
    if len(found) == 1:
        return found[0]
    raise RLAError(several(text, found))


def choose_all(
    texts: Iterable[str] | None,
    log_root: Path | None = None,
    where: str | None = None,
    task: str | None = None,
    many: bool = False,
) -> Runs:
    """Return the run that each text means, each run once; without texts all for which the filter holds.

    many: a text may mean several runs. A text with ``*`` or ``?`` always may: ``ppo*seed=2`` means all with these in
    their names. Raises :class:`~rla_hooks.errors.RLAError` as :func:`choose` does, also where the filter chooses none.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["seed"], task="demo", writers=["csv"], backup="none")
    ... def main(seed):
    ...     rla.log({"return": 10.0 * seed}, step=0)
    >>> for seed in range(3):
    ...     main(seed)
    >>> [run.hparams["seed"] for run in choose_all(["latest", "seed=0", "latest"])]
    [2, 0]
    """
    asked = _Asked(log_root, where, task)
    if not texts:
        return asked.runs()
    chosen: dict[str, SavedRun] = {}
    for text in texts:
        found = _choose_some(text, asked)
        if len(found) > 1 and not many and not is_pattern(text):
            raise RLAError(several(text, found))
        chosen |= {str(run.paths.log_dir): run for run in found}
    return Runs(chosen.values(), f"{asked.runs().query}, chosen by {' '.join(texts)}" if asked.is_read else "")


def needs_filter(where: str | None, everything: str) -> None:
    """Raise ConfigError for a filter that is empty, such as that of a variable which is not set: all runs would fit.

    everything: how one says that all runs are meant.
    """
    if where is not None and not where.strip():
        raise ConfigError(f"--where is empty, which all runs would fit. Give a filter; {everything}")


def several(text: str, found: Sequence[SavedRun]) -> str:
    """Say that a text fits several runs, and list them."""
    lines = [_line(run) for run in reversed(found[-_MAX_LISTED:])]
    more = [f"... and {len(found) - _MAX_LISTED} older ones"] if len(found) > _MAX_LISTED else []
    head = f"{shown(text, 100)} fits {len(found)} runs. Write the id of one, or more of its name:"
    return "\n".join([head, *lines, *more])


def _line(run: SavedRun) -> str:
    started = f"{run.started.astimezone():%Y-%m-%d %H:%M:%S}"
    record = " ".join(f"{key}={value}" for key, value in run.record.items())
    parts = [cut(run.id, 40), started, cut(run.task, 40), run.status, cut(run.title or record, 80)]
    return "  ".join(map(printable, parts))


class _Asked:
    """Where a run is looked for. The runs are read when they are needed: a path needs none of the others."""

    def __init__(self, log_root: Path | None, where: str | None, task: str | None):
        self.log_root, self.where, self.task = log_root, where, task
        self._runs: Runs | None = None

    @property
    def is_read(self) -> bool:
        return self._runs is not None

    def runs(self) -> Runs:
        if self._runs is None:
            missing = no_root(self.log_root)
            if missing:
                raise RLAError(missing)
            self._runs = runs(self.log_root, self.task, self.where)
            if not self._runs:
                raise RLAError(no_runs(self.log_root, self.task, self.where))
        return self._runs


def _choose_some(text: str, asked: _Asked) -> Sequence[SavedRun]:
    """Return the runs that a text fits, at least one."""
    if not text.strip():
        raise RLAError(f"the run is {text!r}, which fits all. Write an id, a part of a name, or latest")
    place = run_of_path(text)
    if place is not None:
        return [_run_at(place, text, asked)]
    among = asked.runs()
    found = meant(text, among)
    if not found:
        raise RLAError(no_such_run(text, among, asked.log_root))
    return found


def _run_at(place: RunPaths, text: str, asked: _Asked) -> SavedRun:
    """Read the run at a path; it is one of the runs that are asked for, where a filter or a task is given."""
    if asked.where is None and asked.task is None:
        return SavedRun(place, read_entry(place))
    root = os.path.realpath(log_root_of(asked.log_root))
    for run in asked.runs():
        if run.name == place.name and os.path.realpath(place.log_root) == root:
            return run
    raise RLAError(f"the run at {shell_path(text)} is none of those that are chosen by the filter and the task")
