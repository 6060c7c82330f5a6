"""Modules, optimizers and checkpoints of TensorFlow, and models of Keras 2: their variables by paths of attributes.

{"rla": "tensorflow_object", "class": "Policy", "variables": {"body/w": array, ...}}
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rla_hooks.checkpoints.state_dicts import PrefixFilter
from rla_hooks.checkpoints.tensorflow import objects, sessions, tracking
from rla_hooks.checkpoints.tensorflow.objects import Inventory
from rla_hooks.encoding import NotStorable
from rla_hooks.errors import CheckpointError
from rla_hooks.state.objects import stored
from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Objects(Kind):
    """What TensorFlow tracks and is more than one variable; sessions, too."""

    tag = "tensorflow_object"

    def matches(self, value: Any) -> bool:
        return objects.is_own(value) and not isinstance(value, (tf.Variable, tf.Tensor, tf.random.Generator))

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        try:
            inventory = Inventory(value, (at,), PrefixFilter(""))
            variables = inventory.graph_variables()
            read = sessions.read(inventory.session, variables, (at,)) if variables else []
            arrays = dict(zip(map(id, variables), read, strict=True))
        except (NotStorable, CheckpointError) as problem:
            walk.problems.append(str(problem))
            return None
        for path, advice in inventory.unbuilt_layers.items():
            walk.problems.append(f"{at}.{path} {advice}")
        for path, kind in inventory.other_states.items():
            walk.missing.append(
                f"{at}.{path}: the state of a {kind.__name__} is not stored. Put what you need in extra"
            )
        with tracking.eagerly():
            found = {
                path: arrays[id(variable)] if id(variable) in arrays else variable.numpy()
                for path, variable in inventory.variables.items()
            }
        return {TAG: self.tag, "class": type(value).__name__, "variables": found}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        try:
            inventory = Inventory(value, (at,), PrefixFilter(""), stored.loaded(tree["variables"]))
        except (NotStorable, CheckpointError) as problem:
            walk.problems.append(str(problem))
            return
        walk.problems += [line.replace("in the file", "in the state") for line in inventory.differences()]

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        values = Inventory(value, ("it",), PrefixFilter(""), stored.loaded(tree["variables"])).new_values()
        with tracking.eagerly():
            for each in values:
                if each.session is None:
                    each.variable.assign(each.array)
        sessions.assign([each for each in values if each.session is not None])
        return value


KINDS = [Objects()]
