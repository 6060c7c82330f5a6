"""Checksums of what is written, made while it is written: a folder's from those of its files.

The manifest has the CRC-32C of a folder: of the names and contents of all files, in order. That of a file which is
linked, not written, is known from the former state; so nothing is read for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import google_crc32c
import numpy as np

_POLYNOMIAL = 0x82F63B78


_WIDTH = 509  # words; a prime, so that blocks which change places come to other sums, whatever their size


class Digest(NamedTuple):
    """What tells two contents of a file apart: the size, and two checksums of 32 bits that have nothing in common.

    sums: 0 where it was not asked for.
    """

    size: int
    crc32c: int
    sums: int = 0


def digest_of(head: bytes, data: np.ndarray[Any, Any]) -> Digest:
    """Return the digest of a file: of its head, and of the bytes after it. It takes no longer than to read them.

    >>> digest_of(b"1234", np.frombuffer(b"56789", np.uint8))
    Digest(size=9, crc32c=3808858755, sums=2157479956)
    """
    crc = google_crc32c.extend(google_crc32c.value(head), data) if len(data) else google_crc32c.value(head)
    whole = len(data) // (8 * _WIDTH) * (8 * _WIDTH)
    columns = data[:whole].view(np.uint64).reshape(-1, _WIDTH)
    sums = zlib.crc32(np.add.reduce(columns, axis=0, dtype=np.uint64).data, zlib.crc32(head))
    return Digest(len(head) + len(data), crc, zlib.crc32(data[whole:].data, sums))


def crc_of(blocks: Iterable[bytes | memoryview], crc: int = 0) -> int:
    """Return the CRC-32C of blocks, after what ``crc`` is of."""
    for block in blocks:
        crc = google_crc32c.extend(crc, _read_only(block))
    return crc


def _read_only(block: bytes | memoryview) -> Any:
    """The library takes no memoryview, but what has its memory for good: bytes, or an array."""
    return np.frombuffer(block, np.uint8) if isinstance(block, memoryview) and len(block) else bytes(block)


def combined(first: int, second: int, length: int) -> int:
    """Return the CRC-32C of two contents, one after the other; ``length``: of the second.

    >>> hex(combined(crc_of([b"1234"]), crc_of([b"56789"]), 5)), hex(crc_of([b"123456789"]))
    ('0xe3069283', '0xe3069283')
    """
    return _times(_zeros(length), first) ^ second


@lru_cache(maxsize=64)
def _zeros(length: int) -> tuple[int, ...]:
    """The matrix over bits that does to a CRC what ``length`` bytes of zero do."""
    result = tuple(1 << bit for bit in range(32))
    power = _square(_square(_square((_POLYNOMIAL, *(1 << bit for bit in range(31))))))  # one bit, squared to a byte
    while length:
        if length & 1:
            result = tuple(_times(power, row) for row in result)
        power, length = _square(power), length >> 1
    return result


def _times(matrix: tuple[int, ...], vector: int) -> int:
    result = 0
    for row in matrix:
        if not vector:
            break
        if vector & 1:
            result ^= row
        vector >>= 1
    return result


def _square(matrix: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(_times(matrix, row) for row in matrix)


def of_folder(files: Iterable[tuple[str, Digest]]) -> tuple[int, str]:
    """Return size and CRC-32C of a folder, as :func:`rla_hooks.checkpoints.checksum.measure` does.

    files: paths in the folder with slashes, and their digests, in any order.
    """
    size = crc = 0
    for name, digest in sorted(files):
        crc = google_crc32c.extend(crc, name.encode("utf-8", "surrogateescape"))
        crc = combined(crc, digest.crc32c, digest.size)
        size += digest.size
    return size, f"{crc:08x}"
