"""Which keys a config has in which section, and what an unknown one may have been meant to be.

``known``: all keys, those of sections with their name in front: ``BACKUP_CONFIG.lib_dir``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rla_hooks.config import checks
from rla_hooks.errors import nearest

_NEAR = 0.85  # how similar a key of the user's own must be to one of ours to be taken for a slip


def keys_of(known: Collection[str], section: str = "") -> list[str]:
    """Return the keys that a section ("BACKUP_CONFIG.", or "" for the top level) may have."""
    inner = (name[len(section) :].partition(".")[0] for name in known if name.startswith(section))
    return list(dict.fromkeys(inner))


def near_keys(known: Collection[str], raw: Mapping[Any, Any]) -> list[str]:
    """Return a line for each key that is none of ours, but nearly is one; the others are the user's own."""
    words = [*keys_of(known), *(name.rpartition(".")[2] for name in known)]
    lines = []
    for key, value in raw.items():
        inner = value if isinstance(value, Mapping) and isinstance(key, str) and keys_of(known, f"{key}.") else ()
        for section, each in [("", key), *((f"{key}.", each) for each in inner)]:
            name = each.rpartition(".")[2] if isinstance(each, str) else each
            if each not in keys_of(known, section) and nearest(name, words, _NEAR):
                lines.append(unknown_line(known, section, each))
    return lines


def unknown_line(known: Collection[str], section: str, key: object) -> str:
    """Return what to say of an unknown key."""
    words = keys_of(known, section)
    owner = f"{section[:-1]} has the unknown" if section else "unknown"
    return f"{owner} key {checks.show_word(key)}. Known: {', '.join(words)}. {_advice(known, key, words)}"


def _advice(known: Collection[str], key: object, words: list[str]) -> str:
    """Return what to do with an unknown key: use the nearest key of this section, else one of another section."""
    name = key if isinstance(key, str) else ""
    near = "" if name in known else nearest(key, words)  # "BACKUP_CONFIG.lib_dir" is written in two lines
    if near:
        return f"Did you mean {near!r}?"
    elsewhere = {name.rpartition(".")[2]: name for name in known}
    near = nearest(name.rpartition(".")[2], elsewhere)
    if near:
        outer = elsewhere[near].rpartition(".")[0]
        return f"Did you mean {near!r} {f'in {outer}' if outer else 'at the top level'}?"
    return "Take it out."
