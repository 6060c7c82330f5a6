"""Modules, optimizers, metrics and random streams of Flax's nnx: their variables, in place, by the paths of attributes.

    {"rla": "nnx", "class": "MLP", "variables": {"linear.kernel": array, "rngs.params.key": {...}, ...}}

A variable that has several paths, a tied weight, has one of them here, and stays one.
"""

from __future__ import annotations

from typing import Any

from flax import nnx

from rla_hooks.checkpoints.state_dicts import dotted
from rla_hooks.state.objects.walk import TAG, Kind, Walk

_KINDS = tuple({getattr(nnx, name) for name in ("Module", "Pytree", "Object") if hasattr(nnx, name)})


class Modules(Kind):
    """What nnx takes apart into a graph and variables."""

    tag = "nnx"

    def matches(self, value: Any) -> bool:
        return isinstance(value, _KINDS)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        found = {path: walk.capture(part, f"{at}.{path}") for path, part in _values(value).items()}
        return {TAG: self.tag, "class": type(value).__name__, "variables": found}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if walk.has_class(value, tree["class"], at):
            walk.check_parts(_values(value), tree["variables"], f"{at}.")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        state = nnx.state(value)
        own = _flat(state)
        new = {path: walk.put(_value(own[path]), tree["variables"][dotted(path)]) for path in own}
        nnx.update(value, _rebuilt(state, new))
        return value


def _flat(state: Any) -> dict[Any, Any]:
    return dict(nnx.to_flat_state(state))


def _value(part: Any) -> Any:
    """Return the value of a variable."""
    return part.get_value() if hasattr(part, "get_value") else getattr(part, "value", part)


def _values(value: Any) -> dict[str, Any]:
    return {dotted(path): _value(part) for path, part in _flat(nnx.state(value)).items()}


def _rebuilt(state: Any, new: dict[Any, Any]) -> Any:
    """Return the state with other values in its variables."""
    flat = [
        (path, part.replace(new[path]) if hasattr(part, "replace") else new[path])
        for path, part in _flat(state).items()
    ]
    return nnx.from_flat_state(flat)


KINDS = [Modules()]
