"""A table in Markdown, which reads well in a terminal, too: the columns stand below each other."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rla_hooks.paper_tables.escapes import markdown_text
from rla_hooks.paper_tables.grid import Entry, Grid
from rla_hooks.paper_tables.rounding import DIGITS, rounded

_MISSING = "–"
_NARROWEST, _WIDEST = 80, 120  # columns of the notes


def markdown(grid: Grid, digits: int = DIGITS) -> str:
    """Return a table as Markdown: the best number in bold, those that are tied with it with a dagger.

    >>> from rla_hooks.paper_tables.grid import Column, Key, marked
    >>> from rla_hooks.paper_tables.rounding import Measured
    >>> entries = marked([Entry(Measured(46.3, 40.8, 51.8)), Entry(Measured(261.0, 207.0, 315.0))])
    >>> print(markdown(Grid([Key("lr", ["0.01", "1.0"], True)], [Column("return", "mean", entries)])))
    |   lr |  return mean |
    | ---: | -----------: |
    | 0.01 |   46.3 ± 5.5 |
    |  1.0 | **261 ± 54** |
    """
    headings = [markdown_text(key.name) for key in grid.keys]
    headings += [markdown_text(f"{column.over} {column.name}".strip()) for column in grid.columns]
    rows = [
        [*map(markdown_text, keys), *(entry_text(entry, digits) for entry in entries)] for keys, entries in grid.rows()
    ]
    is_right = [*(key.is_number for key in grid.keys), *(True for _ in grid.columns)]
    widths = [max(3, *map(len, column)) for column in zip(headings, *rows, strict=True)]
    rule = [f"{'-' * (width - 1)}:" if right else "-" * width for width, right in zip(widths, is_right, strict=True)]
    lines = [_line(cells, widths, is_right) for cells in (headings, rule, *rows)]
    width = min(max(len(lines[0]), _NARROWEST), _WIDEST)
    return "\n".join([*lines, *(f"\n{_wrapped(markdown_text(note), width)}" for note in grid.notes)])


def _wrapped(text: str, width: int) -> str:
    """A paragraph as lines of this width, which are one paragraph for Markdown."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def _line(cells: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, is_right, strict=True)
    ]
    return f"| {' | '.join(padded)} |"


def entry_text(entry: Entry, digits: int = DIGITS) -> str:
    """Return what stands in a cell of Markdown.

    >>> from rla_hooks.paper_tables.rounding import Measured
    >>> entry_text(Entry(Measured(142.2, 118.3, 171.4), "4 of 5", is_tied=True))
    '142 [118, 171] (4 of 5) †'
    """
    number = rounded(entry.number, digits)
    if number.point == "nan":
        return f"{_MISSING} ({entry.note})" if entry.note else _MISSING
    text = f"{number.point} ± {number.half}" if number.half else number.point
    text += f" [{number.low}, {number.high}]" if number.low else ""
    if number.exponent:
        text = f"({text})e{number.exponent:+03d}" if number.half or number.low else f"{text}e{number.exponent:+03d}"
    text = f"**{text}**" if entry.is_best else text
    return " ".join([text, *([f"({entry.note})"] if entry.note else []), *(["†"] if entry.is_tied else [])])
