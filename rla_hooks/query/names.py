"""The names by which filters, sorting and tables ask for the values of a run.

lr, optimizer.width      hyper-parameters; hparams.task where a built-in name hides one
status, task, ...        the built-in names
last.perf/return         the last value of a metric; min. and max. are its extremes

A hyper-parameter may itself be called max.steps, {"max": {"steps": 5}} makes it so: the name stands for it in runs
without such a metric, and hparams.max.steps in all. One called hparams.lr goes before lr.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from rla_hooks.query.saved_run import SavedRun

Getter = Callable[[SavedRun], Any]  # returns None for a run that lacks the value

BUILT_IN: dict[str, Getter] = {
    "status": lambda run: run.status,
    "task": lambda run: run.task,
    "name": lambda run: run.name,
    "id": lambda run: run.id,
    "host": lambda run: run.host,
    "started": lambda run: run.started,
    "ended": lambda run: run.ended,
    "seconds": lambda run: run.seconds,
    "tags": lambda run: run.tags,
    "group": lambda run: run.group,
    "rows": lambda run: run.info.get("rows"),
    "step": lambda run: run.info.get("last_step"),
    "restarts": lambda run: len(run.restarts),
    "forked_from": lambda run: (run.forked_from or {}).get("id"),
    "rerun_of": lambda run: (run.rerun_of or {}).get("id"),
    "sweep": lambda run: (run.sweep or {}).get("id"),
    "sweep.index": lambda run: _number((run.sweep or {}).get("index")),
    "git.commit": lambda run: _inner(run.run_json, "git", "commit"),
}

# What Candidates.column gives of the built-in names: plain Python objects (a numpy array is taken, too, where it has no
# gaps), None where a run lacks the value.
TIMES = frozenset({"started", "ended"})  # aware datetimes, or seconds since 1970 as floats: an index gives these
NUMBERS = frozenset({"seconds", "rows", "step", "restarts", "sweep.index"})  # int or float
LISTS = frozenset({"tags"})  # list or tuple of texts; empty, or None, where it has none
TEXTS = frozenset(BUILT_IN) - TIMES - NUMBERS - LISTS  # "status" as SavedRun has it: "running (silent since ...)"
# All other names have what JSON knows: bool, int, float, str, list, and rarely dict.

METRICS = ("last", "min", "max")  # a prefix each, before the name of a metric


def getter(name: str) -> Getter:
    """Return the function that gets the value of this name from a run.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none", lr=0.1) as run:
    ...     rla.log({"loss": 0.5}, step=0)
    >>> saved = rla.runs()[-1]
    >>> getter("lr")(saved), getter("task")(saved), getter("last.loss")(saved), getter("width")(saved)
    (0.1, 'demo', 0.5, None)
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    kind, _, rest = name.partition(".")
    if kind == "last" and rest:
        return lambda run: _first(run.last.get(rest), run.hparams, name)
    if kind in METRICS and rest:
        return lambda run: _first(_extreme(run, rest, kind), run.hparams, name)
    if kind == "hparams" and rest:
        return lambda run: _first(run.hparams.get(name), run.hparams, rest)
    return lambda run: run.hparams.get(name)


def values_of(runs: Sequence[SavedRun], name: str) -> list[Any]:
    """Return the value of this name of each run. The rows that extremes are made of are read together."""
    kind, _, metric = name.partition(".")
    if name in BUILT_IN or kind not in METRICS[1:] or not metric:
        return [*map(getter(name), runs)]
    from rla_hooks.query.bulk import summaries_of_runs  # late: it needs numpy

    found = summaries_of_runs(runs, [metric])
    return [_first(getattr(each.get(metric), kind, None), run.hparams, name) for run, each in zip(runs, found)]


def is_known(name: str, known: Container[str]) -> bool:
    """Whether a name is a built-in one or stands for one of the names that some run has (``Candidates.names()``).

    >>> is_known("hparams.lr", {"lr"}), is_known("max.loss", {"last.loss"}), is_known("loss", {"last.loss"})
    (True, True, False)
    """
    kind, _, rest = name.partition(".")
    if name in BUILT_IN or name in known:
        return True
    if kind == "hparams" and rest in known:
        return rest not in BUILT_IN  # those are known without any hyper-parameter of this name
    return kind in METRICS and f"last.{rest}" in known


def _first(value: Any, others: Mapping[str, Any], name: str) -> Any:
    return value if value is not None else others.get(name)


def _extreme(run: SavedRun, metric: str, kind: str) -> Any:
    found = run.summary(metric)
    return None if found is None else getattr(found, kind)


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _inner(mapping: dict[str, Any], *keys: str) -> Any:
    value: Any = mapping
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
