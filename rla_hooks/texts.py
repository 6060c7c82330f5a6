"""Texts of objects of any kind, for messages and files: never endless, and never an error of the object's own."""

from __future__ import annotations

import os
import shlex

MAX_REPR = 1000  # characters


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
    if type(value) is int and value.bit_length() > 10_000:  # Python does not print ints of more than 4300 digits
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


def shell_path(path: str | os.PathLike[str]) -> str:
    """Return a path so that it can be pasted into a shell: in quotes where it needs them.

    >>> shell_path("rla_data/log/a"), shell_path("rla_data/log/&lr=0.1")
    ('rla_data/log/a', "'rla_data/log/&lr=0.1'")
    """
    text = os.fspath(path)
    if os.name != "nt":
        return shlex.quote(text)
    return f'"{text}"' if any(mark in text for mark in " &()^;,=") else text
