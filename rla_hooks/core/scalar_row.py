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
    """A row that may take more values until it is closed.

    given: the step as the caller gave it, to find calls of the same step by. time: in seconds since the epoch, that of
    the first value. A signal handler that logs may come at any line, and may close the row that a call just fills.
    """

    def __init__(self, step: int, given: object, time: float):
        self.values: dict[str, Scalar] = {}
        self.step = step
        self.time = time
        self._given = given
        self._written: dict[str, Scalar] | None = None

    def takes(self, values: Mapping[str, Scalar], given: object) -> bool:
        """Whether the row is of this step and has none of these names."""
        return self._given == given and not self.values.keys() & values.keys()

    def close(self) -> dict[str, Scalar]:
        """Return the values that are to be written: those which come later :meth:`lacks` tells of."""
        self._written = dict(self.values)
        return self._written

    def lacks(self, values: Mapping[str, Scalar]) -> bool:
        """Whether the row was closed before it had these values."""
        return self._written is not None and not values.keys() <= self._written.keys()

    def reopen(self) -> None:
        """Count as not written."""
        self._written = None


def wall_time(given: Any, now: float) -> float:
    """Return the ``walltime`` of a call in seconds since the epoch; ``now`` where there is none that can be used."""
    try:
        time = now if given is None else float(to_scalar(given))
    except Exception:
        return now
    return time if math.isfinite(time) else now
