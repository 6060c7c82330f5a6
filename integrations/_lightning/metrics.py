"""The metrics that RLACallback adds to those of the module, and the rows that it adds them to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rla_hooks.hooks import Run


class Throughput:
    """Counts samples and seconds of a training."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._samples = 0
        self._since = self._epoch_since = time.perf_counter()

    def count(self, batch: Any) -> None:
        self._samples += _batch_size(batch)

    def samples_per_second(self) -> float:
        """Return the mean since the last call."""
        now = time.perf_counter()
        rate = self._samples / max(now - self._since, 1e-9)
        self._samples, self._since = 0, now
        return rate

    def seconds_per_epoch(self) -> float:
        """Return the seconds since the last call."""
        now = time.perf_counter()
        seconds, self._epoch_since = now - self._epoch_since, now
        return seconds


class PendingRow:
    """Values that wait for the metrics of a step, to be in the same row; Lightning logs those after the hooks."""

    def __init__(self) -> None:
        self._pending: tuple[Run, int, int] | None = None  # with the step, and the number of rows before its row

    def add(self, run: Run, values: Mapping[str, Any], step: int, epoch: int) -> None:
        """Add ``values`` to the next row of the run."""
        self.flush(epoch)
        run.logger.record_all(values)
        self._pending = run, step, run.logger.rows

    def flush(self, epoch: int) -> None:
        """If the step had no metrics, log the waiting values as their own row."""
        if self._pending is not None:
            run, step, rows = self._pending
            self._pending = None
            if run.logger.rows == rows:
                run.log({"epoch": epoch, "stage": "train"}, step)


def log_row(run: Run, trainer: Any, values: Mapping[str, Any], step: int) -> None:
    """Log values, if there are any, with the Trainer's epoch and stage."""
    if values:
        run.log({**values, "epoch": trainer.current_epoch, "stage": str(trainer.state.stage.value)}, step)


def learning_rates(trainer: Any) -> dict[str, float]:
    """Return the rate of each optimizer, and of each group where there are several."""
    rates: dict[str, float] = {}
    for number, optimizer in enumerate(trainer.optimizers):
        name = f"lr-{type(optimizer).__name__}" + (f"-{number}" if len(trainer.optimizers) > 1 else "")
        groups = optimizer.param_groups
        for index, group in enumerate(groups):
            rates[f"{name}/group_{index}" if len(groups) > 1 else name] = float(group["lr"])
    return rates


def _batch_size(batch: Any) -> int:
    """Return the length of the first tensor or list in a batch; 1 where there is none."""
    while isinstance(batch, (tuple, list, Mapping)) and batch:
        batch = next(iter(batch.values())) if isinstance(batch, Mapping) else batch[0]
    shape: Any = getattr(batch, "shape", ())
    return int(shape[0]) if len(shape) else 1
