"""Where a log root on another machine is: an address, as REMOTE_SETTING or a URL gives it.

    ssh://me@host:22/data/rla_data     sftp:// is the same
    ftp://me@host/rla_data             without TLS, which is warned of
    ftps://me@host/rla_data
    s3://bucket/rla_data, gs://bucket/rla_data
    file:///mnt/nas/rla_data           a folder that is mounted here

A password is given as ``${NAME}``, an environment variable, which is read only while a connection is made. One that is
written out is kept in memory, and in no text, copy or pickle of the address.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from rla_hooks.config import checks
from rla_hooks.config.remote_setting import ALLOWED, LIKE_SCP
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.masking import is_secret_name, mask_text, mask_value

PROTOCOLS = ("ssh", "sftp", "ftp", "ftps", "s3", "gs", "file")
_HOSTED = ("ssh", "ftp", "ftps")
_LIKE_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]{1,9}):(/{1,3})(?=[^/]|$)")


class Address:
    """Where a log root is. ``password`` and ``options`` are as they were given, with ``${NAME}`` in them.

    >>> address = Address.parse("ssh://me:${LAB_PASSWORD}@lab:2222/data/rla_data")
    >>> address.protocol, address.host, address.port, address.path
    ('ssh', 'lab', 2222, '/data/rla_data')
    >>> str(address)
    'ssh://me@lab:2222/data/rla_data'
    """

    def __init__(
        self,
        protocol: str,
        path: str,
        host: str | None = None,
        port: int | None = None,
        username: str | None = None,
        password: str | None = None,
        options: Mapping[str, Any] | None = None,
    ):
        for name, text in (("host", host), ("username", username)):
            if text is not None and (text.startswith("-") or not text.isprintable() or " " in text):
                raise ConfigError(
                    f"the {name} of the remote is {text!r}. Allowed: a name without blanks or - in front."
                )
        self.protocol, self.path, self.host, self.port, self.username = protocol, path, host, port, username
        self.password, self.options = password, dict(options or {})

    @classmethod
    def parse(cls, url: str, options: Mapping[str, Any] | None = None) -> Address:
        """Return the address that a URL names. Raises :class:`~rla_hooks.errors.ConfigError`, without its password.

        options: further arguments of the file system that fsspec makes: ``{"client_keys": ["~/.ssh/lab"]}`` of ssh.
        ``host:path``, as scp has it, is an address of ssh.
        """
        if not isinstance(url, str) or not url.strip():
            raise ConfigError(f"the remote is {url!r}. Allowed: {ALLOWED}.")
        url = _as_url(url)
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigError(f"the remote {mask_text(url)!r} is no URL: {error}. Allowed: {ALLOWED}.") from None
        protocol = "ssh" if parts.scheme == "sftp" else parts.scheme
        if protocol not in PROTOCOLS:
            near = did_you_mean(protocol, PROTOCOLS)
            raise ConfigError(f"the remote {mask_text(url)!r} has no known protocol.{near} Allowed: {ALLOWED}.")
        path = unquote(parts.path)
        if protocol in ("s3", "gs"):
            path = f"{parts.netloc.rpartition('@')[2]}{path}".rstrip("/")
            host = port = None
        if protocol == "file":
            path, host = os.path.abspath(path), None
        if not path.strip("/") or (protocol in _HOSTED and not host):
            raise ConfigError(
                f"the remote {mask_text(url)!r} names no {'folder' if host else 'host'}. Allowed: {ALLOWED}."
            )
        user, password = (unquote(each) if each else None for each in (parts.username, parts.password))
        return cls(protocol, _of_home(path), host, port, user, password, options)

    @classmethod
    def of_setting(cls, setting: Mapping[str, Any]) -> Address:
        """Return the address in a config's REMOTE_SETTING: ``url`` and ``options``, or RLA's keys.

        Raises :class:`~rla_hooks.errors.ConfigError` with what is missing.

        >>> setting = {"ftp_server": "lab", "username": "me", "password": "${LAB}", "port": 21}
        >>> str(Address.of_setting({**setting, "remote_data_root": "/data", "file_transfer_protocol": "ftp"}))
        'ftp://me@lab:21/data'
        """
        given = {key: value for key, value in setting.items() if value not in (None, "")}
        options = given.get("options")
        if "url" in given:
            address = cls.parse(given["url"], options)
            for key in ("username", "password", "port"):
                if key in given:
                    setattr(address, key, given[key])
            return address
        root = given.get("remote_data_root") or given.get("remote_log_root")
        if "ftp_server" not in given or not root:
            lacking = "ftp_server" if "ftp_server" not in given else "remote_data_root"
            raise ConfigError(f"REMOTE_SETTING has neither url nor {lacking}. Give url: {ALLOWED}.")
        protocol = {"sftp": "ssh"}.get(given.get("file_transfer_protocol", "ftp"), "ftp")
        user, password = given.get("username"), given.get("password")
        return cls(protocol, root, given["ftp_server"], given.get("port"), user, password, options)

    def with_secrets(self) -> dict[str, Any]:
        """Return ``username``, ``password`` and the options as they are to be used: the variables are read now.

        Raises :class:`~rla_hooks.errors.ConfigError` for a variable that is not there.
        """
        return {"username": self.username, "password": _expanded(self.password), **_expanded(self.options)}

    def secrets(self) -> Iterator[str]:
        """Yield the secrets that are known now, to be masked where a library says them."""
        try:
            values = self.with_secrets()
        except ConfigError:
            return
        for name, value in values.items():
            if isinstance(value, str) and len(value) > 2 and is_secret_name(name):
                yield value

    def has_plain_secret(self) -> bool:
        """Whether a secret is written out in it, rather than as the name of a variable."""
        given = {"password": self.password, **self.options}
        return bool(mask_value("remote", given) != given)

    @property
    def url(self) -> str:
        """The address as a URL, without the password."""
        user = f"{quote(self.username)}@" if self.username and self.host else ""
        port = f":{self.port}" if self.port else ""
        if self.host:
            place = f"{user}{self.host}{port}/{'' if self.path.startswith('/') else '~/'}"
        else:
            place = "/" if self.protocol == "file" else ""
        return f"{self.protocol}://{place}{quote(self.path.lstrip('/'), safe='/~')}"

    def given(self) -> dict[str, Any]:
        """Return what makes the same address again by :meth:`of_setting`, secrets included: for a pipe, not a file."""
        return {"url": self.url, "password": self.password, "options": self.options}

    def __str__(self) -> str:
        return self.url

    def __repr__(self) -> str:
        return f"Address({self.url!r})"

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__}
        is_plain = mask_value("password", self.password) != self.password
        state["password"] = None if is_plain else self.password
        state["options"] = mask_value("options", self.options)
        return state


def looks_remote(text: str) -> bool:
    """Whether a word is an address, rather than the name of a folder, a run, or a remote that was added.

    >>> looks_remote("ssh://host/data"), looks_remote("lab:/data"), looks_remote("rla_data"), looks_remote("lr=0.1")
    (True, True, False, False)
    """
    match = _LIKE_URL.match(text)
    return bool(match and match[1] in PROTOCOLS) or bool(LIKE_SCP.match(text) and not os.path.exists(text))


def _as_url(text: str) -> str:
    """An address of scp, or one that a path has been made of, which has one slash for two, as a URL."""
    match = _LIKE_URL.match(text)
    if match and match[1] in PROTOCOLS:
        slashes = "///" if match[1] == "file" else "//"
        return f"{match[1]}:{slashes}{text[match.end() :].lstrip('/')}"
    if LIKE_SCP.match(text) and "://" not in text:
        host, _, path = text.partition(":")
        return f"ssh://{host}{path if path.startswith('/') else f'/~/{path}'}"
    return text


def _of_home(path: str) -> str:
    """A path from the home folder, ``/~/runs``, as the servers take it: relative."""
    return path[3:] if path.startswith("/~/") else path


def _expanded(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return checks.with_variables(value)
        except checks.Mistake as mistake:
            raise ConfigError(f"the remote {mistake}") from None
    if isinstance(value, Mapping):
        return {key: _expanded(each) for key, each in value.items()}
    return [*map(_expanded, value)] if isinstance(value, list) else value
