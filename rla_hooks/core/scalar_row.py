"""The row that consecutive calls of ``add_scalar`` fill.

    add_scalar("loss", 0.5, 10)      opens the row of step 10
    add_scalar("return", 3.0, 10)    joins it
    add_scalar("loss", 0.4, 11)      writes it, and opens the row of step 11

A row is also written by a tag that it has, by any other row or picture, by ``flush``, a checkpoint and the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rla_hooks.values import Scalar, to_scalar


class ScalarRow:
    """The open row of one logger, if there is one. It stays with the original: a copy has none."""

    def __init__(self) -> None:
        self.is_open = False
        self.values: dict[str, Scalar] = {}
        self.step = 0
        self.time = 0.0  # seconds since the epoch, of the first value
        self._given: object = None  # what makes two calls ones of the same step

    def open(self, step: int, given: object, time: float) -> None:
        """Start a row of ``step``. given: the step as the caller gave it, to find calls of the same step by."""
        self.values, self.step, self.time, self._given, self.is_open = {}, step, time, given, True

    def takes(self, values: Mapping[str, Scalar], given: object) -> bool:
        """Whether the row is open, is of this step, and has none of these names."""
        return self.is_open and self._given == given and not self.values.keys() & values.keys()

    def __reduce__(self) -> Any:
        return ScalarRow, ()


def wall_time(given: Any, now: float) -> float:
    """Return the ``walltime`` of a call in seconds since the epoch; ``now`` where there is none that can be used."""
    try:
        time = now if given is None else float(to_scalar(given))
    except Exception:
        return now
    return time if math.isfinite(time) else now
