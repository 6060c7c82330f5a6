"""Models, layers, optimizers and metrics of Keras 3, on every backend: their variables in their order.

{"rla": "keras", "class": "Sequential", "parts": {"variables": [["dense/kernel", array], ...], "optimizer": [...]}}
"""

from __future__ import annotations

from typing import Any

from rla_hooks.checkpoints import keras_backend
from rla_hooks.checkpoints.state_dicts import PrefixFilter
from rla_hooks.encoding import NotStorable
from rla_hooks.errors import CheckpointError
from rla_hooks.state.objects import stored
from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Models(Kind):
    """What has variables of Keras."""

    tag = "keras"

    def matches(self, value: Any) -> bool:
        return keras_backend.is_own(value)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        try:
            parts = keras_backend.encode_object(value, (at,), PrefixFilter(""))
        except NotStorable as problem:
            walk.problems.append(str(problem))
            return None
        return {TAG: self.tag, "class": type(value).__name__, "parts": parts}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        walk.problems += [line.replace("in the file", "in the state") for line in _match(value, tree, at)[1]]

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        pairs, problems = _match(value, tree, "it")
        if problems:
            raise CheckpointError(problems[0])
        with keras_backend.eagerly():
            for variable, array in pairs:
                variable.assign(array)
        return value


def _match(value: Any, tree: Any, at: str) -> tuple[list[Any], list[str]]:
    parts = stored.loaded(tree["parts"])
    try:
        return keras_backend.match({at: value}, {at: parts}, PrefixFilter(""))
    except CheckpointError as error:
        return [], [str(error)]


KINDS = [Models()]
