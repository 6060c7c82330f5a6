"""How the code that runs now differs from the code of a former run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rla_hooks.masking.files import masked_file
from rla_hooks.smallfiles import read_bytes
from rla_hooks.snapshot.codediff import unified
from rla_hooks.snapshot.loaded import loaded_files

_MAX_TEXT = 1 << 20  # bytes of a file whose lines are compared


def change_of(code_dir: Path, root: Path) -> str:
    """Return the unified diff from a run's code to the modules that this program has imported from the project.

    code_dir: the run's. root: the project's folder. A module that the run did not keep is left out.
    """
    lines: list[str] = []
    for relative, old, kept in _changed(code_dir, root):
        found = unified(old.decode("utf-8", "replace"), kept.decode("utf-8", "replace"), relative)
        lines += found or [f"--- a/{relative}", f"+++ b/{relative}"]
    return "".join(f"{line}\n" for line in lines)


def changed_files(code_dir: Path, root: Path) -> list[str]:
    """Return the paths in the project of imported modules that are not what the run kept."""
    return [relative for relative, _, _ in _changed(code_dir, root)]


def _changed(code_dir: Path, root: Path) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield path, former and present content, with secrets masked as in what the run kept."""
    for file in loaded_files(os.path.realpath(root)):
        relative = os.path.relpath(file, os.path.realpath(root)).replace(os.sep, "/")
        with suppress(OSError, ValueError):
            old, new = read_bytes(code_dir / relative, _MAX_TEXT), read_bytes(file, _MAX_TEXT)
            kept = masked_file(relative, new)
            if kept is not None and kept != old:
                yield relative, old, kept


def size_of(diff: str) -> str:
    r"""Say how large a unified diff is.

    >>> size_of("--- a/x.py\n+++ b/x.py\n@@ -1,1 +1,2 @@\n-a\n+b\n+c\n")
    '1 file, +2 -1 lines'
    """
    lines = diff.split("\n")
    files = sum(line.startswith("+++ b/") for line in lines)
    added = sum(line.startswith("+") for line in lines) - files
    removed = sum(line.startswith("-") for line in lines) - files
    return f"{files} file{'s' * (files != 1)}, +{added} -{removed} lines"
