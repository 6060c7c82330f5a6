"""The command ``rla``."""

from rla_hooks.cli.app import main
from rla_hooks.cli.folders import print_run, run_tree

__all__ = ["main", "print_run", "run_tree"]
