"""Large arrays in the files of a state: they are read into the place where they belong, and held nowhere else."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

import numpy as np

from rla_hooks.checkpoints import two_threads
from rla_hooks.errors import CheckpointError
from rla_hooks.state import dtypes
from rla_hooks.state.leaf import BLOCK, bytes_of
from rla_hooks.state.mapped import mapped_of
from rla_hooks.texts import cut, text_of

_MAX_DIMENSIONS = 64
_LONGEST = 500  # characters of what an error says: it may repeat what a damaged file has
# What state.json names is no file there; None: no regular one. Others are the disk's.
_NO_FILE = (None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)


class Files(Protocol):
    """What this module uses of the folder of a state."""

    def pieces(self, reference: dict[str, Any]) -> Iterator[tuple[BinaryIO, int]]: ...
    def shared(self, key: Any, make: Callable[[], Any]) -> Any: ...


class StoredArray:
    """An array in the files of a state.

    of: "numpy", "torch" or "jax". dtype: its type there. shape: of all dimensions.
    """

    def __init__(self, folder: Files, reference: dict[str, Any]):
        self._folder, self._reference = folder, reference
        self.of, self.shape = reference["of"], tuple(reference["shape"])
        if self.of not in ("numpy", "torch", "jax") or len(self.shape) > _MAX_DIMENSIONS:
            raise ValueError("an array is of no kind that this version knows")
        if not all(type(length) is int and length >= 0 for length in self.shape):
            raise ValueError("an array has no shape")
        self._kind = None if self.of == "torch" else dtypes.dtype_of(reference["dtype"])
        self.count = 1
        for length in self.shape:
            self.count *= length

    @property
    def dtype(self) -> Any:
        """The type, of numpy or of torch."""
        if self._kind is not None:
            return self._kind
        from rla_hooks.state import torch_leaves

        return torch_leaves.dtype_named(self._reference["dtype"])

    @property
    def nbytes(self) -> int:
        return int(self.count * self.dtype.itemsize)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __repr__(self) -> str:
        return f"StoredArray({self.of}, {self._reference['dtype']}, {self.shape})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        found = np.asarray(self.read())
        return found if dtype is None else found.astype(dtype)

    def read(self) -> Any:
        """Return the array: of numpy, of torch or of JAX."""
        with damage():
            key = key_of(self._reference)
            if "strides" not in self._reference:
                return self._folder.shared((key, self.of, str(self._reference["dtype"])), self._new)
            return self._view(self._folder.shared((key, self.of, "memory"), self._memory))

    def into(self, target: Any) -> None:
        """Copy the values into an array of numpy or a tensor of torch, of the same shape and type.

        They are read into their place: nothing is held twice.
        """
        with damage():
            memory = _memory_of(target) if "strides" not in self._reference else None
            if memory is not None and len(memory) == self.nbytes and self._fits(target):
                self._fill(memory, mapped_of(target))
            else:
                self._copy(target, self._made_anew())

    def _made_anew(self) -> Any:
        """Return the array; whoever has read it before may have changed that one."""
        return self._new() if "strides" not in self._reference else self._view(self._memory())

    def _fits(self, target: Any) -> bool:
        """Whether the bytes of the file are those of the target."""
        return bool(target.dtype == self.dtype)

    def _copy(self, target: Any, value: Any) -> None:
        if isinstance(target, np.ndarray):
            target[...] = value
            return
        from rla_hooks.state import torch_leaves

        torch_leaves.copy_into(target, torch_leaves.as_tensor(value))

    def _new(self) -> Any:
        if self._stored_size() != self.nbytes:  # asked before any memory is
            raise ValueError(f"an array has {self._stored_size():,} bytes instead of {self.nbytes:,}")
        data = np.empty(self.nbytes, np.uint8)
        self._fill(data)
        return self._made(data)

    def _stored_size(self) -> int:
        found = 0
        for stream, size in self._folder.pieces(self._reference):
            stream.close()
            found += size
        return found

    def _made(self, data: np.ndarray[Any, Any]) -> Any:
        if self._kind is None:
            from rla_hooks.state import torch_leaves

            return torch_leaves.tensor_of(data, self._reference["dtype"], self.shape)
        found = data.view(self._kind).reshape(self.shape) if len(data) else np.zeros(self.shape, self._kind)
        if self.of == "jax":
            try:
                from rla_hooks.state import jax_leaves
            except ModuleNotFoundError as error:
                if error.name != "jax":
                    raise
            else:
                return jax_leaves.array_of(found, self._reference.get("weak") is True)
        return found  # of JAX, too, where that is not installed

    def _memory(self) -> Any:
        """Return the memory that this array is a view of, of numpy or torch."""
        size = self._stored_size()
        data = np.empty(size, np.uint8)
        self._fill(data)
        if self.of != "torch":
            return data
        from rla_hooks.state import torch_leaves

        return torch_leaves.tensor_of(data, "uint8", (size,))

    def _view(self, memory: Any) -> Any:
        strides, offset = tuple(map(int, self._reference["strides"])), int(self._reference["offset"])
        if len(strides) != len(self.shape):
            raise ValueError("a view has no strides")
        if self._kind is None:
            from rla_hooks.state import torch_leaves

            return torch_leaves.view_of(memory, self._reference["dtype"], self.shape, strides, offset)
        return np.ndarray(self.shape, self._kind, memory.data, offset, strides)  # checks the bounds

    def _fill(self, memory: np.ndarray[Any, Any], mapped: Any = None) -> None:
        def read(piece: tuple[BinaryIO, int, int]) -> None:
            stream, at, size = piece
            with stream:
                for begin in range(at, at + size, BLOCK):
                    end = min(begin + BLOCK, at + size)
                    _read_into(stream, memory[begin:end].data)
                    if mapped is not None:
                        mapped.drop(begin, end)

        for _ in two_threads.each_of(self._placed(len(memory)), read):
            pass

    def _placed(self, room: int) -> Iterator[tuple[BinaryIO, int, int]]:
        """Yield the files of the array, where the bytes of each belong, and how many there are."""
        at = 0
        for stream, size in self._folder.pieces(self._reference):
            if at + size > room:
                stream.close()
                raise ValueError("an array has more bytes than its shape says")
            yield stream, at, size
            at += size
        if at != room:
            raise ValueError(f"an array has {at:,} bytes instead of {room:,}")


def loaded(tree: Any) -> Any:
    """Return a tree with the arrays in place of what stands for them.

    >>> loaded({"epochs": [1, 2]})
    {'epochs': [1, 2]}
    """
    if isinstance(tree, StoredArray):
        return tree.read()
    kind = type(tree)
    if isinstance(tree, dict):  # also ordered ones, and counters
        for key, part in tree.items():
            tree[key] = loaded(part)
        return tree
    if kind in (list, tuple):
        return kind(map(loaded, tree))
    if hasattr(tree, "maxlen"):
        return kind(map(loaded, tree), tree.maxlen)
    return tree


def _memory_of(target: Any) -> np.ndarray[Any, Any] | None:
    """Return the bytes of an array to write into; None where they are not one block."""
    if isinstance(target, np.ndarray):
        is_block = target.flags.c_contiguous and target.size and target.itemsize
        return bytes_of(target) if is_block else None
    from rla_hooks.state import torch_leaves

    return torch_leaves.memory_of(target)


def _read_into(stream: BinaryIO, memory: memoryview) -> None:
    while len(memory):
        count = stream.readinto(memory)  # type: ignore[attr-defined]
        if not count:
            raise ValueError("a file is cut")
        memory = memory[count:]


def key_of(reference: dict[str, Any]) -> tuple[str, Any]:
    """Return what is the same for references to the same bytes."""
    return reference["in"], reference.get("key")


class damage:
    """Turns what damaged content raises into CheckpointError."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, CheckpointError) or not isinstance(error, Exception) or isinstance(error, MemoryError):
            return
        if isinstance(error, OSError) and error.errno not in _NO_FILE:
            return
        raise CheckpointError(f"is damaged: {cut(text_of(error), _LONGEST)}") from error
