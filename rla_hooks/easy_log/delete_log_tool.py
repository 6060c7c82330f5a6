"""RLA's older home of the tools over many runs; see :mod:`rla_hooks.easy_log.log_tools`."""

from rla_hooks.easy_log.log_tools import ArchiveLogTool, BasicLogTool, DeleteLogTool, Filter

__all__ = ["ArchiveLogTool", "BasicLogTool", "DeleteLogTool", "Filter"]
