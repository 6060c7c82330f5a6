"""What IPython tells of the cells of a notebook: an error in one ends no program, and sys.excepthook is not asked.

A cell that fails after it has opened a run, or logged to it, reports the failure to the run, which stays open. A later
cell that logs to the run and ends well takes the failure back: it is kept as a note.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rla_hooks.places import ipython_shell


class EndingRun(Protocol):
    """What this module and process_end use of a run: core/ending.py."""

    @property
    def ending(self) -> Any: ...


Runs = Callable[[], Sequence[EndingRun]]

_shell: Any = None  # the one that has been asked to call after_cell
_runs: Runs = tuple  # gives the open runs


def watch(runs: Runs) -> None:
    """Where this is a notebook, learn how its cells end."""
    global _shell, _runs
    shell = ipython_shell()
    _runs = runs
    if shell is not None and shell is not _shell:
        shell.events.register("post_run_cell", after_cell)
        _shell = shell


def is_watched() -> bool:
    """Whether this is a notebook whose cells are known."""
    return _shell is not None


def after_cell(result: Any) -> None:
    """IPython calls this after each cell. ``result``: its ExecutionResult; one of a typing error has not run at all."""
    for run in _runs():
        run.ending.after_cell(getattr(result, "error_in_exec", None))
