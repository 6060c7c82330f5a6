"""Tensors that are a small part of a larger one, of which torch.save would write all.

obs = replay_buffer[:10]; rla.save_checkpoint({"policy": policy, "obs": obs})   # ten rows, not the whole buffer
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

_Key = tuple[Any, ...]


def compact(content: Any) -> Any:
    """Return the content with copies of those tensors that together are at most half of the memory they lie in.

    Others stay as they are, without a copy, and share memory in the file as they do here. Dicts and lists are changed
    in place.
    """
    needed: dict[int, int] = {}
    for tensor in {_key(each): each for each in _tensors(content)}.values():
        memory = _memory(tensor)
        if memory is not None:
            needed[memory[0]] = needed.get(memory[0], 0) + tensor.nbytes
    return _replaced(content, needed, {})


def _memory(tensor: torch.Tensor) -> tuple[int, int] | None:
    """The address and the bytes of the memory that a tensor lies in; None where it has none of its own."""
    try:
        storage = tensor.untyped_storage()
        return (storage.data_ptr(), storage.nbytes()) if storage.nbytes() else None
    except (NotImplementedError, RuntimeError):  # sparse, meta, and such as libraries make
        return None


def _key(tensor: torch.Tensor) -> _Key:
    """Equal for tensors that are the same part of the same memory."""
    memory = _memory(tensor)
    if memory is None:
        return (id(tensor),)
    return memory, tensor.dtype, tensor.storage_offset(), tensor.shape, tensor.stride()


def _tensors(content: Any) -> Iterator[torch.Tensor]:
    if isinstance(content, torch.Tensor):
        yield content
    elif isinstance(content, (list, tuple)):
        for each in content:
            yield from _tensors(each)
    elif isinstance(content, dict):
        for each in content.values():
            yield from _tensors(each)


def _replaced(content: Any, needed: dict[int, int], copies: dict[_Key, torch.Tensor]) -> Any:
    if isinstance(content, torch.Tensor):
        memory = _memory(content)
        if memory is None or needed[memory[0]] * 2 > memory[1]:
            return content
        key = _key(content)
        if key not in copies:
            copies[key] = content.clone()
        return copies[key]
    if isinstance(content, dict):
        for key, value in content.items():
            content[key] = _replaced(value, needed, copies)
    elif type(content) is list:
        content[:] = [_replaced(each, needed, copies) for each in content]
    elif type(content) is tuple:
        return tuple(_replaced(each, needed, copies) for each in content)
    return content
