"""Files of TensorFlow 1's Saver, as the original RLA wrote them: ``checkpoint-80.index`` and its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from rla_hooks.checkpoints import compare
from rla_hooks.checkpoints.compare import ArraySpec
from rla_hooks.checkpoints.tensorflow import files, sessions
from rla_hooks.errors import CheckpointError


def restore(index: Path, var_prefix: str = "") -> dict[str, Any]:
    """Restore variables of the default session from a file; return all arrays of the file by their names.

    var_prefix: a regular expression that the beginnings of the names match, as in ``tf.compat.v1.get_collection``.
    Raises CheckpointError where a variable of the graph is not in the file, or has another shape there: then nothing
    has changed.
    """
    arrays = _arrays(index)
    session = tf.compat.v1.get_default_session()
    if session is None:
        if not tf.executing_eagerly():
            raise CheckpointError(
                "holds variables of a session, and there is no default session (each thread has its own). Call this "
                "inside of `with session.as_default():`."
            )
        return arrays
    with session.graph.as_default():
        variables = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.GLOBAL_VARIABLES, var_prefix or None)
    own = {each.op.name: each for each in variables}
    stored = {name: _spec(arrays[name]) for name in own if name in arrays}
    compare.check(compare.differences({name: _spec(each) for name, each in own.items()}, stored))
    if not own:
        raise CheckpointError(
            f"holds {compare.shorten(sorted(arrays))}; no variable of the session begins with "
            f"{var_prefix!r}. Build the graph first, or pass another var_prefix."
        )
    sessions.assign([sessions.Value(each, arrays[name], session) for name, each in own.items()])
    return arrays


def _arrays(index: Path) -> dict[str, Any]:
    try:
        with files.readable(index.parent) as folder:
            reader = tf.train.load_checkpoint(str(folder / index.stem))
            return {name: reader.get_tensor(name) for name in sorted(reader.get_variable_to_shape_map())}
    except Exception as error:  # TensorFlow raises nearly anything for a file that is damaged
        raise CheckpointError(f"cannot be read by tensorflow {tf.__version__}: {sessions.first_line(error)}") from error


def _spec(value: Any) -> ArraySpec:
    """Return the shape and the type of an array or a variable."""
    kind = value.dtype
    return ArraySpec(tuple(value.shape), getattr(getattr(kind, "base_dtype", kind), "name", None))
