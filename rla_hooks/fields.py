"""A base for classes that hold fields: what a run needs of ``dataclasses`` before its first row.

That module takes 10 ms to import, since it loads ``inspect``, and each class that it makes a further half: together a
fifth of what the start of a run may take. Classes that are loaded later, or by readers only, use it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform  # mypy has it; nothing needs it when the program runs
else:

    def dataclass_transform() -> Callable[[type], type]:
        return lambda kind: kind


T = TypeVar("T")
_REQUIRED = object()


class _Made:
    """The default of a field for which each object gets a new value."""

    def __init__(self, make: Callable[[], Any]):
        self.make = make


def made_by(make: Callable[[], T]) -> T:
    """Return the default of a field for which ``make`` makes a new value for each object, such as ``dict``."""
    return cast(T, _Made(make))


@dataclass_transform()
class Fields:
    """Base of classes whose annotated names are fields, in order, and arguments of ``__init__``.

    >>> class Point(Fields):
    ...     x: int
    ...     y: int = 0
    ...     names: list = made_by(list)
    >>> Point(1, names=["a"])
    Point(x=1, y=0, names=['a'])
    >>> Point(1) == Point(1, 0), Point(1).replaced(x=3)
    (True, Point(x=3, y=0, names=[]))
    >>> Point(z=1)
    Traceback (most recent call last):
    TypeError: Point() has no field 'z'
    """

    _defaults: ClassVar[dict[str, Any]]

    def __init_subclass__(cls) -> None:
        cls._defaults = {name: cls.__dict__.get(name, _REQUIRED) for name in cls.__annotations__}

    def __init__(self, *values: Any, **named: Any) -> None:
        kind, defaults = type(self).__name__, self._defaults
        if len(values) > len(defaults):
            raise TypeError(f"{kind}() takes {len(defaults)} values, but {len(values)} were given")
        given = dict(zip(defaults, values))
        for name in named:
            if name not in defaults or name in given:
                raise TypeError(f"{kind}() has {'two values for the' if name in given else 'no'} field {name!r}")
        given |= named
        for name, default in defaults.items():
            value = given.get(name, default)
            if value is _REQUIRED:
                raise TypeError(f"{kind}() misses the field {name!r}")
            self.__dict__[name] = value.make() if type(value) is _Made else value

    def replaced(self, **changes: Any) -> Self:
        """Return a copy in which these fields have other values; the other fields hold the same objects."""
        twin = type(self).__new__(type(self))  # not copy.copy, which asks a __getstate__ that is for other processes
        twin.__dict__.update(self.__dict__, **changes)
        return twin

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    def _values(self) -> list[Any]:
        return [getattr(self, name) for name in self._defaults]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._defaults)})"
