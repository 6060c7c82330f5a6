"""Tidies a log root: what takes its room."""

from rla_hooks.upkeep.usage import disk_usage

__all__ = ["disk_usage"]
