"""The variables of TensorFlow's objects: modules, sessions, graphs, what is tracked, and Keras 3 inside of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from rla_hooks.checkpoints import _states
from rla_hooks.plaindata import Place, Refused

SESSIONS = (tf.compat.v1.Session, tf.compat.v1.InteractiveSession)
TRACKABLE = tf.__internal__.tracking.Trackable


def is_own(value: Any) -> bool:
    """Whether a value is an object of TensorFlow to restore. Dicts and lists that it has wrapped are none."""
    if isinstance(value, SESSIONS):
        return True
    return isinstance(value, TRACKABLE) and not isinstance(value, (Mapping, list, tuple)) and not is_keras(value)


def selected(value: Any, where: Place, selection: _states.Selection) -> dict[str, Any]:
    """The variables of an object by name or path, as far as they are selected. Raises Refused."""
    if not getattr(value, "built", True):
        do = "Call it once, or build(input_shape)"
        raise Refused(where, f"a {type(value).__name__} that is not built has no variables yet. {do}.")
    if isinstance(value, SESSIONS):
        key = tf.compat.v1.GraphKeys.GLOBAL_VARIABLES
        found = {variable.op.name: variable for variable in value.graph.get_collection(key)}
    else:
        found = {path: node for path, node in walk(value, where) if isinstance(node, tf.Variable)}
    if not by_prefix(value, selection):
        return found
    return {path: variable for path, variable in found.items() if selection.takes(_states.dotted(where), path)}


def by_prefix(value: Any, selection: _states.Selection) -> bool:
    """Whether var_prefix selects among the variables of this object; optimizers and such are whole."""
    modules = isinstance(value, SESSIONS) or hasattr(value, "trainable_variables")
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
    if isinstance(node, SESSIONS):
        return {}
    keras = keras_backend()
    if keras and keras.is_own(node):  # TensorFlow would not find the seeds of Keras 3 (3.15)
        parts = keras.parts(node, "", _states.Selection(""))
        return {f"{part}/{i}": variable.value for part in parts for i, variable in enumerate(parts[part])}
    children = dict(tf.train.TrackableView.children(node))
    if hasattr(node, "get_slot_names"):  # optimizers of before Keras 2.11 do not count these among their own
        children |= {f"slots/{i}": variable for i, variable in enumerate(node.variables())}
    return children


def build_optimizer(model: Any, saved: Mapping[str, Any]) -> None:
    """Make the variables of a compiled model's optimizer, which would come with the first step, if they were saved."""
    optimizer = getattr(model, "optimizer", None)
    build = getattr(optimizer, "build", None) or getattr(optimizer, "_create_all_weights", None)
    if build and hasattr(model, "trainable_variables") and any(path.startswith("optimizer/") for path in saved):
        build(model.trainable_variables)


def session_of(value: Any, variables: list[Any], where: Place) -> Any:
    """The session that holds these variables of a graph. Raises Refused."""
    if isinstance(value, SESSIONS) or not variables:
        return value
    session = tf.compat.v1.get_default_session()
    if session is None or any(graph_of(variable) is not session.graph for variable in variables):
        raise Refused(
            where,
            "its values are in a session. Pass the session itself ({'session': session}), "
            "or call this inside of `with session.as_default():`.",
        )
    return session


def graph_of(variable: Any) -> Any:
    """The graph of a variable of TensorFlow 1; None for an eager one, which has no ``op`` (tensorflow 2.21)."""
    return getattr(getattr(variable, "op", None), "graph", None)


def assign(variable: Any, value: Any, session: Any) -> None:
    """Give a variable its value, that of a graph in its session."""
    if graph_of(variable) is None:
        with tf.init_scope():
            variable.assign(value)
    else:  # feeding the initial value adds nothing to the graph, which may be finalized
        session.run(variable.initializer, {variable.initializer.inputs[1]: value})


def keras_backend() -> Any:
    """Our backend of Keras, or None where the program has not imported Keras."""
    if sys.modules.get("keras") is None:
        return None
    from rla_hooks.checkpoints import keras_backend

    return keras_backend


def is_keras(value: Any) -> bool:
    keras = keras_backend()
    return keras is not None and keras.is_own(value)
