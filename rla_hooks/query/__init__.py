"""Reads runs back from their folders: finds, compares, tabulates. It needs no open run and changes nothing."""

from rla_hooks.query.duck import sql
from rla_hooks.query.entry import UNKNOWN
from rla_hooks.query.newest_checkpoint import latest_checkpoint
from rla_hooks.query.run_list import Runs
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.query.selection import runs

__all__ = ["UNKNOWN", "Runs", "SavedRun", "latest_checkpoint", "runs", "sql"]
