"""Finds the arrays of a tree.

Those of torch and JAX are in files of their own, which are imported where the program has imported the framework.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from rla_hooks.encoding import KeyPath, NotStorable
from rla_hooks.state import dtypes
from rla_hooks.state.leaf import Leaf


def leaf_of(value: Any, keys: KeyPath) -> Leaf | None:
    """Return the leaf of an array; None for what is no array. Raises NotStorable."""
    if isinstance(value, np.ndarray):
        return _numpy_leaf(value, keys)
    for framework in ("torch", "jax"):
        if sys.modules.get(framework) is not None:
            leaves = _module(framework)
            if leaves.is_array(value):
                found: Leaf = leaves.leaf(value, keys)
                return found
    return None


def _module(framework: str) -> Any:
    if framework == "torch":
        from rla_hooks.state import torch_leaves

        return torch_leaves
    from rla_hooks.state import jax_leaves

    return jax_leaves


def _numpy_leaf(array: np.ndarray[Any, Any], keys: KeyPath) -> Leaf:
    if type(array) not in (np.ndarray, np.memmap):
        raise NotStorable(keys, f"a {type(array)} cannot be stored. Pass numpy.asarray(...) of it, or of its parts.")
    try:
        name = dtypes.name_of(array.dtype)
    except ValueError:
        raise NotStorable(
            keys,
            f"an array of dtype {array.dtype} cannot be stored. Allowed are numbers, dates, texts of a fixed length, "
            "and fields of these that do not overlap. Convert it with astype, or pass its fields one by one, or lists.",
        ) from None
    return Leaf(array, name)
