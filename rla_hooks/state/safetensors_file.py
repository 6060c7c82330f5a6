"""The format safetensors: bytes of the header's length, a header of JSON, the bytes of the tensors.

It is written and read here, since a file is to be streamed with its checksum, and nothing of it is to be held twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from rla_hooks.state import dtypes
from rla_hooks.state.leaf import Leaf, blocks

SUFFIX = ".safetensors"
_METADATA = "__metadata__"
_LONGEST = 100 << 20  # bytes of a header; no reader takes more


class Place(NamedTuple):
    """Where the bytes of one tensor are in the file."""

    begin: int
    size: int


def chunks(leaves: Mapping[str, Leaf]) -> Iterator[memoryview]:
    """Yield the bytes of a file of these arrays, by their keys."""
    # The largest numbers first: so each begins at a multiple of its size, which readers want.
    ordered = sorted(leaves.items(), key=lambda pair: -_item_size(pair[1]))
    header: dict[str, Any] = {}
    if leaves and all(leaf.of == "torch" for leaf in leaves.values()):
        header[_METADATA] = {"format": "pt"}  # other programs want to know it
    end = 0
    for key, leaf in ordered:
        kind = dtypes.SAFETENSORS.get(leaf.dtype) if isinstance(leaf.dtype, str) else None
        shape = list(leaf.shape) if kind else [leaf.nbytes]
        header[key] = {"dtype": kind or dtypes.BYTES, "shape": shape, "data_offsets": [end, end + leaf.nbytes]}
        end += leaf.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _LONGEST:
        raise ValueError(f"{len(leaves):,} arrays are too many for one object: stack them to fewer")
    yield memoryview(len(text).to_bytes(8, "little") + text)
    for _, leaf in ordered:
        yield from blocks(leaf.bytes())


def size_of(leaves: Mapping[str, Leaf]) -> int:
    """Return about how many bytes a file will have."""
    return sum(leaf.nbytes + len(key) + 200 for key, leaf in leaves.items()) + 16


def places(stream: BinaryIO, size: int) -> dict[str, Place]:
    """Return where the tensors are in a file of ``size`` bytes. Raises ValueError for one that is no such file."""
    head = stream.read(8)
    length = int.from_bytes(head, "little")
    if len(head) < 8 or length > min(size - 8, _LONGEST):
        raise ValueError("it is cut, or no safetensors file")
    try:
        header = json.loads(stream.read(length))
        found = {}
        for key, entry in header.items():
            if key != _METADATA:
                begin, end = entry["data_offsets"]
                if not (type(begin) is type(end) is int and 0 <= begin <= end <= size - 8 - length):
                    raise ValueError(f"{key[:100]!r} lies outside of it: it is cut, or damaged")
                found[key] = Place(8 + length + begin, end - begin)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"its header is damaged ({error})") from error
    return found


def _item_size(leaf: Leaf) -> int:
    count = 1
    for length in leaf.shape:
        count *= length
    kind = dtypes.SAFETENSORS.get(leaf.dtype) if isinstance(leaf.dtype, str) else None
    return leaf.nbytes // count if count and kind else 1
