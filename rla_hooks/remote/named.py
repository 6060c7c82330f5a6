"""The remotes that somebody has named, in ``LOG_ROOT/remotes.json``, and that of the config.

    {"lab": {"url": "ssh://me@lab/data/rla_data", "options": {"client_keys": ["~/.ssh/lab"]}}}

No secret stands there: a password is the name of a variable, ``${LAB_PASSWORD}``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks import atomic
from rla_hooks.config.reading import load
from rla_hooks.config.remote_setting import ALLOWED
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.locks import locked
from rla_hooks.patterns import pattern
from rla_hooks.remote.address import Address, looks_remote
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import shell_path, shown

FILE = "remotes.json"
CONFIG = "config"  # the name of the one that REMOTE_SETTING has
_NAME = pattern(r"[A-Za-z][\w.-]{0,63}")


def named_remotes(root: Path) -> dict[str, Address]:
    """Return the remotes of a log root by name: that of the config, and those that were added.

    >>> import os
    >>> os.makedirs("rla_data")
    >>> add_remote(Path("rla_data"), "lab", Address.parse("ssh://me@lab/data"))
    >>> named_remotes(Path("rla_data"))
    {'lab': Address('ssh://me@lab/data')}
    """
    found: dict[str, Address] = {}
    setting = load().remote
    if setting.get("url") or setting.get("ftp_server"):
        found[CONFIG] = Address.of_setting(setting)
    for name, each in _read(root).items():
        if isinstance(each, Mapping):
            found[name] = Address.of_setting(each)
    return found


def add_remote(root: Path, name: str, address: Address) -> None:
    """Name a remote; one of this name is replaced. Raises ConfigError for a bad name, and for a password in it."""
    if not _NAME.fullmatch(name) or name == CONFIG:
        raise ConfigError(
            f"the name of the remote is {shown(name, 100)}. Allowed: letters, digits, . _ -, not {CONFIG}."
        )
    if address.has_plain_secret():
        raise ConfigError(
            f"the remote {address} has its password written out, which would stand in {FILE}. Give the name of a "
            "variable, ssh://me:${LAB_PASSWORD}@host/path, in quotes; or use a key."
        )
    file = root / FILE
    with locked(file, create=True):
        content: dict[str, Any] = {key: value for key, value in address.given().items() if value}
        atomic.write_json(file, {**_read(root), name: content})


def remove_remote(root: Path, name: str) -> None:
    """Forget the name of a remote; nothing of it is deleted. Raises ConfigError for one that is not there.

    >>> add_remote(Path("."), "lab", Address.parse("ssh://me@lab/data"))
    >>> remove_remote(Path("."), "lab")
    >>> named_remotes(Path("."))
    {}
    """
    with locked(root / FILE):
        named = _read(root)
        if name not in named:
            near = did_you_mean(name, named)
            where = " REMOTE_SETTING in the config names it." if name == CONFIG else ""
            raise ConfigError(f"{FILE} has no remote {shown(name, 100)}.{where}{near} See them: rla remote")
        atomic.write_json(root / FILE, {key: value for key, value in named.items() if key != name})


def resolve(word: str | None, root: Path) -> Address:
    """Return the remote that a word means: a URL, a name, a folder; None: that of the config, or the only one.

    Raises :class:`~rla_hooks.errors.ConfigError`, with what is near.
    """
    if word is not None and looks_remote(word):
        address = Address.parse(word)
        alike = [each for each in named_remotes(root).values() if each.url == address.url]
        return alike[0] if alike and not address.password else address  # with its password and options
    known = named_remotes(root)
    if word is None:
        if CONFIG in known or len(known) == 1:
            return known.get(CONFIG) or next(iter(known.values()))
        names = f" Named: {', '.join(known)}." if known else ""
        raise ConfigError(f"no remote is given, and REMOTE_SETTING in the config has none.{names} Give one: {ALLOWED}.")
    if word in known:
        return known[word]
    if os.path.isdir(os.path.expanduser(word)):
        return Address.parse(Path(os.path.abspath(os.path.expanduser(word))).as_uri())
    near = did_you_mean(word, known) or (f" Named: {', '.join(known)}." if known else "")
    raise ConfigError(f"there is no remote {shown(word, 100)}.{near} Add it: rla remote add NAME URL. URLs: {ALLOWED}.")


def is_remote(word: str, root: Path) -> bool:
    """Whether a word means a remote, rather than a run."""
    return looks_remote(word) or word in named_remotes(root)


def _read(root: Path) -> dict[str, Any]:
    try:
        return read_json(root / FILE)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        if (root / FILE).is_file() and not (root / FILE).stat().st_size:
            return {}
        raise ConfigError(f"{shell_path(root / FILE)} cannot be read: {error}. Mend it, or remove it.") from None
