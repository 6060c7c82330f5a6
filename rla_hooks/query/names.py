"""The names by which filters, sorting and tables ask for the values of a run.

lr, optimizer.width      hyper-parameters; hparams.task where a built-in name hides one
status, task, ...        the built-in names
last.perf/return         the last value of a metric; min. and max. are its extremes
"""

from __future__ import annotations

from collections.abc import Callable
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
    "git.commit": lambda run: _inner(run.run_json, "git", "commit"),
}


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
        return lambda run: run.last.get(rest)
    if kind == "hparams" and rest:
        return lambda run: run.hparams.get(rest)
    return lambda run: run.hparams.get(name)


def _inner(mapping: dict[str, Any], *keys: str) -> Any:
    value: Any = mapping
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
