"""Figures on disk, RLA's simple plots, and the learning curve of a training.

The names below load matplotlib when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # "as": what a type checker takes as exported
    from rla_hooks.figures.learning_curve import LearningCurve as LearningCurve
    from rla_hooks.figures.saving import Picture as Picture
    from rla_hooks.figures.saving import as_array as as_array
    from rla_hooks.figures.saving import exists as exists
    from rla_hooks.figures.saving import save as save
    from rla_hooks.figures.saving import save_video as save_video
    from rla_hooks.figures.simple import hist_figure as hist_figure
    from rla_hooks.figures.simple import plot_figure as plot_figure
    from rla_hooks.figures.simple import scatter_figure as scatter_figure

_HOME = {
    "LearningCurve": "learning_curve",
    "Picture": "saving",
    "as_array": "saving",
    "exists": "saving",
    "save": "saving",
    "save_video": "saving",
    "hist_figure": "simple",
    "plot_figure": "simple",
    "scatter_figure": "simple",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
