"""What the backends share: finding objects that have a state, and putting states back whole or not at all."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from rla_hooks.errors import CheckpointError, did_you_mean
from rla_hooks.plaindata import Place, Refused, Walker


class Target(NamedTuple):
    """An object to restore, where it stands among the models (``agent.policy``), and its part of the file."""

    name: str
    value: Any
    state: Any


class Selection:
    """Which variables ``var_prefix`` selects: whose path, ``<key>.<path>`` or ``<key>/<path>`` begins with it."""

    def __init__(self, var_prefix: str):
        self.var_prefix = var_prefix
        self._taken = False
        self._passed: list[str] = []

    def takes(self, key: str, path: str) -> bool:
        """Whether the variable ``path`` of the object ``key`` is selected."""
        taken = any(name.startswith(self.var_prefix) for name in (path, f"{key}.{path}", f"{key}/{path}"))
        self._taken |= taken
        if not taken:
            self._passed.append(f"{key}.{path}")
        return taken

    def troubles(self) -> list[str]:
        """What to tell where variables were there and not one of them was selected."""
        return [] if self._taken or not self._passed else [selects_none(self.var_prefix, self._passed)]

    def check(self) -> None:
        """Raise CheckpointError in that case: an empty model would take the place of a former checkpoint."""
        if troubles := self.troubles():
            raise CheckpointError(troubles[0])


def has_state(value: Any) -> bool:
    """Whether a value is an object with ``state_dict``; a class itself is none."""
    return not isinstance(value, type) and _callable(value, "state_dict")


def takes_state(value: Any) -> bool:
    """Whether a value is an object with ``load_state_dict``; a class itself is none."""
    return not isinstance(value, type) and _callable(value, "load_state_dict")


def state_of(value: Any, where: Place) -> Any:
    """The object's ``state_dict()``. Raises Refused when that raises: a broken one must not cost the others."""
    try:
        return value.state_dict()
    except Exception as error:
        raise Refused(where, f"state_dict() of a {type(value)} raised {type(error).__name__}: {error}") from error


def find(content: Any, wanted: Callable[[Any], bool]) -> Iterator[tuple[Place, Any]]:
    """All wanted objects in nested dicts, lists and tuples, with the keys that lead to them."""
    return _find(content, wanted, (), set())


def _find(value: Any, wanted: Callable[[Any], bool], where: Place, inside: set[int]) -> Iterator[tuple[Place, Any]]:
    if wanted(value):
        yield where, value
    elif isinstance(value, (Mapping, list, tuple)) and id(value) not in inside:
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        inside = inside | {id(value)}
        for key, part in pairs:
            if type(part) not in Walker.atoms:  # a list may hold a million numbers
                yield from _find(part, wanted, (*where, key), inside)


def targets(models: Mapping[str, Any], content: Mapping[str, Any], wanted: Callable[[Any], bool]) -> list[Target]:
    """The objects among the models to restore, with their states. Raises CheckpointError when one has none."""
    found, problems = [], []
    for where, value in find(models, wanted):
        name = dotted(where)
        state: Any = content
        for depth, key in enumerate(where):
            try:
                state = state[key]
            except (KeyError, IndexError, TypeError):
                known = sorted(map(str, state)) if isinstance(state, Mapping) else []
                hint = did_you_mean(key, known)
                problems.append(f"{dotted(where[: depth + 1])!r} is not in it (there is: {', '.join(known)}).{hint}")
                break
        else:
            found.append(Target(name, value, state))
    if problems:
        raise CheckpointError(f"does not fit what shall be restored: {shorten(problems)}")
    return found


def load_states(found: list[Target]) -> None:
    """Call ``load_state_dict`` of each; where one raises, it and those before it get back what they had.

    Each gets a copy of its state: optimisers keep the very objects that they are given.
    """
    before: list[tuple[Any, Any]] = []
    for target in found:
        try:
            if has_state(target.value):
                before.append((target.value, copy.deepcopy(target.value.state_dict())))
            target.value.load_state_dict(copy.deepcopy(target.state))
        except Exception as error:
            for value, state in reversed(before):
                with contextlib.suppress(Exception):  # what refuses the new state may refuse the old one, too
                    value.load_state_dict(state)
            raise CheckpointError(
                f"does not fit {target.name!r}, a {type(target.value).__name__} "
                f"({type(error).__name__}: {error}). Make it as it was when the checkpoint was saved."
            ) from error


def selects_none(var_prefix: str, names: list[str]) -> str:
    """The message for a prefix that fits none of the names."""
    return (
        f"var_prefix {var_prefix!r} selects none of {shorten(names)}. Pass the beginning of their names, or '' for all"
    )


def is_empty(content: Any) -> bool:
    """Whether content is nothing but empty dicts and lists, and None for what was left out of them."""
    if isinstance(content, Mapping):
        return all(map(is_empty, content.values()))
    if isinstance(content, (list, tuple, set)):
        return all(map(is_empty, content))
    return content is None


def misfit(problems: list[str]) -> str:
    """The message for a checkpoint that is of other objects than those to restore."""
    return (
        f"does not fit what shall be restored: {shorten(problems)}. Build the models as they were "
        "when it was saved, or restore fewer of them with var_prefix or into={...}."
    )


def dotted(where: Place) -> str:
    """``agent.policy``"""
    return ".".join(map(str, where))


def shorten(lines: list[str], shown: int = 5) -> str:
    """The first few of many."""
    more = f"; and {len(lines) - shown} more" if len(lines) > shown else ""
    return "; ".join(lines[:shown]) + more


def _callable(value: Any, name: str) -> bool:
    try:
        return callable(getattr(value, name, None))
    except Exception:  # an attribute may be a property that raises
        return False
