"""Texts in figures: names as they are, and what the user writes with mathematics where that can be read."""

from __future__ import annotations

import re
from typing import Any

from matplotlib.cbook import is_math_text
from matplotlib.text import Text

from rla_hooks.texts import printable


def set_name(artist: Text, text: Any, is_math: bool = False) -> None:
    r"""Give an artist its text. Dollar signs of names are dollar signs.

    is_math: the user wrote it, so ``$\alpha$`` is a letter; what matplotlib cannot read stays as it is.

    >>> text = Text()
    >>> set_name(text, "net$width$"), text.get_parse_math()
    (None, False)
    >>> set_name(text, r"$\alpha$ = 0.1", is_math=True), text.get_parse_math()
    (None, True)
    """
    shown = "\n".join(map(printable, str(text).split("\n")))
    artist.set_parse_math(is_math and can_be_read(shown))
    artist.set_text(shown)


def can_be_read(text: str) -> bool:
    r"""Whether matplotlib's mathtext takes a text.

    >>> can_be_read(r"$\gamma$"), can_be_read(r"$\nothing$"), can_be_read("5 $")
    (True, False, True)
    """
    if not is_math_text(text):
        return True
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(text)
    except Exception:  # ValueError, and what its parsers raise
        return False
    return True


def broken(text: str, most: int) -> str:
    r"""Return a name on lines of at most so many characters, broken behind a slash, an underscore or a blank.

    >>> broken("eval/episode_reward_mean", 14)
    'eval/episode_\nreward_mean'
    """
    lines = [""]
    for part in re.split(r"(?<=[/_ .,-])", printable(text)):
        for piece in [part[at : at + most] for at in range(0, len(part), most)]:
            if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > most:
                lines.append("")
            lines[-1] += piece
    return "\n".join(lines)
