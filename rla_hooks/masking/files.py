"""Secrets in files: which files a code backup leaves out, and which it keeps with what is secret masked."""

from __future__ import annotations

import os
import re
from functools import lru_cache

from rla_hooks.masking.names import ALONE, NO, YES, is_random, secrecy_of, word_set, words_of
from rla_hooks.masking.pairs import Kind
from rla_hooks.masking.texts import holds_private_key, mask_text
from rla_hooks.patterns import pattern

MAX_TEXT = 2**20  # bytes; what is larger is hardly written by a person, and is not looked into

_FOLDERS = word_set(
    ".aws .ssh .gnupg .kube .docker .azure .gcloud .secret .secrets .credentials .kaggle .huggingface .snowsql .oci "
    ".vault .password-store .passwords .databricks .terraform.d"
)
_FOLDERS_OF_DATA = word_set("secret secrets credential credentials passwords private_keys private-keys")
_NAMES = (
    ".env .env.* .env-* .env_* *.env .envrc .flaskenv .netrc _netrc .npmrc .pypirc .pgpass .my.cnf .mylogin.cnf .s3cfg "
    ".boto .dockercfg .git-credentials .htpasswd .htdigest .databrickscfg .terraformrc terraform.rc kubeconfig "
    "rclone.conf .rclone.conf wg[0-9].conf *.ovpn .*_history auth.json kaggle.json token.pickle .vault[-_]* secring.* "
    "*.pem *.key *.p8 *.p12 *.pfx *.keystore *.jks *.jwk *.jwks *.ppk *.kdb *.kdbx *.tfvars *.tfvars.json *.tfstate "
    "id_rsa id_dsa id_ecdsa id_ed25519 id_rsa[-_.]* id_dsa[-_.]* id_ecdsa[-_.]* id_ed25519[-_.]* *[-_]rsa *[-_]ed25519 "
    "credentials credentials.* credentials[-_]* .credentials secret secrets secret.* secrets.* secrets[-_]* password.* "
    "passwords.* *service[-_]account*.json *serviceaccount*.json client[-_]secret*.json *firebase[-_]adminsdk*.json "
    "application[-_]default[-_]credentials.json authkey[-_]* rootkey.csv accesskey*.csv private.asc keytab *.keytab "
    "*.kubeconfig .modal.toml .msmtprc .esmtprc .fetchmailrc .smbcredentials .cifscredentials *vault[-_]pass* "
    "cookies.txt cookies.sqlite* wallet.dat mnemonic.txt seed[-_]phrase* recovery[-_]codes* backup[-_]codes* "
    "sitemanager.xml recentservers.xml"
).split()
_EXAMPLE = pattern(r"(^|[-_. ])(example|examples|sample|template|tmpl|dist|schema)([-_. ]|$)")
_OF_BACKUP = pattern(
    r"~$|[-_.](bak|backup|old|orig|save|saved|sw[nop]|tmp|copy)\d*$| copy( \d+)?$| ?\(\d+\)$|\.\d{1,8}$"
)
_CODE = word_set(
    ".py .pyi .pyx .pxd .ipynb .c .cc .cpp .cxx .h .hh .hpp .cu .cuh .rs .go .jl .lua .m .r .java .kt .scala .js .jsx "
    ".ts .tsx .mjs .rb .php .swift .cs .proto .cmake .sql .jinja .j2 .html .css"
)
_SETTINGS = word_set(
    ".yaml .yml .json .jsonc .toml .ini .cfg .conf .config .properties .env .gin .plist .tf .hcl .sh .bash .zsh .ps1 "
    ".bat"
)
_SECRET_BY_WORDS = word_set(".txt .yaml .yml .json .toml .ini .cfg .conf .properties .csv .xml .plist .dat")


@lru_cache(maxsize=1)
def _names() -> re.Pattern[str]:
    import fnmatch  # here, since a run without a code backup needs none

    return re.compile("|".join(map(fnmatch.translate, _NAMES)))


def is_secret_file(path: str) -> bool:
    """Whether a file of this name, or at this relative path, may hold a password or a key. Source code stays.

    >>> [is_secret_file(path) for path in (".env", "id_rsa.bak", "secrets/openai.txt", "hf_token.txt")]
    [True, True, True, True]
    >>> [is_secret_file(path) for path in (".env.example", "id_rsa.pub", "secrets/__init__.py", "tokens.txt")]
    [False, False, False, False]
    """
    *folders, name = path.replace(os.sep, "/").split("/")
    if any(map(is_secret_folder, folders)):
        return True
    if os.path.splitext(name)[1].lower() in _CODE:
        return False  # at once, since most files are code
    in_folder = any(folder.lower() in _FOLDERS_OF_DATA for folder in folders)
    return any(_is_secret_name_of_file(each, in_folder) for each in _originals(name))


def is_secret_folder(name: str) -> bool:
    """Whether a folder of this name holds keys by custom (``.ssh``, ``.aws``)."""
    return name.lower() in _FOLDERS


def _originals(name: str) -> list[str]:
    """The name, and those of the files that this one is a backup of: ``.env.bak~`` is one of ``.env``."""
    names = [name]
    for name in names:  # which grows
        bare = name.strip("#")
        if bare.startswith("."):
            names += [bare[1:]] if _OF_BACKUP.search(bare) and bare[1:] not in names else []
        stem, suffix = os.path.splitext(bare)
        shorter = [bare, _OF_BACKUP.sub("", bare), _OF_BACKUP.sub("", stem) + suffix]
        names += [each for each in dict.fromkeys(shorter) if each and each not in names]
    return names


def _is_secret_name_of_file(name: str, in_folder: bool) -> bool:
    lower = name.lower()
    stem, suffix = os.path.splitext(name)
    suffix = suffix.lower()
    if suffix in _CODE or suffix == ".pub" or _EXAMPLE.search(lower):
        return False
    if in_folder or _names().match(lower):
        return True
    if suffix and suffix not in _SECRET_BY_WORDS:
        return False
    return secrecy_of("_".join(words_of(stem))) >= (YES if suffix == ".csv" else ALONE)


def kind_of_text(path: str) -> Kind:
    """What :func:`mask_text` is told of a file's content."""
    suffix = os.path.splitext(path)[1].lower()
    return "code" if suffix in _CODE else "config" if suffix in _SETTINGS else "text"


def masked_file(path: str, data: bytes) -> bytes | None:
    """Return what may be kept of a file: its content, with secrets masked; None where it is a key and nothing else.

    That is a private key, and a single random word in a file that a key may be in (``xai_key``, ``pass.txt``). A large
    or binary file is kept as it is.

    >>> masked_file("conf.yaml", b"lr: 0.1\\npassword: hunter2\\n")
    b'lr: 0.1\\npassword: ***\\n'
    """
    if len(data) > MAX_TEXT or b"\0" in data:
        return data
    if holds_private_key(data) or (len(data) < 1000 and _is_bare_key(path, data)):
        return None
    text = data.decode("utf-8", "surrogateescape")
    masked = mask_text(text, kind_of_text(path))
    return data if masked == text else masked.encode("utf-8", "surrogateescape")


def _is_bare_key(path: str, data: bytes) -> bool:
    stem, suffix = os.path.splitext(os.path.basename(path).lstrip("."))
    words = words_of(stem)
    if not words or suffix.lower() not in ("", ".txt") or secrecy_of("_".join(words)) == NO:
        return False
    text = data.decode("latin-1").strip()
    return len(text.split()) == 1 and is_random(text)
