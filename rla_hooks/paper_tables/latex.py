r"""A table in LaTeX, for the package booktabs: ``\usepackage{booktabs}``, and ``\usepackage[T1]{fontenc}``."""

from __future__ import annotations

from collections.abc import Iterator

from rla_hooks.paper_tables.escapes import latex_text
from rla_hooks.paper_tables.grid import Entry, Grid
from rla_hooks.paper_tables.rounding import DIGITS, rounded
from rla_hooks.texts import printable

_MISSING = "--"


def latex(
    grid: Grid, caption: str | None = None, label: str | None = None, digits: int = DIGITS, source: str = ""
) -> str:
    r"""Return a table as LaTeX: the best number in bold, those that are tied with it with a dagger.

    caption, label: make it a ``table`` with them; the caption is LaTeX of yours, and stands as it is. source: is noted
    in a comment.

    >>> from rla_hooks.paper_tables.grid import Column, Key, marked
    >>> from rla_hooks.paper_tables.rounding import Measured
    >>> entries = marked([Entry(Measured(46.3, 40.8, 51.8)), Entry(Measured(261.0, 207.0, 315.0))])
    >>> print(latex(Grid([Key("algo_name", ["a&b", "c"])], [Column("return", "mean", entries)])))
    \begin{tabular}{lr}
    \toprule
     & return \\
    \cmidrule(lr){2-2}
    algo\_name & mean \\
    \midrule
    a\&b & $46.3 \pm 5.5$ \\
    c & $\mathbf{261 \pm 54}$ \\
    \bottomrule
    \end{tabular}
    """
    lines = [f"% {printable(source)}"] if source else []
    lines += _tabular(grid, digits)
    if grid.notes:
        lines += ["", r"\smallskip", rf"{{\footnotesize {' '.join(map(latex_text, grid.notes))}\par}}"]
    if caption is None and label is None:
        return "\n".join(lines)
    head = [r"\begin{table}", r"\centering", *([rf"\caption{{{caption}}}"] if caption is not None else [])]
    return "\n".join([*head, *([rf"\label{{{label}}}"] if label is not None else []), *lines, r"\end{table}"])


def _tabular(grid: Grid, digits: int) -> Iterator[str]:
    alignment = "".join("r" if key.is_number else "l" for key in grid.keys) + "r" * len(grid.columns)
    yield rf"\begin{{tabular}}{{{alignment}}}"
    yield r"\toprule"
    if any(column.over for column in grid.columns):
        yield from _headings_above(grid)
    yield _row([*(latex_text(key.name) for key in grid.keys), *(latex_text(each.name) for each in grid.columns)])
    yield r"\midrule"
    for keys, entries in grid.rows():
        yield _row([*map(latex_text, keys), *(entry_text(entry, digits) for entry in entries)])
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _headings_above(grid: Grid) -> Iterator[str]:
    cells, rules = [""] * len(grid.keys), []
    first = len(grid.keys) + 1
    for over, count in grid.spans():
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{latex_text(over)}}}" if count > 1 else latex_text(over))
        rules += [rf"\cmidrule(lr){{{first}-{first + count - 1}}}"] if over else []
        first += count
    yield _row(cells)
    yield " ".join(rules)


def _row(cells: list[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def entry_text(entry: Entry, digits: int = DIGITS) -> str:
    r"""Return what stands in a cell of LaTeX.

    >>> from rla_hooks.paper_tables.rounding import Measured
    >>> print(entry_text(Entry(Measured(1421.2, 1183.0, 1714.0), "4 of 5", is_tied=True)))
    $1420\ [1180, 1710]\,^{\dagger}$ (4 of 5)
    """
    number = rounded(entry.number, digits)
    note = f" ({latex_text(entry.note)})" if entry.note else ""
    if number.point == "nan":
        return f"{_MISSING}{note}"
    text = _digits(number.point) + (rf" \pm {_digits(number.half)}" if number.half else "")
    text += rf"\ [{_digits(number.low)}, {_digits(number.high)}]" if number.low else ""
    if number.exponent:
        text = f"({text})" if number.half or number.low else text
        text += rf" \times 10^{{{number.exponent}}}"
    text = rf"\mathbf{{{text}}}" if entry.is_best else text
    text += r"\,^{\dagger}" if entry.is_tied else ""
    return f"${text}${note}"


def _digits(text: str) -> str:
    """Digits with commas between thousands, which TeX would otherwise set as in a list."""
    return text.replace(",", "{,}").replace("∞", r"\infty")
