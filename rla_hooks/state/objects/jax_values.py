"""Arrays of JAX and its typed keys. Both cannot be changed: they are replaced in the dict or list that holds them."""

from __future__ import annotations

from typing import Any

import jax
import numpy

from rla_hooks.checkpoints import compare
from rla_hooks.state import jax_leaves
from rla_hooks.state.objects import stored
from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Arrays(Kind):
    """Arrays, raw keys among them: put where those of the program are, sharded as they are."""

    replaceable = True

    def matches(self, value: Any) -> bool:
        return (isinstance(value, jax.Array) and not jax_leaves.is_key(value)) or stored.owner(value) == "jax"

    def fixed(self, value: Any) -> bool:
        return True

    def loose(self, value: Any) -> bool:
        return bool(value.ndim == 0)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        if problem := jax_leaves.problem_of(value):
            walk.problems.append(f"{at}: {problem.rstrip('.')}")
            return None
        return value

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if value is not None and not walk.freely and (line := compare.difference(at, _spec(value), _spec(tree))):
            walk.problems.append(line.replace("in the file", "in the state"))

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        tree = stored.read(tree)
        return tree if value is None else jax.device_put(tree, value.sharding)


class Keys(Kind):
    """Typed keys: their numbers, with the name of the implementation."""

    tag, replaceable = "jax_key", True

    def matches(self, value: Any) -> bool:
        return jax_leaves.is_key(value)

    def fixed(self, value: Any) -> bool:
        return True

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        data = numpy.asarray(jax.random.key_data(value))
        return {TAG: self.tag, "implementation": str(jax.random.key_impl(value)), "data": data}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if value is None:
            return
        own, stored = str(jax.random.key_impl(value)), tree["implementation"]
        if own != stored:
            walk.problems.append(f"{at} is a key of {own} and in the state of {stored}. Make it with impl={stored!r}")
        elif not walk.freely and jax.random.key_data(value).shape != tree["data"].shape:
            shapes = jax.random.key_data(value).shape, tree["data"].shape
            walk.problems.append(f"{at} has shape {shapes[0]} and in the state {shapes[1]}")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        return jax.random.wrap_key_data(jax.numpy.asarray(stored.read(tree["data"])), impl=tree["implementation"])


def _spec(value: Any) -> compare.ArraySpec:
    return compare.ArraySpec(tuple(value.shape), str(value.dtype))


KINDS = [Keys(), Arrays()]
