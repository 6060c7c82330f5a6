"""Makes the methods and attributes of a run's parts methods and attributes of the run, with signature and docstring."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


def of_part(part: str, method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Return a method of an object that calls ``method`` of its part named ``part``."""

    @functools.wraps(method)
    def of_part(whole: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(getattr(whole, part), *args, **kwargs)

    return cast("Callable[Concatenate[Any, P], R]", of_part)  # in quotes: to make the type takes longer than all else


def value_of(part: str, name: str, doc: str) -> Any:
    """Return a read-only property: the attribute ``name`` of an object's part ``part``; None if the part lacks it."""
    return property(lambda whole: getattr(getattr(whole, part), name, None), doc=doc)
