"""Tensors of torch as leaves of a tree, and back. Imported where the program has imported torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from rla_hooks.encoding import KeyPath, NotStorable
from rla_hooks.state.leaf import Leaf

_CARRIERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # for types that numpy lacks, by bytes


def is_array(value: Any) -> bool:
    """Return whether a value is a tensor."""
    return isinstance(value, torch.Tensor)


def leaf(value: Any, keys: KeyPath) -> TorchLeaf:
    """Return the leaf of a tensor. Raises NotStorable for one whose values are not one block of numbers."""
    tensor = value.detach()
    do = None
    if tensor.layout != torch.strided:
        do = "Store x.to_dense(), or its indices and values."
    elif tensor.is_quantized:
        do = "Store x.int_repr(), and its scale and zero point."
    elif tensor.device.type == "meta":
        do = "It has no values: make it on a device."
    elif getattr(tensor, "is_nested", False):
        do = "Store x.unbind()."
    elif type(value).__module__.startswith("torch.distributed"):
        do = "Store x.full_tensor(), or let each rank save its own x.to_local()."
    if do is not None:
        raise NotStorable(keys, f"a {type(value).__name__} of layout {tensor.layout} cannot be stored. {do}")
    return TorchLeaf(tensor if type(tensor) is torch.Tensor else tensor.as_subclass(torch.Tensor))


class TorchLeaf(Leaf):
    """A tensor. On an accelerator it is copied to the CPU when its bytes are asked for."""

    of = "torch"

    def __init__(self, tensor: torch.Tensor):
        self.dtype, self.shape = str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape)
        self.nbytes = tensor.numel() * tensor.element_size()
        size = tensor.element_size()
        self.strides = tuple(stride * size for stride in tensor.stride())
        self.memory = None
        if self.nbytes and not (tensor.is_conj() or tensor.is_neg()):
            start = tensor.data_ptr()
            end = start + size + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
            device = "cpu" if tensor.device.type == "cpu" else str(tensor.device)
            self.memory = device, start, end
        self.contiguous = tensor.is_contiguous()
        self._array = tensor

    def _part(self, begin: int, end: int) -> np.ndarray[Any, Any]:
        if self._array.device.type == "cpu":
            return super()._part(begin, end)
        flat = self._array.resolve_conj().resolve_neg().reshape(-1).view(torch.uint8)
        part: np.ndarray[Any, Any] = flat[begin:end].cpu().numpy()
        return part

    def array(self) -> np.ndarray[Any, Any]:
        tensor: torch.Tensor = self._array.resolve_conj().resolve_neg().cpu()
        try:
            return tensor.numpy()
        except (TypeError, RuntimeError):  # a type that numpy lacks
            return tensor.view(_CARRIERS[tensor.element_size()]).numpy()

    def npy_dtype(self) -> np.dtype[Any]:
        kind = dtype_named(self.dtype)
        try:
            found: np.dtype[Any] = torch.empty(0, dtype=kind).numpy().dtype
        except TypeError:
            found = torch.empty(0, dtype=_CARRIERS[kind.itemsize]).numpy().dtype
        return found

    def freeze(self) -> None:
        self._array = self._array.clone()
        self.memory = None


def tensor_of(data: np.ndarray[Any, Any], dtype: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Return the tensor of bytes. Raises ValueError."""
    kind = dtype_named(dtype)
    if not len(data):
        return torch.empty(shape, dtype=kind)
    return torch.from_numpy(data).view(kind).reshape(shape)


def view_of(base: torch.Tensor, dtype: str, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Any:
    """Return a view of memory: ``base`` has its bytes."""
    kind = dtype_named(dtype)
    size = torch.empty(0, dtype=kind).element_size()
    if offset % size or any(stride % size for stride in strides):
        raise ValueError("a view does not lie on the bounds of its numbers")
    own = torch.empty(0, dtype=kind)
    return own.set_(base.untyped_storage(), offset // size, shape, tuple(stride // size for stride in strides))


def dtype_named(name: str) -> torch.dtype:
    """Return the type of a name. Raises ValueError."""
    kind = getattr(torch, name, None) if name.isidentifier() else None
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"torch {torch.__version__} has no type {name[:100]!r}")
    return kind


def memory_of(tensor: torch.Tensor) -> np.ndarray[Any, Any] | None:
    """Return the bytes of a tensor to write into; None where they are not one block of the CPU's memory."""
    tensor = tensor.detach()
    if tensor.device.type != "cpu" or not tensor.is_contiguous() or not tensor.numel() or tensor.is_conj():
        return None
    return tensor.reshape(-1).view(torch.uint8).numpy()


def as_tensor(value: Any) -> torch.Tensor:
    """Return a tensor, or the values of an array, as a tensor."""
    return value if isinstance(value, torch.Tensor) else torch.from_numpy(np.ascontiguousarray(value))


def copy_into(target: torch.Tensor, value: torch.Tensor) -> None:
    """Copy values into a tensor in place, wherever it is."""
    with torch.no_grad():
        target.detach().copy_(value)
