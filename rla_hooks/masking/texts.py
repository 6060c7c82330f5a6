"""Secrets inside of texts: errors, addresses, source code, files of settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from rla_hooks.masking.names import is_harmless, is_random, word_set
from rla_hooks.masking.pairs import MASK, Kind, mask_pairs, places
from rla_hooks.patterns import pattern

# Keys and tokens that services make so that they can be recognised: how they begin, and what follows.
_FORMS = {
    "ghp_ gho_ ghu_ ghs_ ghr_ hf_ npm_ gsk_ sgp_ api_org_ sk- r8_ xai- pplx-": r"[A-Za-z0-9]{20,}",
    "github_pat_ glpat- gldt- glrt- glptt- glcbt- gloas- glsoat- glagent- glft- dckr_pat_ hvs. hvb.": r"[\w-]{16,}",
    "sk-proj- sk-ant- sk-or- sk-svcacct- sk-admin- sk-lf- nvapi- lsv2_pt_ lsv2_sk_ pcsk_ glsa_": r"[\w-]{16,}",
    "wandb_v1_": r"[\w-]{16,}",
    "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_ xoxa- xoxb- xoxe- xoxo- xoxp- xoxr-": r"[A-Za-z0-9-]{10,}",
    "xoxs-": r"[A-Za-z0-9-]{10,}",
    "AKIA ASIA ABIA ACCA": r"[A-Z0-9]{16}\b",
    "AIza": r"[\w-]{35}",
    "ya29. GOCSPX- sq0atp- sq0csp- xapp-1- tskey-auth- tskey-api- tskey-client-": r"[\w-]{20,}",
    "eyJ": r"[\w-]{8,300}\.eyJ[\w-]{4,4000}\.[\w-]*",  # a JSON web token
    "SG.": r"[\w-]{16,99}\.[\w-]{16,}",
    "shpat_ shpca_ shppa_ shpss_ dapi dop_v1_": r"[A-Fa-f0-9]{32,}\b",
    "pypi-AgE ATATT3 sntrys_ sntryu_ ops_eyJ whsec_": r"[\w+/=-]{24,}",
    "hooks.slack.com/services/ hooks.slack.com/workflows/ webhook.office.com/webhookb2/": r"[\w/+@-]{20,}",
    "/services/T": r"[A-Z0-9]{6,16}/B[A-Z0-9]{6,16}/[A-Za-z0-9]{16,}",  # of Slack, in an error of requests
    "/api/webhooks/ discord.com/api/webhooks/ discordapp.com/api/webhooks/": r"\d{15,22}/[\w-]{40,}",
    "bot": r"\d{8,12}:[\w-]{30,}",  # of Telegram: api.telegram.org/bot<token>
    "AGE-SECRET-KEY-1": r"[A-Z0-9]{50,}",
    "LTAI": r"[A-Za-z0-9]{16,24}\b",
}


@lru_cache(maxsize=1)
def _starts() -> list[str]:
    """How the forms begin, without what another one begins with."""
    shortest: list[str] = []
    for each in sorted(" ".join(_FORMS).split()):  # what begins with a text comes right after it
        if not shortest or not each.startswith(shortest[-1]):
            shortest.append(each)
    return shortest


@lru_cache(maxsize=1)
def _forms() -> re.Pattern[str]:
    """The pattern of all forms. It takes milliseconds to make, and most programs never meet the start of one."""
    forms = [rf"(?:{'|'.join(map(re.escape, starts.split()))}){rest}" for starts, rest in _FORMS.items()]
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(forms)})")


_SCHEME = pattern(r"[A-Za-z][A-Za-z0-9+.-]{0,20}\Z")
_NO_BLANK = r"[^\s\"'`<>"  # the start of a class of characters
_USER_INFO = pattern(
    rf"(?P<info>{_NO_BLANK}/?#]{{1,300}}|{_NO_BLANK}/:@]{{0,100}}:(?!\d{{0,5}}[/?#]){_NO_BLANK}@]{{1,300}})@"
)
_TEMPLATE = pattern(r"\{[\w.]{0,99}\}|%s|\$\{")
_PLAIN_USERS = word_set("git hg svn anonymous")
_KEY_START = pattern(
    r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\[nr]|[\s\"'+,\\>|-]){1,40}"
    r"(?:[A-Za-z0-9+/]{8}|[A-Z][\w-]{2,20}: )|Private-Lines: \d"
)
_KEY_END = pattern(r"-----END [A-Z0-9 ]{1,60}-----|Private-MAC: \w+")


def mask_text(text: str, kind: Kind = "text") -> str:
    """Return a text with :data:`MASK` in place of each secret; all else stays.

    Masks passwords in URLs, keys and tokens of known forms, private keys, and the values of secret names
    (``password=...``, ``"api_key": "..."``, ``--token ...``). kind: in ``code`` only values in quotes count; in
    ``config`` all; in ``text`` a value without quotes stays if it reads like a sentence or an expression.

    >>> mask_text("401 for ftp://me:1234@host, header Authorization: Bearer ab12")
    '401 for ftp://me:***@host, header Authorization: ***'
    >>> mask_text("password: wrong for this user"), mask_text("password = ask(user)"), mask_text("max_tokens=100")
    ('password: wrong for this user', 'password = ask(user)', 'max_tokens=100')
    """
    if len(text) < 20 and text.isalnum():
        return text
    if "PRIVATE KEY" in text or "Private-Lines" in text:
        text = _mask_private_keys(text)
    if "://" in text and "@" in text:
        text = _masked(text, _users_in_addresses(text))
    text = _masked(text, _tokens(text))
    return mask_pairs(text, kind)


def _masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces, position = [], 0
    for start, end in spans:
        if start >= position:
            pieces += [text[position:start], MASK]
            position = end
    return "".join([*pieces, text[position:]]) if pieces else text


def _tokens(text: str) -> list[tuple[int, int]]:
    if len(text) < 200 and all(len(word) < 14 for word in text.split()):
        return []  # most hyper-parameters
    found = [_forms().match(text, place) for start in _starts() for place in places(text, start)]
    return sorted(match.span() for match in found if match and len(set(match[0][8:])) > 1)  # sk-xxxxxxxxxxxxxxxxx stays


def _users_in_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Where passwords stand in front of a host, or users whose names are tokens."""
    for place in places(text, "://"):
        match = _USER_INFO.match(text, place + 3)
        scheme = _SCHEME.search(text[max(0, place - 21) : place])
        if match is None or scheme is None:
            continue
        start, end = match.span("info")
        user, colon, password = match["info"].partition(":")
        if not colon:
            if scheme[0].endswith(("http", "https")) and user not in _PLAIN_USERS and not is_harmless(user):
                yield start, end
        elif is_random(user) or password in ("", "x-oauth-basic"):
            yield start, end
        elif not is_harmless(password) and not _TEMPLATE.search(password):
            yield start + len(user) + 1, end


def holds_private_key(text: str | bytes) -> bool:
    """Whether a text holds a private key in one of the usual forms; the words in its first line alone make none."""
    if isinstance(text, bytes):
        if b"PRIVATE KEY" not in text and b"Private-Lines" not in text:
            return False
        text = text.decode("latin-1")
    return bool(_KEY_START.search(text))


def _mask_private_keys(text: str) -> str:
    pieces, position = [], 0
    while found := _KEY_START.search(text, position):
        pieces += [text[position : found.start()], MASK]
        end = _KEY_END.search(text, found.end())
        position = end.end() if end else len(text)
    return "".join([*pieces, text[position:]])
