"""Secrets that stand in a text after their name: ``password=...``, ``"api_key": "..."``, ``--token ...``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from rla_hooks.masking.names import (
    ALONE,
    HOLDER,
    IF_RANDOM,
    LONGEST_NAME,
    NO,
    is_harmless,
    is_random,
    is_secret_name,
    secrecy_of,
    word_set,
)
from rla_hooks.patterns import pattern

MASK = "***"
Kind = Literal["text", "code", "config"]  # free text; source code; a file of settings

_SIGNS = "pass pwd secret token key cred auth bearer jwt sig".split()  # every secret name has one of these in it
_RUN = pattern(r"[\w.-]*")
_SEPARATOR = pattern(
    r"""(?P<pair>\\?["'`]?\]?[ \t]{0,8}(?:={1,3}|:=|=>|:)[ \t]{0,8}
        (?:(?<=[: ])(?:str|bytes|Any|Optional|Union|SecretStr)\b[\w.\[\], |]{0,40}=[ \t]{0,8})?)
    | (?P<default>["'](?:,[^\n()]{0,200}?)?,[ \t]{0,4}default[ \t]{0,4}=[ \t]{0,4})(?=["'])
    | (?:["'],[ \t]{0,4}(?=["'])|[ \t]{1,4}(?=[\w"'-]))""",
    re.VERBOSE,
)
_CALL = pattern(r"\b(?:get|getenv|putenv|setenv|setdefault)\([\"']$")  # whose second argument is the value
_BEARER = pattern(r"[ \t]{1,4}([\w.~+/=-]{16,4000})")
_VALUE = pattern(
    r"""(?P<letter>[rbufRBUF]{0,2})(?:"(?P<double>(?:[^"\\\n]|\\.){1,4000})|'(?P<single>(?:[^'\\\n]|\\.){1,4000}))
    | \\["'](?P<escaped>[^"'\\\n]{1,4000})
    | (?P<bare>(?:(?i:bearer|basic|token|digest)[ \t]{1,4})?
        (?:[^\s"'`,;&<>(){}\[\]|\\]|[,;&](?=[^\s"'`,;&<>(){}\[\]|\\])(?![\w.-]{1,50}[:=])){1,4000})""",
    re.VERBOSE,
)
_MORE_WORDS = pattern(r"(?:[ \t]{1,4}[^\s#,{}\[\]\"'][^\s,{}\"']{0,99}){0,20}")
_NO_WORD = pattern(r"(?=\D{0,99}\d)(?=[^A-Za-z]{0,99}[A-Za-z])\S{8,}")  # a "token" that prose and code do not have
_TYPES = word_set("str string bytes int float bool any optional union list dict none object secretstr type")


def places(text: str, sign: str) -> Iterator[int]:
    """Yield where ``sign`` stands in a text; this is much faster than a regular expression."""
    place = text.find(sign)
    while place >= 0:
        yield place
        place = text.find(sign, place + 1)


def mask_pairs(text: str, kind: Kind) -> str:
    """Mask the values of secret names. What is kept of a value is looked into for further names."""
    lowered = text.lower() if "\u0130" not in text else text.replace("\u0130", "I").lower()  # all else keeps its place
    if not any(sign in text for sign in "=:-,") and "bearer" not in lowered:
        return text
    pieces, position = [], 0
    looked = 0  # up to where names were looked at
    seen = [0] * (HOLDER + 1)  # up to where long values of names of each secrecy were looked at: linear time
    for place in sorted(place for sign in _SIGNS for place in places(lowered, sign)):
        if place < max(looked, position):
            continue
        looked = _end(text, place)
        start = place - _end(text[max(0, place - LONGEST_NAME) : place][::-1], 0)
        span = _value_after(text, start, looked, kind, seen)
        if span:
            pieces += [text[position : span[0]], MASK]
            position = span[1]
    return "".join([*pieces, text[position:]]) if pieces else text


def _end(text: str, place: int) -> int:
    """Where the name that is at this place ends."""
    match = _RUN.match(text, place)
    return match.end() if match else place


def _value_after(text: str, start: int, end: int, kind: Kind, seen: list[int]) -> tuple[int, int] | None:
    """Where the secret stands that follows the name at ``start:end``, or None."""
    name = text[start:end]
    if name.lower() == "bearer" and (bearer := _BEARER.match(text, end)):
        return bearer.span(1)
    secrecy, separator = secrecy_of(name), _SEPARATOR.match(text, end)
    if separator is None or secrecy == NO or end < seen[secrecy]:
        return None
    value = _VALUE.match(text, separator.end())
    if value is None:
        return None
    first, last = value.span(value.lastgroup or 0)
    if last - first > 200:
        seen[secrecy] = last
    before = text[max(0, start - 200) : start].rpartition("\n")[2]
    if separator.lastgroup is None and not _CALL.search(before):
        is_option = name.startswith("-") and kind != "code"
        if not is_option or value[0].strip("\"'").startswith("-"):
            return None
    if not _is_secret_value(_Found(before, name, separator["pair"] or "", value, secrecy), kind):
        return None
    if kind == "config" and value.lastgroup == "bare" and (separator["pair"] or "=")[-1] != "=":
        more = _MORE_WORDS.match(text, last)
        last = more.end() if more else last
    return first, last


class _Found(NamedTuple):
    before: str  # on the name's line
    name: str
    separator: str  # empty after an option
    value: re.Match[str]
    secrecy: int

    @property
    def text(self) -> str:
        return self.value[self.value.lastgroup or 0]

    @property
    def bare(self) -> bool:
        """Whether the value is in no quotes."""
        return self.value.lastgroup == "bare"


def _is_secret_value(found: _Found, kind: Kind) -> bool:
    """Whether the value after a name is to be masked."""
    text = found.text
    if is_harmless(text) or found.before.endswith("::" if found.separator != ":" else ":"):
        return False  # the latter is a part of another name, as in arn:aws:...:secret:my-name
    if found.before.endswith("login(") or (found.before.endswith(("?", "&")) and found.secrecy >= ALONE):
        return not found.bare or "?" in found.before
    if found.secrecy == IF_RANDOM and not is_random(text):
        return False
    if found.secrecy == ALONE and not is_random(text) and not _NO_WORD.fullmatch(text):
        return False
    if found.bare and text.isdigit() and found.separator.startswith(('"', "'")):
        return False  # a vocabulary: {"password": 2771}
    if found.bare and found.value.string.startswith(("(", "[", "{"), found.value.end()):
        return False  # a call, an index, a template
    if kind == "config" and "#" not in found.before:
        return True
    if is_secret_name(text) and text.isascii() and re.fullmatch(r"[A-Za-z_][\w.-]*", text):
        return False  # one name in the place of another: api_key=args.api_key
    if kind == "code":
        return not found.bare and not re.search(r"^(?!(?i:bearer|basic|token) ).*\s|^\W*$|{", text)
    return (
        not _reads_like_words(found) if found.bare else "{" not in text or "f" not in str(found.value["letter"]).lower()
    )


def _reads_like_words(found: _Found) -> bool:
    """Whether a value without quotes is a part of a sentence or of an expression."""
    word = found.text.rpartition(" ")[2].rstrip(".:!?")
    if word.lower() in _TYPES:
        return True
    if not re.fullmatch(r"[A-Za-z_][A-Za-z_.-]*", word):
        return False
    end = found.value.end()
    goes_on = re.match(r"[ \t][A-Za-z]", found.value.string[end : end + 2]) is not None
    if not found.separator:
        return goes_on or word.isupper()
    return goes_on if ":" in found.separator else found.separator[0] == found.separator[-1] == " "
