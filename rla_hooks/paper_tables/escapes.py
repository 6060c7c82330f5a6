r"""Texts that stand in LaTeX and in Markdown as what they are, whatever is in them.

A control character is an escape first, ``\x1b``, as everywhere in rla_hooks.
"""

from __future__ import annotations

import re
import unicodedata

from rla_hooks.texts import printable

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "…": r"\ldots{}",
    "†": r"\dag{}",
    "×": r"$\times$",
}
_LIGATURES = re.compile(r"([-,?!])(?=\1)")  # "--" would be one longer stroke
_GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER (FINAL SIGMA|[A-Z]+)")
_GREEK_NAMES = "alpha beta gamma delta epsilon zeta eta theta iota kappa mu nu xi pi rho sigma tau upsilon phi chi psi"
_GREEK_COMMANDS = {name.upper(): name for name in [*_GREEK_NAMES.split(), "omega"]}
_GREEK_COMMANDS |= {"LAMDA": "lambda", "FINAL SIGMA": "varsigma"}  # Unicode's names for them
_LATIN_CAPITALS = {"ALPHA": "A", "BETA": "B", "EPSILON": "E", "ZETA": "Z", "ETA": "H", "IOTA": "I", "KAPPA": "K"}
_LATIN_CAPITALS |= {"MU": "M", "NU": "N", "OMICRON": "O", "RHO": "P", "TAU": "T", "CHI": "X"}  # TeX has no own for them
_OF_PDFTEX = "–—‘’‚“”„†‡•…‰€™"
_NOT_IN_T1 = "ħĦĸĿŀŉŦŧ"
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&$-])")


def latex_text(text: str) -> str:
    r"""Return a text as LaTeX prints it as it is, also at the beginning of a row of a table.

    Letters of the Latin alphabets need nothing since LaTeX of 2018; Greek ones are written in mathematics. For other
    alphabets use XeLaTeX or LuaLaTeX: :func:`needs_unicode_tex` tells.

    >>> print(latex_text("a_b & 50% of {lr}"), latex_text("\\"), latex_text("[64, 64]"), latex_text("μ--σ"))
    a\_b \& 50\% of \{lr\} \textbackslash{} {[}64, 64] $\mu$-{}-$\sigma$
    """
    plain = printable(unicodedata.normalize("NFC", text))  # an accent of its own stands on no letter
    joined = _LIGATURES.sub(r"\1{}", "".join(_LATEX.get(each) or _greek(each) for each in plain))
    # Behind the end of a row, "\\", TeX takes a bracket for a distance, and a star for a mark.
    return f"{{{joined[0]}}}{joined[1:]}" if joined[:1] in ("[", "*") else joined


def needs_unicode_tex(text: str) -> bool:
    """Whether a text has letters that pdfLaTeX lacks, such as Chinese ones.

    >>> needs_unicode_tex("café μ"), needs_unicode_tex("诗")
    (False, True)
    """
    plain = printable(unicodedata.normalize("NFC", text))
    others = (each for each in plain if not each.isascii() and each not in _LATEX and _greek(each) == each)
    return any(each not in _OF_PDFTEX and (ord(each) > 0x17E or each in _NOT_IN_T1) for each in others)


def markdown_text(text: str) -> str:
    r"""Return a text as Markdown shows it as it is, also in a table: in CommonMark, and on GitHub.

    >>> print(markdown_text("a|b"), markdown_text("*lr*"), markdown_text("<b>"), markdown_text("perf/return"))
    a\|b \*lr\* \<b\> perf/return
    """
    return _MARKDOWN.sub(_escaped, printable(text))


def _escaped(match: re.Match[str]) -> str:
    """With a backslash where the sign may mean something: not in snake_case, and of strokes only those in a row."""
    sign, text, place = match[0], match.string, match.start()
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    means_nothing = before.isalnum() and after.isalnum() if sign == "_" else "-" not in (before, after)
    return sign if sign in "_-" and means_nothing else f"\\{sign}"


def _greek(character: str) -> str:
    """A Greek letter as TeX names it; any other character as it is."""
    match = None if character.isascii() else _GREEK.fullmatch(unicodedata.name(character, ""))
    if match is None:
        return character
    size, name = match.groups()
    if name == "OMICRON" or (size == "CAPITAL" and name in _LATIN_CAPITALS):
        return _LATIN_CAPITALS[name] if size == "CAPITAL" else "o"
    if name not in _GREEK_COMMANDS:
        return character
    command = _GREEK_COMMANDS[name]
    return f"$\\{command.capitalize() if size == 'CAPITAL' else command}$"
