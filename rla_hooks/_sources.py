"""Finds the files of a project that belong into a code backup.

:func:`find` walks one folder and yields what to copy; what a person should know was left out goes into a dict
of reasons. What is never code (caches, environments) and what git ignores is passed over in silence.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rla_hooks._git import GitCall, exclude_file, is_repository, top_of
from rla_hooks._gitignore import Rules, read_rules
from rla_hooks.filestore import STORE

SECRET, UNREADABLE, LINK, SPECIAL = "secret", "unreadable", "link", "special file"
RLA_TREES = ("log", "results", "checkpoint", "code", "archive_tester")
# "venv" alone is no reason: people also name their vectorised environments so. pyvenv.cfg tells.
_CACHES = frozenset(
    ".git .hg .svn __pycache__ .venv node_modules .mypy_cache .pytest_cache .ruff_cache .ipynb_checkpoints "
    ".tox .nox .hypothesis .eggs .rla".split()
)
_ENVIRONMENTS = frozenset(["pyvenv.cfg", "conda-meta"])
_SECRET_FOLDERS = frozenset([".aws", ".ssh", ".gnupg", ".kube", ".docker", ".azure", ".gcloud"])
_SECRETS = (
    ".env .env.* *.env .envrc *.pem *.key *.p12 *.pfx *.keystore *.jks *.ppk *.kdbx id_rsa id_dsa id_ecdsa "
    "id_ed25519 .netrc _netrc .npmrc .pypirc .pgpass .my.cnf .s3cfg .boto .dockercfg .git-credentials "
    ".htpasswd kubeconfig "
    "credentials credentials.* .credentials secret secrets secret.* secrets.* service-account*.json "
    "service_account*.json client_secret*.json application_default_credentials.json"
).split()
_NO_SECRETS = (
    ".env.example .env.sample .env.template example.env sample.env template.env "
    "credentials.py secret.py secrets.py credentials.pyi secret.pyi secrets.pyi credentials.pyx secret.pyx "
    "secrets.pyx"
).split()
_SOURCE_SUFFIXES = frozenset(
    ".py .pyx .pxd .pyi .yaml .yml .toml .cfg .ini .json .sh .bash .bat .ps1 .md .rst .txt .ipynb .gin .xml "
    ".urdf .mjcf .c .cc .cpp .cxx .h .hh .hpp .cu .cuh .rs .go .jl .lua .m .r .java .js .ts .proto .cmake "
    ".conf .jsonnet .libsonnet .jinja .j2 .sql".split()
)
_SOURCE_NAMES = frozenset("makefile dockerfile license cmakelists.txt".split())


def _one_of(globs: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(glob).replace(r"\*", ".*") for glob in globs), re.DOTALL)


_IS_SECRET = _one_of(_SECRETS)
_IS_NO_SECRET = _one_of(_NO_SECRETS)


def is_secret(name: str) -> bool:
    """Whether a file of this name (its last part) may hold a password or a key.

    >>> is_secret(".env"), is_secret(".env.example"), is_secret("id_rsa.pub")
    (True, False, False)
    """
    name = name.lower()
    return bool(_IS_SECRET.fullmatch(name)) and not _IS_NO_SECRET.fullmatch(name)


def is_cache(name: str, folder: bool) -> bool:
    """Whether a folder or file of this name is made by tools and never a part of the source."""
    if folder:
        return name in _CACHES or name.endswith(".egg-info")
    return name.endswith((".pyc", ".pyo")) or name == ".git"


def is_secret_folder(name: str) -> bool:
    """Whether a folder of this name holds keys by custom (``.ssh``, ``.aws``)."""
    return name.lower() in _SECRET_FOLDERS


def is_source(name: str) -> bool:
    """Whether a file's name looks like something a person wrote; asked only where no project says what is
    source."""
    return os.path.splitext(name)[1].lower() in _SOURCE_SUFFIXES or name.lower() in _SOURCE_NAMES


class Found(NamedTuple):
    """A file to back up: where its content is, its path relative to the walk's start, its size in bytes."""

    source: str
    relative: str
    size: int


@dataclass
class Search:
    """What one backup looks for. ``project`` and ``log_root`` are absolute paths without links."""

    project: str
    log_root: str
    max_bytes: float
    too_large: str = "too large"  # the reason written for files over max_bytes
    ignore: Sequence[bytes] = ()  # lines in git's notation, stronger than git's own and than tracking
    sources_only: bool = False  # no project marker: only packages and files that look like source
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def find(self, start: str, shown: str = "") -> Iterator[Found]:
        """The files to back up in the folder ``start``, or the file ``start`` itself, in the order of their
        names.

        ``start`` was asked for by name, so rules that match it or a folder above it do not count.
        ``shown`` stands before the relative paths in ``left_out``.
        """
        if os.path.isfile(start):
            yield from self._file(start, "", os.path.basename(start), shown)
            return
        base = self.project if _is_inside(start, self.project) else start
        extra = Rules(self.ignore, _key(base))
        top = top_of(start)
        repository = _Repository(top, start) if top else _NO_REPOSITORY
        rules = _rules_above(start, top or base, repository) + repository.rules
        skipped = {os.path.join(self.log_root, tree) for tree in RLA_TREES}
        if not _is_inside(start, self.log_root):
            skipped.add(self.log_root)
        stack = [_Folder(start, "", False, rules, repository)]
        while stack:
            below: list[_Folder] = []
            for step in self._folder(stack.pop(), extra, skipped, shown):
                if isinstance(step, _Folder):
                    below.append(step)
                else:
                    yield step
            stack.extend(reversed(below))

    def _folder(
        self, folder: _Folder, extra: Rules, skipped: set[str], shown: str
    ) -> Iterator[_Folder | Found]:
        try:
            with os.scandir(folder.path) as listing:
                entries = {entry.name: entry for entry in sorted(listing, key=lambda entry: entry.name)}
        except OSError:
            self._leave(UNREADABLE, shown, folder.relative + "/")
            return
        if folder.relative:
            if not _ENVIRONMENTS.isdisjoint(entries) or (self.sources_only and "__init__.py" not in entries):
                return
            if STORE in entries and os.path.basename(folder.path) == "code":
                return  # the code of all runs of another log root
            if ".git" in entries and is_repository(folder.path):
                repository = _Repository(folder.path, folder.path)
                folder = folder._replace(ignored=False, rules=repository.rules, repository=repository)
        if not folder.ignored and ".gitignore" in entries:
            own = read_rules(
                entries[".gitignore"].path, _key(folder.path), folder.repository.ignore_case, follow=False
            )
            folder = folder._replace(rules=[own, *folder.rules] if own else folder.rules)
        # Another log root, of another config or made by RLA itself.
        old_runs = RLA_TREES if {"archive_tester", "code", "log"}.issubset(entries) else ()
        for name, entry in entries.items():
            path = os.path.join(folder.path, name)
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_cache(name, is_folder) or path in skipped or (is_folder and name in old_runs):
                continue
            ignored = folder.ignores(path, name, is_folder, extra)
            if ignored is None:
                continue
            relative = f"{folder.relative}/{name}" if folder.relative else name
            if not is_folder:
                yield from self._file(path, relative, name, shown)
            elif is_secret_folder(name):
                self._leave(SECRET, shown, relative + "/")
            else:
                yield _Folder(path, relative, ignored, folder.rules, folder.repository)

    def _file(self, path: str, relative: str, name: str, shown: str) -> Iterator[Found]:
        try:
            state = os.lstat(path)
            if self.sources_only and relative and not is_source(name):
                return
            if is_secret(name):
                return self._leave(SECRET, shown, relative)
            if stat.S_ISLNK(state.st_mode):
                target = self._link_target(path)
                if target is None:
                    return self._leave(LINK, shown, relative)
                path, state = target, os.stat(target)
            if not stat.S_ISREG(state.st_mode):
                return self._leave(SPECIAL, shown, relative)
            if state.st_size > self.max_bytes:
                return self._leave(self.too_large, shown, relative)
        except OSError:
            return self._leave(UNREADABLE, shown, relative)
        yield Found(path, relative, state.st_size)

    def _link_target(self, path: str) -> str | None:
        """The regular file a link leads to, where it is one that could itself be backed up."""
        target = os.path.realpath(path, strict=True)
        if not _is_inside(target, self.project) or not os.path.isfile(target):
            return None
        if _is_inside(target, self.log_root) and not _is_inside(self.project, self.log_root):
            return None
        *folders, name = os.path.relpath(target, self.project).split(os.sep)
        hidden = any(is_cache(part, True) or is_secret_folder(part) for part in folders)
        return None if hidden or is_cache(name, False) or is_secret(name) else target

    def _leave(self, reason: str, shown: str, relative: str) -> None:
        self.left_out.setdefault(reason, []).append("/".join(part for part in (shown, relative) if part))


class _Folder(NamedTuple):
    """A folder still to be walked. In an ignored one only tracked files count."""

    path: str
    relative: str
    ignored: bool
    rules: list[Rules]  # the nearest file first
    repository: _Repository

    def ignores(self, path: str, name: str, is_folder: bool, extra: Rules) -> bool | None:
        """None: leave it out. True: a folder that is ignored but holds tracked files. False: take it."""
        key, part = _key(path), os.fsencode(name)
        wanted = extra.ignores(key, part, is_folder)
        if wanted:
            return None
        tracked = key in self.repository.tracked
        if tracked or wanted is False:
            return False
        ignored = self.ignored
        if not ignored:
            for rules in self.rules:
                said = rules.ignores(key, part, is_folder)
                if said is not None:
                    ignored = said
                    break
        if not ignored:
            return False
        return True if is_folder and key in self.repository.tracked_folders else None


class _Repository:
    """What git knows beside the .gitignore files: tracked files below ``start``, info/exclude, the user's own
    excludes."""

    def __init__(self, top: str, start: str):
        self.tracked: set[bytes] = set()
        self.tracked_folders: set[bytes] = set()
        self.ignore_case = False
        self.rules: list[Rules] = []
        if not top:
            return
        listing = GitCall(["ls-files", "-z"], start)
        settings = GitCall(["config", "-z", "--get-regexp", r"^core\.(excludesfile|ignorecase)$"], top)
        excludes = os.path.join(
            os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "git", "ignore"
        )
        for line in (settings.output() or b"").split(b"\0"):
            key, _, value = line.partition(b"\n")
            if key == b"core.ignorecase":
                self.ignore_case = value.lower() in (b"true", b"yes", b"on", b"1") or line == key
            elif key == b"core.excludesfile":
                excludes = os.path.join(top, os.path.expanduser(os.fsdecode(value))) if value else ""
        found = [
            read_rules(path, _key(top), self.ignore_case) for path in (exclude_file(top), excludes) if path
        ]
        self.rules = [rules for rules in found if rules]
        self._read_tracked(listing.output() or b"", _key(start))

    def _read_tracked(self, listing: bytes, start: bytes) -> None:
        self.tracked = {start + b"/" + path for path in listing.split(b"\0") if path}
        for path in self.tracked:
            while (path := path[: path.rfind(b"/")]) not in self.tracked_folders and len(path) > len(start):
                self.tracked_folders.add(path)


_NO_REPOSITORY = _Repository("", "")


def _rules_above(start: str, top: str, repository: _Repository) -> list[Rules]:
    """The .gitignore files of the folders above ``start`` up to ``top``, the nearest first."""
    found = []
    while start != top and (above := os.path.dirname(start)) != start:
        start = above
        found.append(
            read_rules(os.path.join(start, ".gitignore"), _key(start), repository.ignore_case, follow=False)
        )
    return [rules for rules in found if rules]


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _key(path: str) -> bytes:
    """A path as git writes it."""
    return os.fsencode(path if os.sep == "/" else path.replace(os.sep, "/"))
