"""Variables and seed generators of Keras 3 on any backend, and its random state."""

from __future__ import annotations

from typing import Any

import keras
import numpy

from rla_hooks.checkpoints import compare
from rla_hooks.state.objects import stored
from rla_hooks.state.objects.parts import Part
from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Variables(Kind):
    """keras.Variable: assigned. Stored as an array of numpy."""

    tag = "keras_variable"

    def matches(self, value: Any) -> bool:
        return isinstance(value, getattr(keras, "Variable", ()))

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {TAG: self.tag, "value": keras.ops.convert_to_numpy(value)}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        own = compare.ArraySpec(tuple(value.shape), str(value.dtype))
        stored = numpy.asarray(tree["value"])
        if line := compare.difference(at, own, compare.ArraySpec(stored.shape, str(stored.dtype))):
            walk.problems.append(line.replace("in the file", "in the state"))

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        value.assign(stored.read(tree["value"]))
        return value


class SeedGenerators(Kind):
    """keras.random.SeedGenerator: in place."""

    tag = "keras_seed_generator"

    def matches(self, value: Any) -> bool:
        return isinstance(value, getattr(keras.random, "SeedGenerator", ()))

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {TAG: self.tag, "state": keras.ops.convert_to_numpy(value.state)}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        own, stored = tuple(value.state.shape), numpy.asarray(tree["state"]).shape
        if own != stored:
            walk.problems.append(f"{at} has a state of shape {own} and in the state {stored}")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        value.state.assign(stored.read(tree["state"]))
        return value


class KerasRandom(Part):
    """The seed generator from which functions of ``keras.random`` without a seed draw."""

    name = "random state of Keras"

    def capture(self, at: str, walk: Walk) -> dict[str, Any]:
        own = _global_generator()
        return {"generator": None if own is None else walk.capture(own, at)}

    def put(self, tree: dict[str, Any], walk: Walk) -> None:
        if tree["generator"] is not None:
            walk.put(_global_generator(make=True), tree["generator"])


def _global_generator(make: bool = False) -> Any:
    """The global seed generator, None before its first use, since making one draws a random number."""
    try:
        from keras.src.backend.common import global_state
        from keras.src.random import seed_generator
    except ImportError:  # Keras 2
        return None
    return global_state.get_global_attribute("global_seed_generator") or (
        seed_generator.global_seed_generator() if make else None
    )


KINDS = [Variables(), SeedGenerators()]
