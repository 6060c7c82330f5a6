"""The variables in a layer of Keras 3 that Keras does not count among the layer's own (Keras 3.15, on TensorFlow).

A ``tf.Variable`` in an attribute, a list or a dict, and what is inside of a ``tf.Module``: TensorFlow does not see the
lists and dicts of Keras 3 either. Not all that Keras leaves out: the states of a stateful RNN depend on the size of the
batch, and are no weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rla_hooks.checkpoints.tensorflow import tracking
from rla_hooks.encoding import Encoder


def variables_in_attributes(layer: Any, is_keras: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    """Yield such variables with their paths of attributes. ``is_keras`` tells the objects of Keras 3."""

    def children(path: str, node: Any) -> list[tuple[str, Any]]:
        found: Iterable[tuple[Any, Any]] = ()
        if is_keras(node):
            # Not metrics, which are reset with each epoch, nor optimizers, which are stored by themselves.
            found = vars(node).items() if isinstance(node, (keras.Layer, keras.random.SeedGenerator)) else ()
        elif isinstance(node, Mapping):
            found = node.items()
        elif isinstance(node, (list, tuple)):
            found = enumerate(node)
        elif isinstance(node, tracking.TRACKABLE):
            found = tracking.children(path, node)
        return [(str(name), child) for name, child in found if may_hold_variables(child)]

    def may_hold_variables(value: Any) -> bool:
        # The replay buffer of an agent, say, has a million tuples of arrays.
        if type(value) in Encoder.scalars or type(value) is np.ndarray:
            return False
        if isinstance(value, (list, tuple)):
            return any(map(may_hold_variables, value))
        return isinstance(value, (tracking.TRACKABLE, Mapping)) or is_keras(value)

    modules: tuple[str, ...] = ()
    for path, node in tracking.walk(layer, (), children):
        if isinstance(node, tf.Module):
            modules = (*modules, f"{path}/")
        elif isinstance(node, tf.Variable) or (isinstance(node, keras.Variable) and path.startswith(modules)):
            yield path, node
