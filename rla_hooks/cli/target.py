"""The file that a command writes, named by ``--output``: checked before anything is read, written whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rla_hooks.cli.common import NotWritten
from rla_hooks.errors import ConfigError
from rla_hooks.texts import shell_path

STDOUT = "-"


def is_stdout(output: Path | None) -> bool:
    """Whether what is written goes to stdout: without a file, or by ``-``."""
    return output is None or str(output) == STDOUT


def check_target(output: Path | None, force: bool) -> None:
    """Raise ConfigError for a file that cannot be written, or that is there and is not to be replaced."""
    if output is None or is_stdout(output):
        return
    if os.path.isdir(output):
        raise ConfigError(f"{shell_path(output)} is a folder. Give the name of a file in it")
    if os.path.lexists(output) and not force:
        raise ConfigError(f"{shell_path(output)} is there already. Give another name, or --force to replace it")
    if not os.path.isdir(output.parent):
        raise ConfigError(f"there is no folder {shell_path(output.parent)}. Make it first")


@contextmanager
def written(output: Path) -> Iterator[Path]:
    """Give a path beside the file, which is moved to its place at the end. Raises NotWritten where that fails."""
    from rla_hooks.atomic import replacing  # late: only who writes needs it

    try:
        with replacing(output) as temporary:
            yield temporary
    except OSError as error:
        reason = error.strerror or error
        raise NotWritten(f"{shell_path(output)} cannot be written: {reason}. Give another file: -o") from error
