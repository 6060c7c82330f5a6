"""Git's ignore rules, read the way git reads them.

A file of rules is a :class:`Rules`; what holds for a path is asked of the nearest file first, and within a
file the last line that matches wins. Names and patterns are bytes, as in git: ``?`` is one byte, so it is no
whole Chinese character. Source: gitignore(5), and git's own answer, with which the tests compare.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

_WILDCARDS = re.compile(rb"[*?\[\\]")
_NEVER = b"(?!)"
_BLANK, _DIGIT, _LOWER, _UPPER = b" \t", b"0123456789", bytes(range(97, 123)), bytes(range(65, 91))
_GRAPH = bytes(range(33, 127))
_CLASSES = {
    b"alnum": _DIGIT + _LOWER + _UPPER,
    b"alpha": _LOWER + _UPPER,
    b"blank": _BLANK,
    b"cntrl": bytes([*range(32), 127]),
    b"digit": _DIGIT,
    b"graph": _GRAPH,
    b"lower": _LOWER,
    b"print": b" " + _GRAPH,
    b"punct": bytes(set(_GRAPH) - set(_DIGIT + _LOWER + _UPPER)),
    b"space": b" \t\n\v\f\r",
    b"upper": _UPPER,
    b"xdigit": b"0123456789abcdefABCDEF",
}


class _Rule(NamedTuple):
    ignores: bool  # False for a line that starts with "!"
    folders_only: bool
    by_name: bool  # a pattern without a slash is compared with the last part only
    pattern: bytes  # of a regular expression


class Rules:
    """The rules of one file. ``base``: the absolute folder they are relative to, as bytes with "/"."""

    def __init__(self, lines: Iterable[bytes], base: bytes, ignore_case: bool = False):
        flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
        self._skip = len(base.rstrip(b"/")) + 1
        parsed = [rule for rule in map(_parse, lines) if rule is not None]
        self._rules = [(rule, re.compile(rule.pattern, flags)) for rule in reversed(parsed)]
        # Nearly every file matches nothing: one expression for all lines says so at once.
        self._any_name = _either([rule.pattern for rule in parsed if rule.by_name], flags)
        self._any_path = _either([rule.pattern for rule in parsed if not rule.by_name], flags)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def ignores(self, path: bytes, name: bytes, folder: bool) -> bool | None:
        """True or False as the last matching line says, None where no line matches."""
        below = path[self._skip :]
        if not (self._any_name and self._any_name.fullmatch(name)) and not (
            self._any_path and self._any_path.fullmatch(below)
        ):
            return None
        for rule, expression in self._rules:
            if rule.folders_only and not folder:
                continue
            if expression.fullmatch(name if rule.by_name else below):
                return rule.ignores
        return None


def read_rules(
    path: str | os.PathLike[str], base: bytes, ignore_case: bool = False, follow: bool = True
) -> Rules | None:
    """The rules of a file, or None where it cannot be read. ``follow=False``: git takes no .gitignore from a
    link."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    try:
        with open(os.open(path, flags), "rb") as file:
            content = file.read()
    except OSError:
        return None
    return Rules(split_lines(content), base, ignore_case) or None


def split_lines(content: bytes) -> list[bytes]:
    """Lines of a file of rules: a leading byte order mark and one carriage return at a line's end go away."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [line.removesuffix(b"\r") for line in lines]


def _either(patterns: list[bytes], flags: int) -> re.Pattern[bytes] | None:
    return re.compile(b"|".join(b"(?:%s)" % pattern for pattern in patterns), flags) if patterns else None


def _parse(line: bytes) -> _Rule | None:
    if line.startswith(b"#"):
        return None
    line = _without_trailing_blanks(line.partition(b"\0")[0])
    ignores = not line.startswith(b"!")
    pattern = line if ignores else line[1:]
    folders_only = pattern.endswith(b"/")
    if folders_only:
        pattern = pattern[:-1]
    if not pattern:
        return None
    by_name = b"/" not in pattern
    if not by_name:
        pattern = pattern.removeprefix(b"/")
    # Git compares what stands before the first wildcard by itself, so "a**/b" is "a" and then a true "**".
    wild = _WILDCARDS.search(pattern)
    start = wild.start() if wild else len(pattern)
    return _Rule(ignores, folders_only, by_name, re.escape(pattern[:start]) + _translate(pattern[start:]))


def _without_trailing_blanks(line: bytes) -> bytes:
    """Blanks at the end go, save one that a backslash protects."""
    end = position = 0
    while position < len(line):
        if line[position : position + 1] == b"\\":
            position += 1
            end = position + 1
        elif line[position : position + 1] != b" ":
            end = position + 1
        position += 1
    return line[:end]


def _translate(glob: bytes) -> bytes:
    """A regular expression for a glob in which only "**" between slashes crosses a slash."""
    out = b""
    position = 0
    while position < len(glob):
        char = glob[position : position + 1]
        if char == b"*":
            stars = re.compile(rb"\*+").match(glob, position)
            assert stars is not None  # it starts with one
            expression, position = _stars(glob, stars.start(), stars.end())
            out += expression
        elif char == b"?":
            out += b"[^/]"
            position += 1
        elif char == b"[":
            expression, position = _bracket(glob, position)
            out += expression
        elif char == b"\\":
            if position + 1 == len(glob):
                return _NEVER
            out += re.escape(glob[position + 1 : position + 2])
            position += 2
        else:
            out += re.escape(char)
            position += 1
    return out


def _stars(glob: bytes, start: int, end: int) -> tuple[bytes, int]:
    alone_before = start == 0 or glob[start - 1 : start] == b"/"
    if end - start == 1 or not alone_before:
        return b"[^/]*", end
    if end == len(glob):
        return b".*", end
    if glob[end : end + 1] == b"/":
        return b"(?:.*/)?", end + 1
    if glob[end : end + 2] == b"\\/":
        return b".*", end
    return b"[^/]*", end


def _bracket(glob: bytes, start: int) -> tuple[bytes, int]:
    """``[a-z]``, ``[!a]``, ``[^a]``, ``[[:alpha:]]``; a bracket that is never closed matches nothing."""
    position = start + 1
    negated = glob[position : position + 1] in (b"!", b"^")
    position += negated
    members: set[int] = set()
    before: int | None = None  # what a range may start from
    first = True
    while first or glob[position : position + 1] != b"]":
        first = False
        if position >= len(glob):
            return _NEVER, len(glob)
        named = glob.startswith(b"[:", position) and _named_class(glob, position)
        if named:
            members.update(_CLASSES.get(named[0], b""))
            if named[0] not in _CLASSES:
                return _NEVER, len(glob)
            before, position = None, named[1]
            continue
        ranged = (
            glob[position] == 0x2D
            and before is not None
            and glob[position + 1 : position + 2] not in (b"", b"]")
        )
        position += ranged
        if glob[position] == 0x5C:
            position += 1
            if position >= len(glob):
                return _NEVER, len(glob)
        value = glob[position]
        members.update(range(before, value + 1) if ranged and before is not None else [value])
        before = None if ranged else value
        position += 1
    if negated:
        members = set(range(256)) - members
    members.discard(0x2F)
    inside = b"".join(b"\\x%02x" % member for member in sorted(members))
    return (b"[%s]" % inside if inside else _NEVER), position + 1


def _named_class(glob: bytes, position: int) -> tuple[bytes, int] | None:
    close = glob.find(b"]", position + 2)
    if close < 0:
        return b"", len(glob)
    if close == position + 2 or glob[close - 1 : close] != b":":
        return None
    return glob[position + 2 : close - 1], close + 1
