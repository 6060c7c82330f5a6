"""Texts of unknown origin on a terminal: on one line, without control characters; and paths as a shell takes them."""

from __future__ import annotations

import os


def printable(text: object) -> str:
    r"""Return a text on one line, with escapes for what would control a terminal, turn the line round, or be invisible.

    Bytes of a file name that are no UTF-8, and parts of characters, become escapes, too: every terminal and file takes
    the result.

    >>> print(printable("\x1b[31mred\nnext \u202egnp.exe caf\udce9"))
    \x1b[31mred\nnext \u202egnp.exe caf\xe9
    """
    string = str(text)
    return string if string.isprintable() else "".join(map(_escape, string))


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte of a file name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def shell_word(path: str | os.PathLike[str]) -> str:
    r"""Return a path as it can be pasted into a shell: quoted where that is needed.

    A name with control characters is written as ``$'...'``, which bash, zsh, ksh and the newer sh take.

    >>> print(shell_word("/logs/t/12-00-00-000000_10.0.0.5_&lr=0.1"), shell_word("/logs/t"), shell_word("a\x1bb's"))
    '/logs/t/12-00-00-000000_10.0.0.5_&lr=0.1' /logs/t $'a\033b\'s'
    """
    import shlex  # here: a run starts without it

    text = os.fspath(path)
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_shell_escape, text)) + "'"


def _shell_escape(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    # Three octal digits end by themselves; \x would take a digit that follows, in some shells.
    is_byte = "\udc80" <= character <= "\udcff"  # of a file name that is no UTF-8
    data = bytes([ord(character) - 0xDC00]) if is_byte else character.encode("utf-8", "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in data)
