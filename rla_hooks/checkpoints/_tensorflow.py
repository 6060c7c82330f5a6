"""The variables of TensorFlow's objects: modules, sessions, graphs, what is tracked, and Keras 3 inside of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from rla_hooks.checkpoints import _states
from rla_hooks.checkpoints import _tensorflow_sessions as _sessions
from rla_hooks.plaindata import Place, Refused

TRACKABLE = tf.__internal__.tracking.Trackable


def is_own(value: Any) -> bool:
    """Whether a value is an object of TensorFlow to restore. Dicts and lists that it has wrapped are none."""
    if _sessions.is_session(value):
        return True
    return isinstance(value, TRACKABLE) and not isinstance(value, (Mapping, list, tuple)) and not is_keras(value)


def selected(value: Any, where: Place, selection: _states.Selection) -> dict[str, Any]:
    """The variables of an object by name or path, as far as they are selected. Raises Refused."""
    if not getattr(value, "built", True):
        do = "Call it once, or build(input_shape)"
        raise Refused(where, f"a {type(value).__name__} that is not built has no variables yet. {do}.")
    if _sessions.is_session(value):
        key = tf.compat.v1.GraphKeys.GLOBAL_VARIABLES
        found = {variable.op.name: variable for variable in value.graph.get_collection(key)}
    else:
        found = {path: node for path, node in walk(value, where) if isinstance(node, tf.Variable)}
    if not by_prefix(value, selection):
        return found
    return {path: variable for path, variable in found.items() if selection.takes(_states.dotted(where), path)}


def by_prefix(value: Any, selection: _states.Selection) -> bool:
    """Whether var_prefix selects among the variables of this object; optimizers and such are whole."""
    modules = _sessions.is_session(value) or hasattr(value, "trainable_variables")
    return bool(selection.var_prefix) and modules


def walk(value: Any, where: Place) -> Iterator[tuple[str, Any]]:
    """An object and all that it is made of, each once, with the shortest path of attributes: ``body/w``.

    Raises Refused where an object does not say what it is made of: a list or dict of a module that was not only
    appended to, or keys that are no texts (tensorflow 2.21).
    """
    queue, seen = [("", value)], {id(value)}
    for path, node in queue:  # which grows
        yield path, node
        try:
            children = sorted(_children(node).items())
        except Exception as error:
            text = " ".join(str(error).split())[:400]
            raise Refused((*where, path) if path else where, f"{type(error).__name__}: {text}") from error
        for name, child in children:
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}" if path else name, child))


def _children(node: Any) -> dict[str, Any]:
    if _sessions.is_session(node):
        return {}
    keras = keras_backend()
    if keras and keras.is_own(node):  # TensorFlow would not find the seeds of Keras 3 (3.15)
        parts = keras.parts(node, "", _states.Selection(""))
        return {f"{part}/{i}": variable.value for part in parts for i, variable in enumerate(parts[part])}
    children = dict(tf.train.TrackableView.children(node))
    if hasattr(node, "get_slot_names"):  # optimizers of before Keras 2.11 do not count these among their own
        children |= {f"slots/{i}": variable for i, variable in enumerate(_slots(node))}
    return children


def _slots(optimizer: Any) -> list[Any]:
    """All variables of an optimizer. Those of TensorFlow 1 name only what is in the default graph (tensorflow 2.21)."""
    found = list(optimizer.variables())
    session = tf.compat.v1.get_default_session()
    if session is not None:
        with session.graph.as_default():
            found += optimizer.variables()
    return list({id(variable): variable for variable in found}.values())


def build_optimizer(model: Any, saved: Mapping[str, Any]) -> None:
    """Make the variables of a compiled model's optimizer, which would come with the first step, if they were saved."""
    optimizer = getattr(model, "optimizer", None)
    build = getattr(optimizer, "build", None) or getattr(optimizer, "_create_all_weights", None)
    if build and hasattr(model, "trainable_variables") and any(path.startswith("optimizer/") for path in saved):
        build(model.trainable_variables)


def keras_backend() -> Any:
    """Our backend of Keras, or None where the program has not imported Keras."""
    if sys.modules.get("keras") is None:
        return None
    from rla_hooks.checkpoints import keras_backend

    return keras_backend


def is_keras(value: Any) -> bool:
    keras = keras_backend()
    return keras is not None and keras.is_own(value)
