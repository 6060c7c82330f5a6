"""Tensors of torch as bytes and back, also of types that numpy does not know."""

from __future__ import annotations

from typing import Any

import torch


def to_bytes(tensor: torch.Tensor) -> tuple[str, tuple[int, ...], bytes]:
    """Return dtype, shape and bytes. Raises what torch raises for a sparse, a quantized and a meta tensor.

    >>> to_bytes(torch.tensor([1.0, -1.0], dtype=torch.float16))
    ('float16', (2,), b'\\x00<\\x00\\xbc')
    """
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return str(plain.dtype).removeprefix("torch."), tuple(tensor.shape), plain.view(torch.uint8).numpy().tobytes()


def from_bytes(dtype: str, shape: tuple[int, ...], data: Any) -> torch.Tensor:
    """Return the tensor, on the CPU. data: a numpy array of the bytes. Raises ValueError for an unknown dtype.

    >>> import numpy
    >>> from_bytes("float16", (2,), numpy.array([0, 60, 0, 188], numpy.uint8))
    tensor([ 1., -1.], dtype=torch.float16)
    """
    kind = getattr(torch, dtype, None)
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"this torch does not know the dtype {dtype!r:.100}")
    if data.size == 0:
        return torch.empty(0, dtype=kind).reshape(shape)
    return torch.from_numpy(data).view(kind).reshape(shape)
