"""Secrets inside of texts: commands, errors, addresses, source code, files of settings."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from rla_hooks.masking.names import (
    ALONE,
    HOLDER,
    IF_RANDOM,
    LONGEST_NAME,
    NO,
    YES,
    is_harmless,
    is_random,
    is_secret_name,
    secrecy_of,
    word_set,
)

MASK = "***"
Kind = Literal["text", "code", "config"]  # free text; source code; a file of settings

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
    "hooks.slack.com/services/ hooks.slack.com/workflows/": r"[\w/+-]{20,}",
    "AGE-SECRET-KEY-1": r"[A-Z0-9]{50,}",
    "LTAI": r"[A-Za-z0-9]{16,24}\b",
}
_NAME_SIGNS = tuple("pass pwd secret token key cred auth bearer jwt sig".split())


@lru_cache(maxsize=1)
def _forms() -> tuple[list[str], re.Pattern[str]]:
    """The beginnings, and the pattern of all forms; compiled at the first use, not at the import."""
    forms = [rf"(?:{'|'.join(map(re.escape, starts.split()))}){rest}" for starts, rest in _FORMS.items()]
    return " ".join(_FORMS).split(), re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(forms)})")


_TEXT = r"[^\s\"'`<>"  # the start of a class of characters: no blanks, no quotes
_USER_INFO = re.compile(
    rf"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]{{1,20}})://"
    rf"(?P<info>{_TEXT}/?#]{{1,300}}|{_TEXT}/:@]{{0,100}}:(?!\d{{0,5}}[/?#]){_TEXT}@]{{1,300}})@"
)
_PLAIN_USERS = word_set("git hg svn anonymous")
_BEARER = re.compile(r"(?P<word>(?i:\bbearer)[ \t]{1,4})[\w.~+/=-]{16,4000}")
_KEY_START = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\[nr]|[\s\"'+,\\>|-]){1,40}"
    r"(?:[A-Za-z0-9+/]{8}|[A-Z][\w-]{2,20}: )|Private-Lines: \d"
)
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{1,60}-----|Private-MAC: \w+")
_PAIR = re.compile(
    rf"""(?P<option>(?<![\w-])--?[A-Za-z][\w.-]{{0,99}})(?:["'],[ \t]{{0,4}}|[ \t]{{1,4}})(?=[\w"'])
    | (?<![\w.-])(?P<name>[\w.-]{{1,{LONGEST_NAME}}})(?P<sep>\\?["'`]?[ \t]{{0,8}}(?:={{1,3}}|:=|=>|:)[ \t]{{0,8}})""",
    re.VERBOSE,
)
_VALUE = re.compile(
    r"""(?P<letter>[rbufRBUF]{0,2})(?:"(?P<double>(?:[^"\\\n]|\\.){1,4000})|'(?P<single>(?:[^'\\\n]|\\.){1,4000}))
    | \\["'](?P<escaped>[^"'\\\n]{1,4000})
    | (?P<bare>(?:(?i:bearer|basic|token|digest)[ \t]{1,4})?
        (?:[^\s"'`,;&<>(){}\[\]|\\]|[,;&](?=[^\s"'`,;&<>(){}\[\]|\\])(?![\w.-]{1,50}[:=])){1,4000})""",
    re.VERBOSE,
)
_TYPES = word_set("str string bytes int float bool any optional union list dict none object secretstr type")


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
        text = _USER_INFO.sub(_masked_user_info, text)
    starts, forms = _forms()
    if any(start in text for start in starts):
        text = forms.sub(lambda match: match[0] if len(set(match[0][8:])) == 1 else MASK, text)  # sk-xxxxxxxx stays
    lowered = text.lower()
    if any(sign in lowered for sign in _NAME_SIGNS):
        text = _mask_pairs(text, kind)
        if "bearer" in lowered:
            text = _BEARER.sub(rf"\g<word>{MASK}", text)
    return text


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


def _masked_user_info(match: re.Match[str]) -> str:
    user, colon, password = match["info"].partition(":")
    scheme = match["scheme"]
    if not colon:
        is_name = user in _PLAIN_USERS or is_harmless(user) or not scheme.endswith(("http", "https"))
        return match[0] if is_name else f"{scheme}://{MASK}@"
    if is_random(user) or password in ("", "x-oauth-basic"):
        return f"{scheme}://{MASK}@"
    return match[0] if is_harmless(password) else f"{scheme}://{user}:{MASK}@"


def _mask_pairs(text: str, kind: Kind) -> str:
    """Mask the values of secret names. What is kept of a value is looked into for further names."""
    pieces, position = [], 0
    seen = [0] * (HOLDER + 1)  # up to where long values of names of each secrecy were looked at: linear time
    for match in _PAIR.finditer(text):
        secrecy = secrecy_of(match["option"] or match["name"])
        if secrecy == NO or match.end() < max(position, seen[secrecy]):
            continue
        value = _VALUE.match(text, match.end())
        if value is None:
            continue
        start, end = value.span(value.lastgroup or 0)
        if end - start > 200:
            seen[secrecy] = end
        if secrecy == ALONE and text[match.start() - 1 : match.start()] in ("?", "&"):
            secrecy = YES  # an argument in an address
        if _is_secret_value(match, value, kind, secrecy):
            pieces += [text[position:start], MASK]
            position = end
    return "".join([*pieces, text[position:]])


def _is_secret_value(name: re.Match[str], value: re.Match[str], kind: Kind, secrecy: int) -> bool:
    """Whether the value found after a name is to be masked."""
    text = value[value.lastgroup or 0]
    bare = value.lastgroup == "bare"
    if is_harmless(text) or (secrecy == IF_RANDOM and not is_random(text)):
        return False
    if secrecy == ALONE and not is_random(text) and not re.fullmatch(r"(?=\D*\d)\S{16,}", text):
        return False
    if kind == "config":
        return True
    if is_secret_name(text) and text.isascii() and re.fullmatch(r"[A-Za-z_][\w.-]*", text):
        return False  # one name in the place of another: api_key=args.api_key
    if kind == "code":
        return not (bare or name["option"] or re.search(r"\s|^[^\w]*$", text) or "{" in text)
    if bare:
        return not _reads_like_words(name, value, text)
    return "{" not in text or "f" not in (value["letter"] or "").lower()


def _reads_like_words(name: re.Match[str], value: re.Match[str], text: str) -> bool:
    """Whether a value without quotes is a part of a sentence or of an expression."""
    after = value.string[value.end() : value.end() + 2]
    word = text.rpartition(" ")[2].rstrip(".:!?")
    if after.startswith(("(", "[")) or word.lower() in _TYPES:
        return True
    if not re.fullmatch(r"[A-Za-z_][A-Za-z_.-]*", word):
        return False
    if name["option"]:
        return word.isupper() or bool(re.match(r"[ \t][A-Za-z]", after))
    separator = name["sep"]
    if ":" in separator:
        return bool(re.match(r"[ \t][A-Za-z]", after))
    return separator.startswith(" ") and separator.endswith(" ")
