"""What is said of a filter that cannot be used: what is wrong, what to write instead, and a mark below the place."""

from __future__ import annotations

import re
from collections.abc import Set

from rla_hooks.errors import ConfigError
from rla_hooks.query.times import DATES, DURATIONS
from rla_hooks.texts import cut, printable

LONGEST = 20_000  # characters of a filter
_WINDOW = 48  # characters that are shown on each side of a mistake
_LONGEST_WORD = 60  # characters of a word of the filter in a message
_COMPARISONS = "==, !=, <, <=, >, >=, in, not in, like"
_VALUES = "a number, a text in quotes, true, false, none, a date, a duration or a name"


class FilterError(ConfigError):
    """A filter that cannot be used. ``reason`` says why on one line, ``position`` where; the message marks the place.

    >>> print(FilterError("'=' is no comparison. Write ==.", "lr = 1", 3))
    the filter cannot be used: '=' is no comparison. Write ==.
      lr = 1
         ^
    """

    def __init__(self, reason: str, text: str, position: int):
        self.reason, self.text, self.position = printable(reason), text, position
        super().__init__(f"the filter cannot be used: {self.reason}\n{_marked(text, position)}")

    def __reduce__(self) -> tuple[type[FilterError], tuple[str, str, int]]:  # type: ignore[override]
        return type(self), (self.reason, self.text, self.position)


def _marked(text: str, position: int) -> str:
    """The part of a filter round a place, on one line, and a mark below it."""
    from rich.cells import cell_len  # late: only mistakes need it

    begin, end = max(0, position - _WINDOW), position + _WINDOW
    before = ("…" if begin else "") + printable(text[begin:position])
    after = printable(text[position:end]) + ("…" if end < len(text) else "")
    return f"  {before}{after}\n  {' ' * cell_len(before)}^"


_ODD = "A name with such a character stands in backquotes, a text in quotes."
_WORD = re.compile(r"[^\W\d][\w./]*|[<>=!]+|[-+]?[\d.]\S*|.", re.DOTALL)
_UNIT = re.compile(r"(?!(?:and|or|not|in|like)\b)[a-z]+\b(?!\s*(?:[<>=!./(]|not\b|in\b|like\b))", re.IGNORECASE)
_IN_ODD_WORD = re.compile(r"[\w./+*:@%#-]")
_NUMBER_BEFORE = re.compile(r"\d\s*$")
_DATE_BEFORE = re.compile(r"\d{1,4}(-\d{1,2})?$")

# What stands where nothing of the language can, and what to write instead. The first that matches is said.
_HINTS = [
    (r"==?=", "'{0}' is no comparison. Write == for equal."),
    (r"=[<>]", "'{0}' is no comparison. Write <= or >=."),
    (r"<>|~=|!==?|/=", "'{0}' is no comparison. Write != for unequal."),
    (r"=~", "'{0}' is no comparison. Write like, with a pattern such as '*ppo*'."),
    (r"=", "'=' is no comparison. Write == for equal."),
    (r"&&?", "'{0}' joins no conditions. Write and."),
    (r"\|\|?", "'{0}' joins no conditions. Write or."),
    (r"!", "'!' negates nothing. Write not, or != for unequal."),
    (r"[-+]?[\d.]+[^\W\d]\w*", "'{0}' is neither a number nor a duration. A text stands in quotes: '{0}'."),
    (r"[-+*/%^]+", f"there is no arithmetic. {_ODD}"),
    (r"[‘’“”´]", "{0} is a typographic quote. A text stands in ' or \"."),
    (r"\\", "a backslash stands only in texts, in quotes."),
    (r"\{", "a list stands in square brackets: env in ['a', 'b']."),
]  # fmt: skip
_INSTEAD = {
    "is": "is compares nothing here. Write == none or != none.",
    "isnull": "Write == none.",
    "contains": "contains is no word of filters. Write 'text' in name.",
    "between": "between is no word of filters. Write 0.1 <= lr <= 0.2.",
    "matches": "matches is no word of filters. Write like, with a pattern such as '*ppo*'.",
    "ilike": "ilike is no word of filters. Write like, with a pattern such as '*ppo*'.",
    "where": "a filter begins with its first condition, without where.",
    "if": "there is no if. Conditions are joined by and, or, not.",
}


def unreadable(text: str, position: int) -> FilterError:
    """Say what is wrong at a place at which nothing of the language stands."""
    rest = text[position:]
    if rest[0] in "'\"`":
        kind = "name" if rest[0] == "`" else "text"
        return FilterError(f"the {kind} that begins here has no closing {rest[0]}.", text, position)
    odd = _odd_word(text, position)
    if odd is not None:
        begin, word = odd[0], cut(odd[1], _LONGEST_WORD)
        advice = f"A text stands in quotes: '{word}'; such a name in backquotes: `{word}`."
        return FilterError(f"{word} has a '{rest[0]}', and there is no arithmetic. {advice}", text, begin)
    for pattern, reason in _HINTS:
        match = re.match(pattern, rest)
        if match is not None:
            return FilterError(reason.replace("{0}", cut(match[0], _LONGEST_WORD)), text, position)
    return FilterError(f"'{rest[0]}' has no meaning here. A text stands in quotes.", text, position)


def misplaced(text: str, position: int | None, allowed: Set[str], opened: int | None) -> FilterError:
    """Say what is wrong with a word that cannot stand where it does.

    position: of the word; None if the filter ends too early. allowed: the kinds of tokens that could stand there.
    opened: the place of the last bracket that was not closed.
    """
    found = None if position is None else _WORD.match(text, position)
    word = cut(found[0], _LONGEST_WORD) if found else ""
    place = len(text.rstrip()) if position is None else position
    if word.lower() in _INSTEAD:
        return FilterError(_INSTEAD[word.lower()], text, place)
    if "NUMBER" in allowed:
        reason = f"'{word}' stands" if word else "it ends"
        return FilterError(f"{reason} where {_VALUES} is expected.", text, place)
    joined = "AND" in allowed  # a whole condition stands before it
    if not joined and {"IN", "LIKE"} == allowed:
        return FilterError("after this not, in or like is expected.", text, place)
    year = _DATE_BEFORE.search(text, 0, place)
    if year and word[:1] == "-" and len(word) <= len("-12-31"):
        return FilterError(f"{year[0]}{word} is no date. Dates: {DATES}.", text, year.start())
    if _UNIT.match(text, place) and _NUMBER_BEFORE.search(text, 0, place):
        return FilterError(f"{word} is no unit. Durations: {DURATIONS}.", text, place)
    if word[:1] in ("+", "-"):
        return FilterError(f"there is no arithmetic. {_ODD}", text, place)
    if "COMPARE" in allowed and not joined:
        if word == "(":
            return FilterError("there are no functions. A filter compares names with values.", text, place)
        where = f"before '{word}'" if word else "at the end"
        return FilterError(f"a comparison is missing {where}: {_COMPARISONS}, such as lr == 0.1.", text, place)
    if word in (")", "]") and opened is None:
        return FilterError(f"no {'(' if word == ')' else '['} was opened for this {word}.", text, place)
    if not word and opened is not None:
        return FilterError(f"the {text[opened]} that stands here is not closed.", text, opened)
    if not joined and "COMMA" in allowed:
        return FilterError(f"'{word}' stands where a comma or the end of the list is expected.", text, place)
    if text[:place].endswith(("<", ">", "=")):
        return FilterError(f"'{word}' is no comparison. Known: {_COMPARISONS}.", text, place)
    return FilterError(f"'{word}' cannot stand here. Conditions are joined by and, or.", text, place)


def _odd_word(text: str, position: int) -> tuple[int, str] | None:
    """The word round a place where it begins with a letter and is broken by a sign, as CartPole-v1; and its begin."""
    begin = end = position
    while begin and _IN_ODD_WORD.match(text, begin - 1):
        begin -= 1
    while _IN_ODD_WORD.match(text, end):
        end += 1
    word = text[begin:end]
    return (begin, word) if begin < position < end - 1 and not (word[0].isdigit() or word[0] in "-+*:@%#") else None
