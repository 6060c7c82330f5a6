"""Whether a run has come far: how many rows it has, and its greatest time step."""

from __future__ import annotations

from rla_hooks.query.saved_run import SavedRun
from rla_hooks.writers.base import STEP


def rows_of(run: SavedRun) -> float:
    """Return how many rows a run has; infinitely many where nobody knows, as of one that only has event files."""
    count = run.info.get("rows")
    if isinstance(count, int):
        return count
    return float("inf") if run.tensorboard_dir.is_dir() and any(run.tensorboard_dir.iterdir()) else 0


def greatest_step(run: SavedRun) -> float:
    """Return the greatest time step in the rows of a run, which need not be the last; minus infinity without rows.

    Infinity where nobody knows it: the run only has event files, or its rows cannot be read.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     for step in (0, 900, 7):
    ...         rla.log({"loss": 0.5}, step=step)
    >>> greatest_step(rla.runs()[-1])
    900.0
    """
    try:
        column = run.columns([STEP]).get(STEP)
    except OSError:
        return float("inf")
    if column is not None and column.values.dtype.kind in "if":
        steps = column.values if column.present is None else column.values[column.present]
        steps = steps[steps == steps]
        if len(steps):
            return float(steps.max())
    return float("inf") if rows_of(run) else float("-inf")
