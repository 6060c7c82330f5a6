"""The use of the machine during a run, in system.csv: a thread measures it every so many seconds, if that is asked for.

The thread belongs to the process that writes the run: forked children have none, other ranks begin none. It ends with
the run, which waits for it for a moment at most, and never keeps the process. Whatever goes wrong in it is a warning.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from rla_hooks import ranks
from rla_hooks.core.guard import Guard
from rla_hooks.core.logger import Logger
from rla_hooks.machine.samples import Samples
from rla_hooks.texts import text_of
from rla_hooks.writers.base import Row
from rla_hooks.writers.csv_writer import CsvWriter

_FIRST = 1.0  # seconds until the first row, where the interval is longer: a short run has one, too
_SHARE = 10  # a row that takes long makes them rarer: it is measured in one part of the time at most
_PATIENCE = 0.2  # seconds that the end of the run waits for a row that is being written


class SystemMetrics:
    """Writes the rows of one run. is_over: whether the run goes on in a later life, which has a thread of its own."""

    def __init__(self, path: Path, interval: float, logger: Logger, guard: Guard, is_over: Callable[[], bool]):
        self._path, self._interval = path, interval
        self._logger, self._guard, self._is_over = logger, guard, is_over
        self._process, self._stop = ranks.process_id, threading.Event()
        self._thread = threading.Thread(target=self._measure, name="rla_hooks: system.csv", daemon=True)

    def start(self) -> None:
        """Begin. Where no thread can be had, the run does without."""
        with self._guard.warn_on_error("system.csv"):
            self._thread.start()

    def stop(self) -> None:
        """End, and wait for a row that is being written, but not for a disk or a driver that hangs."""
        if self._process == ranks.process_id and self._thread.ident is not None:
            self._stop.set()
            self._thread.join(_PATIENCE)

    def _measure(self) -> None:
        writer = CsvWriter(self._path)
        with self._guard.warn_on_error("system.csv"):
            samples = Samples(self._path.parent)
            if "gpu" in samples.errors:
                self._tell_gpus(samples.errors.pop("gpu"))
            try:
                self._measure_until_stopped(samples, writer)
            finally:
                samples.close()
                writer.close()

    def _measure_until_stopped(self, samples: Samples, writer: CsvWriter) -> None:
        wait = min(_FIRST, self._interval)
        while not self._stop.wait(wait) and not self._is_over():
            begin = time.monotonic()
            self._write(samples, writer)
            took = time.monotonic() - begin
            wait = max(self._interval - took, took * _SHARE)

    def _write(self, samples: Samples, writer: CsvWriter) -> None:
        values = samples.take()
        if self._stop.is_set():
            return
        with self._guard.warn_on_error("system.csv"):
            writer.write(Row(self._logger.last_step or 0, time.time(), values))
        for name, error in samples.errors.items():
            self._guard.warn("system metrics", f"system.csv has not all columns {name}/...: {text_of(error)}.")

    def _tell_gpus(self, error: Exception) -> None:
        advice = " Install it: pip install 'rla-hooks[system]'" if isinstance(error, ImportError) else ""
        self._logger.message(f"system.csv has no columns of the GPUs: {text_of(error)}.{advice}")
