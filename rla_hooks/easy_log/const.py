"""RLA's names for the trees of a log root, and for what a run writes.

>>> from rla_hooks.easy_log.const import *
>>> LOG, OTHER_RESULTS, default_log_types[0], LogDataType.CSV
('log', 'results', 'log', 'csv')
"""

from rla_hooks.layout import ARCHIVE as ARCHIVE_TESTER
from rla_hooks.layout import ARCHIVED as ARCHIVED_TABLE  # RLA's was "arc"
from rla_hooks.layout import CHECKPOINT, CODE, HYPARAMETER, LOG, TMP_DATA
from rla_hooks.layout import RESULTS as OTHER_RESULTS

HYPARAM_FILE_NAME = "parameter"
default_log_types = [LOG, CODE, CHECKPOINT, ARCHIVE_TESTER, OTHER_RESULTS, TMP_DATA, HYPARAMETER]


class LoadTesterMode:
    """How a loaded run goes on: as a new one."""

    FORK_TO_NEW = "fork"


LOAD_TESTER_MODE = LoadTesterMode  # the name of 2020


class LogDataType:
    """The names of writers, as ``LOG_USED`` has them."""

    TB = "tensorboard"
    CSV = "csv"
    TXT = "log"
    STDOUT = "stdout"


__all__ = [
    "ARCHIVED_TABLE",
    "ARCHIVE_TESTER",
    "CHECKPOINT",
    "CODE",
    "HYPARAMETER",
    "HYPARAM_FILE_NAME",
    "LOAD_TESTER_MODE",
    "LOG",
    "OTHER_RESULTS",
    "TMP_DATA",
    "LoadTesterMode",
    "LogDataType",
    "default_log_types",
]
