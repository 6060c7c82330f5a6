"""Walks through the attributes of objects that TensorFlow tracks, without objects of Keras 3."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import tensorflow as tf

from rla_hooks.encoding import KeyPath, NotStorable

TRACKABLE = tf.__internal__.tracking.Trackable
Children = Callable[[str, Any], Iterable[tuple[str, Any]]]


def walk(value: Any, keys: KeyPath, children: Children) -> Iterator[tuple[str, Any]]:
    """Yield an object and all objects in it, each once, with the shortest path of attributes: ``body/w``.

    ``children(path, node)`` is called after a node was yielded, and returns pairs of name and object. Raises
    NotStorable where that raises; ``keys`` lead to the object.
    """
    queue, seen = [("", value)], {id(value)}
    for path, node in queue:  # which grows
        yield path, node
        try:
            found = sorted(children(path, node), key=lambda pair: pair[0])
        except Exception as error:
            text = " ".join(str(error).split())[:400]
            raise NotStorable((*keys, path) if path else keys, f"{type(error).__name__}: {text}") from error
        for name, child in found:
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}" if path else name, child))


def children(path: str, node: Any) -> list[tuple[str, Any]]:
    """Return the parts of an object that is not of Keras 3, as TensorFlow's own checkpoints see them."""
    if hasattr(node, "add_variable_from_reference"):  # such optimizers cache the first answer (tf_keras 2.21)
        found = list(tf.__internal__.tracking.AutoTrackable._trackable_children(node).items())
    else:
        found = list(tf.train.TrackableView.children(node).items())
    # Optimizers of TensorFlow 1 and of before Keras 2.11 do not count their slots; what wraps them may have none.
    if hasattr(node, "get_slot_names") and hasattr(node, "variables"):
        session = tf.compat.v1.get_default_session()
        # Those of TensorFlow 1 name only what is in the default graph (tensorflow 2.21).
        with session.graph.as_default() if session else contextlib.nullcontext():
            found += [(f"slots/{number}", variable) for number, variable in enumerate(node.variables())]
    return found


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """Run the block eagerly. tf.init_scope alone does not leave a graph that was entered (tensorflow 2.21)."""
    from tensorflow.python.eager import context

    with tf.init_scope(), context.eager_mode():
        yield
