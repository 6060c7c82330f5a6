"""numpy arrays in torch's files, which ``torch.load(path, weights_only=True)`` reads without numpy's classes.

    {"policy": {...}, "obs_rms": {"mean": ("__rla__", "ndarray", "<f8", [2], tensor(...))}}

The tensor has the array's numbers where torch knows the type, else its bytes. The tag and the dtype are those of plain
data (rla_hooks/plaindata.py).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch

from rla_hooks.encoding import KeyPath, NotStorable
from rla_hooks.errors import CheckpointError
from rla_hooks.plaindata import NUMPY_KINDS, TAG


def encode(array: Any, keys: KeyPath) -> Any:
    """Return the tagged form of a numpy array. Raises NotStorable for one of objects or fields."""
    import numpy as np

    if type(array) not in (np.ndarray, np.memmap):
        raise NotStorable(keys, f"a {type(array)} cannot be stored here. Pass numpy.asarray(...) of its parts.")
    if array.dtype.kind not in NUMPY_KINDS or array.dtype.hasobject:
        raise NotStorable(
            keys,
            f"a numpy array of dtype {array.dtype} cannot be stored here. Numbers, text and dates can: convert it with "
            "astype, or store its fields one by one.",
        )
    # Without a copy where torch can use the memory: a replay buffer, or one on the disk, may fill half of it.
    is_plain = array.flags.c_contiguous and array.flags.writeable
    plain = array.view(np.ndarray) if is_plain else np.array(array, order="C")
    try:
        content = torch.from_numpy(plain)
    except (TypeError, ValueError):  # torch knows no such type: texts, dates, the other order of bytes
        content = torch.from_numpy(plain.reshape(-1).view(np.uint8)) if plain.nbytes else torch.empty(0)
    return TAG, "ndarray", array.dtype.str, list(array.shape), content


def decode(content: Any) -> Any:
    """Return the content of a file with the arrays as they were. Raises CheckpointError for one that is damaged."""
    if type(content) is tuple and len(content) == 5 and type(content[0]) is str and content[:2] == (TAG, "ndarray"):
        return _array(*content[2:])
    if isinstance(content, (dict, OrderedDict)):
        for key, value in content.items():
            content[key] = decode(value)
    elif type(content) is list:
        content[:] = map(decode, content)
    elif type(content) is tuple:
        return tuple(map(decode, content))
    return content


def _array(dtype: Any, shape: Any, content: Any) -> Any:
    import numpy as np

    try:
        kind = np.dtype(dtype)
        if kind.kind not in NUMPY_KINDS or kind.hasobject:
            raise ValueError(f"its dtype is {dtype!r}")
        if not content.numel() or not kind.itemsize:
            return np.zeros(shape, kind)
        if content.dtype == torch.uint8 and kind != np.uint8:
            return content.numpy().view(kind).reshape(shape)
        return content.numpy().astype(kind, copy=False).reshape(shape)
    except Exception as error:
        raise CheckpointError(f"holds a numpy array that is damaged ({error})") from error
