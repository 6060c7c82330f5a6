"""What ``--json`` prints, and a run as plain data: the names are documented in docs/cli.md and stay."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from rla_hooks.query import SavedRun


def object_of(run: SavedRun) -> dict[str, Any]:
    """Return what is known of a run without its rows.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none", lr=0.1) as run:
    ...     rla.log({"loss": 0.5}, step=0)
    >>> {name: value for name, value in object_of(rla.runs()[-1]).items() if name in ("task", "hparams", "last")}
    {'task': 'demo', 'hparams': {'lr': 0.1}, 'last': {'loss': 0.5}}
    """
    info = run.info
    return {
        "id": run.id,
        "name": run.name,
        "task": run.task,
        "title": run.title,
        "status": run.status,
        "started": run.started,
        "ended": run.ended,
        "seconds": run.seconds,
        "host": run.host,
        "tags": run.tags,
        "group": run.group,
        "note": run.note,
        "parent": run.parent,
        "forked_from": run.forked_from,
        "rerun_of": run.rerun_of,
        "sweep": run.sweep,
        "rows": info.get("rows"),
        "step": info.get("last_step"),
        "record": run.record,
        "hparams": run.hparams,
        "last": run.last,
        "result": run.result,
        "error": info.get("error"),
        "warnings": list_in(info, "warnings"),
        "problems": list(run.problems),
        "hints": list(run.hints),
        "log_dir": str(run.log_dir),
    }


def list_in(run_json: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list that run.json has; an empty one where it has none, or something else."""
    found = run_json.get(name)
    return found if isinstance(found, list) else []


def print_json(content: Any) -> None:
    """Print one JSON document, in ASCII. NaN and infinities, for which JSON has no word, are null; times are texts."""
    print(json_text(content))


def objects_of(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a table of columns, each as an object."""
    from rla_hooks.query.plain_rows import plain_rows

    return [dict(zip(columns, row, strict=True)) for row in plain_rows(columns)]


def json_text(content: Any, indent: int | None = 2) -> str:
    """Return content as JSON that every reader takes.

    >>> json_text({"loss": [0.5, float("nan")]}, indent=None)
    '{"loss": [0.5, null]}'
    """
    return json.dumps(_plain(content), indent=indent, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return str(value)
