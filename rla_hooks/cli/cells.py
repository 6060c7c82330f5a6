"""One value as a text: on a terminal short, in a pipe and in a file uncut and exact."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.cells import cell_len, set_cell_size

from rla_hooks.texts import cut, printable, shown

MAX_CELL = 500  # characters on a terminal, of a table in which anything may stand
_CONTEXT = 8  # characters that are shown before the place where texts begin to differ


def text_of_value(value: Any, exact: bool = True) -> str:
    """Return a value as Python prints it, texts without quotes; if not exact, floats with six digits.

    A float that needs no more reads as in the name of the run, by which it can be chosen: ``lr=1.0``, not ``lr=1``.

    >>> text_of_value(0.30000000000000004), text_of_value(0.30000000000000004, exact=False), text_of_value("ppo")
    ('0.30000000000000004', '0.3', 'ppo')
    >>> text_of_value(1.0, exact=False), text_of_value(1e16, exact=False), text_of_value(12345678.0, exact=False)
    ('1.0', '1e+16', '1.23457e+07')
    """
    if isinstance(value, float) and not exact:
        brief = f"{value:.6g}"
        return repr(value) if float(brief) == value else brief
    return value if isinstance(value, str) else shown(value, sys.maxsize)


def cell(value: Any, limit: int = MAX_CELL, exact: bool = True) -> str:
    """Return a value as it stands in a table: on one line, and nothing for None.

    limit: characters; it counts only on a terminal, as does ``exact``.

    >>> cell("a\\nb"), cell(0.1), cell(None), cell([1, "a"])
    ('a\\\\nb', '0.1', '', "[1, 'a']")
    """
    if value is None:
        return ""
    if not sys.stdout.isatty():
        return printable(text_of_value(value))
    return printable(cut(text_of_value(value, exact), limit))


def csv_cell(value: Any, exact: bool = True) -> Any:
    """Return a value as a CSV file has it: times in ISO's form, booleans as ``true`` and ``false``, lists as JSON.

    exact: texts as they are; else on one line, without what controls a terminal.

    >>> csv_cell(True), csv_cell([1, float("nan")]), csv_cell(0.1), csv_cell(None), csv_cell("a\\nb", exact=False)
    ('true', '[1, null]', 0.1, '', 'a\\\\nb')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple, dict)):
        from rla_hooks.cli.objects import json_text  # late: that module needs the query

        return json_text(value, indent=None)
    if isinstance(value, str) and not exact:
        return printable(value)
    return "" if value is None else value


def is_terminal() -> bool:
    """Whether stdout is a terminal that can do more than print lines."""
    if not sys.stdout.isatty():
        return False
    from rich.console import Console

    return not Console().is_dumb_terminal


def is_unicode(characters: str = "▁█⣿│└━…") -> bool:
    """Whether stdout takes these characters: a terminal with LANG=C takes ASCII only."""
    try:
        characters.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def ellipsis() -> str:
    """Return what stands for a part that was cut off."""
    return "…" if is_unicode("…") else ".."


def cut_to(text: str, size: int) -> str:
    """Return a text of at most so many columns of a terminal; a mark stands for what was cut off."""
    if cell_len(text) <= size:
        return text
    mark = ellipsis()[:size]
    return set_cell_size(text, size - len(mark)) + mark


def cut_apart(texts: Sequence[str], size: int) -> list[str]:
    """Return the texts cut to so many columns; of those that would look the same the part in which they differ.

    >>> short = cut_apart(["models/of/2026/first.pt", "models/of/2026/second.pt", "none"], 16)
    >>> [text.removeprefix(ellipsis()) for text in short]
    ['2026/first.pt', '2026/second.pt', 'none']
    """
    alike: dict[str, list[str]] = {}
    for text in dict.fromkeys(texts):
        alike.setdefault(cut_to(text, size), []).append(text)
    found = {text: short for short, same in alike.items() for text in same}
    for same in alike.values():
        start = _first_difference(same) - min(_CONTEXT, size // 3)
        if len(same) > 1 and start > 0 and size > _CONTEXT // 2:
            rest = cut_apart([text[start:] for text in same], size - len(ellipsis()))
            found |= {text: ellipsis() + part for text, part in zip(same, rest, strict=True)}
    return [found[text] for text in texts]


def _first_difference(texts: Sequence[str]) -> int:
    first, last = min(texts), max(texts)  # what these two have in common all have
    return next((at for at, (a, b) in enumerate(zip(first, last)) if a != b), len(first))
