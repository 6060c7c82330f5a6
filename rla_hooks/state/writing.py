"""Writes the folder of a state: which array goes to which file, and the files, streamed.

    state-3000/state.json                    what is what: see reading.py
               models/policy.safetensors     the arrays of an object
               buffers/replay/obs.000.npy    large arrays, in parts of about 4 MB of rows; numpy reads each of them

A part with the same bytes as one of the former state is a hard link to that file, which lives as long as any state
has it. Where the file system has no such links, it is written.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from rla_hooks import atomic
from rla_hooks.encoding import KeyPath
from rla_hooks.filenames import cap, safe_part
from rla_hooks.state import checksums, safetensors_file, sharing
from rla_hooks.state.checksums import Digest
from rla_hooks.state.leaf import BLOCK, Leaf
from rla_hooks.state.syncing import STEP, Syncing
from rla_hooks.state.tree import TreeEncoder

FILE = "state.json"
FORMAT = 1
LARGE = 16 << 20  # bytes of an array that is stored in parts
_NAME = 80  # bytes of a name in a name of a file
_SPARE = 1 << 20  # bytes that stay free on the disk, of a large state
_MEMORY = "memory"  # the key of the bytes that several arrays are views of


class _Origin:
    """Where an array comes from: the file of its object, its path there, and whether it may be in parts."""

    def __init__(self, stem: str, keys: KeyPath, in_parts: bool):
        self.stem, self.keys, self.in_parts = stem, keys, in_parts


class StatePlan:
    """What is to be written: filled by :meth:`add`, once for each object, and then given to :func:`write`."""

    def __init__(self) -> None:
        self._found: list[sharing.Placed] = []
        self._origins: dict[int, _Origin] = {}  # by the id of the reference
        self._names: set[str] = set()  # of files, without regard to case
        self.first: set[str] = set()  # files of what may change meanwhile: those of objects with parts
        self.tensors: dict[str, dict[str, Leaf]] = {}  # by file and key
        self.parted: dict[str, Leaf] = {}  # by the beginning of the parts' names

    def add(self, folder: str, name: str, tree: Any, in_parts: bool = False) -> Any:
        """Return what state.json says of a tree, whose arrays go to a file of this name in a folder of the state.

        in_parts: whether large arrays are stored in parts. Raises NotStorable.
        """
        stem = self._unused(f"{safe_part(folder, _NAME)}/{safe_part(name, _NAME)}")

        def put(leaf: Leaf, keys: KeyPath) -> dict[str, Any]:
            reference: dict[str, Any] = {}
            self._origins[id(reference)] = _Origin(stem, keys, in_parts)
            self._found.append((leaf, reference))
            return reference

        return TreeEncoder(put).encode(tree, ())

    def place(self) -> None:
        """Give each array its place. After this, what :meth:`add` has returned is complete."""
        sharing.place(self._found, self._store, self._store_memory)
        self._found, self._origins = [], {}

    def freeze(self) -> None:
        """Copy what is small: the training may go on before it is written."""
        self.first.clear()
        for leaves in self.tensors.values():
            for leaf in leaves.values():
                leaf.freeze()

    @property
    def size(self) -> int:
        """About how many bytes will be written, if nothing can be linked."""
        small = sum(map(safetensors_file.size_of, self.tensors.values()))
        return small + sum(leaf.nbytes for leaf in self.parted.values())

    def _store(self, leaf: Leaf, reference: dict[str, Any]) -> None:
        reference |= self._placed(leaf, self._origins[id(reference)]) | sharing.reference_to(leaf)

    def _store_memory(self, memory: Leaf, views: list[sharing.Placed]) -> dict[str, Any]:
        leaf, reference = views[0]
        origin = self._origins[id(reference)]
        keys = origin.keys if memory is leaf else (*origin.keys, _MEMORY)
        return self._placed(memory, _Origin(origin.stem, keys, origin.in_parts))

    def _placed(self, leaf: Leaf, origin: _Origin) -> dict[str, Any]:
        text = ".".join(map(str, origin.keys)) or "array"
        if origin.in_parts and leaf.nbytes > LARGE:
            name = self._unused(f"{origin.stem}/{safe_part(text, _NAME)}")
            self.parted[name] = leaf
            rows = _rows_of(leaf)
            return {"in": name, "parts": -(-leaf.count // rows), "rows": rows}
        file = origin.stem + safetensors_file.SUFFIX
        if origin.in_parts:
            self.first.add(file)
        leaves = self.tensors.setdefault(file, {})
        key = first = cap(text.encode("utf-8", "backslashreplace").decode(), text, 1000)
        number = 0
        while key in leaves or key.startswith("__"):
            number += 1
            key = f"{first}.{number}" if not first.startswith("__") else f"array.{number}"
        leaves[key] = leaf
        return {"in": file, "key": key}

    def _unused(self, stem: str) -> str:
        name, number = stem, 0
        while name.casefold() in self._names:
            number += 1
            name = f"{stem}.{number}"
        self._names.add(name.casefold())
        return name


class Former:
    """The files of a former state, of which those with the same bytes are linked."""

    def __init__(self, folder: Path, digests: Mapping[str, Digest]):
        self._folder = folder
        self._files = {digest: name for name, digest in digests.items() if digest.sums}

    def link(self, digest: Digest, target: Path) -> bool:
        """Give the file with these bytes a second name; return False where there is none, or that cannot be."""
        name = self._files.get(digest)
        if name is None:
            return False
        source = self._folder / name
        try:
            if source.is_symlink() or source.stat().st_size != digest.size:
                return False
            os.link(source, target)
        except (OSError, NotImplementedError):  # another saver has deleted it, or there are no links here
            return False
        return True

    def has(self, digest: Digest) -> bool:
        """Whether there is a file with these bytes."""
        return digest in self._files


def write(folder: Path, plan: StatePlan, content: Mapping[str, Any], former: Former | None = None) -> Writing:
    """Write what must not change meanwhile into a new folder; ``finish()`` of what is returned writes the rest.

    Raises OSError, before a byte is written where the disk has no room for all of it.
    """
    writing = Writing(folder, plan, content, former)
    try:
        writing.begin()
    except BaseException:
        writing.close()
        raise
    return writing


class Writing:
    """One folder that is being written."""

    def __init__(self, folder: Path, plan: StatePlan, content: Mapping[str, Any], former: Former | None):
        self._folder, self._plan, self._content, self._former = folder, plan, content, former
        self._files: dict[str, Digest] = {}
        self._syncing = Syncing()
        self.linked = 0  # bytes of the files that are links

    def begin(self) -> None:
        """Write the large arrays, and the objects that have such: what must not change meanwhile."""
        self._check_room()
        self._folder.mkdir()
        for name, leaf in self._plan.parted.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            for number, (head, data) in enumerate(_parts(leaf)):
                self._write_part(f"{name}.{_numbered(number, leaf)}.npy", head, data)
        self._write_tensors(file for file in self._plan.tensors if file in self._plan.first)

    def finish(self) -> tuple[int, str]:
        """Write all else, sync it, and return the size and the checksum of the folder, as a manifest has them."""
        try:
            return self._finish()
        finally:
            self.close()

    def close(self) -> None:
        """End the thread. Nothing more is written."""
        self._syncing.close()

    def _finish(self) -> tuple[int, str]:
        self._write_tensors(file for file in self._plan.tensors if file not in self._plan.first)
        files = {name: list(digest) for name, digest in self._files.items()}
        text = _json({"format": FORMAT, **self._content, "files": files}, 3)
        self._write(FILE, [memoryview(f"{text}\n".encode("utf-8", "backslashreplace"))])
        self._syncing.finish()
        for top, _, _ in os.walk(self._folder):
            with suppress(OSError):  # some network file systems cannot sync a folder
                atomic.fsync(Path(top))
        return checksums.of_folder(self._files.items())

    def _write_part(self, name: str, head: bytes, data: np.ndarray[Any, Any]) -> None:
        path = self._folder / name
        self._files[name] = digest = checksums.digest_of(head, data)
        if self._former is not None and self._former.link(digest, path):
            self.linked += digest.size
            return
        with open(path, "xb", buffering=0) as stream:
            _put(stream, memoryview(head))
            _put(stream, data.data)
        self._syncing.begin(path)

    def _write_tensors(self, files: Iterable[str]) -> None:
        for file in files:
            self._write(file, safetensors_file.chunks(self._plan.tensors[file]))

    def _write(self, name: str, chunks: Iterable[memoryview]) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        size = crc = begun = 0
        with open(path, "xb", buffering=0) as stream:
            for chunk in chunks:
                _put(stream, chunk)
                crc = checksums.crc_of([chunk], crc)
                size += len(chunk)
                if size - begun >= STEP:
                    self._syncing.begin(path)
                    begun = size
        self._files[name] = Digest(size, crc)
        self._syncing.begin(path)

    def _check_room(self) -> None:
        free = shutil.disk_usage(self._folder.parent).free
        needed = self._plan.size + min(self._plan.size, _SPARE)
        if needed > free and self._former is not None:
            needed -= self._linkable(self._former)
        if needed > free:
            raise OSError(
                errno.ENOSPC, f"the state needs {needed:,} bytes, and the disk has {free:,} free", str(self._folder)
            )

    def _linkable(self, former: Former) -> int:
        """Return how many bytes need not be written."""
        found = 0
        for leaf in self._plan.parted.values():
            for head, data in _parts(leaf):
                digest = checksums.digest_of(head, data)
                found += digest.size if former.has(digest) else 0
        return found


def _parts(leaf: Leaf) -> Iterator[tuple[bytes, np.ndarray[Any, Any]]]:
    """Yield the parts of a large array: the head of a file npy, and its bytes."""
    rows, row = _rows_of(leaf), leaf.row_shape()
    for begin in range(0, leaf.count, rows):
        end = min(begin + rows, leaf.count)
        yield npy_head(leaf, (end - begin, *row)), leaf.rows(begin, end)
        leaf.forget(begin, end)


def npy_head(leaf: Leaf, shape: tuple[int, ...]) -> bytes:
    """Return the head of a file npy. Types that numpy lacks are whole numbers there; state.json has the type."""
    head = io.BytesIO()
    dtype = leaf.npy_dtype()
    fields = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, fields)
    return head.getvalue()


def _rows_of(leaf: Leaf) -> int:
    """Return how many rows a part has."""
    return max(1, BLOCK * leaf.count // max(leaf.nbytes, 1))


def _numbered(number: int, leaf: Leaf) -> str:
    return part_number(number, -(-leaf.count // _rows_of(leaf)))


def part_number(number: int, count: int) -> str:
    """Return the number of a part in its name; all of an array are of one length.

    >>> part_number(7, 250), part_number(7, 25_000)
    ('007', '00007')
    """
    return str(number).rjust(max(3, len(str(count - 1))), "0")


def _json(value: Any, levels: int, indent: str = "") -> str:
    """Return JSON with so many levels of objects on lines of their own."""
    if not levels or not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False)
    inner = indent + "  "
    lines = (f"{inner}{json.dumps(key)}: {_json(part, levels - 1, inner)}" for key, part in value.items())
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _put(stream: io.FileIO, data: memoryview) -> None:
    """Write all of it: a system may take less at once."""
    while len(data):
        data = data[stream.write(data) :]
