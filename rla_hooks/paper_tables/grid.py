"""A table before it is written: headings, entries, and which of them are the best."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rla_hooks.paper_tables.rounding import Measured


class Entry(NamedTuple):
    """A number of a table. note: what stands behind it, such as "4 of 5"; is_tied: its interval overlaps the best's."""

    number: Measured
    note: str = ""
    is_best: bool = False
    is_tied: bool = False


class Key(NamedTuple):
    """One of the first columns of a table, whose cells are texts. is_number: they end below each other."""

    name: str
    cells: Sequence[str]
    is_number: bool = False


class Column(NamedTuple):
    """A column of numbers. over: what stands above its name, and above those of its neighbours with the same text."""

    over: str
    name: str
    entries: Sequence[Entry]


class Grid(NamedTuple):
    """A whole table: its first columns, its columns of numbers, and what stands below it."""

    keys: Sequence[Key]
    columns: Sequence[Column]
    notes: Sequence[str] = ()

    def rows(self) -> Iterator[tuple[list[str], list[Entry]]]:
        """Yield the cells of each row: those of the first columns, and the numbers."""
        for at in range(len(self.columns[0].entries)):
            yield [key.cells[at] for key in self.keys], [column.entries[at] for column in self.columns]

    def spans(self) -> list[tuple[str, int]]:
        """Return the headings above the names of the columns of numbers, and how many columns each has below it."""
        found: list[tuple[str, int]] = []
        for column in self.columns:
            if found and found[-1][0] == column.over:
                found[-1] = column.over, found[-1][1] + 1
            else:
                found.append((column.over, 1))
        return found


def marked(entries: Sequence[Entry], higher_is_better: bool = True) -> list[Entry]:
    """Return the entries with the best one marked, and those whose intervals overlap its interval.

    Entries without a number are never marked; nor is anything in a column that has fewer than two. One without an
    interval, of a single seed, is tied with the best: nobody knows better. So is every entry if the best has none.

    >>> numbers = [Measured(1.0, 0.5, 1.5), Measured(3.0, 1.4, 4.6), Measured(2.0), Measured(0.0, -1.0, 1.0)]
    >>> [(each.is_best, each.is_tied) for each in marked([Entry(number) for number in numbers])]
    [(False, True), (True, False), (False, True), (False, False)]
    """
    there = [entry for entry in entries if not math.isnan(entry.number.point)]
    if len(there) < 2:
        return list(entries)
    sign = 1 if higher_is_better else -1
    best = max(sign * entry.number.point for entry in there)
    if math.isinf(best):  # no run has got there
        return list(entries)
    bests = [entry.number for entry in there if sign * entry.number.point == best]
    found = []
    for entry in entries:
        is_best = any(entry.number is each for each in bests)
        is_tied = entry in there and not is_best and any(_overlap(entry.number, each) for each in bests)
        found.append(entry._replace(is_best=is_best, is_tied=is_tied))
    return found


def _overlap(one: Measured, other: Measured) -> bool:
    """Whether two intervals have a number in common; also if one of them is not known."""
    if not (one.has_interval and other.has_interval):
        return True
    return max(one.low, other.low) <= min(one.high, other.high)


def best_only(entries: Sequence[Entry], higher_is_better: bool = True) -> list[Entry]:
    """Return the entries with the best one marked, of numbers that have no interval: ties are equal numbers."""
    return [entry._replace(is_tied=False) for entry in marked(entries, higher_is_better)]
