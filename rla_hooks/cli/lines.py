"""Lines of columns: as wide as they are for a pipe, and fitted to the width of a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len

from rla_hooks.cli.cells import cut_apart, cut_to

if TYPE_CHECKING:
    from rich.text import Text

GAP = "  "  # between two columns
MAX_PADDING = 500  # columns: one text of a megabyte must not give each line a megabyte of blanks
_LONGEST_NUMBER = 25  # characters, as -1.2345678901234567e-300
_SPARE = 7  # columns of this rank and above take no room that those before them could use


class Column(NamedTuple):
    """A column of a listing: the texts of its cells, each of one line, and how much room they take on a terminal.

    rank: where room is short, the column of the greatest rank goes first; one of 7 and above goes before another is cut
    to less than its widest. least, widest: characters; it is cut to ``widest`` where others need the room, and goes
    where ``least`` cannot be had. styles: of rich, one a cell.
    """

    head: str
    cells: Sequence[str]
    rank: int = 5
    least: int = 6
    widest: int = 20
    right: bool = False
    styles: Sequence[str] = ()


def plain(columns: Sequence[Column]) -> Iterable[str]:
    """Return the head and one line a row, below each other and uncut; a very long cell moves those behind it.

    >>> for line in plain([Column("id", ["a", "bcd"]), Column("rows", ["1", "20"], right=True)]):
    ...     print(line)
    id   rows
    a       1
    bcd    20
    """
    widths = [min(_width(column), MAX_PADDING) for column in columns]
    texts = [[column.head, *column.cells] for column in columns]
    for row in zip(*texts, strict=True):
        cells = [_padded(text, width, column) for text, width, column in zip(row, widths, columns, strict=True)]
        yield GAP.join(cells).rstrip()


def fitted(columns: Sequence[Column], width: int) -> tuple[list[Text], list[str]]:
    """Return a head and one line a row of at most ``width`` characters, and the heads of columns that found no room."""
    from rich.text import Text

    widths = _fit(columns, width)
    kept = [(column, size) for column, size in zip(columns, widths, strict=True) if size]
    lines = [
        Text(no_wrap=True, overflow="crop")
        for _ in range(1 + max((len(column.cells) for column in columns), default=0))
    ]
    heads = [column.head for column, _ in kept]
    for number, (column, size) in enumerate(kept):
        head = column.head if cell_len(column.head) <= size else cut_apart(heads, size)[number]
        styles = ["bold", *(column.styles or [""] * len(column.cells))]
        for line, text, style in zip(lines, [head, *column.cells], styles, strict=True):
            line.append(_padded(cut_to(text, size), size, column), style)
            if number < len(kept) - 1:
                line.append(GAP)
    for line in lines:
        line.rstrip()
    return lines, [column.head for column, size in zip(columns, widths, strict=True) if not size]


def _fit(columns: Sequence[Column], width: int) -> list[int]:
    """Return the width of each column; 0 for those without room.

    First each gets its least, the most important first; then up to its widest; then the same for those that are spare;
    then what is left.
    """
    natural = [_width(column) for column in columns]
    by_rank = sorted(range(len(columns)), key=lambda number: columns[number].rank)
    widths, room = [0] * len(columns), width + len(GAP)

    def widen(limit: Callable[[Column], int]) -> None:
        nonlocal room
        for number in by_rank:
            if widths[number]:
                more = max(min(natural[number], limit(columns[number]), widths[number] + room) - widths[number], 0)
                widths[number] += more
                room -= more

    for number in by_rank:
        column = columns[number]
        if column.rank >= _SPARE:
            widen(_widest)
        least = min(natural[number], _LONGEST_NUMBER if column.right else column.least)  # no number is cut
        if least + len(GAP) > room:
            break  # no less important one comes in its place
        widths[number] = least
        room -= least + len(GAP)
    widen(_widest)
    widen(lambda column: width)
    return widths


def _widest(column: Column) -> int:
    return column.widest


def _width(column: Column) -> int:
    return max(map(cell_len, [column.head, *column.cells]))


def _padded(text: str, size: int, column: Column) -> str:
    blanks = " " * (size - cell_len(text))
    return blanks + text if column.right else text + blanks
