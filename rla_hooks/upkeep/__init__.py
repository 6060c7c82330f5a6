"""Tidies a log root: deletes, archives, moves and renames runs, takes all of it back, and says what takes its room.

Nothing is copied, and nothing is lost by mistake: what is deleted goes to ``LOG_ROOT/.trash``, each run whole or not at
all, whenever the process is killed.
"""

from rla_hooks.upkeep.acting import Act, ActInterrupted, DoneRun
from rla_hooks.upkeep.archiving import archive
from rla_hooks.upkeep.deleting import delete
from rla_hooks.upkeep.moving import move, rename
from rla_hooks.upkeep.survey import Usage
from rla_hooks.upkeep.trash_folder import Emptied, acts, empty_trash
from rla_hooks.upkeep.undoing import undo
from rla_hooks.upkeep.usage import disk_usage

__all__ = [
    "Act",
    "ActInterrupted",
    "DoneRun",
    "Emptied",
    "Usage",
    "acts",
    "archive",
    "delete",
    "disk_usage",
    "empty_trash",
    "move",
    "rename",
    "undo",
]
