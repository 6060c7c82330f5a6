"""Several runs of one command: which they are, and short names that tell them apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rla_hooks.cli.choose import choose_all
from rla_hooks.columns import Columns
from rla_hooks.errors import RLAError, nearest, warn
from rla_hooks.progress import MAX_LAST
from rla_hooks.query import Runs, SavedRun
from rla_hooks.query.tables import differing
from rla_hooks.texts import listed, printable, shell_path, shown
from rla_hooks.writers.base import STEP, TIME

_SHORT = 4  # characters of an id, at least
_MAX_VALUE = 24  # characters of a parameter's value in a name
_MAX_PAIRS = 8  # parameters in a name
_MAX_LISTED = 20  # metrics in a message


def several(
    texts: Sequence[str] | None,
    log_root: Path | None,
    task: str | None = None,
    where: str | None = None,
    limit: int | None = None,
    default: Sequence[str] = (),
) -> Runs:
    """Return the runs that are named, each once; without names those that the options choose.

    limit: only the newest so many of them. default: the names that count where nothing is chosen. Raises RLAError where
    there is no run.
    """
    is_chosen = any(each is not None for each in (task, where, limit))
    found = choose_all(texts or (() if is_chosen else default), log_root, where, task)
    if limit is None:
        return found
    newest = {*sorted(found, key=lambda run: (run.entry.started, run.name))[-limit:]}
    return Runs([run for run in found if run in newest], found.query)


def short_names(found: Sequence[SavedRun]) -> list[str]:
    """Return a name for each run by the parameters in which they differ, and the beginning of its id.

    Such as ``algo=ppo seed=1 [k3xq]``, behind the task where these differ. A single run has the record
    parameters of its name.
    """
    names, several_tasks = differing(found), len({run.task for run in found}) > 1
    texts = []
    for run, short in zip(found, short_ids([run.id for run in found]), strict=True):
        given = {name: run.hparams[name] for name in names if name in run.hparams} if len(found) > 1 else run.record
        pairs = [f"{name}={_value(value)}" for name, value in list(given.items())[:_MAX_PAIRS]]
        task = [run.task] if several_tasks or not pairs else []
        texts.append(printable(" ".join([*task, *pairs, f"[{short}]"])))
    return texts


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else shown(value)
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 1]}…"


def short_ids(ids: Sequence[str]) -> list[str]:
    """Return the beginnings of ids that tell them apart.

    >>> short_ids(["k3xq7aod", "k3xqb2cd", "m4aaaaaa"])
    ['k3xq7', 'k3xqb', 'm4aaa']
    """
    for length in range(_SHORT, max(map(len, ids), default=0)):
        if len({each[:length] for each in ids}) == len(set(ids)):
            return [each[:length] for each in ids]
    return list(ids)


def metrics_of(found: Iterable[SavedRun]) -> list[str]:
    """Return the names of the metrics of runs, in the order in which they appear."""
    return list(dict.fromkeys(name for run in found for name in (run.last if _has_all(run) else _columns_of(run))))


def _has_all(run: SavedRun) -> bool:
    """Whether ``last`` has every metric: it has a limit."""
    return 0 < len(run.last) < MAX_LAST


def _columns_of(run: SavedRun) -> list[str]:
    return [name for name in rows_of(run) if name not in (STEP, TIME)]


def rows_of(run: SavedRun, names: Iterable[str] | None = None) -> Columns:
    """Return the rows of a run as columns: of these names, or all. Rows that cannot be read give a warning."""
    try:
        return run.columns(names)
    except OSError as error:
        reason = error.strerror or error
        warn(f"the rows of run {printable(run.id)} in {shell_path(run.log_dir)} cannot be read: {printable(reason)}")
    return {}


def check_metrics(names: Iterable[str], found: Sequence[SavedRun]) -> None:
    """Raise RLAError for a metric that no run has; the message lists those that exist, the nearest first.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     rla.log({"loss": 0.5, "perf/return": 1.0}, step=0)
    >>> check_metrics(["perf/retrun"], rla.runs())
    Traceback (most recent call last):
    rla_hooks.errors.RLAError: no run has the metric 'perf/retrun'. There are: perf/return, loss. Did you mean ...?
    """
    for name in names:
        if any(name in run.last for run in found) or any(name in rows_of(run, [name]) for run in found):
            continue
        known = metrics_of(found)
        if not known:
            raise RLAError(f"there is no metric {shown(name, 100)}: none of the chosen runs has any rows.")
        near = nearest(name, known) or next((each for each in known if name.casefold() in each.casefold()), "")
        others = [*([near] if near else []), *(each for each in known if each != near)]
        hint = f" Did you mean {near!r}?" if near else ""
        raise RLAError(f"no run has the metric {shown(name, 100)}. There are: {listed(others, _MAX_LISTED)}.{hint}")
