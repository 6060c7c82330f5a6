"""Lists the files of a project that git would not ignore: by git in a work tree, by pathspec elsewhere.

A tree answers ``names(folder)`` for its own folder, and then for each folder among the names of one above.
"""

from __future__ import annotations

import functools
import os
import re
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from rla_hooks.snapshot.git import GitCall, Patience, below, excludes, is_repository, top_of

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


class Rules(NamedTuple):
    """The lines of one .gitignore, as pathspec reads them."""

    base: str  # the folder they are relative to
    for_files: GitIgnoreSpec
    for_folders: GitIgnoreSpec

    @classmethod
    def of(cls, base: str, lines: Iterable[str]) -> Rules:
        """Read lines; as git does, pass over those that make no sense."""
        from pathspec import GitIgnoreSpec  # costs some 20 ms, and in a work tree nobody needs it

        for_files: list[Any] = []
        for_folders: list[Any] = []
        for line in lines:
            bare = line.rstrip(" ")
            with suppress(ValueError, re.error):
                # Pathspec ranks a match of "x/" lower than any other: with "*", "!*/" all folders would be lost.
                for_folders += GitIgnoreSpec.from_lines([bare[:-1] if bare.endswith("/") else line]).patterns
                for_files += GitIgnoreSpec.from_lines([line]).patterns
        return cls(base, GitIgnoreSpec(for_files), GitIgnoreSpec(for_folders))


class Listing:
    """The files of a work tree, as ``git ls-files -t -z`` lists them: asked for at once, and once for all readers.

    ``caches`` and ``skipped`` as in :func:`tree_of`.
    """

    def __init__(
        self,
        start: str,
        top: str,
        caches: Iterable[str],
        skipped: Iterable[str],
        limited: bool = True,
        patience: Patience | None = None,
    ):
        self.start = start
        self.patience = patience or Patience()
        caches = set(caches).difference(start.split(os.sep))
        options = ["--cached", "--others", "--exclude-standard", *excludes(top, caches, skipped)]
        self.call = GitCall(["ls-files", "-t", "-z", *options], start, limited=limited, patience=self.patience)
        self._is_limited = limited

    @functools.cached_property
    def output(self) -> bytes | None:
        """What git printed; None where it failed."""
        if not self._is_limited:
            self.call.limit()
        return self.call.output()


def tree_of(
    start: str,
    base: str,
    caches: Iterable[str] = (),
    skipped: Iterable[str] = (),
    listing: Listing | None = None,
) -> GitTree | PatternTree:
    """The tree below the folder ``start``, which counts as asked for: rules that match it itself do not hold.

    Outside a work tree, .gitignore files hold from the folder ``base`` down, which is ``start`` or above it.
    ``caches`` (names of folders) and ``skipped`` (paths) need not be looked into, though they may be listed.
    ``listing``: of a work tree that git was asked for already; where git hangs there, it is not waited for here.
    """
    top = top_of(start)
    if top is None:
        return PatternTree(start, base)
    patience = listing.patience if listing is not None else Patience()
    # In a folder that it ignores git would list only what it tracks.
    ignores = ["check-ignore", "-q", "--no-index", "."]
    if start == top or GitCall(ignores, start, patience=patience).output() is None:
        if listing is None or listing.start != start:
            listing = Listing(start, top, caches, skipped, patience=patience)
        if listing.output is not None:
            return GitTree(start, listing.output)
    return PatternTree(start, top)


class GitTree:
    """The files that git itself keeps: the tracked ones, and others that its rules do not ignore."""

    def __init__(self, start: str, listing: bytes):
        self._start = start
        self._tracked: dict[str, set[str]] = {"": set()}
        self._folders: dict[str, set[str]] = {"": set()}
        self._repositories: set[str] = set()
        for line in map(os.fsdecode, listing.split(b"\0")):
            path = line[2:].rstrip("/")  # after a letter and a blank; "?" is what git does not track
            _enter(path, self._folders)
            if line.endswith("/"):
                self._repositories.add(path)
            if line[:1] != "?":
                _enter(path, self._tracked)

    def names(self, folder: str) -> set[str] | None:
        """The names in a folder; None for another repository, which git lists by its name alone."""
        return self._folders.get(below(folder, self._start))

    def tracked(self, folder: str) -> set[str]:
        """Those of the names that git tracks, or that have something tracked below them."""
        return self._tracked.get(below(folder, self._start), set())

    def is_folder(self, path: str) -> bool:
        short = below(path, self._start)
        return short in self._folders or short in self._repositories


def _enter(path: str, folders: dict[str, set[str]]) -> None:
    """Add a path, and the folders above it, to the names in each folder."""
    while path:
        folder, _, name = path.rpartition("/")
        names = folders.setdefault(folder, set())
        if name in names:
            break
        names.add(name)
        path = folder


class PatternTree:
    """The files where git cannot be asked, by the .gitignore files from the folder ``base`` down.

    This is git's way but for odd patterns ([[:alpha:]], "?" for half of a letter), and but for "!name" in a nested
    file, which brings back all below the folder, where git would ask the outer rules again. What is tracked is
    not known. Where the rules above ignore ``start``, only those within it hold.
    """

    def __init__(self, start: str, base: str):
        self._start = start
        rules: list[Rules] = []
        above = base
        for part in below(start, base).split("/"):
            if above != start:
                rules = rules + _rules_in(above)
                above = os.path.join(above, part)
        self._rules = {start: [] if ignored(rules, start, True) else rules}

    def names(self, folder: str) -> set[str] | None:
        """The names in a folder; None for a repository within the tree. Raises OSError."""
        with os.scandir(folder) as listing:
            entries = {entry.name: entry.is_dir(follow_symlinks=False) for entry in listing}
        if ".git" in entries and folder != self._start and is_repository(folder):
            return None
        rules = self._rules.pop(folder, [])
        if ".gitignore" in entries:
            rules = rules + _rules_in(folder)
        kept = set()
        for name, is_folder in entries.items():
            path = os.path.join(folder, name)
            if not ignored(rules, path, is_folder):
                kept.add(name)
                if is_folder:
                    self._rules[path] = rules
        return kept

    def tracked(self, folder: str) -> set[str]:
        """Nothing that is known."""
        return set()

    def is_folder(self, path: str) -> bool:
        return path in self._rules


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a file of ignore rules, without a byte order mark and carriage returns."""
    with open(path, "rb") as file:
        content = os.fsdecode(file.read().removeprefix(b"\xef\xbb\xbf"))
    return [line.removesuffix("\r") for line in content.split("\n")]


def ignored(rules: Sequence[Rules], path: str, is_folder: bool) -> bool:
    """What is said by the last of the rules that say anything about a path."""
    for each in reversed(rules):
        said = (each.for_folders if is_folder else each.for_files).check_file(below(path, each.base)).include
        if said is not None:
            return said
    return False


def _rules_in(folder: str) -> list[Rules]:
    """The rules of a folder's .gitignore, if it has one; for git, too, a link is none."""
    path = os.path.join(folder, ".gitignore")
    try:
        return [Rules.of(folder, read_lines(path))] if stat.S_ISREG(os.lstat(path).st_mode) else []
    except OSError:
        return []
