"""The variables of TensorFlow's objects: modules, sessions, what is tracked, and Keras 3 inside of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from rla_hooks.checkpoints import _states
from rla_hooks.checkpoints import _tensorflow_sessions as _sessions
from rla_hooks.plaindata import Place, Refused, Walker

TRACKABLE = tf.__internal__.tracking.Trackable
Nodes = list[tuple[str, Any]]  # an object and all that it is made of, with paths of attributes: "body/w"


def is_own(value: Any) -> bool:
    """Whether a value is an object of TensorFlow to restore. Dicts and lists that it has wrapped are none."""
    if _sessions.is_session(value):
        return True
    return isinstance(value, TRACKABLE) and not isinstance(value, (Mapping, list, tuple)) and not is_keras(value)


def nodes(value: Any, where: Place) -> Nodes:
    """An object and all that it is made of, each once, with the shortest path. Raises Refused.

    Where an object does not say what it is made of: a list or dict of a module that was not only appended to, or
    keys that are no texts (tensorflow 2.21). And where it has no variables yet.
    """
    if not getattr(value, "built", True):
        do = "Call it once, or build(input_shape)"
        raise Refused(where, f"a {type(value).__name__} that is not built has no variables yet. {do}.")
    return list(_walk(value, where, _children))


def selected(value: Any, nodes: Nodes, where: Place, selection: _states.Selection) -> dict[str, Any]:
    """The variables of an object by name or path, as far as they are selected. Raises Refused."""
    if _sessions.is_session(value):
        key = tf.compat.v1.GraphKeys.GLOBAL_VARIABLES
        found = {variable.op.name: variable for variable in value.graph.get_collection(key)}
    else:
        found = {}
        for path, node in nodes:
            if isinstance(node, tf.Variable):
                if path in found:
                    raise Refused(where, f"{path!r} is the name of two variables. Rename one.")
                found[path] = node
    if not by_prefix(value, selection):
        return found
    return {path: variable for path, variable in found.items() if selection.takes(_states.dotted(where), path)}


def by_prefix(value: Any, selection: _states.Selection) -> bool:
    """Whether var_prefix selects among the variables of this object; optimizers and such are whole."""
    modules = _sessions.is_session(value) or hasattr(value, "trainable_variables")
    return bool(selection.var_prefix) and modules


def unbuilt(nodes: Nodes) -> Iterator[tuple[str, str]]:
    """Where in an object a layer of Keras 3 has no variables yet, and what to do."""
    keras = keras_backend()
    for path, node in nodes:
        if keras and (trouble := keras.unbuilt_layer(node)):
            yield path, trouble


def other_states(value: Any, nodes: Nodes) -> Iterator[tuple[str, type]]:
    """Where an object has a state that is no variable, and of which type: tables, iterators, what is of Python."""
    if _sessions.is_session(value):
        for saveable in value.graph.get_collection(tf.compat.v1.GraphKeys.SAVEABLE_OBJECTS):
            yield saveable.name, type(saveable)
    methods = ("_serialize_to_tensors", "_gather_saveables_for_checkpoint")  # who has a state overrides one of them
    for path, node in nodes:
        tracked = isinstance(node, TRACKABLE) and not isinstance(node, tf.Variable) and not is_keras(node)
        tracked = tracked and not hasattr(node, "_trackable")  # who only hands on what another has (tf_keras 2.21)
        if tracked and any(getattr(type(node), method) is not getattr(TRACKABLE, method) for method in methods):
            yield path, type(node)


def labels(nodes: Nodes) -> dict[str, str]:
    """What Keras 3 calls the variables at those paths where it has only numbers."""
    return {f"{path}/{name}": each.path for path, node in nodes if is_keras(node) for name, each in _of_keras(node)}


def keras_backend() -> Any:
    """Our backend of Keras, or None where the program has not imported Keras."""
    if sys.modules.get("keras") is None:
        return None
    from rla_hooks.checkpoints import keras_backend

    return keras_backend


def is_keras(value: Any) -> bool:
    """Whether a value is an object of Keras 3."""
    keras = keras_backend()
    return keras is not None and keras.is_own(value)


@contextmanager
def eagerly() -> Iterator[None]:
    """As if no graph were the default. tf.init_scope alone does not leave one that was entered (tensorflow 2.21)."""
    from tensorflow.python.eager import context

    with tf.init_scope(), context.eager_mode():
        yield


def variables_inside(layer: Any) -> Iterator[tuple[str, Any]]:
    """The variables of TensorFlow in a layer, and those of Keras 3 in its tf.Modules, which Keras does not see.

    Not all that Keras leaves out: the states of a stateful RNN go by the size of the batch, and are no weights (3.15).
    """
    modules: tuple[str, ...] = ()
    for path, node in _walk(layer, (), _attributes):
        if isinstance(node, tf.Module):
            modules = (*modules, f"{path}/")
        elif isinstance(node, tf.Variable) or (keras_backend().is_variable(node) and path.startswith(modules)):
            yield path, node


def _walk(value: Any, where: Place, children: Callable[[Any], Iterable[tuple[str, Any]]]) -> Iterator[tuple[str, Any]]:
    queue, seen = [("", value)], {id(value)}
    for path, node in queue:  # which grows
        yield path, node
        try:
            parts = sorted(children(node), key=lambda pair: pair[0])
        except Exception as error:
            text = " ".join(str(error).split())[:400]
            raise Refused((*where, path) if path else where, f"{type(error).__name__}: {text}") from error
        for name, child in parts:
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}" if path else name, child))


def _children(node: Any) -> list[tuple[str, Any]]:
    if _sessions.is_session(node):
        return []
    if is_keras(node):  # TensorFlow would not find the seeds of Keras 3 (3.15)
        return [(name, variable.value) for name, variable in _of_keras(node)]
    if hasattr(node, "add_variable_from_reference"):  # such optimizers keep the first answer (tf_keras 2.21)
        children = list(tf.__internal__.tracking.AutoTrackable._trackable_children(node).items())
    else:
        children = list(tf.train.TrackableView.children(node).items())
    # Optimizers of before Keras 2.11 do not count these among their own; what wraps them may have none.
    if hasattr(node, "get_slot_names") and hasattr(node, "variables"):
        children += [(f"slots/{i}", variable) for i, variable in enumerate(_slots(node))]
    return children


def _of_keras(node: Any) -> list[tuple[str, Any]]:
    """The variables of an object of Keras 3, by number: their names differ from one process to the next."""
    parts = keras_backend().parts(node, "", _states.Selection(""))
    return [
        (f"{part}/{each.path if part == 'others' else i}", each) for part in parts for i, each in enumerate(parts[part])
    ]


def _attributes(node: Any) -> list[tuple[str, Any]]:
    """What hangs on a layer. TensorFlow does not see the lists and dicts of Keras 3 (3.15)."""
    found: Iterable[tuple[Any, Any]] = ()
    if is_keras(node):
        found = vars(node).items() if keras_backend().is_followed(node) else ()
    elif isinstance(node, Mapping):
        found = node.items()
    elif isinstance(node, (list, tuple)):
        found = enumerate(node)
    elif isinstance(node, TRACKABLE):
        found = _children(node)
    return [(str(name), child) for name, child in found if _leads_on(child)]


def _leads_on(value: Any) -> bool:
    """Whether a variable may hang on a value. The replay buffer of an agent, say, has a million tuples of arrays."""
    if type(value) in Walker.atoms or type(value) is np.ndarray:
        return False
    if isinstance(value, (list, tuple)):
        return any(map(_leads_on, value))
    return isinstance(value, (TRACKABLE, Mapping)) or is_keras(value)


def _slots(optimizer: Any) -> list[Any]:
    """All variables of an optimizer. Those of TensorFlow 1 name only what is in the default graph (tensorflow 2.21)."""
    found = list(optimizer.variables())
    session = tf.compat.v1.get_default_session()
    if session is not None:
        with session.graph.as_default():
            found += optimizer.variables()
    return list({id(variable): variable for variable in found}.values())
