"""RLA's constants: ``from rla_hooks.const import *``.

>>> from rla_hooks.const import *
>>> DEFAULT_X_NAME, FRAMEWORK.torch
('time-step', 'torch')
"""

from rla_hooks.writers.base import STEP as DEFAULT_X_NAME
from rla_hooks.writers.base import TIME as DEFAULT_TIMESTAMP

__all__ = [
    "DEFAULT_TIMESTAMP",
    "DEFAULT_X_NAME",
    "FRAMEWORK",
    "FTP_PROTOCOL_NAME",
    "LOG_NAME_FORMAT_VERSION",
    "PLATFORM_TYPE",
]


class FRAMEWORK:
    """The values of ``DL_FRAMEWORK`` that RLA knew."""

    tensorflow = "tensorflow"
    torch = "torch"


class FTP_PROTOCOL_NAME:
    """The values of ``file_transfer_protocol``."""

    FTP = "ftp"
    SFTP = "sftp"


class LOG_NAME_FORMAT_VERSION:
    """The values of ``LOG_NAME_FORMAT_VERSION``."""

    V1 = "v1"


class PLATFORM_TYPE:
    """The systems that RLA told apart."""

    WIN = "win"
    LINUX = "linux"
    OTHER = "other"
