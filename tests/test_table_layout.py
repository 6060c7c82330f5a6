"""Tables as Markdown and LaTeX: marks, headings, notes."""

import re

import pytest

from rla_hooks.paper_tables import latex, markdown
from rla_hooks.paper_tables.grid import Column, Entry, Grid, Key, best_only, marked
from rla_hooks.paper_tables.rounding import Measured

INF, NAN = float("inf"), float("nan")


def _entries(*numbers: tuple[float, ...], **options) -> list[Entry]:
    return marked([Entry(Measured(*number)) for number in numbers], **options)


def _marks(entries: list[Entry]) -> str:
    """A letter each: b for the best, t for one that is tied with it."""
    return "".join("b" if each.is_best else "t" if each.is_tied else "." for each in entries)


def test_the_best_is_marked_and_what_overlaps_it():
    """By overlapping intervals, ends included; a single seed has none, and is tied."""
    assert _marks(_entries((1, 0, 2), (5, 3, 7), (2.5, 2, 3), (2.9, 2.8, 2.99))) == ".bt."
    assert _marks(_entries((1, 0, 2), (5, 3, 7), higher_is_better=False)) == "b."
    assert _marks(_entries((1,), (5, 3, 7))) == "tb"
    assert _marks(_entries((1, 0, 2), (5,))) == "tb"
    assert _marks(_entries((5, 4, 6), (1, 0, 2), (5, 4.5, 5.5))) == "b.b"


def test_nothing_is_marked_where_there_is_nothing_to_compare():
    """One row, or one row that has a number."""
    assert _marks(_entries((1, 0, 2))) == "." and _marks(_entries((1, 0, 2), (NAN,))) == ".."
    assert _marks(_entries((INF, INF, INF), (INF, 9.0, INF), higher_is_better=False)) == ".."
    assert _marks(_entries((INF, INF, INF), (INF, 9.0, INF), (5.0, 4.0, 9.0), higher_is_better=False)) == ".tb"
    assert _marks(_entries((NAN,), (1, 0, 2), (2, 1.5, 2.5))) == ".tb"


def test_numbers_without_intervals_are_best_or_not():
    """As the best score of a group: two that are equal are both best."""
    assert _marks(best_only([Entry(Measured(each)) for each in (1.0, 3.0, 3.0, NAN)])) == ".bb."


@pytest.fixture
def grid():
    """Two algorithms, two metrics, one number that is missing, and names that mean something to both languages."""
    returns = _entries((46.3, 40.8, 51.8), (261.0, 207.0, 315.0), (240.0, 190.0, 250.0))
    best = best_only([Entry(Measured(each)) for each in (52.0, 1234.5, 300.0)])
    losses = _entries((1.23e8, 1.185e8, 1.275e8), (NAN,), (-1e8, -2e8, -0.5e8), higher_is_better=False)
    losses[1] = losses[1]._replace(note="0 of 5")
    return Grid(
        [Key("algo_name", ["a&b", "[64]", "|x|"]), Key("lr", ["0.1", "1.0", "2.0"], True)],
        [Column("perf/return", "mean", returns), Column("perf/return", "best", best), Column("a_b", "mean", losses)],
        ["† 95 % intervals_overlap"],
    )


def test_markdown(grid):
    """Padded, so that it reads as a table in a terminal, too."""
    assert markdown.markdown(grid).splitlines() == [
        "| algo_name |  lr | perf/return mean | perf/return best |                       a_b mean |",
        "| --------- | --: | ---------------: | ---------------: | -----------------------------: |",
        "| a\\&b      | 0.1 |       46.3 ± 5.5 |               52 |            (1.230 ± 0.045)e+08 |",
        "| \\[64\\]    | 1.0 |     **261 ± 54** |        **1,234** |                     – (0 of 5) |",
        "| \\|x\\|     | 2.0 | 240 [190, 250] † |              300 | **(-1.00 [-2.00, -0.50])e+08** |",
        "",
        "† 95 % intervals_overlap",
    ]


def test_latex(grid, read_latex):
    """Two rows of headings, the metrics above their columns; read back as TeX reads it."""
    text = latex.latex(grid, caption=r"Returns of \emph{ours}", label="tab:x", source="rla.runs(where='a\n%b')")
    table = read_latex(text.replace(r"\emph{ours}", "ours"))
    assert text.splitlines()[0] == "\\begin{table}" and "% rla.runs(where='a\\n%b')" in text.splitlines()
    assert r"\caption{Returns of \emph{ours}}" in text and table.label == "tab:x"
    assert table.columns == "lrrrr" and table.rules == [(3, 4), (5, 5)]
    assert table.rows == [
        ["", "", "perf/return", "", "a_b"],
        ["algo_name", "lr", "mean", "best", "mean"],
        ["a&b", "0.1", "46.3±5.5", "52", "(1.230±0.045)×10^8"],
        ["[64]", "1.0", "261±54", "1,234", "-- (0 of 5)"],
        ["|x|", "2.0", "240 [190,250] †", "300", "(-1.00 [-2.00,-0.50])×10^8"],
    ]
    assert table.after == "† 95 % intervals_overlap"
    assert re.findall(r"\\mathbf\{(.*?)\}\$", text) == [
        r"261 \pm 54",
        "1{,}234",
        r"(-1.00\ [-2.00, -0.50]) \times 10^{8}",
    ]


def test_latex_compiles(grid, compile_latex):
    """With a caption, rules, bold numbers, powers of ten and notes; as a table of its own, and by itself."""
    compile_latex(latex.latex(grid, caption=r"Returns of \emph{ours}", label="tab:x", source="a\n%b"))
    compile_latex(latex.latex(grid))


def test_a_table_without_names_above_has_one_row_of_headings(read_latex):
    """And without a caption it is a tabular alone."""
    text = latex.latex(Grid([Key("lr", ["1"])], [Column("", "mean", _entries((1.0, 0.5, 1.5)))]))
    assert text.startswith("\\begin{tabular}{lr}\n\\toprule\nlr & mean \\\\\n\\midrule\n") and "cmidrule" not in text
    assert read_latex(text).rows == [["lr", "mean"], ["1", "1.00±0.50"]]


@pytest.mark.parametrize(
    "text",
    [
        "\\begin{tabular}{lr} a & b & c \\\\ \\end{tabular}",
        "\\begin{tabular}{lr} a & b \\\\ [c] & d \\\\ \\end{tabular}",
        "\\begin{tabular}{lr} a_b & c \\\\ \\end{tabular}",
        "\\begin{tabular}{lr} {a & c \\\\ \\end{tabular}",
        "\\begin{tabular}{lr} $a & c \\\\ \\end{tabular}",
        "\\begin{tabular}{lr} \\evil & c \\\\ \\end{tabular}",
        "\\begin{tabular}{lr} a & \\pm \\\\ \\end{tabular}",
        "\\begin{tabular}{lr} a & b \\end{tabular}",
        "\\begin{table} a",
        "a # b",
    ],
)
def test_the_reader_of_latex_is_strict(text, read_latex):
    """Otherwise the tests above would say nothing."""
    with pytest.raises((AssertionError, ValueError, IndexError)):
        read_latex(text)
