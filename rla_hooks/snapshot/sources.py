"""Finds the files of a project that belong in a code backup.

:meth:`Search.find` walks through a folder and yields the files to copy. Files that are left out and that the user
should know of are listed by reason in a dict; caches, virtual environments and what git ignores are not listed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress

from rla_hooks.fields import Fields, made_by
from rla_hooks.layout import ARCHIVE, ARCHIVED, CODE, LOG, TRASH, TREES
from rla_hooks.masking.files import is_secret_file, is_secret_folder
from rla_hooks.masking.names import word_set
from rla_hooks.snapshot.bulk import DATA, OUTPUT, WRITTEN, DataFiles, is_data, is_output
from rla_hooks.snapshot.filestore import STORE
from rla_hooks.snapshot.git import is_inside
from rla_hooks.snapshot.trees import GitTree, Listing, PatternTree, Rules, ignored, tree_of

SECRET, MASKED, UNREADABLE, LINK, SPECIAL = "secret", "masked value", "unreadable", "link", "special file"

# "venv" alone is no reason: people also name their vectorised environments so. pyvenv.cfg tells.
CACHES = word_set(
    ".git .hg .svn __pycache__ .venv node_modules .mypy_cache .pytest_cache .ruff_cache .ipynb_checkpoints "
    ".tox .nox .hypothesis .eggs .rla"
)
_ENVIRONMENTS = word_set("pyvenv.cfg conda-meta")
_SOURCE_SUFFIXES = WRITTEN | word_set(".json .txt .xml")
_SOURCE_NAMES = word_set("makefile dockerfile license cmakelists.txt")


def is_cache(name: str, folder: bool) -> bool:
    """Whether a folder or file of this name is made by tools and never a part of the source."""
    if folder:
        return name in CACHES or name.endswith(".egg-info")
    return name.endswith((".pyc", ".pyo")) or name == ".git"


def _is_source(name: str) -> bool:
    """Whether a file's name looks like something a person wrote; asked only where no project says what is
    source."""
    return os.path.splitext(name)[1].lower() in _SOURCE_SUFFIXES or name.lower() in _SOURCE_NAMES


def run_folders(start: str, log_root: str) -> list[str]:
    """The folders of runs that a walk from ``start`` does not enter: the log root, or its trees within it."""
    # Of "archived" only its trees: where a project is its own log root, that may be a folder of the project.
    trees = [TRASH, *TREES, *(f"{ARCHIVED}/{tree}" for tree in TREES)]
    folders = [log_root, *(os.path.join(log_root, *tree.split("/")) for tree in trees)]
    return [folder for folder in folders if not is_inside(start, folder)]


class _Folder(Fields):
    """A folder on the way. ``names`` and ``tracked`` (of them) are known once it is looked into."""

    path: str
    relative: str
    tree: GitTree | PatternTree
    output: str = ""  # the output folder of another tool that it is in, of which only what git tracks is source
    names: set[str] = made_by(set)
    tracked: set[str] = made_by(set)


class Search(Fields):
    """The rules of one backup. ``project`` and ``log_root`` are absolute paths without links."""

    project: str
    log_root: str
    max_bytes: float
    too_large: str = "too large"  # the reason written for files over max_bytes
    ignore: Sequence[str] = ()  # lines as in a .gitignore; they hold for what git tracks, too
    data_files: bool = False  # whether data files and other tools' outputs stay in, however many they are
    listing: Listing | None = None  # of the project's work tree, if git was asked for it already
    sources_only: bool = False  # no project marker: only packages and files that look like source
    left_out: dict[str, list[str]] = made_by(dict)

    def find(self, start: str, shown: str = "") -> Iterator[tuple[str, str]]:
        """Pairs of a path relative to the folder ``start`` and the file to copy; ``start`` may be a file, too.

        ``start`` was asked for by name, so rules that match it or a folder above it do not count.
        ``shown`` is put before the relative paths in ``left_out``.
        """
        if os.path.isfile(start):
            yield from self._file(start, "", os.lstat(start), shown)
            return
        base = self.project if is_inside(start, self.project) else start
        extra = [Rules.of(base, self.ignore)] if self.ignore else []
        skipped = run_folders(start, self.log_root)
        data: DataFiles[tuple[str, str]] = DataFiles()
        stack = [_Folder(start, "", tree_of(start, base, CACHES, skipped, self.listing))]
        while stack:
            at = stack.pop()
            if not self._look_into(at, skipped, shown):
                continue
            below = []
            for name, path, inner, state in self._entries(at, data, shown):
                is_folder = stat.S_ISDIR(state.st_mode)
                if path in skipped or ignored(extra, path, is_folder):
                    continue
                if is_folder and is_secret_folder(name):
                    self._leave(SECRET, shown, inner + "/")
                elif is_folder:
                    below.append(_Folder(path, inner, at.tree, at.output))
                elif name in at.tracked or not is_data(name):
                    yield from self._file(path, inner, state, shown)
                else:
                    for found in self._file(path, inner, state, shown):
                        data.add(inner, state.st_size, found)
            stack.extend(reversed(below))
        yield from data.kept()
        for folder, count in data.left_out():
            self._leave(DATA, shown, f"{folder or '.'}/ ({count} files)")

    def loaded(self, path: str) -> Iterator[tuple[str, str]]:
        """The pair of a file below the project that the program has loaded: it need not look like source."""
        relative = os.path.relpath(path, self.project).replace(os.sep, "/")
        is_found_already = "/" not in relative and _is_source(relative)
        if is_found_already or (self.ignore and ignored([Rules.of(self.project, self.ignore)], path, False)):
            return
        with suppress(OSError):
            if self._link_target(path) is not None:
                yield from self.replaced(sources_only=False)._file(path, relative, os.lstat(path), "")

    def _look_into(self, at: _Folder, skipped: Sequence[str], shown: str) -> bool:
        """Read the names in a folder; False where nothing in it is source."""
        try:
            names = at.tree.names(at.path)
            if names is None:
                at.tree = tree_of(at.path, at.path, CACHES, skipped, self.listing)
                names = at.tree.names(at.path) or set()
        except OSError:
            self._leave(UNREADABLE, shown, at.relative + "/")
            return False
        if at.relative and self._is_foreign(at.path, names):
            return False
        at.names, at.tracked = names, names if self.data_files else at.tree.tracked(at.path)
        if at.relative and not at.output and is_output(at.relative, names):
            at.output = at.relative
        if at.output and not names <= at.tracked:
            at.names = names & at.tracked
            self._leave(OUTPUT, shown, at.output + "/", once=True)
        return True

    def _is_foreign(self, folder: str, names: set[str]) -> bool:
        """Whether a folder is an environment, the code of all runs of another log root, or in no package."""
        if not names.isdisjoint(_ENVIRONMENTS) or (STORE in names and os.path.basename(folder) == CODE):
            return True
        return self.sources_only and "__init__.py" not in names

    def _entries(
        self, at: _Folder, data: DataFiles[tuple[str, str]], shown: str
    ) -> Iterator[tuple[str, str, str, os.stat_result]]:
        """What may be source in a folder: name, path, relative path and what os.lstat says of it."""
        # Another log root, of another config or made by RLA itself.
        old_runs = TREES if at.names.issuperset([ARCHIVE, CODE, LOG]) else ()
        for name in sorted(at.names):
            path = os.path.join(at.path, name)
            inner = f"{at.relative}/{name}" if at.relative else name
            if data.is_full(inner) and name not in at.tracked and is_data(name) and not at.tree.is_folder(path):
                data.add(inner)  # it stays out anyway: no need to look at each of a million files
                continue
            try:
                state = os.lstat(path)
            except FileNotFoundError:
                continue  # git also lists tracked files that were deleted
            except OSError:
                self._leave(UNREADABLE, shown, inner)
                continue
            is_folder = stat.S_ISDIR(state.st_mode)
            if not is_cache(name, is_folder) and not (is_folder and name in old_runs):
                yield name, path, inner, state

    def _file(self, path: str, relative: str, state: os.stat_result, shown: str) -> Iterator[tuple[str, str]]:
        name = os.path.basename(path)
        if self.sources_only and relative and not _is_source(name):
            return
        if is_secret_file(relative or name):
            return self._leave(SECRET, shown, relative)
        try:
            if stat.S_ISLNK(state.st_mode):
                if os.path.realpath(path) == self.log_root:
                    return  # to a large disk, say; it is no news that runs are left out
                target = self._link_target(path)
                if target is None:
                    return self._leave(LINK, shown, relative)
                path, state = target, os.stat(target)
        except OSError:
            return self._leave(UNREADABLE, shown, relative)
        if not stat.S_ISREG(state.st_mode):
            return self._leave(SPECIAL, shown, relative)
        if state.st_size > self.max_bytes:
            return self._leave(self.too_large, shown, relative)
        yield relative, path

    def _link_target(self, path: str) -> str | None:
        """The regular file a link leads to, where it is one that could itself be backed up."""
        target = os.path.realpath(path, strict=True)
        if not is_inside(target, self.project) or not os.path.isfile(target):
            return None
        if is_inside(target, self.log_root) and not is_inside(self.project, self.log_root):
            return None
        inner = os.path.relpath(target, self.project)
        *folders, name = inner.split(os.sep)
        is_made = is_cache(name, False) or any(is_cache(part, True) for part in folders)
        return None if is_made or is_secret_file(inner) else target

    def _leave(self, reason: str, shown: str, relative: str, once: bool = False) -> None:
        paths, path = self.left_out.setdefault(reason, []), "/".join(part for part in (shown, relative) if part)
        if not once or path not in paths:
            paths.append(path)
