"""What is written to stdout: to a terminal with colours and as wide as it is, to a pipe plain and uncut."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from rla_hooks.cli.cells import cut_apart, is_unicode
from rla_hooks.cli.lines import MAX_PADDING

PIPE_WIDTH = 1_000_000_000  # columns: a pipe has no edge
CTRL_C = 2  # columns: the terminal shows ^C behind the last line. In a line of its own it would shift the others
_NARROWEST = 8  # columns of a terminal


def stdout_console() -> Console:
    """Return a console for stdout. In a pipe, whatever COLUMNS says, lines are as long as they are."""
    console = Console(highlight=False, soft_wrap=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def print_table(
    console: Console,
    rows: Iterable[Sequence[Any]],
    indent: int = 0,
    right: Collection[int] = (),
    narrow: int = 0,
    spare: Sequence[int] = (),
) -> None:
    """Print rows of cells, each a text or a Text, below each other, without blanks at the end of a line.

    right: the numbers of columns whose cells end below each other. narrow: the column that is cut on a terminal so that
    a row is one line; what differs in it goes on looking different. spare: those that a terminal is spared before that,
    one after the other.
    """
    cells = [[Text(each) if isinstance(each, str) else each for each in row] for row in rows]
    if not cells:
        return
    widths = [min(max(cell_len(each.plain) for each in column), MAX_PADDING) for column in zip(*cells, strict=True)]
    kept = [*range(len(widths))]
    over = indent + sum(widths) + 2 * (len(widths) - 1) - console.width
    for number in spare if console.is_terminal else ():
        if over > 0:
            kept.remove(number)
            over -= widths[number] + 2
    cells, widths = [[row[number] for number in kept] for row in cells], [widths[number] for number in kept]
    right, narrow = {kept.index(number) for number in right if number in kept}, kept.index(narrow)
    columns = [*zip(*cells, strict=True)]
    if over > 0 and console.is_terminal:
        widths[narrow] = min(widths[narrow], max(widths[narrow] - over, _NARROWEST))
        texts = cut_apart([each.plain for each in columns[narrow]], widths[narrow])
        for row, text in zip(cells, texts, strict=True):
            row[narrow] = Text(text, row[narrow].style)
    for row in cells:
        line = Text(" " * indent, no_wrap=True)
        for column, (each, width) in enumerate(zip(row, widths)):
            blanks = " " * (width - cell_len(each.plain))
            line.append_text(Text(blanks) + each if column in right else each + Text(blanks))
            line.append("  ")
        line.rstrip()
        if console.is_terminal:
            line.truncate(console.width, overflow="ellipsis" if is_unicode("…") else "crop")
        console.print(line, overflow="crop", no_wrap=True, crop=True)


def print_more(count: int, console: Console) -> None:
    """Say that a list was longer, where it was."""
    if count > 0:
        console.print(Text(f"  ... and {count} more: --all", "dim"))
