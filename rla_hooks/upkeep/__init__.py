"""Tidies a log root: deletes, archives, moves and renames runs, takes all of it back; deletes what no run needs; says
what takes the room, and what is damaged; runs a run again, on the code that it has kept; imports the runs of RLA.

But for imports nothing is copied, and nothing is lost by mistake: what is deleted goes to ``LOG_ROOT/.trash``, each run
whole or not at all, whenever the process is killed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rla_hooks.upkeep.acting import Act, ActInterrupted, DoneRun
    from rla_hooks.upkeep.again import Repeat, rerun
    from rla_hooks.upkeep.archiving import archive
    from rla_hooks.upkeep.checking.all_runs import Report, verify
    from rla_hooks.upkeep.checking.found import Finding
    from rla_hooks.upkeep.deleting import delete
    from rla_hooks.upkeep.garbage import Found, Garbage, collect_garbage
    from rla_hooks.upkeep.importing import Imported, import_runs
    from rla_hooks.upkeep.moving import move, rename
    from rla_hooks.upkeep.restoring import restore
    from rla_hooks.upkeep.tally import Size
    from rla_hooks.upkeep.trash_folder import Emptied, acts, empty_trash
    from rla_hooks.upkeep.undoing import undo
    from rla_hooks.upkeep.usage import disk_usage
    from rla_hooks.upkeep.usage_parts import PathUsage, RunUsage, Usage

__all__ = [
    "Act",
    "ActInterrupted",
    "DoneRun",
    "Emptied",
    "Finding",
    "Found",
    "Garbage",
    "Imported",
    "PathUsage",
    "Repeat",
    "Report",
    "RunUsage",
    "Size",
    "Usage",
    "acts",
    "archive",
    "collect_garbage",
    "delete",
    "disk_usage",
    "empty_trash",
    "import_runs",
    "move",
    "rename",
    "rerun",
    "restore",
    "undo",
    "verify",
]
_HOME = {
    "Act": "acting",
    "ActInterrupted": "acting",
    "DoneRun": "acting",
    "Emptied": "trash_folder",
    "Finding": "checking.found",
    "Found": "garbage",
    "Garbage": "garbage",
    "Imported": "importing",
    "PathUsage": "usage_parts",
    "Repeat": "again",
    "Report": "checking.all_runs",
    "RunUsage": "usage_parts",
    "Size": "tally",
    "Usage": "usage_parts",
    "acts": "trash_folder",
    "archive": "archiving",
    "collect_garbage": "garbage",
    "delete": "deleting",
    "disk_usage": "usage",
    "empty_trash": "trash_folder",
    "import_runs": "importing",
    "move": "moving",
    "rename": "moving",
    "rerun": "again",
    "restore": "restoring",
    "undo": "undoing",
    "verify": "checking.all_runs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
