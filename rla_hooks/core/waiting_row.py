"""A row that is not written yet, since values of it, or of a row before it, are on their way from a device."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from rla_hooks.devices import Transfer
from rla_hooks.writers.base import Row

MOST_WAITING = 64  # the next row waits for the oldest: what a device computes meanwhile is bounded, and so is memory
Rows = deque["WaitingRow"]


class WaitingRow:
    """A row whose values may be objects of the class ``Transfer``.

    excluded: by key, the writers that do not get it. given: the number of writers that have it, when Ctrl-C comes.
    """

    __slots__ = ("excluded", "given", "row", "transfers", "written")

    def __init__(self, row: Row, excluded: Mapping[str, frozenset[str]] | None, transfers: Sequence[Transfer]):
        self.row, self.excluded, self.transfers = row, excluded, transfers
        self.given = 0
        self.written = False

    def ready(self) -> bool:
        """Return whether all values are on the host."""
        return all(transfer.ready() for transfer in self.transfers)


def taken(rows: Any, row: object) -> bool:
    """Take a row out of a list or deque, by one call of C; False if a signal handler that logs has been faster."""
    try:
        rows.remove(row)
    except ValueError:
        return False
    return True
