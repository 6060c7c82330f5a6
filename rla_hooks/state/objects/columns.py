"""Long lists as a few arrays: a replay buffer may be a deque of a million tuples.

What the elements have in common is found, and each part of them becomes one array, a column::

    [(obs, 1, 0.5), (obs, 0, None)]  ->  {"rla": "column", "of": "tuple", "columns": [
        {"rla": "column", "of": "array", "values": <array (2, 4)>},
        {"rla": "column", "of": "int", "values": <array (2,)>},
        {"rla": "column", "of": "float", "values": <array (1,)>, "none": <array [False, True]>}]}

Where the elements differ, the list stays a list.
"""

from __future__ import annotations

import sys
from typing import Any

from rla_hooks.state.objects import classes, stored
from rla_hooks.state.objects.walk import TAG, Walk

SHORTEST = 32  # elements of a list that is stored in columns
_WORD = 2**63
_NUMBERS = {bool: "bool", int: "int64", float: "float64"}


def worthwhile(values: list[Any]) -> bool:
    """Return whether a list is long, and its elements look alike: their types do, at both ends."""
    return len(values) >= SHORTEST and type(values[0]) is type(values[-1]) and _packable(type(values[0]))


def pack(values: list[Any], at: str, walk: Walk) -> Any:
    """Return columns for a list; for one that is short or not uniform, a list of the trees of its elements."""
    column = _column(values, at, walk) if worthwhile(values) else None
    return [walk.capture(value, f"{at}[{i}]") for i, value in enumerate(values)] if column is None else column


def check(tree: Any, at: str, walk: Walk) -> None:
    """Say in ``walk.problems`` why a list cannot be made again."""
    if type(tree) is list:
        for index, part in enumerate(tree):
            walk.check(None, part, f"{at}[{index}]")
    elif not (type(tree) is dict and tree.get(TAG) == "column"):
        walk.problems.append(f"{at} is no list in the state")
    elif tree["of"] == "tensor" and "torch" not in sys.modules:
        walk.problems.append(f"{at} has tensors of torch in the state. Import torch before the state is loaded")
    else:
        if tree["of"] == "record" and classes.find(tree["class"]) is None:
            walk.problems.append(
                f"{at} has objects of {tree['class']} in the state, which is not here: import it before"
            )
        for column in tree.get("columns", ()):
            check(column, at, walk)


def unpack(tree: Any, walk: Walk) -> list[Any]:
    """Return the list that was packed."""
    if type(tree) is list:
        return [walk.put(None, part) for part in tree]
    values = _elements(tree, walk)
    if tree.get("none") is None:
        return values
    rest = iter(values)
    return [None if none else next(rest) for none in stored.read(tree["none"]).tolist()]


def _elements(tree: Any, walk: Walk) -> list[Any]:
    of, values = tree["of"], stored.read(tree.get("values"))
    if of in ("array", "tensor"):  # each its own copy: a view would keep all the others alive
        return [value.copy() if of == "array" else value.clone() for value in values]
    if of == "scalar":
        return list(values)
    if of in _NUMBERS.values():
        return list(values.tolist())
    rows = zip(*(unpack(column, walk) for column in tree["columns"]))
    if of == "tuple":
        return list(rows)
    names = tree["names"]
    if of == "dict":
        return [dict(zip(names, row)) for row in rows]
    kind = classes.find(tree["class"])
    return [classes.make(kind, dict(zip(names, row))) for row in rows]


def _column(values: list[Any], at: str, walk: Walk) -> Any:
    """Return the column of values of one type, of which some may be None; None where they differ."""
    import numpy

    none = [value is None for value in values]
    present = [value for value in values if value is not None] if any(none) else values
    kind = type(present[0]) if present else type(None)
    if not _packable(kind) or any(type(value) is not kind for value in present):
        return None
    column = _leaves(kind, present) or _parts(kind, present, at, walk)
    if column is not None and present is not values:
        column["none"] = numpy.array(none)
    return column


def _packable(kind: type) -> bool:
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    leaves = [*_NUMBERS, tuple, dict]
    if numpy is not None:
        leaves.append(numpy.ndarray)
    if torch is not None and hasattr(torch, "Tensor"):
        leaves.append(torch.Tensor)
    return kind in leaves or (numpy is not None and issubclass(kind, numpy.generic)) or classes.is_record_class(kind)


def _leaves(kind: type, values: list[Any]) -> Any:
    """The column of numbers or arrays of one type and shape."""
    import numpy

    torch = sys.modules.get("torch")
    if kind in _NUMBERS:
        if kind is int and not all(-_WORD <= value < _WORD for value in values):
            return None
        return {TAG: "column", "of": _NUMBERS[kind], "values": numpy.array(values, dtype=_NUMBERS[kind])}
    first = values[0]
    if issubclass(kind, numpy.generic):
        if first.dtype.hasobject or any(value.dtype != first.dtype for value in values):
            return None
        return {TAG: "column", "of": "scalar", "values": numpy.array(values, dtype=first.dtype)}
    if kind is numpy.ndarray:
        if first.dtype.hasobject or any(v.shape != first.shape or v.dtype != first.dtype for v in values):
            return None
        return {TAG: "column", "of": "array", "values": numpy.stack(values)}
    if torch is not None and kind is torch.Tensor:
        if any(
            v.shape != first.shape or v.dtype != first.dtype or v.device.type != "cpu" or v.requires_grad or v.is_sparse
            for v in values
        ):
            return None
        return {TAG: "column", "of": "tensor", "values": torch.stack(values)}
    return None


def _parts(kind: type, values: list[Any], at: str, walk: Walk) -> Any:
    """The columns of tuples, dicts or records with the same fields."""
    head: dict[str, Any]
    if kind is tuple:
        if any(len(value) != len(values[0]) for value in values):
            return None
        rows, head = values, {"of": "tuple"}
        count = len(values[0])
    elif kind is dict:
        names = list(values[0])
        if TAG in names or any(type(name) is not str for name in names) or any(list(v) != names for v in values):
            return None
        rows, head = [tuple(value.values()) for value in values], {"of": "dict", "names": names}
        count = len(names)
    elif classes.is_record_class(kind):
        names = list(classes.field_names(kind))
        rows = [tuple(classes.fields_of(value).values()) for value in values]
        if any(len(row) != len(names) for row in rows):
            return None
        if problem := classes.problem_of(kind):
            walk.problems.append(f"{at} {problem}")
        head, count = {"of": "record", "class": classes.name_of(kind), "names": names}, len(names)
    else:
        return None
    if not count:
        return None
    columns = []
    for index in range(count):
        part = [row[index] for row in rows]
        column = _column(part, f"{at}[...]", walk)
        columns.append([walk.capture(v, f"{at}[{i}]") for i, v in enumerate(part)] if column is None else column)
    return {TAG: "column", **head, "columns": columns}
