"""Tensors of torch as leaves of a tree, and back. Imported where the program has imported torch.

{"$quantized": ["qint8", [4, 3], scales, zero points, axis, bytes]}    axis: null where all numbers have one scale
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch

from rla_hooks.encoding import KeyPath, NotStorable
from rla_hooks.state.leaf import Leaf, Parts

_CARRIERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # for types that numpy lacks, by bytes

_BITS = {"quint4x2": 4, "quint2x4": 2}  # of a number; of others it is a whole number of bytes


def is_array(value: Any) -> bool:
    """Return whether a value is a tensor."""
    return isinstance(value, torch.Tensor)


def leaf(value: Any, keys: KeyPath) -> Leaf:
    """Return the leaf of a tensor. Raises NotStorable for one whose values are not one block of numbers."""
    tensor = value.detach()
    do = None
    if tensor.layout != torch.strided:
        do = "Store x.to_dense(), or its indices and values."
    elif tensor.device.type == "meta":
        do = "It has no values: make it on a device."
    elif getattr(tensor, "is_nested", False):
        do = "Store x.unbind()."
    elif type(value).__module__.startswith("torch.distributed"):
        do = "Store x.full_tensor(), or let each rank save its own x.to_local()."
    if do is not None:
        raise NotStorable(keys, f"a {type(value).__name__} of layout {tensor.layout} cannot be stored. {do}")
    if tensor.is_quantized:
        return Parts("$quantized", _quantized_parts(tensor))
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
        self._array = copy_of(self._array)
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


def _quantized_parts(tensor: torch.Tensor) -> list[Any]:
    whole = tensor.contiguous()
    begin = whole.data_ptr() - whole.untyped_storage().data_ptr()
    dtype = str(tensor.dtype).removeprefix("torch.")
    size = -(-whole.numel() * _BITS.get(dtype, 8 * whole.element_size()) // 8)
    data = _bytes_under(whole)[begin : begin + size].clone()
    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        scale: list[Any] = [tensor.q_scale(), tensor.q_zero_point(), None]
    else:
        scale = [tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points(), tensor.q_per_channel_axis()]
    return [dtype, list(tensor.shape), *scale, data]


def quantized_of(dtype: str, shape: list[int], scales: Any, zeros: Any, axis: int | None, data: torch.Tensor) -> Any:
    """Return the quantized tensor of these. Raises ValueError."""
    kind: Any = {"dtype": dtype_named(dtype)}
    if axis is None:
        whole = torch._empty_affine_quantized(shape, scale=scales, zero_point=zeros, **kind)
    else:
        whole = torch._empty_per_channel_affine_quantized(shape, scales=scales, zero_points=zeros, axis=axis, **kind)
    if whole.untyped_storage().nbytes() != data.numel():
        raise ValueError(f"a quantized tensor has {data.numel():,} bytes")
    _bytes_under(whole).copy_(data)
    return whole


def _bytes_under(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(tensor.untyped_storage())  # type: ignore[call-overload]


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


def copy_of(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy, on the same device."""
    if tensor.is_quantized:
        return cast(torch.Tensor, quantized_of(*_quantized_parts(tensor)))
    try:
        return tensor.clone()
    except NotImplementedError:  # integers of a few bits (torch 2.13)
        return tensor.view(torch.uint8).clone().view(tensor.dtype)


def copy_into(target: torch.Tensor, value: torch.Tensor) -> None:
    """Copy values into a tensor in place, wherever it is."""
    if target.is_quantized:  # copy_ would leave the scale as it is
        target.data = copy_of(value)
        return
    with torch.no_grad():
        try:
            target.detach().copy_(value)
        except NotImplementedError:
            target.detach().view(torch.uint8).copy_(value.view(torch.uint8))
