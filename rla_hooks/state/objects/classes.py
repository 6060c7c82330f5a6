"""Named tuples and dataclasses in a state: their classes by name, and objects of them made without calling anything."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any


def is_record(value: Any) -> bool:
    """Return whether a value is a named tuple, or an object of a dataclass with no more than its fields."""
    kind = type(value)
    if issubclass(kind, tuple) or not is_record_class(kind):
        return is_record_class(kind)
    return not hasattr(kind, "get_state") and set(getattr(value, "__dict__", ())) <= set(field_names(kind))


def field_names(kind: type) -> tuple[str, ...]:
    """Return the names of the fields.

    >>> from typing import NamedTuple
    >>> class Point(NamedTuple):
    ...     x: int
    >>> field_names(Point)
    ('x',)
    """
    if issubclass(kind, tuple):
        return tuple(kind._fields)  # type: ignore[attr-defined]
    return tuple(field.name for field in dataclasses.fields(kind))  # type: ignore[arg-type]


def fields_of(value: Any) -> dict[str, Any]:
    """Return the values of the fields, by their names."""
    return {name: getattr(value, name) for name in field_names(type(value)) if hasattr(value, name)}


def name_of(kind: type) -> str:
    """Return the name by which a class is found again.

    >>> import fractions
    >>> name_of(fractions.Fraction)
    'fractions:Fraction'
    """
    return f"{kind.__module__}:{kind.__qualname__}"


def find(name: str) -> type | None:
    """Return the class of that name among the modules that are imported; None where there is no such record class."""
    module, _, path = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = vars(found).get(part) if found is not None and hasattr(found, "__dict__") else None
    return found if isinstance(found, type) and is_record_class(found) else None


def problem_of(kind: type) -> str:
    """Return why objects of a class could not be made again, "" where they can."""
    if find(name_of(kind)) is kind:
        return ""
    return f"is a {kind.__qualname__}, whose class is not found as {name_of(kind)}. Define it at the top of a module"


def make(kind: Any, fields: dict[str, Any]) -> Any:
    """Return a new object of a record class. Its code is not run."""
    if issubclass(kind, tuple):
        return tuple.__new__(kind, [fields[name] for name in kind._fields])
    made = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def is_record_class(kind: type) -> bool:
    """Return whether a class is one of named tuples or a dataclass."""
    return (issubclass(kind, tuple) and hasattr(kind, "_fields")) or (
        dataclasses.is_dataclass(kind) and not hasattr(kind, "state_dict")
    )
