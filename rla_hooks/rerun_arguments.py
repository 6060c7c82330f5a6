"""The arguments of a tracked call as they were in a former run, but for some that get new values.

What the program passes stays where it is the same, or cannot be told from what it was (a secret, an object of which
only a text is stored). Other values are those of the former run. Of a config that cannot be made again from what is
stored, an object of the program's own is copied, and the fields that differ are set in the copy.
"""

from __future__ import annotations

import copy
import enum
import sys
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from rla_hooks.errors import ConfigError
from rla_hooks.former_parameters import MISSING, FormerParameters
from rla_hooks.parameter_forms import is_same
from rla_hooks.parameters import config_fields, flatten, safe
from rla_hooks.texts import beginnings, shown

_LONGEST = 80  # characters of a value in a message


def as_before(former: FormerParameters, given: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call, by name, with the values of a former run, and these changes of it.

    given: those that the program passes; no object of them is changed. changes: by their names, dotted ones too.
    Raises ConfigError with the names of all that cannot be set.

    >>> former = FormerParameters({"hyper_parameters": ["lr", "net"]}, {"lr": 0.1, "net.width": 64})
    >>> as_before(former, {"lr": 0.01, "net": {"width": 64}}, {"net.width": 32})
    {'lr': 0.1, 'net': {'width': 32}}
    """
    holder = former.config_argument
    if holder is not None and set(given) == {holder} and config_fields(given[holder]):
        fields = dict(config_fields(given[holder]) or ())
        wanted = {each.name: each.stored for each in former.differences(fields) if each.stored is not MISSING}
        return {holder: _with_values(given[holder], {**_restored(former, wanted), **changes})}
    values = {name: value for name, value in given.items() if name in former.names or not former.is_listed}
    wanted = {}
    for each in former.differences(values):
        name = next((part for part in beginnings(each.name) if part in former.names), each.name)
        if former.can_restore(name):
            values[name] = former.value(name)
        elif each.stored is not MISSING:
            wanted[each.name] = each.stored
    found: dict[str, Any] = _with_values(values, {**_restored(former, wanted), **changes})
    return found


def _restored(former: FormerParameters, stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: former.restored_leaf(name, value) for name, value in stored.items()}


def _with_values(container: Any, wanted: Mapping[str, Any]) -> Any:
    """Return a copy of a config in which these have other values. Raises ConfigError with all that cannot be."""
    problems, found = [], container
    for name, value in wanted.items():
        try:
            changed = _with_value(found, name, value)
        except Exception as error:  # of the user's class: it is frozen, read-only, or checks its values
            problems.append(f"{name} cannot be set to {shown(value, _LONGEST)}: {type(error).__name__}: {error}")
            continue
        flat = {key: safe(each) for key, each in flatten(dict(config_fields(changed) or ())).items()}
        new = {key: safe(each) for key, each in flatten({name: value}).items()}
        if any(key not in flat or not is_same(flat[key], each) for key, each in new.items()):
            problems.append(f"{name} cannot be set to {shown(value, _LONGEST)}: the program's object does not take it")
        found = changed
    if problems:
        raise ConfigError([f"{problem}. Run it without that, or change the program." for problem in problems])
    return found


def _with_value(container: Any, name: str, value: Any) -> Any:
    """Return a copy of a config with one other value, in an inner config where the name has dots."""
    names = [each for each, _ in config_fields(container) or ()]
    first = next((each for each in reversed(beginnings(name)) if each in names), None)
    if first is None:
        raise KeyError(name)
    old = next(inner for each, inner in config_fields(container) or () if each == first)
    new = _converted(old, value) if first == name else _with_value(old, name[len(first) + 1 :], value)
    return _replaced(container, first, new)


def _replaced(container: Any, name: str, value: Any) -> Any:
    kind = type(container)
    if isinstance(container, Mapping):
        copied: Any = copy.copy(container)
        copied[next(key for key in container if str(key) == name)] = value
        return copied
    if isinstance(container, tuple):
        return container._replace(**{name: value})  # type: ignore[attr-defined]  # a named one
    if hasattr(kind, "__dataclass_fields__"):
        import dataclasses

        if container.__dataclass_fields__[name].init:
            return dataclasses.replace(container, **{name: value})
    if hasattr(kind, "__attrs_attrs__"):
        return sys.modules["attr"].evolve(container, **{name: value})
    if hasattr(kind, "model_copy"):  # pydantic
        return container.model_copy(update={name: value})
    copied = copy.copy(container)
    setattr(copied, name, value)
    return copied


def _converted(old: Any, value: Any) -> Any:
    """Return a plain value in the type of the one that it replaces, where that is more than plain."""
    if isinstance(old, enum.Enum):
        return next((each for each in type(old) if value in (each.value, str(each), each.name)), value)
    if isinstance(old, PurePath) and isinstance(value, str):
        return type(old)(value)
    if isinstance(old, (tuple, set, frozenset)) and isinstance(value, Sequence) and not isinstance(value, str):
        return type(old)(value) if not hasattr(old, "_fields") else type(old)(*value)
    return value
