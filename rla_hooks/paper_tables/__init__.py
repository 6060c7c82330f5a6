"""Tables of scores as papers have them: Markdown, LaTeX for booktabs, csv.

Everything loads when it is first used: ``rla --help`` does without.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rla_hooks.paper_tables.making import score_table
    from rla_hooks.paper_tables.table import ScoreTable

__all__ = ["ScoreTable", "score_table"]
_HOME = {"ScoreTable": "table", "score_table": "making"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
