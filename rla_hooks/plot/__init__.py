"""Figures of saved runs that a paper can print: vector files, honest bands, the numbers beside them.

It reads runs (:mod:`rla_hooks.query`) and computes with :mod:`rla_hooks.statistics`. Only matplotlib's object interface
is used: pyplot is never imported, and the user's style, backend and open figures stay as they are.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rla_hooks.plot.output import PaperFigure

__all__ = ["PaperFigure"]
_HOME = {"PaperFigure": "output"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
