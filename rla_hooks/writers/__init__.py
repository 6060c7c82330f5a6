"""Output formats of metrics. A new format is one file here, and one line in :data:`WRITERS`."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from rla_hooks.layout import RunPaths
from rla_hooks.writers.base import Writer

#: The file and class of each format, imported when it is first made, and what its class is given of a run.
WRITERS: dict[str, tuple[str, str, Callable[[RunPaths, float], tuple[object, ...]]]] = {
    "csv": ("csv_writer", "CsvWriter", lambda paths, rate: (paths.progress_csv,)),
    "tensorboard": ("tensorboard_writer", "TensorBoardWriter", lambda paths, rate: (paths.tensorboard_dir,)),
    "stdout": ("human_writer", "StdoutWriter", lambda paths, rate: (rate,)),
    "log": ("human_writer", "LogWriter", lambda paths, rate: (paths.log_txt, rate)),
}
DEFAULT_TABLES_PER_SECOND = 2.0


def make_writers(
    wanted: Iterable[str | Writer], paths: RunPaths, tables_per_second: float = DEFAULT_TABLES_PER_SECOND
) -> list[Writer]:
    """Make the writers of a run: those that are named, beside those that are given as objects.

    Nothing is created on disk before the first write.
    """
    writers = []
    for each in wanted:
        if isinstance(each, str):
            module, name, arguments = WRITERS[each]
            kind = getattr(importlib.import_module(f"rla_hooks.writers.{module}"), name)
            each = kind(*arguments(paths, tables_per_second))
        writers.append(each)
    return writers


_W = TypeVar("_W", bound=str | Writer)


def copied_writers(writers: Iterable[_W]) -> list[_W]:
    """Copies of writers, without their open files; names stay. One that cannot be copied stays with the original."""
    copies = []
    for writer in writers:
        with suppress(Exception):
            copies.append(copy.deepcopy(writer))
    return copies
