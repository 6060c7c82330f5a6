"""Reads the folder of a state. Its checksum is compared before: see checkpoints/manifest.py.

    {"format": 1, "step": 3000, ..., "objects": {"models": {"policy": TREE}}, "files": {NAME: [size, crc32c, sums]}}

    {"$array": {"in": "models/policy.safetensors", "key": "body.weight",     a tensor of a file
                "of": "torch", "dtype": "float32", "shape": [64, 4]}}
    {"$array": {"in": "buffers/replay/obs", "parts": 250, "rows": 1024, ...}}    all parts, one after the other
    {"$array": {..., "strides": [4, 8], "offset": 0}}                        a view of that memory

Small arrays are read at once; in place of large ones are objects of :class:`StoredArray`, which read them into the
place where they belong.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from rla_hooks.errors import CheckpointError
from rla_hooks.smallfiles import open_regular, read_json
from rla_hooks.state import safetensors_file
from rla_hooks.state.checksums import Digest
from rla_hooks.state.stored import StoredArray, damage, key_of, loaded
from rla_hooks.state.tree import ARRAY, TreeDecoder
from rla_hooks.state.writing import FILE, FORMAT, part_number

_LONGEST = 1 << 30  # bytes of state.json
_SMALL = 1 << 20  # bytes of an array that is read at once


class StateFolder:
    """A folder of a state. Raises CheckpointError, whose message continues a sentence that begins with its path."""

    def __init__(self, folder: Path):
        self.folder = folder
        with damage():
            self.content = read_json(folder / FILE, _LONGEST)
        number = self.content.get("format")
        if number != FORMAT:
            raise CheckpointError(
                f"has format {str(number)[:40]}, and this version reads format {FORMAT}. Update rla_hooks."
            )
        self._places: dict[str, dict[str, safetensors_file.Place]] = {}
        with damage():
            self._uses = Counter(_uses(self.content))
        self._folders: set[str] = set()  # that are no links
        self._read: dict[Any, Any] = {}  # arrays that are referred to more than once

    @property
    def digests(self) -> dict[str, Digest]:
        """The digests of the files, by their names."""
        with damage():
            return {_inside(name): Digest(*map(int, each)) for name, each in self.content["files"].items()}

    def tree(self, stored: Any) -> Any:
        """Return a tree; in place of its large arrays are :class:`StoredArray`."""
        with damage():
            return TreeDecoder(self._array).decode(stored)

    def _array(self, reference: dict[str, Any]) -> Any:
        array = StoredArray(self, reference)
        return array.read() if array.nbytes <= _SMALL else array

    def read(self, stored: Any) -> Any:
        """Return a tree with its arrays. Those that shared memory when they were saved do so again."""
        return loaded(self.tree(stored))

    def shared(self, key: Any, make: Any) -> Any:
        """Return what ``make`` returns; the same object each time for an array that is referred to more than once."""
        if self._uses[key[0]] < 2:
            return make()
        if key not in self._read:
            self._read[key] = make()
        return self._read[key]

    def pieces(self, reference: dict[str, Any]) -> Iterator[tuple[BinaryIO, int]]:
        """Yield the files of an array, each open at its first byte, and its bytes. The caller closes them."""
        name = _inside(reference["in"])
        if "parts" not in reference:
            if name not in self._places:
                with self._open(name) as stream:
                    self._places[name] = safetensors_file.places(stream, os.fstat(stream.fileno()).st_size)
            place = self._places[name][reference["key"]]
            stream = self._open(name)
            stream.seek(place.begin)
            yield stream, place.size
            return
        for number in range(reference["parts"]):
            stream = self._open(f"{name}.{part_number(number, reference['parts'])}.npy")
            size = os.fstat(stream.fileno()).st_size
            head = stream.read(10)
            begin = 10 + int.from_bytes(head[8:], "little")
            if head[:7] != b"\x93NUMPY\x01" or begin > size:
                stream.close()
                raise ValueError("a part is no npy file of ours")
            stream.seek(begin)
            yield stream, size - begin

    def _open(self, name: str) -> BinaryIO:
        above, _, _ = name.rpartition("/")
        for place in (name,) if above in self._folders else (*_places_above(name), name):
            if os.path.islink(self.folder / place):
                raise ValueError(f"{name[:200]!r} is a link, which no version writes")
        self._folders.add(above)
        return open_regular(self.folder / name)


def _uses(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield the place of each reference to an array."""
    waiting = [content]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            reference = each.get(ARRAY)
            if isinstance(reference, dict) and isinstance(reference.get("in"), str):
                yield key_of(reference)
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)


def _places_above(name: str) -> Iterator[str]:
    for index, mark in enumerate(name):
        if mark == "/":
            yield name[:index]


def _inside(name: Any) -> str:
    """Return the path of a file in the folder. Raises ValueError for one that leads out of it."""
    parts = name.split("/") if isinstance(name, str) else [""]
    if {"", ".", ".."} & set(parts) or {"\\", "\0", ":"} & set(name):
        raise ValueError(f"{str(name)[:200]!r} is no file of it")
    return str(name)
