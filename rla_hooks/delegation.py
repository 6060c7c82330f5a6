"""Makes the methods and attributes of a run's parts methods and attributes of the run, with signature and docstring."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


def of_part(part: str, method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Return a method of an object that calls ``method`` of its part named ``part``.

    Arguments that it does not take are a TypeError that names those it takes, and no class of a part.
    """

    @functools.wraps(method)
    def of_part(whole: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        target = getattr(whole, part)
        try:
            return method(target, *args, **kwargs)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:  # raised by what it does
                raise
            raise TypeError(_told(error, method)) from None

    return cast("Callable[Concatenate[Any, P], R]", of_part)  # in quotes: to make the type takes longer than all else


def _told(error: TypeError, method: Callable[..., Any]) -> str:
    import inspect  # late: it takes longer to import than all else

    _, *names = inspect.signature(method).parameters
    said = str(error).replace(f"{method.__qualname__}()", f"{method.__name__}()")
    return f"{said}. It takes: {', '.join(names) or 'nothing'}."


def value_of(part: str, name: str, doc: str) -> Any:
    """Return a read-only property: the attribute ``name`` of an object's part ``part``; None if the part lacks it."""
    return property(lambda whole: getattr(getattr(whole, part), name, None), doc=doc)
