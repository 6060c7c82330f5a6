"""Arrays of a tree that is being loaded: they may still be in their files, and are read where they are needed.

Such an array says with ``of`` whose it is ("numpy", "torch", "jax"), has shape and dtype, is read with ``read()``, and
with ``into(array)`` into the place where it belongs.
"""

from __future__ import annotations

from collections import deque
from typing import Any


def owner(tree: Any) -> str:
    """Return whose array a stored one is; "" for what is none.

    >>> owner([1, 2])
    ''
    """
    return tree.of if hasattr(type(tree), "into") and hasattr(tree, "of") else ""


def read(tree: Any) -> Any:
    """Return an array that is stored; all else as it is."""
    return tree.read() if owner(tree) else tree


def loaded(tree: Any) -> Any:
    """Return a tree with its arrays in place of what stands for them.

    >>> loaded({"epochs": (1, 2)})
    {'epochs': (1, 2)}
    """
    if isinstance(tree, dict):
        return {key: loaded(part) for key, part in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(map(loaded, tree))
    if type(tree) is deque:
        return deque(map(loaded, tree), tree.maxlen)
    return read(tree)
