"""What another machine, or the way to it, complains of: one line, without a secret."""

from __future__ import annotations

import errno
import socket

from rla_hooks.errors import RLAError
from rla_hooks.masking import MASK, mask_text
from rla_hooks.patterns import pattern
from rla_hooks.remote.address import Address
from rla_hooks.texts import cut, printable

_REFUSALS = ("530", "Permission denied for user")  # of FTP, of asyncssh
_PORTS = {"ssh": 22, "ftp": 21, "ftps": 21}
_FULL = pattern(r"(?i)no space left|quota exceeded|exceeded storage|^452|^552")
_LONGEST = 300  # characters of what a library says


class RemoteError(RLAError):
    """A remote that cannot be reached, read or written. The text is one line, in which no secret stands.

    >>> from rla_hooks.remote import Address
    >>> from rla_hooks.remote.opening import open_remote
    >>> try:
    ...     open_remote(Address.parse("ssh://127.0.0.1:9/runs")).names()
    ... except RLAError as error:
    ...     print(type(error).__name__)
    RemoteError
    """


def remote_error(address: Address, error: BaseException) -> RemoteError:
    """Return what is to be raised in place of an error of a library, by what is wrong."""
    if isinstance(error, RemoteError):
        return error
    return RemoteError(f"{address}: {_cause(address, error)}")


def _cause(address: Address, error: BaseException) -> str:
    kind, text = type(error).__name__, said(address, error)
    host = f"[{address.host}]:{address.port}" if address.port not in (None, 22) else address.host
    if kind == "HostKeyNotVerifiable":
        port = f"-p {address.port} " if address.port not in (None, 22) else ""
        return (
            f"the key of the host {host} is not known, or has changed ({text}). Nothing was sent. If it is the right "
            f"machine, take its old key out by: ssh-keygen -R {host!r}; and accept the new one by: "
            f"ssh-keyscan {port}{address.host} >> ~/.ssh/known_hosts"
        )
    if kind in ("PermissionDenied", "AuthenticationError", "AuthFailed") or text.startswith(_REFUSALS):
        who = f" for the user {address.username}" if address.username else ""
        return f"the server refuses the key or the password{who} ({text}). Check username, password and keys"
    if isinstance(error, socket.gaierror):
        return f"there is no host {address.host!r}. Check its name, and the network"
    if isinstance(error, ConnectionRefusedError):
        at = f"on port {address.port or _PORTS[address.protocol]}" if address.protocol in _PORTS else f"({text})"
        return f"nobody answers {at}. Does the server run there?"
    if isinstance(error, TimeoutError):
        return "no answer in time. Check the network and the port"
    if (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or _FULL.search(text):
        return "its disk, or the quota there, is full. Make room, and give the command again: it goes on"
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return "a file is larger than the disk that it is written to (FAT32: 4 GB), or ulimit -f, allows"
    if (isinstance(error, OSError) and error.errno == errno.EROFS) or "Read-only file system" in text:
        return "its disk is read-only. Nothing can be written there; what is there can be fetched"
    if text == "Failure":  # all that SFTP can say
        return "the server says only Failure: look there whether its disk is full (df -h), over a quota, or read-only"
    if isinstance(error, PermissionError) or kind == "SFTPPermissionDenied":
        return f"this user may not read or write there ({text})"
    if "NoSuchBucket" in text or "specified bucket does not exist" in text:
        return f"there is no bucket {address.path.partition('/')[0]!r}"
    return text


def said(address: Address, error: BaseException) -> str:
    """Return what an error says, in one line, with its secrets masked."""
    text = " ".join(str(error).split()) or type(error).__name__
    for secret in address.secrets():
        text = text.replace(secret, MASK)
    return cut(printable(mask_text(text)), _LONGEST)
