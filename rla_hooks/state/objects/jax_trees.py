"""Pytrees of JAX that are more than dicts, lists and named tuples: states of Flax, of Optax, modules of Equinox.

    {"rla": "pytree", "class": "TrainState", "parts": {".step": 3, ".params": {...}, ...}}

Each is captured by its parts, whose names JAX knows; code in it is left where it is. Such an object cannot be changed:
a new one with the same code takes its place. Modules of Flax's nnx can, and are changed in place: see nnx_modules.py.
"""

from __future__ import annotations

import types
from functools import partial
from typing import Any

import jax

from rla_hooks.state.objects.walk import TAG, Kind, Walk, kind_of

_CODE = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, partial)
_OTHERS = (dict, list, tuple, type(None), bool, int, float, complex, str, bytes, jax.Array)


class Pytrees(Kind):
    """An object that JAX takes apart and puts together again."""

    tag = "pytree"

    def matches(self, value: Any) -> bool:
        if isinstance(value, _OTHERS):  # containers, and named tuples, have kinds of their own
            return False
        return not jax.tree_util.all_leaves([value])

    def fixed(self, value: Any) -> bool:
        return True

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        parts = {name: walk.capture(part, f"{at}{name}") for name, part in _parts(value) if not _is_code(part)}
        return {TAG: self.tag, "class": type(value).__name__, "parts": parts}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if walk.has_class(value, tree["class"], at):
            own = {name: part for name, part in _parts(value) if not _is_code(part)}
            walk.check_parts(own, tree["parts"], at)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        new = [part if _is_code(part) else walk.put(part, tree["parts"][name]) for name, part in _parts(value)]
        return jax.tree_util.tree_unflatten(_structure(value), new)


def _parts(value: Any) -> list[tuple[str, Any]]:
    """Return the parts of one level, with their names: ``.params``, ``['w']``."""
    found, _ = jax.tree_util.tree_flatten_with_path(value, is_leaf=lambda each: each is not value)
    return [(jax.tree_util.keystr(path), part) for path, part in found]


def _structure(value: Any) -> Any:
    return jax.tree_util.tree_structure(value, is_leaf=lambda each: each is not value)


def _is_code(part: Any) -> bool:
    return isinstance(part, _CODE) or (callable(part) and kind_of(part) is None)


KINDS = [Pytrees()]
