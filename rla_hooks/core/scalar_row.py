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
    """A row that is open, or that was. It stays with the original logger: a copy has none.

    given: the step as the caller gave it, to find calls of the same step by; None makes a row that is not open. A
    signal handler that logs may come at any line; so a row is closed by one call of C, ``pop``.
    """

    def __init__(self, step: int = 0, given: object = None, time: float = 0.0):
        self.values: dict[str, Scalar] = {}
        self.open = [] if given is None else [self.values]
        self.step = step
        self.time = time  # seconds since the epoch, of the first value
        self._given = given
        self._written: dict[str, Scalar] = {}

    def takes(self, values: Mapping[str, Scalar], given: object) -> bool:
        """Whether the row is open, is of this step, and has none of these names."""
        return bool(self.open) and self._given == given and not self.values.keys() & values.keys()

    def close(self) -> dict[str, Scalar]:
        """Take no more values, and return those there are: none if the row is not open."""
        try:
            values = self.open.pop()
        except IndexError:
            return {}
        self._written = dict(values)
        return self._written

    def lacks(self, values: Mapping[str, Scalar]) -> bool:
        """Whether the row was closed before it had these values."""
        return not self.open and not values.keys() <= self._written.keys()

    def __reduce__(self) -> Any:
        return ScalarRow, ()


def wall_time(given: Any, now: float) -> float:
    """Return the ``walltime`` of a call in seconds since the epoch; ``now`` where there is none that can be used."""
    try:
        time = now if given is None else float(to_scalar(given))
    except Exception:
        return now
    return time if math.isfinite(time) else now
