"""The command ``rla``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rla_hooks.cli.app import main

if TYPE_CHECKING:
    from rla_hooks.cli.folders import print_run, run_tree

__all__ = ["main", "print_run", "run_tree"]


def __getattr__(name: str) -> Any:
    """Load what the command itself does not need at its start."""
    if name in __all__:
        from rla_hooks.cli import folders

        return getattr(folders, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
