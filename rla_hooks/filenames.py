"""Makes texts the names of files and folders, or parts of them.

Names are escaped as in URLs: what could leave the folder, split the name, trouble a shell or be refused by Windows
becomes ``%XX`` (the bytes of its UTF-8 form); letters and digits of every script stay readable, except where the
locale's encoding of file names is not UTF-8. A part of a path has at most 255 bytes, the limit of the common file
systems; what is cut ends in ``~`` and eight hexadecimal digits of its SHA-256.
"""

from __future__ import annotations

import sys

PART_LIMIT = 255  # bytes of one path part on ext4, XFS, APFS, NTFS and most others
VALUE_LIMIT = 64  # bytes of one value in a run name: several values stay readable beside each other
_DIGEST = 8
_PLAIN = frozenset("-_.,+@(){}")
_PORTS = (f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³")
_DEVICES = frozenset(["con", "prn", "aux", "nul", *_PORTS])  # Windows takes "aux" and "aux.txt" in every folder for one


def safe_part(text: object, limit: int = PART_LIMIT) -> str:
    """Return ``text`` as one path part: safe, readable, never empty, at most ``limit`` bytes.

    >>> safe_part("ALE/Pong-v5"), safe_part("cuda:0"), safe_part(""), safe_part("v1."), safe_part("aux")
    ('ALE%2FPong-v5', 'cuda%3A0', '%00', 'v1%2E', '%61ux')
    """
    text = str(text)
    escaped = _escaped(text) or "%00"
    if set(escaped) == {"."}:
        escaped = escaped.replace(".", "%2E")
    elif _is_device(escaped):
        escaped = percent(escaped[0]) + escaped[1:]
    return cap(_without_last_dot(escaped), text, limit)


def _is_device(name: str) -> bool:
    return name.partition(".")[0].lower() in _DEVICES


def _escaped(text: str) -> str:
    return "".join(char if char in _PLAIN or _is_letter(char) else percent(char) for char in text)


def _is_letter(character: str) -> bool:
    """Whether it is a letter or digit that a name may have; in another encoding than UTF-8 others read another one."""
    return character.isalnum() and (character.isascii() or sys.getfilesystemencoding() == "utf-8")


def percent(character: str) -> str:
    """Return a character as ``%XX``, once for each byte of its UTF-8 form."""
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _without_last_dot(escaped: str) -> str:
    """Windows drops a dot at the end of a name."""
    return f"{escaped[:-1]}%2E" if escaped.endswith(".") else escaped


def part_of_pair(value: object) -> str:
    """Return a key or a value as a part of a run name. It is no name by itself, so that ``aux`` may stay as it is."""
    text = str(value)
    return cap(_without_last_dot(_escaped(text)), text, VALUE_LIMIT)


def portable(name: str) -> str:
    """Escape in the name of a file what Windows refuses and what the locale cannot write; all else stays as it is.

    >>> portable("best:1"), portable("my best"), portable("aux.1")
    ('best%3A1', 'my best', '%61ux.1')
    """
    utf8 = sys.getfilesystemencoding() == "utf-8"
    escaped = "".join(percent(c) if c in '<>:"|?*' or not (utf8 or c.isascii()) else c for c in name)
    return percent(escaped[0]) + escaped[1:] if _is_device(escaped) else escaped


def cap(escaped: str, original: str, limit: int) -> str:
    """Cut at ``limit`` bytes, with a digest of the whole, so that two long texts do not become one name."""
    data = escaped.encode("utf-8")
    if len(data) <= limit:
        return escaped
    import hashlib  # late: it would take a tenth of the start of a run

    digest = hashlib.sha256(original.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return data[: limit - _DIGEST - 1].decode("utf-8", "ignore") + "~" + digest
