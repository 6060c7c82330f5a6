"""Which arrays of a state are one, and which are views of one memory: their bytes are stored once.

What is restored from the files shares memory as it did: a tied weight is one tensor, a view changes with its base.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rla_hooks.state.leaf import Leaf, Raw

Placed = tuple[Leaf, dict[str, Any]]  # an array, and what refers to it in the tree; empty until it is known
Place = Callable[[Leaf, dict[str, Any]], None]  # gives an array its place, and fills what refers to it
StoreMemory = Callable[[Leaf, list[Placed]], dict[str, Any]]  # the same for what several arrays are views of


def place(found: list[Placed], store: Place, store_memory: StoreMemory) -> None:
    """Give each array its place.

    store: is called for the first of those that are one. store_memory: for the memory of several views; it returns
    where that is. All others refer to these.
    """
    first: dict[Any, dict[str, Any]] = {}
    again: list[tuple[Placed, dict[str, Any]]] = []  # arrays that are one of those, with what refers to it
    distinct: list[Placed] = []
    for leaf, reference in found:
        identity = None if leaf.memory is None else (leaf.memory, leaf.shape, leaf.strides, str(leaf.dtype), leaf.of)
        if identity is not None and identity in first:
            again.append(((leaf, reference), first[identity]))
            continue
        if identity is not None:
            first[identity] = reference
        distinct.append((leaf, reference))
    views = set[int]()
    for group in _views(distinct):
        base = store_memory(group.memory, group.views)
        for leaf, reference in group.views:
            reference |= base | reference_to(leaf)
            reference |= {"strides": list(leaf.strides or ()), "offset": _begin(leaf) - group.start}
            views.add(id(reference))
    for leaf, reference in distinct:
        if id(reference) not in views:
            store(leaf, reference)
    for (_, reference), other in again:
        reference |= other


def reference_to(leaf: Leaf) -> dict[str, Any]:
    """Return what a reference says of the array itself."""
    found: dict[str, Any] = {"of": leaf.of, "dtype": leaf.dtype, "shape": list(leaf.shape)}
    if getattr(leaf, "weak", False):
        found["weak"] = True
    return found


class _Group:
    """Views that overlap, and the memory that they cover: one of them, if it has all of it in order."""

    def __init__(self, start: int, end: int, views: list[Placed]):
        self.start = start
        whole = [each for each in views if each[0].contiguous and each[0].nbytes == end - start]
        self.views = whole[:1] + [each for each in views if not whole or each is not whole[0]]
        self.memory = whole[0][0] if whole else Raw(start, end, [leaf for leaf, _ in views])


def _views(found: list[Placed]) -> list[_Group]:
    """Return the groups of arrays that overlap, where their common memory is not larger than all of them."""
    groups, current, end = list[_Group](), list[Placed](), 0
    inside = [each for each in found if each[0].memory is not None and each[0].memory[0] == "cpu"]

    def close() -> None:
        start = min((_range(leaf)[0] for leaf, _ in current), default=0)
        if len(current) > 1 and end - start <= sum(leaf.nbytes for leaf, _ in current):
            groups.append(_Group(start, end, list(current)))

    for leaf, reference in sorted(inside, key=lambda each: _range(each[0])):
        start, stop = _range(leaf)
        if current and start >= end:
            close()
            current, end = [], 0
        current.append((leaf, reference))
        end = max(end, stop)
    close()
    return groups


def _range(leaf: Leaf) -> tuple[int, int]:
    assert leaf.memory is not None
    return leaf.memory[1], leaf.memory[2]


def _begin(leaf: Leaf) -> int:
    """Return the address of its first element, which is not the lowest one where a stride is negative."""
    begin = _range(leaf)[0]
    for length, stride in zip(leaf.shape, leaf.strides or (), strict=True):
        begin -= min(0, (length - 1) * stride)
    return begin
