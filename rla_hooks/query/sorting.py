"""Sorts runs by the values that they have: of whatever types, and with those that lack a value last."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rla_hooks.errors import ConfigError
from rla_hooks.query.names import LISTS
from rla_hooks.texts import shown

_COMMA = re.compile(r",(?=(?:[^`]*`[^`]*`)*[^`]*$)")  # one that is not in backquotes


class SortKey(NamedTuple):
    """A name to sort by. ``descending``: the greatest first."""

    name: str
    descending: bool


def sort_keys(given: object) -> list[SortKey]:
    """Return the keys that the argument ``sort`` means. Raises ConfigError.

    >>> sort_keys("-last.perf/return, seed")
    [SortKey(name='last.perf/return', descending=True), SortKey(name='seed', descending=False)]
    >>> sort_keys(["-`time-step`"])
    [SortKey(name='time-step', descending=True)]
    """
    parts = split_names(given) if isinstance(given, str) else given
    if given is None or given == "":
        return []
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) and part.strip(" -`") for part in parts):
        allowed = "Allowed: names, each with a minus for the greatest first: '-last.return,seed', or a list of them."
        raise ConfigError(f"sort is {shown(given, 100)}. {allowed}")
    return [_key(part.strip()) for part in parts]


def _key(text: str) -> SortKey:
    return SortKey(unquoted(text.removeprefix("-").strip()), text.startswith("-"))


def split_names(text: str) -> list[str]:
    """Return the names in a text with commas between them, as they are written; those in backquotes may have commas.

    >>> split_names("lr, `a,b`")
    ['lr', '`a,b`']
    """
    return [part.strip() for part in _COMMA.split(text)]


def unquoted(name: str) -> str:
    """Return the name that is written in backquotes, or without any.

    >>> unquoted("`time-step`"), unquoted("last.`time-step`"), unquoted("`a``b`"), unquoted("lr")
    ('time-step', 'last.time-step', 'a`b', 'lr')
    """
    if not name.endswith("`"):
        return name
    prefix, _, quoted = name[:-1].partition("`")
    return prefix + quoted.replace("``", "`")


def order(chosen: Sequence[int], keys: Sequence[SortKey], column: Callable[[str], Sequence[Any]]) -> list[int]:
    """Return the numbers of runs in the order of these keys, the first of them first. Equal runs stay as they were.

    Numbers stand before texts, texts before lists, and lists before all else. Runs that lack a value are last, whatever
    the direction; so are those with NaN.
    """
    found = list(chosen)
    for name, descending in reversed(keys):  # sorting is stable: the first key has the last word
        values = column(name)
        missing = [number for number in found if _is_missing(values[number], name)]
        there = [number for number in found if not _is_missing(values[number], name)]
        ranks = {number: _rank(values[number]) for number in there}
        found = sorted(there, key=ranks.__getitem__, reverse=descending) + missing
    return found


def _is_missing(value: Any, name: str) -> bool:
    return value is None or value != value or (name in LISTS and not value)


def _rank(value: Any) -> tuple[int, Any]:
    """Values of one kind compare; of different kinds the kind decides."""
    if isinstance(value, (int, float)):
        return 0, value
    if isinstance(value, str):
        return 1, value
    if isinstance(value, datetime):
        return 0, value.timestamp()
    return (2, [*map(_rank, value)]) if isinstance(value, (list, tuple)) else (3, repr(value))
