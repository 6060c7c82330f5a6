"""Reads a table of LaTeX as TeX does: strictly, and back into plain texts; and compiles it by a TeX.

It knows only what our tables use. All else is a mistake: an unknown command, a sign that means something to TeX and has
no backslash, braces and dollars without their partners, a row with too many cells, a bracket behind the end of a row.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

TOKEN = re.compile(r"%[^\n]*\n?|\\[A-Za-z]+[ \n]*|\\.|\s+|.", re.DOTALL)
# What a command prints: of text, and of mathematics.
PRINTS = {
    "textbackslash": "\\",
    "textasciicircum": "^",
    "textasciitilde": "~",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "textquotedbl": '"',
    "textquotesingle": "'",
    "textasciigrave": "`",
    "ldots": "…",
    "dag": "†",
    "dagger": "†",
    "pm": "±",
    "times": "×",
    "infty": "∞",
}
GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi"
CAPITALS = "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
LETTERS = dict(zip([*GREEK.split(), "omega"], "αβγδεζηθικλμνξπρστυφχψω", strict=True))
LETTERS |= dict(zip(CAPITALS.split(), "ΓΔΘΛΞΠΣΥΦΨΩ")) | {"varsigma": "ς"}
SILENT = {"mathbf", "footnotesize", "smallskip", "par", "centering", "toprule", "midrule", "bottomrule"}
MATHEMATICS = {"pm", "times", "infty", "dagger", "mathbf", *LETTERS}


class Table:
    """A table that was read. rows: the texts of their cells; notes: the text below it; caption, label."""

    def __init__(self) -> None:
        self.columns = ""
        self.rows: list[list[str]] = []
        self.rules: list[tuple[int, int]] = []
        self.after = ""
        self.caption: str | None = None
        self.label: str | None = None


def read(text: str) -> Table:
    """Read a table; AssertionError says what TeX would complain of, or set in another way."""
    reader = _Reader(text)
    reader.read()
    return reader.table


class _Reader:
    def __init__(self, text: str):
        self.tokens = [token for token in TOKEN.findall(text) if not token.startswith("%")]
        self.at = 0
        self.table = Table()
        self.open: list[str] = []

    def read(self) -> None:
        text = ""
        while self.at < len(self.tokens):
            if self._next("\\begin"):
                name = self._group_text()
                self.open.append(name)
                if name == "tabular":
                    self._tabular()
            elif self._next("\\end"):
                assert self.open.pop() == self._group_text(), "an environment that is not open ends"
            elif self._next("\\caption"):
                self.table.caption = self._group()
            elif self._next("\\label"):
                self.table.label = self._group_text()
            else:
                text += self._piece()
        assert not self.open, f"{self.open} is open at the end"
        self.table.after = text.strip()

    def _next(self, token: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at].rstrip() == token:
            self.at += 1
            return True
        return False

    def _take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def _group_text(self) -> str:
        """What stands in braces, as it is."""
        assert self._take() == "{"
        end = self.tokens.index("}", self.at)
        found = "".join(self.tokens[self.at : end])
        self.at = end + 1
        return found

    def _group(self, is_math: bool = False) -> str:
        """What is printed of what stands in braces."""
        assert self._take() == "{", "a group is missing"
        text = ""
        while not self._next("}"):
            assert self.at < len(self.tokens), "a brace is open at the end"
            text += self._piece(is_math)
        return text

    def _tabular(self) -> None:
        self.table.columns = self._group_text()
        assert re.fullmatch("[lrc]+", self.table.columns)
        cells, cell, width = [], "", 1
        while not (self.at < len(self.tokens) and self.tokens[self.at].rstrip() == "\\end"):
            token = self.tokens[self.at].rstrip()
            if self._next("&"):
                cells += [cell.strip(), *[""] * (width - 1)]
                cell, width = "", 1
            elif self._next("\\\\"):
                cells += [cell.strip(), *[""] * (width - 1)]
                assert len(cells) == len(self.table.columns), f"{cells} are not {len(self.table.columns)} cells"
                self.table.rows.append(cells)
                cells, cell, width = [], "", 1
                following = "".join(self.tokens[self.at : self.at + 2]).lstrip()
                assert not following.startswith(("[", "*")), "TeX takes it for an argument of the row's end"
            elif self._next("\\multicolumn"):
                width = int(self._group_text())
                assert re.fullmatch("[lrc]", self._group_text()) and not cell.strip()
                cell = self._group()
            elif self._next("\\cmidrule"):
                assert "".join(self.tokens[self.at : self.at + 4]) == "(lr)", "of which side is the rule trimmed?"
                self.at += 4
                first, last = map(int, self._group_text().split("-"))
                assert len(self.table.columns) >= last >= first >= 1
                self.table.rules.append((first, last))
            elif token in ("\\toprule", "\\midrule", "\\bottomrule"):
                assert not cells and not cell.strip(), "a rule in the middle of a row"
                self.at += 1
            else:
                cell += self._piece()
        assert not cells and not cell.strip(), "the last row has no end"

    def _piece(self, is_math: bool = False) -> str:
        """What one token prints, or one group."""
        token = self._take()
        if token == "{":
            self.at -= 1
            return self._group(is_math)
        if token == "$":
            assert not is_math, "a dollar in mathematics"
            text = ""
            while not self._next("$"):
                assert self.at < len(self.tokens), "a dollar has no partner"
                text += self._piece(is_math=True)
            return text
        if token == "^" and is_math:
            text = self._group(is_math)
            return text if text == "†" else f"^{text}"
        assert token not in ("}", "#", "_", "^", "~", "&", "$"), f"{token} stands there as it is"
        if token.isspace():
            return "" if is_math else " "
        if not token.startswith("\\"):
            assert token.isprintable() and token not in "\\<>|\"`'", f"{token!r} is set in another way"
            return token
        return self._command(token[1:] if len(token) == 2 else token[1:].rstrip(), is_math)

    def _command(self, name: str, is_math: bool) -> str:
        if name in ("{", "}", "$", "&", "#", "%", "_"):
            return name
        if name in (",", " ") and is_math:
            return " "
        assert name in SILENT or name in PRINTS or name in LETTERS, f"\\{name} is no command that we know"
        assert (name in MATHEMATICS) == is_math, f"\\{name} stands {'in' if is_math else 'outside of'} mathematics"
        return "" if name in SILENT else PRINTS.get(name) or LETTERS[name]


PROGRAMS = "pdflatex", "lualatex", "xelatex", "tectonic"
DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\begin{document}
%s
\end{document}
"""


def compiled(text: str) -> None:
    """Compile a table by the first of ``PROGRAMS`` that is installed. AssertionError has what it complains of."""
    program = next(name for name in PROGRAMS if shutil.which(name))
    options = [] if program == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error", "-draftmode"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "table.tex").write_text(DOCUMENT % text, encoding="utf-8")
        command = [program, *(each for each in options if program == "pdflatex" or each != "-draftmode"), "table.tex"]
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, output[-2000:]
