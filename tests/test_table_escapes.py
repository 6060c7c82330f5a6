"""Texts in tables of LaTeX and Markdown: what a reader of these languages shows is the text itself."""

import unicodedata

import pytest

from rla_hooks.paper_tables.escapes import latex_text, markdown_text, needs_unicode_tex
from rla_hooks.texts import printable

ASCII = "".join(map(chr, range(32, 127)))
NAMES = [
    *["a_b", "50% & more", "{lr}", "\\", "\\\\", "C:\\new", "~root", "^2", "#1", "$x$", "$", "a|b", "<b>", '"x"'],
    *["--", "---", ",,", "<<", ">>", "''", "``", "`x`", "?`", "!`", "[64, 64]", "[", "*", "*x", "**x**", "_x_"],
    *["__x__", "x__", "a*b*c", "\\begin{x}", "%", "a%b", "μ ± σ", "Ωλς", "café", "cafe\u0301", "naïve—dash", "1e-3"],
    *["-1", "+", "|", "||", "&lt;", "&", "![x](y)", "[x](y)", "<http://x>", "http://x.y/z_z", "#", "# x"],
    *["- x", "1. x", "~~x~~", "a\tb", ":-:", "---|---", "lr=1e-3_x", "\x1b[31m", "x\u202ey", "$$x$$", ASCII, "a\\|b"],
    *["`a|b`", "a@b.c", "…", "x\\", "Ł"],
]  # fmt: skip


def _as_table(text: str) -> str:
    return f"\\begin{{tabular}}{{lr}}\n\\toprule\nx & y \\\\\n{text} & 1 \\\\\n{text} & {text} \\\\\n\\end{{tabular}}"


def _seen(text: str) -> str:
    """What can be seen of a text: blanks at the ends of a cell are not."""
    return printable(unicodedata.normalize("NFC", text)).strip()


@pytest.mark.parametrize("text", NAMES)
def test_latex_shows_the_text(text, read_latex):
    """At the beginning of a row, and in another cell: read back it is the same, and TeX stops at nothing."""
    table = read_latex(_as_table(latex_text(text)))
    assert table.rows[1:] == [[_seen(text), "1"], [_seen(text)] * 2]


def test_latex_compiles_all_of_them(compile_latex):
    """As one table, by a TeX where there is one."""
    rows = "\n".join(f"{latex_text(text)} & 1 \\\\" for text in NAMES if not needs_unicode_tex(text))
    compile_latex(f"\\begin{{tabular}}{{lr}}\n{rows}\n\\end{{tabular}}")


def test_latex_takes_odd_texts(odd_texts, read_latex):
    """Of any length, in any alphabet, with control characters."""
    for text in odd_texts:
        table = read_latex(_as_table(latex_text(text)))
        assert table.rows[1][0] == _seen(text), text


def test_letters_that_pdflatex_lacks_are_told(odd_texts):
    """Chinese ones and signs; not those of Latin alphabets and Greek ones."""
    assert [text for text in ("诗", "🙂", "ж", "ħ", "x\u0306") if not needs_unicode_tex(text)] == []
    assert not any(map(needs_unicode_tex, [*NAMES, "äöüßéŁż", "ΑαΛλ", "a\u0301", "\ud800"]))


@pytest.fixture(scope="module")
def shown_by_markdown():
    """Renders a table by a parser that owes nothing to rla_hooks; returns the texts of its cells."""
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])

    def show(text: str) -> list[list[str]]:
        tokens = parser.parse(text)
        assert tokens[0].type == "table_open" and tokens[-1].type == "table_close", tokens
        rows: list[list[str]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                kinds = {child.type for child in token.children}
                assert kinds <= {"text", "text_special"}, kinds
                rows[-1].append("".join(child.content for child in token.children))
        return rows

    return show


@pytest.mark.parametrize("text", NAMES)
def test_markdown_shows_the_text(text, shown_by_markdown):
    """As text, without emphasis, links, code, or cells of its own."""
    escaped = markdown_text(text)
    rows = shown_by_markdown(f"| x | y |\n| --- | --- |\n| {escaped} | {escaped} |")
    assert rows[1] == [printable(text).strip()] * 2


def test_markdown_takes_odd_texts(odd_texts, shown_by_markdown):
    """Of any length, in any alphabet, with control characters."""
    for text in odd_texts:
        rows = shown_by_markdown(f"| x |\n| --- |\n| {markdown_text(text)} |")
        assert rows[1] == [printable(text).strip()], text


def test_common_names_stay_readable():
    """A backslash in every name would make the table hard to read where nobody renders it."""
    for name in ("perf/return", "batch_size", "time-step", "lr=1e-3", "net.width", "ALE/Pong-v5", "PPO (ours)"):
        assert markdown_text(name).replace("\\(", "(").replace("\\)", ")") == name
