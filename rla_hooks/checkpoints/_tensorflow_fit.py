"""Whether objects of TensorFlow fit what a checkpoint holds; nothing is changed by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from rla_hooks.checkpoints import _states, _tensorflow
from rla_hooks.checkpoints import _tensorflow_sessions as _sessions


def is_state(value: Any) -> bool:
    """Whether a value is what a checkpoint has for an object: arrays by their paths."""
    return isinstance(value, Mapping) and all(isinstance(array, np.ndarray | np.generic) for array in value.values())


def compare(target: _states.Target, selection: _states.Selection, values: list[_sessions.Value]) -> list[str]:
    """Add the variables of one object with their new values; returns where it differs from the file.

    Raises Refused. The optimizer of a compiled model gets its variables, which would come with the first step.
    """
    name, where = target.name, (target.name,)
    value = _sessions.raw(target.value, where)
    if not is_state(saved := {"": target.state} if isinstance(value, tf.Variable) else target.state):
        return [f"{name!r} is a {type(value).__name__} and in the file a {type(target.state)}"]
    nodes = _tensorflow.nodes(value, where)
    if _build_optimizers(nodes, saved):
        nodes = _tensorflow.nodes(value, where)
    own = _tensorflow.selected(value, nodes, where, selection)
    if _tensorflow.by_prefix(value, selection):
        saved = {path: array for path, array in saved.items() if selection.takes(name, path)}
    counters = _lone_counters(nodes, own, saved)
    problems = _only_in_file(name, nodes, [path for path in saved if path not in own and path not in counters])
    labels = _tensorflow.labels(nodes)
    of_graph = [variable for variable in own.values() if _sessions.graph_of(variable) is not None]
    session = _sessions.session_of(value, of_graph, where) if of_graph else None
    for path, variable in own.items():
        full = f"'{name}.{path}'".replace(".'", "'") + (f" ({labels[path]})" if path in labels else "")
        if path in saved:
            array = np.asarray(saved[path])
            problems += _misfit(full, variable, array)
            values.append(_value(variable, array, session, where))
        elif path not in counters:
            problems.append(f"{full} is not in the file")
    return problems


def _value(variable: Any, array: Any, session: Any, where: tuple[str]) -> _sessions.Value:
    if _sessions.graph_of(variable) is None:
        return _sessions.Value(variable, array, None)
    _sessions.feed_of(variable, where)
    return _sessions.Value(variable, array, session)


def _misfit(full: str, variable: Any, array: Any) -> list[str]:
    dtype = np.dtype(variable.dtype.base_dtype.as_numpy_dtype)
    if not variable.shape.is_compatible_with(array.shape):
        return [f"{full} has shape {tuple(variable.shape)} and in the file {array.shape}"]
    if dtype != array.dtype:
        return [f"{full} has dtype {dtype} and in the file {array.dtype}"]
    return []


def _only_in_file(name: str, nodes: list[tuple[str, Any]], paths: list[str]) -> list[str]:
    """Lines for what the object does not have. Layers and optimizers have their variables once they are built."""
    hints = []
    troubles = dict(_tensorflow.unbuilt(nodes))
    for path, node in nodes:
        missing = [each for each in paths if each.startswith(f"{path}/".lstrip("/"))]
        full, hint = f"{name}.{path}".rstrip("."), troubles.get(path)
        if hasattr(node, "apply_gradients") and not getattr(node, "built", False):
            hint = "an optimizer has them once it is built. Call its build(model.trainable_variables), or take a step"
        if missing and hint:
            hints.append(f"{len(missing)} variables of {full!r} are only in the file: {hint}")
            paths = [each for each in paths if each not in missing]
    return [*hints, *(f"'{name}.{path}' is only in the file" for path in paths)]


def _build_optimizers(nodes: list[tuple[str, Any]], saved: Mapping[str, Any]) -> bool:
    """Build the optimizers of compiled models where their variables were saved; returns whether there was one."""
    found = False
    own = {path for path, node in nodes if isinstance(node, tf.Variable)}
    for path, model in nodes:
        if not (_tensorflow.is_keras(model) or hasattr(model, "compiled_metrics")):
            continue  # a tf.Module: which of its variables its optimizer is for, only the program knows
        prefix = f"{path}/optimizer/".lstrip("/")
        optimizer = getattr(model, "optimizer", None)
        build = getattr(optimizer, "build", None) or getattr(optimizer, "_create_all_weights", None)
        lacking = any(each.startswith(prefix) for each in saved if each not in own)
        if build is None or getattr(optimizer, "built", False) or not lacking:
            continue
        # The variables of a tf.Module are not those of the Keras 3 models in it, which its optimizer is for.
        if not hasattr(model, "trainable_variables") or _tensorflow.is_keras(optimizer) > _tensorflow.is_keras(model):
            continue
        variables = model.trainable_variables
        if any(_sessions.graph_of(variable) is not None for variable in variables):
            build(variables)
        else:
            with _tensorflow.eagerly():
                build(variables)
        found = True
    return found


def _lone_counters(nodes: list[tuple[str, Any]], own: Mapping[str, Any], saved: Mapping[str, Any]) -> set[str]:
    """The counters of tf.train.Checkpoint that one side has not: its first own save makes them (tensorflow 2.21)."""
    kinds = (tf.train.Checkpoint, tf.compat.v1.train.Checkpoint)
    counters = {f"{path}/save_counter".lstrip("/") for path, node in nodes if isinstance(node, kinds)}
    return {counter for counter in counters if (counter in own) != (counter in saved)}
