"""Which names and which values are secrets."""

from __future__ import annotations

import re
from functools import lru_cache

from rla_hooks.patterns import pattern

LONGEST_NAME = 200  # characters


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ALWAYS = word_set(
    "password passwords passwd passphrase passphrases passcode pwd secret secrets credential credentials cred creds "
    "apikey apikeys bearer authorization jwt sshpass"
)
_ENDINGS = tuple(
    "password passwords passwd passphrase apikey apikeys secretkey accesskey privatekey authkey authtoken apitoken "
    "accesstoken refreshtoken sessiontoken hftoken clientsecret".split()
)
_OF_KEYS = word_set(  # an api key, but not a sort key
    "access account admin aes anthropic api apikey auth authentication authorization aws azure cipher clearml client "
    "cloudflare cohere comet consumer dagshub databricks decryption deepl deploy encryption fernet gcp gemini github "
    "gitlab google gpg groq hf hmac huggingface jwt kaggle langchain langsmith mailgun master mistral neptune openai "
    "pgp pinecone private replicate rsa secret sendgrid serpapi service signing slack ssh storage stripe subscription "
    "swanlab tavily telegram together twilio vault wandb webhook"
)
_OF_TOKENS = word_set(  # an access token, but not a padding token
    "access account admin anthropic api app auth authentication authorization aws azure bearer bot ci clearml client "
    "cluster cohere comet consul csrf dagshub databricks deploy discord docker gcp gh git gitea github gitlab google "
    "groq hf hub huggingface jupyter jwt k8s kaggle kubernetes login master mistral mlflow my neptune ngrok npm oauth "
    "openai personal private push pypi refresh registry replicate sas secret security sentry server service session "
    "slack storage swanlab telegram upload user vault wandb webhook xsrf"
)
_OF_TEXTS = word_set(  # tokens of language models
    "action assistant audio begin blank bos bpe byte char class cls distill each embed empty end eom eos eot extra "
    "fim first goal image img input label lang language last latent mask max mem memory min modality multi newline "
    "next null num obs observation output pad padding patch pause per placeholder pred prev previous prompt query "
    "reasoning register reward role sentinel sep separator single sos sot space special speech start state step stop "
    "sub system target task text think thinking time timestep tool unk unknown value video vision visual word"
)
_OF_PASSES = word_set(  # of "pass" as a word for a password, but not of a forward pass
    "admin database db email ftp http imap ldap login mail mongo mysql my pg postgres proxy redis root rsync sftp "
    "smtp ssh sudo user vault vpn wifi"
)
_COUNTS = word_set(
    "allow avg disable enable has hide is len max mean min n no num number per require show total with without"
)
_AFTER = word_set(
    "backup bak base base64 b64 dev new old plain plaintext prod production raw staging str string val value"
)
_VAGUE = word_set("auth k key login p pass pat pin sig signature u user userpwd")
_HOLDERS = word_set("secret secrets credential credentials cred creds passwords apikeys")

# How secret a name is. ALONE: "token" by itself, also a word of prose and of code. HOLDER: "secrets", and all in it.
NO, IF_RANDOM, ALONE, YES, HOLDER = range(5)


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is a secret: an option, a variable, a key, nested ones with dots.

    >>> [is_secret_name(name) for name in ("AWS_SECRET_ACCESS_KEY", "db.password", "apiKey", "--wandb-key")]
    [True, True, True, True]
    >>> [is_secret_name(name) for name in ("num_tokens", "tokenizer", "sort_key", "pad_token", "password_length")]
    [False, False, False, False, False]
    """
    return secrecy_of(name) >= ALONE


@lru_cache(maxsize=4096)
def secrecy_of(name: str) -> int:
    """How secret a value of this name is: NO, IF_RANDOM, ALONE, YES or HOLDER."""
    if len(name) > LONGEST_NAME:
        return NO
    parts = [words for words in map(words_of, re.split(r"[./\[\]:]+", name)) if words]
    if not parts:
        return NO
    if any(map(_holds_secrets, parts)):
        return HOLDER
    own = _of_last_part(parts[-1])
    if len(parts) > 1 and len(parts[-1]) == 1:  # wandb.key is a wandb key, pad.token a padding token
        whole = _of_last_part([parts[-2][-1], *parts[-1]])
        return whole if whole in (NO, YES) else own
    return own


def words_of(part: str) -> list[str]:
    """The words of a name, in snake_case, kebab-case, camelCase; without numbers."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", part)]


def _holds_secrets(words: list[str]) -> bool:
    """Whether all that is nested in a value of this name is secret."""
    return words[0] not in _COUNTS and (words[-1] in _HOLDERS or words[-2:] == ["api", "keys"])


def _of_last_part(words: list[str]) -> int:
    if words[0] in _COUNTS and len(words) > 1:
        return NO
    while len(words) > 1 and words[-1] in _AFTER and "token" not in words:
        words = words[:-1]
    last, owner = words[-1], words[-2] if len(words) > 1 else ""
    if last in _ALWAYS or last.endswith(_ENDINGS):
        return YES
    if last in ("key", "keys"):
        return YES if owner in _OF_KEYS else IF_RANDOM if last == "key" else NO
    if last in ("token", "tokens"):
        if owner in _OF_TOKENS:
            return YES
        if last == "tokens" or owner in _OF_TEXTS:
            return NO
        return IF_RANDOM if owner else ALONE
    if last == "pass" and owner in _OF_PASSES:
        return YES
    return IF_RANDOM if last in _VAGUE and len(words) < 3 else NO


_HARMLESS = pattern(
    r"[*.xX]*|none|null|nil|true|false|yes|no|on|off|undefined|nan|todo|redacted|"
    r"[+-]?\d{1,3}|[+-]?\d{0,9}\.\d{1,30}(e[+-]?\d{1,3})?|[+-]?\d{1,9}e[+-]?\d{1,3}|"
    r"<[^<>\s]{0,99}>|\[[\w /]{0,30}\]|\{[\w.!:\[\]]{0,99}\}|%\(\w{0,99}\)s|%[sr]|%\w{1,99}%|"
    r"\$\w*[({].{0,200}|(?-i:\$[A-Z_][A-Z0-9_]*)|(os\.)?(environ|getenv)\b.{0,200}|"
    r"(~|\.{1,2}|/[\w.-]{1,99}|[a-z]:)([/\\][\w .-]{1,99}){1,20}|"
    r"your[-_ ][\w -]{0,60}|\w[\w-]{0,60}[-_]here|"
    r"(bearer|basic|digest|token|apikey)( (\{[^{}]{0,99}\}|<[^<>]{0,99}>|\$\S{0,99}|%s))?|"
    r"[\w./~-]{1,200}\.(json|ya?ml|toml|ini|cfg|txt|env|pem|key|p12)",
    re.IGNORECASE | re.DOTALL,
)
_DIGEST = pattern(r"[0-9a-f-]{7,128}", re.IGNORECASE)  # git's hashes, checksums, uuids, dates
_LETTER_DIGIT_LETTER = pattern(r"[A-Za-z][0-9]+[A-Za-z]")


def is_harmless(text: str) -> bool:
    """Whether a text can be no secret whatever its name: nothing, a switch, a small number, a variable, a path."""
    return bool(_HARMLESS.fullmatch(text.strip()))


def is_random(text: str) -> bool:
    """Whether a text looks like one that a machine has made, and is no checksum: for names that say too little."""
    if len(text) > 4000 or _DIGEST.fullmatch(text):
        return False
    for run in re.findall(r"[A-Za-z0-9]{6,}", text):
        marks = sum(1 for each in run if each.isdigit() or each.isupper())
        if marks >= 5 and _LETTER_DIGIT_LETTER.search(run) and not _DIGEST.fullmatch(run):
            return True
    return False
