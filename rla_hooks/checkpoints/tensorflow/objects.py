"""Finds the variables of a TensorFlow object, and what of it cannot be stored."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from rla_hooks.checkpoints.compare import ArraySpec, differences, only_in_file
from rla_hooks.checkpoints.state_dicts import PrefixFilter, dotted
from rla_hooks.checkpoints.tensorflow import sessions, tracking
from rla_hooks.encoding import KeyPath, NotStorable

_BUILD_OPTIMIZER = "an optimizer has them once it is built. Call its build(model.trainable_variables), or take a step"


def is_own(value: Any) -> bool:
    """Return whether a value is an object of TensorFlow that can be stored; dicts and lists that it wraps are not."""
    is_tracked = isinstance(value, tracking.TRACKABLE) and not isinstance(value, (Mapping, list, tuple))
    return sessions.is_session(value) or (is_tracked and not is_keras(value))


def is_keras(value: Any) -> bool:
    """Return whether a value is an object of Keras 3."""
    keras = keras_backend()
    return keras is not None and keras.is_own(value)


def keras_backend() -> Any:
    """Return rla_hooks' backend for Keras, or None if the program has not imported Keras."""
    if sys.modules.get("keras") is None:
        return None
    from rla_hooks.checkpoints import keras_backend

    return keras_backend


class Inventory:
    """The variables and other parts of one object, found in one walk through its attributes.

    name: the keys of the object in the models: ``agent.policy``.
    variables: the selected variables by path of attributes (``body/w``); those of a session by their name in the graph.
    session: the open session that holds the values; None for eager variables.
    labels: by path, the name that Keras 3 gives to a variable whose path has only a number.
    unbuilt_layers, unbuilt_optimizers: by path, the advice for layers and optimizers that have no variables yet.
    other_states: by path, the type of an object with a state that is not a variable: tables, iterators, Python objects.
    counters: the paths of the save counters of ``tf.train.Checkpoint``, which exist after its first own save (2.21).

    stored: when restoring, the arrays in the file for this object, by path. If they have variables that the optimizer
    of a compiled model creates only with its first step, the optimizer is built.

    Raises NotStorable if TensorFlow cannot list the parts (2.21: a module has a list or dict that was changed other
    than by appending, or keys that are not texts), if there are no variables yet, or two of one name. Raises
    CheckpointError if the session is closed or cannot be found.
    """

    def __init__(self, value: Any, keys: KeyPath, prefix_filter: PrefixFilter, stored: Mapping[str, Any] = {}):
        self.name = dotted(keys)
        self.variables: dict[str, Any] = {}
        self.labels: dict[str, str] = {}
        self.unbuilt_layers: dict[str, str] = {}
        self.unbuilt_optimizers: dict[str, str] = {}
        self.other_states: dict[str, type] = {}
        self.counters: list[str] = []
        self._keys, self._prefix_filter = keys, prefix_filter
        self.stored = stored
        value = sessions.unwrap(value, keys)
        # Only modules and models are filtered. Asking for trainable_variables would be another walk.
        is_model = inspect.getattr_static(value, "trainable_variables", None) is not None
        if sessions.is_session(value):
            self._add_graph(value.graph)
        elif not getattr(value, "built", True):
            do = "Call it once, or build(input_shape)."
            raise NotStorable(keys, f"a {type(value).__name__} that is not built has no variables yet. {do}")
        else:
            for path, node in tracking.walk(value, keys, self._children):
                self._add(path, node)
        if is_model or sessions.is_session(value):
            self.variables, self.stored = self._selected(self.variables), self._selected(stored)
        if sessions.is_session(value) and prefix_filter.var_prefix and self.variables:
            # As of tf.train.Saver: a graph of the policy alone takes no variables of the optimizer that has trained it.
            self.stored = {path: array for path, array in self.stored.items() if path in self.variables}
        self.session = sessions.session_of(value, self.graph_variables(), keys)

    def _selected(self, by_path: Mapping[str, Any]) -> dict[str, Any]:
        return {path: each for path, each in by_path.items() if self._prefix_filter.selects(self.name, path)}

    def graph_variables(self) -> list[Any]:
        """Return the variables whose values are in a session."""
        return [variable for variable in self.variables.values() if sessions.graph_of(variable) is not None]

    def differences(self) -> list[str]:
        """Return the differences between variables and stored arrays; one line for each part that is not built."""
        own = {path: _spec(variable) for path, variable in self.variables.items()}
        stored = {path: ArraySpec(array.shape, str(array.dtype)) for path, array in self.stored.items()}
        for counter in self.counters:
            if counter not in own or counter not in stored:  # either side may lack it
                own.pop(counter, None)
                stored.pop(counter, None)
        lines = []
        for path, advice in {**self.unbuilt_layers, **self.unbuilt_optimizers}.items():
            missing = [each for each in stored if each not in own and each.startswith(_joined(path, ""))]
            if missing:
                lines.append(only_in_file(len(missing), repr(f"{self.name}.{path}".rstrip(".")), advice))
                stored = {each: spec for each, spec in stored.items() if each not in missing}
        return lines + differences(*({self._full_name(path): each[path] for path in each} for each in (own, stored)))

    def new_values(self) -> list[sessions.Value]:
        """Return the variables that have a stored array, each with its new value."""
        return [
            sessions.Value(variable, self.stored[path], self.session if sessions.graph_of(variable) else None)
            for path, variable in self.variables.items()
            if path in self.stored
        ]

    def _full_name(self, path: str) -> str:
        label = self.labels.get(path)
        return repr(f"{self.name}.{path}" if path else self.name) + (f" ({label})" if label else "")

    def _add_graph(self, graph: Any) -> None:
        keys = tf.compat.v1.GraphKeys
        self.variables = {variable.op.name: variable for variable in graph.get_collection(keys.GLOBAL_VARIABLES)}
        self.other_states = {each.name: type(each) for each in graph.get_collection(keys.SAVEABLE_OBJECTS)}

    def _add(self, path: str, node: Any) -> None:
        if isinstance(node, tf.Variable):
            if path in self.variables:
                raise NotStorable(self._keys, f"{path!r} is the name of two variables. Rename one.")
            self.variables[path] = node
            return
        if is_keras(node):
            if advice := keras_backend().unbuilt_layer(node):
                self.unbuilt_layers[path] = advice
        elif _has_other_state(node):
            self.other_states[path] = type(node)
        if hasattr(node, "apply_gradients") and not getattr(node, "built", False):
            self.unbuilt_optimizers[path] = _BUILD_OPTIMIZER
        if isinstance(node, (tf.train.Checkpoint, tf.compat.v1.train.Checkpoint)):
            self.counters.append(_joined(path, "save_counter"))

    def _children(self, path: str, node: Any) -> list[tuple[str, Any]]:
        if is_keras(node) or hasattr(node, "compiled_metrics"):  # the second: a model of Keras 2
            self._build_optimizer(path, node)
        if not is_keras(node):
            return tracking.children(path, node)
        # TensorFlow would not find the seeds of Keras 3 (3.15). Names differ from one process to the next.
        found = []
        for part, variables in keras_backend().parts(node, "", PrefixFilter("")).items():
            for number, variable in enumerate(variables):
                name = f"{part}/{variable.path if part == 'others' else number}"
                self.labels[_joined(path, name)] = variable.path
                found.append((name, variable.value))
        return found

    def _build_optimizer(self, path: str, model: Any) -> None:
        """Build the optimizer of a compiled model if the file has variables of it that do not exist yet."""
        optimizer, variables = getattr(model, "optimizer", None), getattr(model, "trainable_variables", None)
        # Optimizers of before Keras 2.11 have the second.
        build = getattr(optimizer, "build", None) or getattr(optimizer, "_create_all_weights", None)
        if build is None or variables is None or getattr(optimizer, "built", False):
            return
        parts = () if is_keras(optimizer) else tracking.walk(optimizer, (), tracking.children)
        own = {_joined(path, f"optimizer/{part}") for part, node in parts if isinstance(node, tf.Variable)}
        prefix = _joined(path, "optimizer/")
        if any(each.startswith(prefix) and each not in own for each in self.stored):
            in_graph = any(sessions.graph_of(variable) is not None for variable in variables)
            with contextlib.nullcontext() if in_graph else tracking.eagerly():
                build(variables)


def _spec(variable: Any) -> ArraySpec:
    shape = None if variable.shape.rank is None else tuple(variable.shape.as_list())
    return ArraySpec(shape, str(np.dtype(variable.dtype.base_dtype.as_numpy_dtype)))


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _has_other_state(node: Any) -> bool:
    """Return whether an object has a state that is not a variable: then its class overrides one of two methods."""
    if not isinstance(node, tracking.TRACKABLE) or hasattr(node, "_trackable"):
        return False  # a _trackable only passes on another object's state (tf_keras 2.21)
    methods = ("_serialize_to_tensors", "_gather_saveables_for_checkpoint")
    return any(getattr(type(node), method) is not getattr(tracking.TRACKABLE, method) for method in methods)
