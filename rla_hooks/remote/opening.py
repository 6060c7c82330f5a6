"""Connects to a remote: as a file system of fsspec, with the key of the host, or its certificate, checked."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from rla_hooks.errors import ConfigError, WarnOnce
from rla_hooks.remote.address import Address
from rla_hooks.remote.errors import RemoteError, remote_error
from rla_hooks.remote.place import Place

TIMEOUT = 20  # seconds for a connection to come about
_ALIVE = 15  # seconds of silence after which ssh asks whether the other end is there
# What turns the check of a host's key off, or runs a command: never taken from a config.
_REFUSED = {"known_hosts": (None, "", "none"), "host_key_policy": None, "proxy_command": None, "verify": (False,)}
_warn = WarnOnce()
_PACKAGES = {"ssh": "sshfs", "s3": "s3fs", "gs": "gcsfs"}


def open_remote(address: Address) -> Place:
    """Return the log root at an address. Raises :class:`~rla_hooks.remote.RemoteError`, and ConfigError for options.

    A host whose key is unknown, or another one than before, is refused, and so is a certificate that is not trusted.

    >>> place = open_remote(Address.parse("file:///tmp/no/such/root"))
    >>> place.names()
    set()
    """
    _check(address)
    given = {key: value for key, value in address.with_secrets().items() if value is not None}
    try:
        fs, root = _OPENERS[address.protocol](address, given)
    except ImportError as error:
        package = _PACKAGES.get(address.protocol, "fsspec")
        raise ConfigError(
            f"{address} needs the package {package} ({error}). Install it: pip install 'rla-hooks[remote]' {package}"
        ) from None
    except Exception as error:
        raise remote_error(address, error) from None
    if address.protocol in ("ftp", "ftps"):
        from rla_hooks.remote.ftp import FtpPlace

        return FtpPlace(address, fs, root)
    return Place(address, fs, root)


def _check(address: Address) -> None:
    for name, values in _REFUSED.items():
        if name in address.options and (values is None or address.options[name] in values):
            raise ConfigError(
                f"the option {name} of {address} is {address.options[name]!r}, which would let any machine pose as it. "
                "Take it out. A key of a host is accepted by: ssh-keyscan HOST >> ~/.ssh/known_hosts"
            )


def _ssh(address: Address, given: dict[str, Any]) -> tuple[Any, str]:
    import asyncssh
    from sshfs import SSHFileSystem

    # sshfs turns the check of the host's key off unless it is told of one; () are the files of OpenSSH.
    options = {"known_hosts": (), "connect_timeout": TIMEOUT, "login_timeout": TIMEOUT, "keepalive_interval": _ALIVE}
    options |= {"skip_instance_cache": True} | given
    if address.port:
        options["port"] = address.port
    given_files, config = options["known_hosts"], options.get("config", ())
    found = asyncssh.SSHClientConnectionOptions(host=address.host, config=config, known_hosts=given_files)
    if found.known_hosts is None:  # asyncssh would let any machine pose as it
        raise RemoteError(
            f"{address}: ~/.ssh/config turns the check of its key off (UserKnownHostsFile none). Name a file there, or "
            "give the option known_hosts"
        )
    return SSHFileSystem(address.host, **options), address.path


def _ftp(address: Address, given: dict[str, Any]) -> tuple[Any, str]:
    from fsspec.implementations.ftp import FTPFileSystem

    context: ssl.SSLContext | None = None
    if address.protocol == "ftps":
        context = ssl.create_default_context(cafile=given.pop("ca_file", None))  # ftplib by itself checks nothing
    else:
        _warn("ftp", f"{address}: FTP without TLS shows the password and the files to the network. ftps:// hides them.")

    class CheckedFTP(FTPFileSystem):  # type: ignore[misc]  # fsspec has no types
        def _connect(self) -> None:
            import ftplib

            kind: Any = ftplib.FTP if context is None else ftplib.FTP_TLS
            more = {} if context is None else {"context": context}
            self.ftp = kind(timeout=self.timeout, encoding=self.encoding, **more)
            self.ftp.connect(self.host, self.port)
            self.ftp.login(*self.cred)

    options = {"timeout": TIMEOUT, "skip_instance_cache": True, "use_listings_cache": False} | given
    fs = CheckedFTP(address.host, port=address.port or 21, tls=context is not None, **options)
    home = fs.ftp.pwd().rstrip("/")
    return fs, address.path if address.path.startswith("/") else f"{home}/{address.path}"


def _bucket(address: Address, given: Mapping[str, Any]) -> tuple[Any, str]:
    import fsspec

    options = {"skip_instance_cache": True, "use_listings_cache": False, **given}
    if address.protocol == "s3":
        options = {
            name: options[key] for key in options if (name := {"username": "key", "password": "secret"}.get(key, key))
        }
    fs, bucket = fsspec.filesystem(address.protocol, **options), address.path.partition("/")[0]
    if not fs.exists(bucket):
        raise RemoteError(f"{address}: there is no bucket {bucket!r}, or these credentials may not see it")
    return fs, address.path


def _folder(address: Address, given: Mapping[str, Any]) -> tuple[Any, str]:
    from fsspec.implementations.local import LocalFileSystem

    return LocalFileSystem(skip_instance_cache=True), address.path


_OPENERS = {"ssh": _ssh, "ftp": _ftp, "ftps": _ftp, "s3": _bucket, "gs": _bucket, "file": _folder}
