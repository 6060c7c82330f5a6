"""What a Lightning callback logs of itself: speed and learning rates. No framework is imported here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any


class Speed:
    """Counts samples and seconds."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._samples = 0
        self._since = self._epoch_since = time.perf_counter()

    def count(self, batch: Any) -> None:
        self._samples += _batch_size(batch)

    def per_second(self) -> float:
        """Samples a second since the last call."""
        now = time.perf_counter()
        speed = self._samples / max(now - self._since, 1e-9)
        self._samples, self._since = 0, now
        return speed

    def epoch(self) -> float:
        """Seconds since the last call."""
        now = time.perf_counter()
        seconds, self._epoch_since = now - self._epoch_since, now
        return seconds


def _batch_size(batch: Any) -> int:
    """The length of the first tensor or list in a batch; 1 where there is none."""
    while isinstance(batch, (tuple, list, Mapping)) and batch:
        batch = next(iter(batch.values())) if isinstance(batch, Mapping) else batch[0]
    shape = getattr(batch, "shape", ())
    return int(shape[0]) if len(shape) else 1


def learning_rates(trainer: Any) -> dict[str, float]:
    """The rate of each optimizer, and of each group where there are several."""
    rates: dict[str, float] = {}
    for number, optimizer in enumerate(trainer.optimizers):
        name = f"lr-{type(optimizer).__name__}" + (f"-{number}" if len(trainer.optimizers) > 1 else "")
        groups = optimizer.param_groups
        for index, group in enumerate(groups):
            rates[f"{name}/group_{index}" if len(groups) > 1 else name] = float(group["lr"])
    return rates
