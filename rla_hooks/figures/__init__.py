"""Figures on disk, RLA's simple plots, and the learning curve of a training.

The names below load matplotlib when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rla_hooks.figures.learning_curve import LearningCurve
    from rla_hooks.figures.saving import Picture, as_array, exists, save, save_video
    from rla_hooks.figures.simple import hist_figure, plot_figure, scatter_figure

# fmt: off
__all__ = [
    "LearningCurve", "Picture", "as_array", "exists", "hist_figure", "plot_figure", "save", "save_video",
    "scatter_figure",
]
# fmt: on


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "learning_curve" if name == "LearningCurve" else "simple" if name.endswith("_figure") else "saving"
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
