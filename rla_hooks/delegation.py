"""How a run has the methods of its parts as its own, with their signatures and docstrings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


def of_part(part: str, method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """The method of one of an object's parts, as a method of the object."""

    @functools.wraps(method)
    def of_part(whole: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(getattr(whole, part), *args, **kwargs)

    return cast(Callable[Concatenate[Any, P], R], of_part)


def value_of(part: str, name: str, doc: str) -> Any:
    """An attribute of one of an object's parts, to be read as the object's own; None where the part is not there."""
    return property(lambda whole: getattr(getattr(whole, part), name, None), doc=doc)
