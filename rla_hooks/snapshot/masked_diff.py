"""Masks the secrets in what `git diff` prints, so that `git apply` still takes it."""

from __future__ import annotations

import re

from rla_hooks.masking import holds_private_key, mask_text
from rla_hooks.masking.files import kind_of_text
from rla_hooks.patterns import pattern

_HEADER = pattern(rb"^diff --git ", re.MULTILINE)


def masked_diff(diff: bytes, notes: list[str]) -> bytes:
    """Return the diff with ``***`` for each secret in a line that is added.

    The changes of a file are left out where a secret is in a line that is removed or stays, since these must be as
    they are in the commit, and where the file holds a private key. ``notes`` gets a line for each such file.
    """
    starts = [match.start() for match in _HEADER.finditer(diff)]
    if not starts:
        return diff
    pieces = [diff[: starts[0]]]
    for start, end in zip(starts, [*starts[1:], len(diff)]):
        section = diff[start:end]
        masked = _masked_section(section)
        if masked is None:
            notes.append(f"{_path(section)} (holds a secret)")
        else:
            if masked != section:
                notes.append(f"secrets in {_path(section)} (masked)")
            pieces.append(masked)
    return b"".join(pieces)


def _path(section: bytes) -> str:
    """The file's path as git writes it, of ``diff --git a/<path> b/<path>``."""
    both = section.partition(b"\n")[0][len(b"diff --git ") :].decode("utf-8", "backslashreplace")
    new = both[len(both) // 2 + 1 :]
    return new.replace('"b/', '"', 1) if new.startswith('"') else new.removeprefix("b/")


def _masked_section(section: bytes) -> bytes | None:
    if holds_private_key(section):
        return None
    head, found, body = section.partition(b"\n@@ ")
    if not found:
        return section  # a binary file, or a change of its mode
    lines = (found[1:] + body).decode("utf-8", "surrogateescape").split("\n")
    kind = kind_of_text(_path(section).rstrip('"'))
    masked = mask_text("\n".join(line[1:] for line in lines), kind).split("\n")
    if len(masked) != len(lines):
        return None
    for number, (line, content) in enumerate(zip(lines, masked)):
        if line[1:] != content:
            if not line.startswith(("+", "@")):  # what follows the numbers of a hunk is for people
                return None
            lines[number] = line[0] + content
    return head + b"\n" + "\n".join(lines).encode("utf-8", "surrogateescape")
