"""RLA's figures: ``from rla_hooks.easy_log.simple_mat_plot import *``. With ``save_path`` they need no run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rla_hooks import face
from rla_hooks.core import registry
from rla_hooks.core.figures import RunFigures, without_run

__all__ = ["simple_hist", "simple_plot", "simple_scatter"]

_HIST_2024 = ("title", "colors", "styles", "cover", "save_path")  # by position after ylabel; in 2020 colors came first


def _door(method: Callable[..., Path | None]) -> Callable[..., Path | None]:
    """Return ``rla.<name>``, which also works where no run is open, if it is told where to write."""
    of_run = getattr(face, method.__name__)

    @functools.wraps(of_run)
    def draw(*positions: Any, **options: Any) -> Path | None:
        if method is RunFigures.simple_hist and len(positions) > 6 and isinstance(positions[6], str):
            options |= dict(zip(_HIST_2024, positions[6:]))
            positions = positions[:6]
        if options.get("save_path") is not None and registry.current() is None:
            return method(without_run(), *positions, **options)
        return of_run(*positions, **options)  # type: ignore[no-any-return]

    return draw


simple_plot = _door(RunFigures.simple_plot)
simple_scatter = _door(RunFigures.simple_scatter)
simple_hist = _door(RunFigures.simple_hist)
