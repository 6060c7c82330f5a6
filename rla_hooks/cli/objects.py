"""A run as plain data, for ``--json``. The names are documented in docs/cli.md and stay."""

from __future__ import annotations

import json
import math
from datetime import datetime
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
        "rows": info.get("rows"),
        "step": info.get("last_step"),
        "record": run.record,
        "hparams": run.hparams,
        "last": run.last,
        "result": run.result,
        "error": info.get("error"),
        "warnings": info.get("warnings", []),
        "problems": list(run.problems),
        "hints": list(run.hints),
        "log_dir": str(run.log_dir),
    }


def json_text(content: Any) -> str:
    r"""Return plain data as one line of JSON in ASCII. NaN and infinities, for which JSON has no word, are null.

    >>> print(json_text({"loss": [0.5, float("nan")], "name": "\u202e"}))
    {"loss": [0.5, null], "name": "\u202e"}
    """
    return json.dumps(_finite(content), allow_nan=False, default=str)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, datetime) else value
