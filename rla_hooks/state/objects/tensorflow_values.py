"""Variables, tensors and random streams of TensorFlow, and its random state."""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf

from rla_hooks.checkpoints import compare
from rla_hooks.state.objects import stored
from rla_hooks.state.objects.parts import Part, python_state
from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Tensors(Kind):
    """Variables are assigned; tensors, which cannot be changed, are replaced.

    Stored as arrays of numpy, texts as lists; with the name of the type where numpy has not that type, as ``qint8``.
    """

    tag, replaceable = "tensorflow", True

    def matches(self, value: Any) -> bool:
        return isinstance(value, (tf.Variable, tf.Tensor))

    def fixed(self, value: Any) -> bool:
        return not isinstance(value, tf.Variable)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        if not hasattr(value, "numpy"):
            walk.problems.append(f"{at} is a tensor of a graph: it has no value")
            return None
        found = value.numpy()
        tree = {TAG: self.tag, "value": walk.capture(found, at) if value.dtype == tf.string else found}
        if value.dtype.base_dtype in _TYPES_OF_ITS_OWN:
            tree["dtype"] = value.dtype.name
        return tree

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if value is not None and not walk.freely:
            own = compare.ArraySpec(tuple(value.shape), value.dtype.base_dtype.name)
            if line := compare.difference(at, own, _spec(tree)):
                walk.problems.append(line.replace("in the file", "in the state"))

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        new = tf.constant(walk.put(None, tree["value"]))
        if "dtype" in tree and new.dtype != tf.string:
            new = tf.bitcast(new, tf.as_dtype(tree["dtype"]))
        if not isinstance(value, tf.Variable):
            return new
        value.assign(new)
        return value


_TYPES_OF_ITS_OWN = (tf.string, tf.qint8, tf.qint16, tf.qint32, tf.quint8, tf.quint16)


def _spec(tree: Any) -> compare.ArraySpec:
    value = tree["value"]
    shape = value.get("shape", ()) if isinstance(value, dict) else getattr(value, "shape", ())  # a text has none
    return compare.ArraySpec(tuple(shape), tree.get("dtype") or tf.as_dtype(value.dtype).name)


class Streams(Kind):
    """tf.random.Generator: in place."""

    tag, replaceable = "tensorflow_generator", True

    def matches(self, value: Any) -> bool:
        return isinstance(value, tf.random.Generator)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {TAG: self.tag, "algorithm": int(value.algorithm), "state": value.state.numpy()}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if value is not None and int(value.algorithm) != tree["algorithm"]:
            walk.problems.append(
                f"{at} is a generator of algorithm {int(value.algorithm)} and in the state of {tree['algorithm']}"
            )

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        if value is None:
            return tf.random.Generator.from_state(stored.read(tree["state"]), alg=tree["algorithm"])
        value.reset(stored.read(tree["state"]))
        return value


class TensorFlowRandom(Part):
    """The global generator, and the seed of ``tf.random.set_seed`` with the stream of seeds of eager operations.

    What an operation keeps by itself is not in it: of one with a seed of its own, and inside of a ``tf.function``.
    """

    name = "random state of TensorFlow"

    def capture(self, at: str, walk: Walk) -> dict[str, Any]:
        context = _context()
        stream = getattr(context, "_rng", None)
        own = _global_generator()
        return {
            "seed": getattr(context, "_seed", None),
            "stream": None if stream is None else stream.getstate(),
            "generator": None if own is None else walk.capture(own, at),
        }

    def check(self, tree: dict[str, Any], at: str, walk: Walk) -> None:
        own = _global_generator()
        if tree["generator"] is not None:
            walk.check(own, tree["generator"], f"{at}.generator")

    def put(self, tree: dict[str, Any], walk: Walk) -> None:
        if tree["seed"] is not None:
            tf.random.set_seed(tree["seed"])
        stream = getattr(_context(), "_rng", None)
        if stream is not None and tree["stream"] is not None:
            stream.setstate(python_state(tree["stream"]))
        if tree["generator"] is not None:
            own = _global_generator()
            found = walk.put(own, tree["generator"])
            if found is not own:
                tf.random.set_global_generator(found)


def _context() -> Any:
    """TensorFlow has no public name for the stream from which eager operations take their seeds."""
    module = sys.modules.get("tensorflow.python.eager.context")
    return module.context() if module is not None else None


def _global_generator() -> Any:
    """The global generator, None before its first use: asking for it would make one."""
    return getattr(sys.modules.get("tensorflow.python.ops.stateful_random_ops"), "global_generator", None)


KINDS = [Tensors(), Streams()]
