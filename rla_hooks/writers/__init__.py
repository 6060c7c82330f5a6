"""Output formats of metrics. A new format is one file here, and one line in :data:`WRITERS`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from rla_hooks.layout import RunPaths
from rla_hooks.writers.base import Writer

#: The file and class of each format, imported on first use, and the arguments of the class: from a run's paths, the
#: tables per second, and whether the run's files are this process's own.
WRITERS: dict[str, tuple[str, str, Callable[[RunPaths, float, bool], tuple[object, ...]]]] = {
    "csv": ("csv_writer", "CsvWriter", lambda paths, rate, own: (paths.progress_csv, own)),
    "tensorboard": ("tensorboard_writer", "TensorBoardWriter", lambda paths, rate, own: (paths.tensorboard_dir,)),
    "stdout": ("human_writer", "StdoutWriter", lambda paths, rate, own: (rate,)),
    "log": ("human_writer", "LogWriter", lambda paths, rate, own: (paths.log_txt, rate, own)),
    "json": ("json_writer", "JsonWriter", lambda paths, rate, own: (paths.progress_csv.with_suffix(".json"), own)),
    "warn": ("human_writer", "MessageWriter", lambda paths, rate, own: _messages("warn", paths, (30, 60), own)),
    "backup": ("human_writer", "MessageWriter", lambda paths, rate, own: _messages("backup", paths, (60, 61), own)),
}
DEFAULT_TABLES_PER_SECOND = 2.0


def _messages(name: str, paths: RunPaths, levels: tuple[int, int], own: bool) -> tuple[object, ...]:
    return name, paths.log_dir / f"{name}.txt", levels, own


def make_writers(
    wanted: Iterable[str | Writer],
    paths: RunPaths,
    tables_per_second: float = DEFAULT_TABLES_PER_SECOND,
    own: bool = True,
) -> list[Writer]:
    """Return the writers of a run, in order: named ones are created, objects are taken as they are.

    own: whether progress.csv and log.txt are this process's to write; else it writes files of its own beside them.
    Nothing is created on disk before the first write.
    """
    writers = []
    for each in wanted:
        if isinstance(each, str):
            module, name, arguments = WRITERS[each]
            kind = getattr(importlib.import_module(f"rla_hooks.writers.{module}"), name)
            each = kind(*arguments(paths, tables_per_second, own))
        writers.append(each)
    return writers


_W = TypeVar("_W", bound=str | Writer)


def copied_writers(writers: Iterable[_W]) -> list[_W]:
    """Return copies of writers, without open files; names stay names. A writer that cannot be pickled is left out.

    A copy in another process writes to files of its own.
    """
    import pickle  # late: a run that is not copied does without

    copies = []
    for writer in writers:
        with suppress(Exception):
            copies.append(pickle.loads(pickle.dumps(writer)))
    return copies
