"""Checks of the values in a config. A check takes a value and returns it in the form that the program uses.

For a bad value it raises :class:`Mistake`, with a text that follows the name of the key: "is 3 (int). Allowed: a path."
"""

from __future__ import annotations

import math
import os
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rla_hooks.errors import did_you_mean
from rla_hooks.masking import MASK


class Mistake(Exception):
    """What is wrong with a value: one argument a mistake."""


# --- wording ---

_short = reprlib.Repr()  # cuts long values, follows no loop, and survives a repr that raises
_short.maxstring = _short.maxother = 100
_short.maxlevel = 2


def show(value: object) -> str:
    """A short text of any value, with its type."""
    return f"{_short.repr(value)} ({type(value).__name__})"


def show_word(value: object) -> str:
    """A short text of what should be a word: the type only where it is none."""
    return _short.repr(value) if isinstance(value, str) else show(value)


def _wrong(value: object, allowed: str) -> Mistake:
    return Mistake(f"is {show(value)}. Allowed: {allowed}.")


def _unknown(verb: str, value: object, known: Iterable[str]) -> str:
    words = sorted(known)
    return f"{verb} {show_word(value)}. Known: {', '.join(words)}.{did_you_mean(value, words)}"


# --- checks ---


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "a text; put it in quotes")
    return value


def secret(value: Any) -> str:
    """Like ``text``, but a mistake does not show the value."""
    if not isinstance(value, str):
        raise Mistake(f"is {MASK} ({type(value).__name__}). Allowed: a text; put it in quotes.")
    return value


def path(value: Any) -> str:
    """A path, relative ones still relative. ``~`` and ``$VARIABLES`` are expanded in strings only."""
    name = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(name, str) or "\0" in name:
        raise _wrong(value, "a path; put it in quotes where it looks like a number")
    if isinstance(value, os.PathLike):
        return _encodable(name)
    variables = [plain or braced for plain, braced in re.findall(r"\$(?:(\w+)|\{(\w+)\})", name)]
    for variable in variables:
        if variable not in os.environ:
            raise Mistake(f"is {name!r}, and there is no environment variable {variable}. Set it, or write it out.")
    expanded = os.path.expanduser(os.path.expandvars(name))
    if expanded.startswith("~"):  # expanduser leaves it for an unknown user
        raise Mistake(f"is {name!r}, and that user has no home folder. Write the path out.")
    return _encodable(expanded)


def with_variables(text: str) -> str:
    """A text with the values of its ``${NAME}``, as they are now. Nothing of a value is in a mistake."""

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise Mistake(f"needs the environment variable {match[1]}, which is not set: export {match[1]}=...")
        return os.environ[match[1]]

    return re.sub(r"\$\{(\w+)\}", value_of, text)


def _encodable(path: str) -> str:
    """A path whose letters the locale cannot write, as the one that other processes see: in UTF-8."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return os.fsdecode(path.encode("utf-8", "surrogateescape"))
    return path


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, "true, false")
    return value


def positive(value: Any) -> float:
    """A number over 0; infinity is one."""
    allowed = "a number over 0, such as 2.5"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(value, allowed)
    if not value > 0:  # also refuses NaN
        raise _wrong(value, allowed)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def interval(value: Any) -> float:
    """Seconds from a tenth on; 0 for false, and for 0."""
    if value is False or (type(value) in (int, float) and value == 0):
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.1 <= value < 1e9:  # also refuses NaN
        raise _wrong(value, "seconds, from 0.1 on, such as 10; false for none")
    return float(value)


def port(value: Any) -> int:
    """A network port as a number. RLA's configs have it in quotes, too."""
    number = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,5}", value) else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 65535:
        raise _wrong(value, "a number from 1 to 65535")
    return number


def one_of(known: Mapping[str, str] | Sequence[str]) -> Callable[[Any], str]:
    """One of the known words. A mapping gives each the word that the program uses for it."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise _wrong(value, ", ".join(sorted(known)))
        if value not in known:
            raise Mistake(_unknown("is", value, known))
        return known[value] if isinstance(known, Mapping) else value

    return check


def writers(known: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Some of the known words, and objects that are writers: a list, one of them, or a text with commas.

    Keeps the order and drops repetitions.
    """

    def check(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) and len(value.split()) > 1 and {*value.split()} <= {*known}:
            raise Mistake(f"is {value!r}. Commas stand between the words: {', '.join(value.split())}.")
        entries = [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value
        if not _is_list(entries):
            raise _wrong(value, f"a list of {', '.join(sorted(known))}")
        mistakes = [line for entry in entries for line in _writer_mistakes(entry, known)]
        if mistakes:
            raise Mistake(*mistakes)
        found = {entry if isinstance(entry, str) else id(entry): entry for entry in entries}
        names = [entry if isinstance(entry, str) else entry.name for entry in found.values()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise Mistake(f"has two writers with the name {twice[0]!r}. Give each a name of its own.")
        return tuple(found.values())

    return check


def _writer_mistakes(entry: Any, known: Sequence[str]) -> list[str]:
    """Return the mistakes of an entry. An object with one of a writer's methods is taken for a writer."""
    if isinstance(entry, str):
        return [] if entry in known else [_unknown("has", entry, known)]
    lacking = [f"{name}()" for name in ("write", "close") if not callable(_attribute(entry, name))]
    if isinstance(entry, type) or len(lacking) == 2:
        return [_unknown("has", entry, known)]
    if not isinstance(_attribute(entry, "name"), str):
        lacking.append("name, a text")
    what = f"has the writer {show(entry)}, which lacks"
    return [f"{what} {', '.join(lacking)}. Allowed: see rla_hooks.writers.base.Writer."] if lacking else []


def _attribute(value: Any, name: str) -> Any:
    """The attribute, or None where there is none or its property raises."""
    try:
        return getattr(value, name, None)
    except Exception:
        return None


def some_of(known: Sequence[str]) -> Callable[[Any], tuple[str, ...]]:
    """Some of the known words: a list, or one of them. Repetitions are dropped."""

    def check(value: Any) -> tuple[str, ...]:
        entries = [value] if isinstance(value, str) else value
        if not _is_list(entries):
            raise _wrong(value, f"a list of {', '.join(known)}")
        mistakes = [_unknown("has", entry, known) for entry in entries if entry not in known]
        if mistakes:
            raise Mistake(*mistakes)
        return tuple(dict.fromkeys(entries))

    return check


def mapping(value: Any) -> dict[str, Any]:
    """A mapping of names; a mistake does not show the value, which may hold secrets."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Mistake(
            f"is {MASK} ({type(value).__name__}). Allowed: a mapping of names, such as {{client_keys: [...]}}."
        )
    return dict(value)


def list_of(check: Callable[[Any], str], allowed: str) -> Callable[[Any], tuple[str, ...]]:
    """A list whose entries pass ``check``, or a single such value. Empty entries are dropped."""

    def check_list(value: Any) -> tuple[str, ...]:
        entries = [value] if isinstance(value, (str, os.PathLike)) else value
        if not _is_list(entries):
            raise _wrong(value, allowed)
        checked: list[str] = []
        mistakes: list[str] = []
        for entry in entries:
            try:
                checked.append(check(entry))
            except Mistake as mistake:
                mistakes += [f"has an entry that {reason}" for reason in mistake.args]
        if mistakes:
            raise Mistake(*mistakes)
        return tuple(entry for entry in checked if entry.strip())

    return check_list


paths = list_of(path, "a list of paths")
_texts = list_of(text, "a list of lines of Git's ignore rules")


def rules(value: Any) -> tuple[str, ...]:
    """Lines of Git's ignore rules. An entry may hold several lines."""
    return tuple(line for entry in _texts(value) for line in entry.splitlines() if line.strip())


def _is_list(value: object) -> bool:
    """Lists, tuples and other sequences such as OmegaConf's. A set has no order, a text is one value."""
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))
