"""Figures of saved runs that a paper can print: vector files, honest bands, the numbers beside them.

It reads runs (:mod:`rla_hooks.query`) and computes with :mod:`rla_hooks.statistics`. Only matplotlib's object interface
is used: pyplot is never imported, and the user's style, backend and open figures stay as they are.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rla_hooks.plot.bars import plot_bars
    from rla_hooks.plot.curve_figure import CurveFigure
    from rla_hooks.plot.curves import plot_curves
    from rla_hooks.plot.efficiency_figure import plot_sample_efficiency
    from rla_hooks.plot.image_grid import plot_images
    from rla_hooks.plot.intervals_figure import plot_intervals
    from rla_hooks.plot.output import PaperFigure
    from rla_hooks.plot.pages import save_pages
    from rla_hooks.plot.profiles_figure import plot_profiles
    from rla_hooks.plot.sweep_map import plot_sweep

__all__ = [
    "CurveFigure",
    "PaperFigure",
    "plot_bars",
    "plot_curves",
    "plot_images",
    "plot_intervals",
    "plot_profiles",
    "plot_sample_efficiency",
    "plot_sweep",
    "save_pages",
]
_HOME = {
    "CurveFigure": "curve_figure",
    "PaperFigure": "output",
    "plot_bars": "bars",
    "plot_curves": "curves",
    "plot_images": "image_grid",
    "plot_intervals": "intervals_figure",
    "plot_profiles": "profiles_figure",
    "plot_sample_efficiency": "efficiency_figure",
    "plot_sweep": "sweep_map",
    "save_pages": "pages",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
