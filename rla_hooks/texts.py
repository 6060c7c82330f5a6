"""Texts of objects of any kind, for messages, files and terminals: never endless, never an error of the object."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone

MAX_REPR = 1000  # characters
MAX_BITS = 10_000  # of an int that is shown; Python does not print ints of more than 4300 digits


def listed(names: Sequence[str], most: int) -> str:
    """Return names with commas between them; of more than ``most`` these, and how many more there are.

    >>> listed(["a", "b"], 2), listed(["a", "b", "c"], 2)
    ('a, b', 'a, b and 1 more')
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def cut(text: str, limit: int) -> str:
    """Return a text, or its beginning and its length where it has more than ``limit`` characters.

    >>> cut("abcdefgh", 4)
    'abcd… (8 characters)'
    """
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def shown(value: object, limit: int = MAX_REPR) -> str:
    """Return the ``repr`` of any object, at most ``limit`` characters of it.

    >>> shown("a"), shown(10**5000)
    ("'a'", '<int of 16610 bits>')
    """
    if type(value) is int and value.bit_length() > MAX_BITS:
        return f"<int of {value.bit_length()} bits>"
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}: repr raises {type(error).__name__}>"
    return cut(text, limit)


def text_of(value: object) -> str:
    """Return the ``str`` of any object as a plain str; of an error without a text, the name of its class. Uncut.

    >>> text_of(ValueError("no such optimizer")), text_of(MemoryError())
    ('no such optimizer', 'MemoryError')
    """
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)  # str() may give a subclass again
    is_error = isinstance(value, BaseException)
    try:
        text = str.__str__(str(value))
    except Exception:  # of the __str__ of a class of the user's
        return type(value).__name__ if is_error else shown(value)
    return text or type(value).__name__ if is_error else text


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


def shell_path(path: str | os.PathLike[str]) -> str:
    r"""Return a path so that it can be pasted into a shell: in quotes where it needs them.

    A name with control characters is written as ``$'...'``, which bash, zsh and ksh take.

    >>> print(shell_path("rla_data/log/a"), shell_path("rla_data/log/&lr=0.1"), shell_path("a\x1bb's"))
    rla_data/log/a 'rla_data/log/&lr=0.1' $'a\033b\'s'
    """
    text = os.fspath(path)
    if not text.isprintable():
        return "$'" + "".join(map(_shell_escape, text)) + "'"
    if os.name != "nt":
        return shlex.quote(text)
    return f'"{text}"' if any(mark in text for mark in " &()^;,=") else text


def _shell_escape(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    # Three octal digits end by themselves; \x would take a digit that follows, in some shells.
    is_byte = "\udc80" <= character <= "\udcff"  # of a file name that is no UTF-8
    data = bytes([ord(character) - 0xDC00]) if is_byte else character.encode("utf-8", "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in data)


def duration(seconds: float) -> str:
    """Return a duration for people.

    >>> duration(3.14159), duration(75), duration(90_061)
    ('3.1 s', '0:01:15', '1 day, 1:01:01')
    """
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def size_text(size: float) -> str:
    """Return a number of bytes for people.

    >>> size_text(999), size_text(12_595), size_text(3 * 2**30)
    ('999 B', '12.3 KiB', '3.0 GiB')
    """
    if size < 1000:
        return f"{size:.0f} B"
    units = ["TiB", "GiB", "MiB", "KiB"]
    unit = units.pop()
    size /= 1024
    while size >= 999.95 and units:
        unit = units.pop()
        size /= 1024
    return f"{size:.1f} {unit}"


def counted(number: int, noun: str) -> str:
    """Return a number and what is counted, in the plural unless it is one.

    >>> counted(1, "run"), counted(1200, "file")
    ('1 run', '1,200 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def is_number(text: str) -> bool:
    """Whether a text says a number, as Python reads it.

    >>> is_number("1e-3"), is_number("nan"), is_number("1,5")
    (True, True, False)
    """
    with suppress(ValueError):
        float(text)
        return True
    return False


def iso_time(seconds: float | None = None) -> str:
    """Return a time, given in seconds since 1970 and by default now, as the files of a run have it: in UTC.

    >>> iso_time(0.5)
    '1970-01-01T00:00:00.500000+00:00'
    """
    time = datetime.now(timezone.utc) if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)
    return time.isoformat(timespec="microseconds")


def beginnings(key: str) -> list[str]:
    """Return a dotted name and what it begins with: the names by which it may be meant.

    >>> beginnings("net.width")
    ['net', 'net.width']
    """
    parts = key.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]
