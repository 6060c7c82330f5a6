"""Chooses saved runs of a log root."""

from __future__ import annotations

import fnmatch
import functools
import itertools
import os
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from rla_hooks.config.reading import log_root_of
from rla_hooks.errors import ConfigError, warn
from rla_hooks.layout import LOG
from rla_hooks.query.candidates import Candidates, candidates_of
from rla_hooks.query.filter import Filter, names_near, written
from rla_hooks.query.filter_columns import matcher
from rla_hooks.query.names import BUILT_IN, is_known
from rla_hooks.query.near_root import near_root
from rla_hooks.query.run_list import Runs
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.sorting import order, sort_keys
from rla_hooks.query.times import seconds_of, since_of
from rla_hooks.texts import cut, shell_path, shown


def runs(
    log_root: str | os.PathLike[str] | None = None,
    task: str | None = None,
    where: str | None = None,
    name: str | None = None,
    since: str | date | timedelta | None = None,
    tags: str | Sequence[str] | None = None,
    group: str | None = None,
    sort: str | Sequence[str] | None = None,
    limit: int | None = None,
) -> Runs:
    """Return the saved runs of a log root that fit all arguments, newest last: by their start, in whatever time zone.

    log_root: by default that of the config (see :func:`rla_hooks.config.load`). task: only runs of this task, and of
    those grouped in it. where: a filter, such as ``"lr < 1e-3 and last.perf/return > 100 and status == 'finished'"``;
    docs/query.md has the language. name: a pattern for the run name or a part of it: ``"*ppo*"``, ``"lr=0.1"``.
    since: only runs that started then or later: ``"2 days"`` ago, ``"2026-01-31"``, a datetime, date or timedelta.
    tags: all of these. group: of this group. sort: a name, or several, a minus before one for the greatest first:
    ``"-last.perf/return,seed"``; runs without the value are last. limit: the newest so many; of sorted runs the first.

    A damaged run is listed, too, with what is wrong in ``problems``; so are runs of the original RLA. A log root that
    is not there, or that this user may not read, gives a warning. Raises :class:`~rla_hooks.errors.ConfigError` for an
    argument that cannot be used, and for a name in ``where`` or ``sort`` that no run has.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["seed"], task="demo", writers=["csv"], backup="none")
    ... def main(seed):
    ...     rla.log({"return": 10.0 * seed}, step=0)
    >>> for seed in range(3):
    ...     main(seed)
    >>> [(run.hparams["seed"], run.info["last"]["return"]) for run in rla.runs(task="demo")]
    [(0, 0.0), (1, 10.0), (2, 20.0)]
    >>> best = rla.runs(where="last.return > 0 and status == 'finished'", sort="-last.return", limit=1)
    >>> best[0].hparams["seed"], best.query
    (2, 'rla.runs(where="last.return > 0 and status == \\'finished\\'", sort=\\'-last.return\\', limit=1)')
    """
    given = dict(locals())
    return Runs(select(**given).runs(), _query(given))


class Selection(NamedTuple):
    """Some of the runs of a log root, before they are made: who needs some of their values only asks for columns."""

    candidates: Candidates
    numbers: Sequence[int]
    columns: Callable[[str], Sequence[Any]]  # of all candidates; each is made once

    def runs(self) -> list[SavedRun]:
        return self.candidates.runs(self.numbers)

    def column(self, name: str) -> Sequence[Any]:
        """Return the value of this name of each chosen run; see :mod:`rla_hooks.query.names`."""
        values = self.columns(name)
        are_all = len(self.numbers) == len(values) and self.numbers == range(len(values))
        return values if are_all else [values[number] for number in self.numbers]


def select(
    log_root: str | os.PathLike[str] | None = None,
    task: str | None = None,
    where: str | None = None,
    name: str | None = None,
    since: str | date | timedelta | None = None,
    tags: str | Sequence[str] | None = None,
    group: str | None = None,
    sort: str | Sequence[str] | None = None,
    limit: int | None = None,
) -> Selection:
    """Choose runs as :func:`runs` does."""
    condition = None if where is None else Filter(where)
    has_name = None if name is None else _name_test(name)
    moment = None if since is None else since_of(since)
    wanted_tags, keys = _texts("tags", tags), sort_keys(sort)
    if group is not None and not isinstance(group, str):
        raise ConfigError(f"group is {shown(group, 100)}. Allowed: the name of a group.")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise ConfigError(f"limit is {shown(limit, 100)}. Allowed: a number of runs, from 0 on.")
    root = log_root_of(log_root)
    candidates = candidates_of(root, task)
    if not len(candidates):
        _tell_why(root, is_given=log_root is not None)
    column = functools.cache(candidates.column)
    chosen: Sequence[int] = range(len(candidates))
    if condition is not None:
        _check_names(condition.names, condition.unknown, column, candidates)
        chosen = _chosen(chosen, condition.mask(column, len(candidates)))
    chosen = _fitting(chosen, column, has_name, moment, wanted_tags, group)
    if keys:
        _check_names([key.name for key in keys], _no_sort, column, candidates)
        chosen = order(chosen, keys, column)[:limit]
    elif limit is not None:
        chosen = chosen[max(0, len(chosen) - limit) :]
    return Selection(candidates, chosen, column)


def _query(given: dict[str, Any]) -> str:
    """The call that chooses these runs, as Python text."""
    texts = {key: os.fspath(value) if isinstance(value, os.PathLike) else value for key, value in given.items()}
    return f"rla.runs({', '.join(f'{key}={value!r}' for key, value in texts.items() if value is not None)})"


def _chosen(numbers: Sequence[int], mask: Sequence[bool]) -> Sequence[int]:
    return [*itertools.compress(numbers, mask)]


def _fitting(
    chosen: Sequence[int],
    column: Callable[[str], Sequence[Any]],
    has_name: Callable[[str], bool] | None,
    since: float | None,
    tags: Sequence[str],
    group: str | None,
) -> Sequence[int]:
    """Those of the runs that fit the arguments beside the filter."""
    if has_name is not None:
        names = column("name")
        chosen = [each for each in chosen if has_name(names[each])]
    if since is not None:
        started = column("started")
        chosen = [each for each in chosen if seconds_of(started[each]) >= since]
    if tags:
        wanted, given = {*tags}, column("tags")
        chosen = [each for each in chosen if wanted <= {*(given[each] or ())}]
    if group is not None:
        groups = column("group")
        chosen = [each for each in chosen if groups[each] == group]
    return chosen


def _name_test(pattern: object) -> Callable[[str], bool]:
    """What a pattern for names chooses: whole names, and parts of them that stand between / and &."""
    if not isinstance(pattern, str):
        raise ConfigError(f"name is {shown(pattern, 100)}. Allowed: a pattern for run names, such as '*ppo*'.")
    if pattern.startswith("*") and pattern.endswith("*"):  # of a part, or of the whole, is the same, and this is faster
        fits = matcher(pattern)
    else:
        inner = fnmatch.translate(pattern)[: -len(_END)]
        match = re.compile(rf"(?:.*[/&])?{inner}(?:[/&].*)?{_END}", re.DOTALL | re.IGNORECASE).match
        fits = lambda name: match(name) is not None  # noqa: E731
    # Names have escapes for some letters: ALE%2FPong is ALE/Pong.
    return lambda name: fits(name) or ("%" in name and fits(unquote(name)))


_END = r"\Z"  # with which fnmatch ends its expressions; Python 3.14 says \z


def _texts(argument: str, given: object) -> Sequence[str]:
    if given is None:
        return ()
    texts = (given,) if isinstance(given, str) else given
    if not isinstance(texts, (list, tuple, set, frozenset)) or not all(isinstance(each, str) for each in texts):
        raise ConfigError(f"{argument} is {shown(given, 100)}. Allowed: a text, or a list of texts.")
    return tuple(texts)


def _check_names(
    names: Iterable[str],
    error: Callable[[str, Iterable[str]], ConfigError],
    column: Callable[[str], Sequence[Any]],
    candidates: Candidates,
) -> None:
    """Raise the error for the first name that no run has; where there are no runs, nothing is known of names."""
    for name in names:
        if name in BUILT_IN or not len(candidates) or any(value is not None for value in column(name)):
            continue
        known = {*candidates.names()}  # only now: this may take longer than the filter
        if not is_known(name, known):
            raise error(name, known)


def _no_sort(name: str, known: Iterable[str]) -> ConfigError:
    return ConfigError(f"no run has {cut(written(name), 200)}, by which to sort. {names_near(name, known)}")


def _tell_why(root: Path, is_given: bool) -> None:
    """Warn where no runs are found since the folder cannot be read, is not there, or is near the log root.

    That of the config comes into being with the first run.
    """
    try:
        os.scandir(root / LOG).close()
    except PermissionError as error:
        warn(
            f"no runs are listed: {shell_path(root / LOG)} cannot be read: {error.strerror}. Ask its owner for access."
        )
    except OSError:
        if is_given and not os.path.isdir(root):
            warn(f"there is no folder {shell_path(root)}, so no runs are listed. Give the log root of the runs.")
    near = near_root(root) if is_given and os.path.isdir(root) else None
    if near is not None:
        warn(f"no runs are in {shell_path(root)}, but {shell_path(near)} is a log root. Give that one.")
