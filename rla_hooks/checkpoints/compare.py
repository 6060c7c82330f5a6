"""Words the differences between the objects of a program and the content of a checkpoint, for all frameworks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rla_hooks.errors import CheckpointError


class ArraySpec(NamedTuple):
    """What is compared of an array, a tensor or a variable.

    shape: None for any shape; None in it for any length. dtype: its name; None where types are not compared.
    """

    shape: Sequence[int | None] | None
    dtype: str | None = None


def differences(own: Mapping[str, ArraySpec], stored: Mapping[str, ArraySpec]) -> list[str]:
    """Return a line for each array of an object that differs from the file; none where the object fits.

    own, stored: the arrays of the object and of the file, by the names that the lines show.

    >>> differences({"w": ArraySpec((3, 2)), "b": ArraySpec((2,))}, {"w": ArraySpec((4, 2)), "c": ArraySpec((2,))})
    ['w has shape (3, 2) and in the file (4, 2)', 'b is not in the file', 'c is only in the file']
    """
    lines = (difference(name, own.get(name), stored.get(name)) for name in {**own, **stored})
    return [line for line in lines if line]


def difference(name: str, own: ArraySpec | None, stored: ArraySpec | None) -> str | None:
    """Return how one array differs from the file, None if it does not. own, stored: None for an array that is missing.

    >>> difference("'policy.w'", ArraySpec((2,), "float32"), ArraySpec((2,), "float64"))
    "'policy.w' has dtype float32 and in the file float64"
    """
    if stored is None:
        return f"{name} is not in the file"
    if own is None:
        return f"{name} is only in the file"
    if not _fits(own.shape, stored.shape):
        return f"{name} has shape {own.shape} and in the file {stored.shape}"
    if None not in (own.dtype, stored.dtype) and own.dtype != stored.dtype:
        return f"{name} has dtype {own.dtype} and in the file {stored.dtype}"
    return None


def only_in_file(count: int, name: str, advice: str) -> str:
    """Return one line for all stored arrays of a part that has none yet, such as a layer that is not built."""
    return f"{count} variables of {name} are only in the file: {advice}"


def other_kind(name: str, kind: str, state: Any) -> str:
    """Return the line for an object if the file holds something of another kind.

    >>> other_kind("'policy'", "a module", 5)
    "'policy' is a module and in the file a <class 'int'>"
    """
    return f"{name} is {kind} and in the file a {type(state)}"


def other_name(name: str, stored: str) -> str:
    """Return the line for a variable if the file has one of another name at its place."""
    return f"{name} is {stored!r} in the file"


def check(problems: Sequence[str]) -> None:
    """Raise CheckpointError if there are differences; its message lists them, and says what to do."""
    if problems:
        text = shorten(problems).rstrip(".")
        raise CheckpointError(
            f"does not fit what shall be restored: {text}{'' if text.endswith('?') else '.'} Build the models as they "
            "were when it was saved, or restore fewer of them: with var_prefix, or fewer objects."
        )


def shorten(lines: Sequence[str], shown: int = 5) -> str:
    """Return the first few of many lines as one.

    >>> shorten(["a", "b", "c"], shown=2)
    'a; b; and 1 more'
    """
    more = f"; and {len(lines) - shown} more" if len(lines) > shown else ""
    return "; ".join(lines[:shown]) + more


def _fits(own: Sequence[int | None] | None, stored: Sequence[int | None] | None) -> bool:
    if own is None or stored is None:
        return True
    return len(own) == len(stored) and all(a == b or None in (a, b) for a, b in zip(own, stored, strict=True))
