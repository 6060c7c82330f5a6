"""Output formats of metrics. A new format is one file here, and one line in :data:`WRITERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rla_hooks.layout import RunPaths
from rla_hooks.writers.base import Writer
from rla_hooks.writers.csv_writer import CsvWriter
from rla_hooks.writers.human_writer import DEFAULT_TABLES_PER_SECOND, LogWriter, StdoutWriter
from rla_hooks.writers.tensorboard_writer import TensorBoardWriter

WRITERS: dict[str, Callable[[RunPaths, float], Writer]] = {
    "csv": lambda paths, rate: CsvWriter(paths.progress_csv),
    "tensorboard": lambda paths, rate: TensorBoardWriter(paths.tensorboard_dir),
    "stdout": lambda paths, rate: StdoutWriter(rate),
    "log": lambda paths, rate: LogWriter(paths.log_txt, rate),
}


def make_writers(
    names: Iterable[str], paths: RunPaths, tables_per_second: float = DEFAULT_TABLES_PER_SECOND
) -> list[Writer]:
    """Make the named writers of a run. Nothing is created on disk before the first write."""
    return [WRITERS[name](paths, tables_per_second) for name in names]
