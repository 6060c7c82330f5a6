"""What is a secret: one rule for names, one for texts, used wherever rla_hooks writes down what it was given.

    is_secret_name("api_key")                          a name whose value is a secret
    mask_value("db", {"password": "1234"})             {"password": "***"}
    mask_text("GET https://me:1234@host/?token=ab12")  GET https://me:***@host/?token=***
    masked_command(["train.py", "--api-key", "1234"])  ["train.py", "--api-key", "***"]

Names are judged in names.py, texts in texts.py and pairs.py, files in files.py.

A masked value is for people: nothing may pass :data:`MASK` back to a function or a command. Both mistakes count, so a
name decides by its last word (``token_dim`` is no token), some names only where the value looks random (``key``), and
what cannot be a secret (None, True, 0.1, 3, ``${HF_TOKEN}``) stays. Every rule takes linear time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rla_hooks.masking.names import ALONE, HOLDER, IF_RANDOM, NO, is_harmless, is_random, is_secret_name, secrecy_of
from rla_hooks.masking.pairs import MASK
from rla_hooks.masking.texts import holds_private_key, mask_text
from rla_hooks.patterns import pattern

__all__ = ["MASK", "holds_private_key", "is_secret_name", "mask_text", "mask_value", "masked_command"]


def mask_value(name: str, value: Any) -> Any:
    """Return plain data to be written down: secrets in it are :data:`MASK`, all else is as it was.

    Looks into mappings, lists and texts; other objects stay. The value itself is not changed.

    >>> mask_value("db", {"host": "h", "password": "1234", "token": None, "url": "ftp://me:1234@h"})
    {'host': 'h', 'password': '***', 'token': None, 'url': 'ftp://me:***@h'}
    """
    return _masked(secrecy_of(name), value, 0)


def _masked(secrecy: int, value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _masked_text_value(secrecy, value)
    if isinstance(value, (bytes, bytearray)):
        return MASK if value and secrecy >= ALONE else value
    if type(value) is int:
        return MASK if abs(value) >= 1000 and secrecy >= ALONE else value
    if depth > 100:
        return MASK  # too deep to be looked into
    if isinstance(value, Mapping):
        return {
            key: _masked(secrecy if secrecy == HOLDER else _secrecy_of_key(key), child, depth + 1)
            for key, child in value.items()
        }
    if type(value) in (list, tuple):
        texts = [each for each in value if isinstance(each, str)]
        if secrecy < ALONE and len(texts) == len(value) and any(each.startswith("-") for each in texts):
            return type(value)(masked_command(value))
        return type(value)(_masked(secrecy, each, depth + 1) for each in value)
    return value


def _secrecy_of_key(key: Any) -> int:
    return secrecy_of(key) if isinstance(key, str) else NO


def _masked_text_value(secrecy: int, text: str) -> str:
    if secrecy >= ALONE or (secrecy == IF_RANDOM and is_random(text)):
        return text if is_harmless(text) else MASK
    return mask_text(text)


_OPTION = pattern(r"--?[A-Za-z][\w.-]*|/[A-Za-z][\w-]*")
_FLAG = pattern(r"--.*|-[A-Za-z]|-[a-z][a-z-]+", re.DOTALL)
_ASSIGNED = pattern(r"([-+~]{0,2}[A-Za-z_][\w./@:\[\]-]{0,199}?)(:?=)(.*)", re.DOTALL)
_LOGIN_OPTIONS = ("-u", "--user", "--login", "--auth", "--userpwd")
_LOGIN = pattern(r"([\w.@+-]{1,99}):(?!\d+$|//)\S+")


def masked_command(arguments: Sequence[Any]) -> list[str]:
    """Return the arguments of a command as texts, with :data:`MASK` in place of each secret.

    >>> masked_command(["train.py", "--api-key", "1234", "db.password=1234", "--max-tokens=512"])
    ['train.py', '--api-key', '***', 'db.password=***', '--max-tokens=512']
    """
    masked: list[str] = []
    waiting, many = NO, False  # how secret the next argument is; whether all up to the next option are
    for argument in map(str, arguments):
        if waiting and not _FLAG.fullmatch(argument):
            login = _LOGIN.fullmatch(argument) if waiting == IF_RANDOM and masked[-1] in _LOGIN_OPTIONS else None
            masked.append(f"{login[1]}:{MASK}" if login else _masked_text_value(waiting, argument))
            waiting = waiting if many else NO
            continue
        waiting = NO
        assigned = _ASSIGNED.fullmatch(argument) if "=" in argument else None
        if assigned and secrecy_of(assigned[1]):
            masked.append(f"{assigned[1]}{assigned[2]}{_masked_text_value(secrecy_of(assigned[1]), assigned[3])}")
            continue
        masked.append(mask_text(argument))
        if _OPTION.fullmatch(argument):
            waiting, many = secrecy_of(argument), argument.endswith("s")
    return masked
