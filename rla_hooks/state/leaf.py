"""An array of a tree while it is saved: what it is, where its memory is, and its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rla_hooks.state import dtypes
from rla_hooks.state.mapped import Mapped, mapped_of

BLOCK = 4 << 20  # bytes that are handed out at a time


class Leaf:
    """An array that is to be stored. It is read when its bytes are asked for, and never held twice before that.

    of: what it is: "numpy", "torch", "jax". dtype: the name of its type (see dtypes.py). shape: of all dimensions.
    memory: the device, and the first byte and the one after the last, where arrays may share memory; else None.
    strides: in bytes. contiguous: whether its numbers lie in C order without gaps.
    """

    of = "numpy"
    _mapped: Mapped | None = None

    def __init__(self, array: np.ndarray[Any, Any], dtype: Any):
        self.dtype, self.shape = dtype, tuple(array.shape)
        self.nbytes: int = array.size * array.dtype.itemsize
        self.strides: tuple[int, ...] | None = tuple(array.strides)
        self.memory: tuple[Any, int, int] | None = ("cpu", *_bounds(array)) if self.nbytes else None
        self.contiguous = array.flags.c_contiguous
        self._mapped = mapped_of(array)
        self._array: Any = array

    def array(self) -> np.ndarray[Any, Any]:
        """Return it as an array of numpy of the same memory, if it is on the CPU; its type may be another one."""
        return np.asarray(self._array)

    def freeze(self) -> None:
        """Copy it: the training may go on before its bytes are asked for."""
        self._array = np.array(self.array(), copy=True)
        self.memory = None

    def bytes(self) -> np.ndarray[Any, Any]:
        """Return its bytes in C order; of a contiguous array without a copy."""
        return bytes_of(self.array())

    def rows(self, begin: int, end: int) -> np.ndarray[Any, Any]:
        """Return the bytes of some of its rows, where :meth:`row_shape` says what a row is."""
        if not self.contiguous:
            return bytes_of(self.array()[begin:end])
        size = self.nbytes // max(self.count, 1)
        return self._part(begin * size, end * size)

    def _part(self, begin: int, end: int) -> np.ndarray[Any, Any]:
        return bytes_of(self.array())[begin:end]

    def row_shape(self) -> tuple[int, ...]:
        """Return the shape of its rows: the last dimensions, so many that a row has at most a block of bytes."""
        first = 1
        if self.contiguous:  # else only the first dimension can be cut without a copy
            item = self.nbytes // max(_product(self.shape), 1)
            while first < len(self.shape) and item * _product(self.shape[first:]) > BLOCK:
                first += 1
        return self.shape[first:]

    def npy_dtype(self) -> np.dtype[Any]:
        """Return the type that a file npy has: whole numbers of the same size for a type that it lacks."""
        dtype = dtypes.dtype_of(self.dtype)
        return np.dtype(f"u{dtype.itemsize}") if dtypes.is_extra(dtype) else dtype

    def forget(self, begin: int, end: int) -> None:
        """These rows are written. Those of an array that is mapped from the disk need not stay in memory."""
        if self._mapped is not None and self.contiguous:
            size = self.nbytes // max(self.count, 1)
            self._mapped.drop(begin * size, end * size)

    @property
    def count(self) -> int:
        """The number of rows."""
        return _product(self.shape[: len(self.shape) - len(self.row_shape())])


class Parts(Leaf):
    """What is no array of numbers alone, and is stored as a list of parts under a name that begins with ``$``."""

    dtype = None

    def __init__(self, name: str, parts: list[Any]):
        self.name, self.parts = name, parts


class Raw(Leaf):
    """Memory that several arrays are views of."""

    def __init__(self, start: int, end: int, owners: list[Leaf]):
        import ctypes

        self._owners = owners  # keep it
        memory = (ctypes.c_ubyte * (end - start)).from_address(start)
        super().__init__(np.frombuffer(memoryview(memory), np.uint8), "|u1")


def bytes_of(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the bytes of an array in C order, without a copy where it is contiguous.

    >>> bytes_of(np.array([1, 256], "<u2")).tolist()
    [1, 0, 0, 1]
    """
    flat = np.ascontiguousarray(array).reshape(-1)  # the first makes 1 of 0 dimensions
    if not flat.nbytes:
        return np.empty(0, np.uint8)
    return flat.view(np.ndarray).view(np.uint8)


def blocks(data: np.ndarray[Any, Any]) -> Iterator[memoryview]:
    """Yield bytes in blocks."""
    for begin in range(0, len(data), BLOCK):
        yield data[begin : begin + BLOCK].data


def _bounds(array: np.ndarray[Any, Any]) -> tuple[int, int]:
    """Return the addresses of the first byte, and of the one after the last."""
    start = end = array.__array_interface__["data"][0]
    for length, stride in zip(array.shape, array.strides, strict=True):
        far = (length - 1) * stride
        start, end = (start + far, end) if far < 0 else (start, end + far)
    return start, end + array.dtype.itemsize


def _product(numbers: tuple[int, ...]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result
