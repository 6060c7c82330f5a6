"""Checks pictures, videos and sounds by what their formats tell: beginnings, ends, lengths; of PNG the checksums."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from rla_hooks.query.products import FIGURES
from rla_hooks.upkeep.checking.found import Found
from rla_hooks.upkeep.checking.opening import BLOCK, Disk, files_below, size_of, unreadable

_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct(">I4s")
_BOX = struct.Struct(">I4s")
_MAX_PARTS = 1_000_000

Problem = tuple[str, int | None] | None  # what is wrong, and where
Check = Callable[[BinaryIO, int], Problem]


def check_images(folder: Path, disk: Disk, is_live: bool) -> list[Found]:
    """Check the figures below a folder. is_live: one may be just being written."""
    found: list[Found] = []
    for entry in files_below(folder):
        kind = entry.name.rpartition(".")[2].lower()
        if entry.name.startswith(".") or kind not in FIGURES | {"wav"}:
            continue
        path = Path(entry.path)
        try:
            with disk.open(path) as file:
                problem = _problem(file, kind, size_of(file))
        except OSError as error:
            found.append(unreadable(path, error))
            continue
        if problem is not None and not is_live:
            found.append(Found(path, *problem))
    return found


def _problem(file: BinaryIO, kind: str, size: int) -> Problem:
    if not size:
        return "is empty", 0
    check = _CHECKS.get(kind)
    return check(file, size) if check else None


def _png(file: BinaryIO, size: int) -> Problem:
    """Every chunk has a checksum."""
    if file.read(8) != _PNG:
        return "is no PNG: it does not begin like one", 0
    at = 8
    for _ in range(_MAX_PARTS):
        head = file.read(_CHUNK.size)
        if len(head) < _CHUNK.size:
            return "has no end: the picture is cut off", at
        length, kind = _CHUNK.unpack(head)
        if at + length + 12 > size:
            return "has no end: the picture is cut off", at
        crc, left = zlib.crc32(kind), length
        while left and (data := file.read(min(left, BLOCK))):
            crc, left = zlib.crc32(data, crc), left - len(data)
        if file.read(4) != crc.to_bytes(4, "big"):
            return "is damaged: a checksum in it is wrong", at
        if kind == b"IEND":
            return None
        at += length + 12
    return None


def _framed(name: str, begins: tuple[bytes, ...], ends: tuple[bytes, ...] = (), within: int = 2048) -> Check:
    """Return a check of the first bytes, and of what stands near the end: within so many bytes."""

    def check(file: BinaryIO, size: int) -> Problem:
        if not file.read(16).lstrip().startswith(begins):
            return f"is no {name}: it does not begin like one", 0
        file.seek(max(0, size - within))
        tail = file.read(within)
        if ends and not any(end in tail for end in ends):
            return f"has no end: the {name} is cut off", size
        return None

    return check


def _riff(file: BinaryIO, size: int) -> Problem:
    """WebP, WAV and AVI say how long they are."""
    head = file.read(12)
    if head[:4] != b"RIFF" or len(head) < 12:
        return "does not begin like a file of its kind", 0
    length = int.from_bytes(head[4:8], "little") + 8
    return None if length <= size + 1 else (f"is cut off: it has {size} bytes of {length}", size)


def _boxes(file: BinaryIO, size: int) -> Problem:
    """MP4 and MOV are a row of boxes with their lengths, and one of them says how the frames lie."""
    at, kinds = 0, set[bytes]()
    for _ in range(_MAX_PARTS):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            if head:
                return "is cut off, or damaged", at
            break
        length, kind = _BOX.unpack(head[:8])
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        elif length == 0:
            length = size - at
        if length < 8 or at + length > size or (not at and kind not in (b"ftyp", b"moov", b"mdat", b"wide", b"free")):
            return ("is cut off, or damaged", at) if at else ("is no video: it does not begin like one", 0)
        kinds.add(kind)
        at += length
    return None if kinds & {b"moov", b"moof"} else ("is cut off: it does not say how its frames lie", size)


_JPEG = _framed("JPEG", (b"\xff\xd8\xff",), (b"\xff\xd9",))
_CHECKS: dict[str, Check] = {
    "png": _png,
    "apng": _png,
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "gif": _framed("GIF", (b"GIF87a", b"GIF89a"), (b"\x3b",)),
    "pdf": _framed("PDF", (b"%PDF-",), (b"%%EOF",)),
    "svg": _framed("SVG", (b"<", b"\xef\xbb\xbf<"), (b"svg>", b"/>"), within=64),
    "eps": _framed("EPS", (b"%!", b"\xc5\xd0\xd3\xc6")),
    "bmp": _framed("BMP", (b"BM",)),
    "tif": _framed("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    "tiff": _framed("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    "webm": _framed("WebM", (b"\x1a\x45\xdf\xa3",)),
    "mkv": _framed("Matroska", (b"\x1a\x45\xdf\xa3",)),
    "webp": _riff,
    "wav": _riff,
    "avi": _riff,
    "mp4": _boxes,
    "mov": _boxes,
}
