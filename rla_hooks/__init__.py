"""rla_hooks: every training run as plain folders. Decorate ``main``; read, compare, resume and trust what it left.

    import rla_hooks as rla

    @rla.track(record=["info", "lr"])
    def main(info="baseline", lr=1e-3):
        rla.log({"perf/return": 10.0}, step=0)
        rla.simple_plot(name="returns", data=[[1, 2, 3]])

The names below load what they need when they are first used, so that the import stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rla_hooks._version import __version__

if TYPE_CHECKING:  # "as": what a type checker takes as exported
    from rla_hooks.core.run import Run as Run
    from rla_hooks.errors import CheckpointError as CheckpointError
    from rla_hooks.errors import ConfigError as ConfigError
    from rla_hooks.errors import RLAError as RLAError
    from rla_hooks.errors import RLAWarning as RLAWarning
    from rla_hooks.errors import RunError as RunError
    from rla_hooks.face import current_run as current_run
    from rla_hooks.face import load_checkpoint as load_checkpoint
    from rla_hooks.face import log as log
    from rla_hooks.face import new_saver as new_saver
    from rla_hooks.face import save_checkpoint as save_checkpoint
    from rla_hooks.face import save_figure as save_figure
    from rla_hooks.face import simple_hist as simple_hist
    from rla_hooks.face import simple_plot as simple_plot
    from rla_hooks.face import simple_scatter as simple_scatter
    from rla_hooks.query import SavedRun as SavedRun
    from rla_hooks.query import latest_checkpoint as latest_checkpoint
    from rla_hooks.query import runs as runs
    from rla_hooks.tester import Tester as Tester
    from rla_hooks.tracking import run as run
    from rla_hooks.tracking import start as start
    from rla_hooks.tracking import track as track

_HOME = {
    "CheckpointError": "errors",
    "ConfigError": "errors",
    "RLAError": "errors",
    "RLAWarning": "errors",
    "RunError": "errors",
    "Run": "core.run",
    "SavedRun": "query",
    "Tester": "tester",
    "current_run": "face",
    "latest_checkpoint": "query",
    "load_checkpoint": "face",
    "log": "face",
    "new_saver": "face",
    "run": "tracking",
    "runs": "query",
    "save_checkpoint": "face",
    "save_figure": "face",
    "simple_hist": "face",
    "simple_plot": "face",
    "simple_scatter": "face",
    "start": "tracking",
    "track": "tracking",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
