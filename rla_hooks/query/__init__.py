"""Reads runs back from their folders. It needs no open run and changes nothing."""

from rla_hooks.query.saved_runs import UNKNOWN, SavedRun, latest_checkpoint, runs

__all__ = ["UNKNOWN", "SavedRun", "latest_checkpoint", "runs"]
