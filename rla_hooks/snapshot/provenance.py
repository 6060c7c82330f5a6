"""Records the versions behind a run: the git commit, the changes since, Python and its packages.

    code/<run name>/.rla/git.diff        `git apply` of this file to the commit restores the work tree
    code/<run name>/.rla/packages.txt    name==version, a line each

Nothing here raises or delays a run: what cannot be found out is None.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from rla_hooks.masking import mask_text
from rla_hooks.masking.files import is_secret_file
from rla_hooks.patterns import pattern
from rla_hooks.snapshot.bulk import without_data
from rla_hooks.snapshot.filestore import FileStore, readable
from rla_hooks.snapshot.git import GitCall, Patience, reason_for_silence, top_of
from rla_hooks.snapshot.head import git_folder, head_of
from rla_hooks.snapshot.masked_diff import masked_diff
from rla_hooks.snapshot.packages import packages
from rla_hooks.snapshot.sources import CACHES, is_cache, run_folders
from rla_hooks.snapshot.trees import Listing

DIFF, PACKAGES = "git.diff", "packages.txt"
MAX_DIFF = 8 * 2**20  # bytes, of the whole git.diff
MAX_FILE = 2**20  # bytes, of one untracked file
_MAX_NAMES = 60_000  # bytes of file names on git's command line
_HEADER = pattern(rb"^diff --git ", re.MULTILINE)
_STATUS_CALL = "-c status.renames=false status --porcelain=v2 --branch -z --untracked-files=no"
_DIFF_CALL = (  # so that neither the user's settings nor other programs shape the diff
    "-c color.ui=false -c diff.noprefix=false -c diff.mnemonicPrefix=false -c diff.relative=false "
    "-c diff.submodule=short -c diff.interHunkContext=0 -c core.safecrlf=false "
    "diff -O/dev/null --no-ext-diff --no-textconv --no-color --no-renames --binary --full-index "
    "--src-prefix=a/ --dst-prefix=b/ -U3 --ignore-submodules=dirty HEAD"
)


def collect(
    project_root: str | os.PathLike[str] | None, target: str | os.PathLike[str], log_root: str | os.PathLike[str]
) -> dict[str, Any]:
    """Write git.diff and packages.txt into the folder ``target`` and return the facts as plain data::

        {"git": {"commit": "4c1e...", "branch": "main", "dirty": True, "remote": "https://host/me/project.git",
                 "diff": "git.diff", "diff_complete": True},
         "python": "3.11.7", "implementation": "CPython", "platform": "Linux-6.1-x86_64",
         "packages": "packages.txt"}

    ``git`` is None outside a work tree; ``branch`` is None where HEAD is detached, ``commit`` before the
    first one. Where git does not answer, ``problem`` says why, and what is not known is None. ``dirty``: whether the
    tree differs from the commit, untracked files included. Secrets are never part of the diff. The files are shared
    with other runs through the store of ``log_root``.
    """
    return Look(project_root, log_root).facts(target)


class Look:
    """What :func:`collect` does, in two steps: git is asked at once, and answers while other things are done."""

    def __init__(self, project_root: str | os.PathLike[str] | None, log_root: str | os.PathLike[str]):
        self._store = FileStore.of(log_root)
        top = top_of(os.path.realpath(project_root)) if project_root is not None else None
        self._repository = _Repository(top, os.path.realpath(log_root)) if top is not None else None
        self.listing = self._repository.listing if self._repository else None  # for the code backup, too

    def facts(self, target: str | os.PathLike[str]) -> dict[str, Any]:
        """Write the files, and return the facts."""
        listed = "".join(f"{line}\n" for line in packages()).encode()
        return {
            "git": self._repository.describe(self._store, Path(target)) if self._repository else None,
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "platform": platform.platform(),
            "packages": _save(self._store, Path(target) / PACKAGES, listed),
        }


def without_credentials(url: str) -> str:
    """A remote's address without user, password and tokens.

    >>> without_credentials("https://me:token@host/project.git")
    'https://host/project.git'
    >>> without_credentials("git@host:project.git")
    'git@host:project.git'
    """
    if "::" in url.partition("/")[0]:
        return url.partition("::")[0] + "::"  # a helper program's own words, which may hold anything
    if "://" not in url:
        user, at, place = url.rpartition("@")
        return f"{user.partition(':')[0]}{at}{place}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("://")[0] + "://"
    user, _, host = parts.netloc.rpartition("@")
    if parts.scheme in ("ssh", "git+ssh", "ssh+git") and user:
        host = f"{user.partition(':')[0]}@{host}"
    return mask_text(urlunsplit((parts.scheme, host, parts.path, "", "")))


class _Repository:
    """One look at a work tree. ``top`` and ``log_root`` are absolute paths without links."""

    def __init__(self, top: str, log_root: str):
        self._top = top
        self._log_root = log_root
        self._patience = patience = Patience()
        self._status_call = GitCall(_STATUS_CALL.split(), top, limited=False, patience=patience)
        self.listing = Listing(top, top, CACHES, run_folders(top, log_root), limited=False, patience=patience)
        config = os.path.join(git_folder(top), "config")  # named, it is read also where git refuses the rest
        remotes = ["config", "-z", "--file", config, "--get-regexp", r"^remote\..*\.url$"]
        self._remote_call = GitCall(remotes, top, limited=False, patience=patience)

    def describe(self, store: FileStore, target: Path) -> dict[str, Any]:
        for call in (self._status_call, self._remote_call):
            call.limit()
        status = self._status_call.output()
        commit, branch, changed = _read_status(status or b"")
        listed = self.listing.output
        untracked, data = without_data(self._wanted(listed or b""), self._size)
        untracked = [path for path in untracked if not self._is_log_root(path)]
        known = status is not None and listed is not None
        about: dict[str, Any] = {
            "commit": commit,
            "branch": branch,
            "dirty": bool(changed or untracked or data) if known else None,
            "remote": _remote(self._remote_call.output() or b""),
            "diff": None,
            "diff_complete": known and not (changed or untracked or data),
        }
        if not known:
            silent = self._status_call if status is None else self.listing.call
            about["problem"] = f"the uncommitted changes are not known: {reason_for_silence(silent, self._top)}"
        if status is None:
            about["commit"], about["branch"] = head_of(self._top)
        if commit is not None and (changed or untracked or data):
            notes = [f"{_quoted(folder or '.')}/ ({count} untracked data files)" for folder, count in data]
            diff = self._diff(changed, untracked, notes)
            head = "".join(f"# left out: {note}\n" for note in notes).encode("utf-8", "backslashreplace")
            about["diff"] = _save(store, target / DIFF, head + diff, self._permissions([*changed, *untracked]))
            about["diff_complete"] = known and not notes and about["diff"] is not None
        return about

    def _wanted(self, listing: bytes) -> list[str]:
        """The untracked paths that are neither caches nor in an environment; a nested repository ends with
        "/"."""
        untracked = [line[2:] for line in listing.split(b"\0") if line.startswith(b"? ") and not line.endswith(b"/")]
        paths = sorted(map(os.fsdecode, untracked))
        environments = {os.path.dirname(path) for path in paths if os.path.basename(path) == "pyvenv.cfg"}
        skipped = tuple(f"{folder}/" for folder in environments if folder)
        return [path for path in paths if not path.startswith(skipped) and not _is_cached(path)]

    def _diff(self, changed: list[str], untracked: list[str], notes: list[str]) -> bytes:
        """What turns the commit into the tree; ``notes`` gets a line for all that is missing."""
        kept_out = []
        for path in changed:
            if is_secret_file(path):
                kept_out.append(path)
                notes.append(f"{_quoted(path)} (may hold a secret)")
            elif self._size(path) > MAX_DIFF:
                kept_out.append(path)
                notes.append(f"{_quoted(path)} (too large)")
        diff = self._tracked_diff(kept_out, notes) if len(changed) > len(kept_out) else b""
        pieces = [diff]
        room = MAX_DIFF - len(diff)
        for position, path in enumerate(untracked):
            piece, reason = self._new_file(path)
            if piece is None:
                notes.append(f"{_quoted(path)} ({reason})")
            elif len(piece) > room:
                notes.append(f"{len(untracked) - position} untracked files from {_quoted(path)} on (diff too large)")
                break
            else:
                pieces.append(piece)
                room -= len(piece)
        return masked_diff(b"".join(pieces), notes)

    def _is_log_root(self, path: str) -> bool:
        """Whether a path is a link to the log root, which git takes for a file."""
        full = os.path.join(self._top, path)
        return os.path.islink(full) and os.path.realpath(full) == self._log_root

    def _permissions(self, paths: list[str]) -> int:
        """Those of a file that holds parts of all these: a private file stays private."""
        mode = 0o444
        for path in paths:
            with suppress(OSError):  # deleted
                state = os.lstat(os.path.join(self._top, path))
                mode &= readable(state.st_mode) if stat.S_ISREG(state.st_mode) else mode
        return mode

    def _size(self, path: str) -> int:
        try:
            return os.lstat(os.path.join(self._top, path)).st_size
        except OSError:
            return 0  # deleted

    def _tracked_diff(self, kept_out: list[str], notes: list[str]) -> bytes:
        names = [f":(top,exclude,literal){path}" for path in kept_out]
        if sum(map(len, names)) > _MAX_NAMES:
            notes.append("changes of tracked files (too many may hold secrets or are too large)")
            return b""
        call = GitCall([*_DIFF_CALL.split(), "--", ":/", *names], self._top, patience=self._patience)
        diff = call.output(MAX_DIFF)
        if diff is None:
            notes.append("changes of tracked files (git gave no answer)")
            return b""
        if len(diff) == MAX_DIFF:
            sections = [match.start() for match in _HEADER.finditer(diff)]
            diff = diff[: sections[-1]] if sections else b""
            notes.append("further changes of tracked files (diff too large)")
        return diff

    def _new_file(self, path: str) -> tuple[bytes | None, str]:
        """An untracked file as a diff, or the reason why there is none."""
        if is_secret_file(path):
            return None, "may hold a secret"
        full = os.path.join(self._top, path)
        try:
            state = os.lstat(full)
            if stat.S_ISLNK(state.st_mode):
                return _addition(path, os.fsencode(os.readlink(full)), b"120000"), ""
            if not stat.S_ISREG(state.st_mode):
                return None, "no regular file"
            if state.st_size > MAX_FILE:
                return None, "too large"
            with open(full, "rb") as file:
                data = file.read(MAX_FILE + 1)
        except OSError:
            return None, "unreadable"
        if b"\0" in data:
            return None, "not text"
        return _addition(path, data, b"100755" if state.st_mode & 0o100 else b"100644"), ""


def _read_status(status: bytes) -> tuple[str | None, str | None, list[str]]:
    """Commit, branch and changed paths from `git status --porcelain=v2 --branch -z` without renames."""
    commit = branch = None
    changed = []
    for line in status.split(b"\0"):
        if line.startswith(b"# branch.oid ") and not line.endswith(b" (initial)"):
            commit = line[13:].decode("ascii", "replace")
        elif line.startswith(b"# branch.head ") and not line.endswith(b" (detached)"):
            branch = line[14:].decode("utf-8", "replace")
        elif line[:2] in (b"1 ", b"u "):
            changed.append(os.fsdecode(line.split(b" ", 8 if line[:1] == b"1" else 10)[-1]))
    return commit, branch, changed


def _remote(listing: bytes) -> str | None:
    """The address of origin, else of the first remote."""
    urls: dict[str, str] = {}
    for line in listing.decode("utf-8", "replace").split("\0"):
        key, _, url = line.partition("\n")
        if url:
            urls.setdefault(key, url)
    if not urls:
        return None
    return without_credentials(urls.get("remote.origin.url") or next(iter(urls.values())))


def _is_cached(path: str) -> bool:
    *folders, name = path.split("/")
    return is_cache(name, False) or any(is_cache(folder, True) for folder in folders)


def _addition(path: str, data: bytes, mode: bytes) -> bytes:
    """A diff that `git apply` reads as a new file."""
    old, new = _quoted("a/" + path).encode("ascii"), _quoted("b/" + path).encode("ascii")
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest().encode()
    head = b"diff --git %s %s\nnew file mode %s\nindex %s..%s\n" % (old, new, mode, b"0" * 40, blob)
    if not data:
        return head
    lines = data.split(b"\n")
    whole = lines[-1] == b""
    if whole:
        lines.pop()
    body = b"".join(b"+%s\n" % line for line in lines)
    end = b"" if whole else b"\\ No newline at end of file\n"
    # Git ends a name with a tab where a blank in it could be taken for the start of a date.
    tab = b"\t" if b" " in new else b""
    return head + b"--- /dev/null\n+++ %s%s\n@@ -0,0 +1,%d @@\n%s%s" % (new, tab, len(lines), body, end)


def _quoted(path: str) -> str:
    """A path as git writes it: plain, or in C's quotes where it holds more than printable ASCII."""
    special = {byte: f"\\{letter}" for byte, letter in zip(b'\a\b\t\n\v\f\r"\\', 'abtnvfr"\\')}
    text = "".join(
        special.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in os.fsencode(path)
    )
    return text if text == path else f'"{text}"'


def _save(store: FileStore, path: Path, data: bytes, mode: int = 0o444) -> str | None:
    """The file's name, or None where the disk refused."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        store.put_bytes(data, path, mode)
    except OSError:
        return None
    return path.name
