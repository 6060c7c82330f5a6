"""What is written to stdout: to a terminal with colours and as wide as it is, to a pipe plain and uncut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from rla_hooks.cli.lines import is_unicode
from rla_hooks.texts import cut, printable

PIPE_WIDTH = 100_000  # columns: a pipe has no edge
_MAX_CELL = 500  # characters, of a table in which anything may stand


def stdout_console() -> Console:
    """Return a console for stdout. In a pipe, whatever COLUMNS says, lines are as long as they are."""
    console = Console(highlight=False, soft_wrap=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def cell(value: object, limit: int = _MAX_CELL) -> str:
    """Return a value as it stands in a table: on one line, and not endless.

    >>> cell("a\\nb"), cell(0.1), cell(None), cell([1, "a"])
    ('a\\\\nb', '0.1', '', "[1, 'a']")
    """
    text = "" if value is None else value if isinstance(value, str) else repr(value)
    return printable(cut(text, limit))


def print_table(
    console: Console, rows: Iterable[Sequence[Any]], indent: int = 0, right: Sequence[int] = (), narrow: int = 0
) -> None:
    """Print rows of cells, each a text or a Text, below each other, without blanks at the end of a line.

    right: the numbers of columns whose cells end below each other. narrow: the widest column, which is cut on a
    terminal so that a row is one line.
    """
    cells = [[Text(each) if isinstance(each, str) else each for each in row] for row in rows]
    if not cells:
        return
    widths = [max(cell_len(each.plain) for each in column) for column in zip(*cells, strict=True)]
    over = indent + sum(widths) + 2 * (len(widths) - 1) - console.width
    if over > 0 and console.is_terminal:
        widths[narrow] = max(widths[narrow] - over, 8)
    for row in cells:
        line = Text(" " * indent, no_wrap=True)
        for column, (each, width) in enumerate(zip(row, widths)):
            if cell_len(each.plain) > width:
                each.truncate(width, overflow="ellipsis" if is_unicode("…") else "crop")
            blanks = " " * (width - cell_len(each.plain))
            line.append_text(Text(blanks) + each if column in right else each + Text(blanks))
            line.append("  ")
        line.rstrip()
        console.print(line, overflow="crop", no_wrap=True, crop=True)
