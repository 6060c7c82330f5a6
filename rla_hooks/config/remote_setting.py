"""What is wrong with a config whose runs are to send themselves: told before the training starts."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from rla_hooks.masking import mask_text
from rla_hooks.patterns import pattern

if TYPE_CHECKING:
    from rla_hooks.config.reading import Config

ALLOWED = "ssh://host/path, sftp://, ftp://, ftps://, s3://bucket/path, gs://bucket/path, file:///path"
LIKE_SCP = pattern(r"([\w.+-]+@)?[\w.-]{2,}:[^/\\]|([\w.+-]+@)?[\w.-]{2,}:/(?!/)")
_URL = pattern(r"(ssh|sftp|ftps?)://[^/]+/.|(s3|gs)://.|file:/+.")


def remote_problems(config: Config) -> list[str]:
    """Return a line for each thing that is missing, if SEND_LOG_FILE is true: the address, packages.

    >>> from rla_hooks.config import load
    >>> remote_problems(load({"SEND_LOG_FILE": True}))
    ['SEND_LOG_FILE is true, and REMOTE_SETTING names no remote. Give its url, such as ssh://me@host/data/rla_data.']
    """
    if not config.send_log_file:
        return []
    remote = config.remote
    root = remote.get("remote_data_root") or remote.get("remote_log_root")
    url = remote.get("url") or ""
    if not url and not (remote.get("ftp_server") and root):
        return [
            "SEND_LOG_FILE is true, and REMOTE_SETTING names no remote. Give its url, such as ssh://me@host/data/rla_data."
        ]
    if url and not _URL.match(url) and (not LIKE_SCP.match(url) or "://" in url):
        shown = mask_text(url)
        return [f"SEND_LOG_FILE is true, and the url of REMOTE_SETTING is {shown!r}. Allowed: {ALLOWED}."]
    of_url = url.startswith(("ssh:", "sftp:")) or "://" not in url
    is_ssh = of_url if url else remote.get("file_transfer_protocol") == "sftp"
    lacking = [name for name in ("fsspec", "sshfs")[: 1 + is_ssh] if importlib.util.find_spec(name) is None]
    if lacking:
        return [
            f"SEND_LOG_FILE is true, which needs {' and '.join(lacking)}. Install: pip install 'rla-hooks[remote]'."
        ]
    return []
