"""Sessions of TensorFlow 1: finds the one that holds variables, reads and assigns their values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rla_hooks.encoding import KeyPath, key_path_text
from rla_hooks.errors import CheckpointError

_SESSIONS = (tf.compat.v1.Session, tf.compat.v1.InteractiveSession)
_MONITORED = (tf.compat.v1.train.MonitoredSession, tf.compat.v1.train.SingularMonitoredSession)


class Value(NamedTuple):
    """A variable of a graph, its new value, and the session that takes it."""

    variable: Any
    array: Any
    session: Any


def is_session(value: Any) -> bool:
    """Return whether a value is a session, a MonitoredSession included."""
    return isinstance(value, (*_SESSIONS, *_MONITORED))


def unwrap(value: Any, keys: KeyPath) -> Any:
    """Return the value, for a MonitoredSession the session in it. Raises CheckpointError where that is closed."""
    if not isinstance(value, _MONITORED):
        return value
    try:
        return value.run_step_fn(lambda step_context: step_context.session)
    except AttributeError as error:  # a closed one has none (tensorflow 2.21)
        raise _closed(keys) from error


def is_open(session: Any) -> bool:
    """Return whether a session is open. Running nothing raises if it is closed, or its graph empty (2.21)."""
    if session.graph.version == 0:
        return True
    try:
        session.run([])
    except RuntimeError:
        return False
    return True


def graph_of(variable: Any) -> Any:
    """Return the graph of a variable of TensorFlow 1; None for an eager one, which has no ``op`` (tensorflow 2.21)."""
    return getattr(getattr(variable, "op", None), "graph", None)


def session_of(value: Any, variables: list[Any], keys: KeyPath) -> Any:
    """Return the open session that holds these variables of an object; None where there are no variables.

    Raises CheckpointError where there is no such session.
    """
    if not variables:
        return None
    session = value if is_session(value) else tf.compat.v1.get_default_session()
    if session is None or any(graph_of(variable) is not session.graph for variable in variables):
        raise CheckpointError(
            f"{key_path_text(keys)}: its values are in a session. Pass the session itself ({{'session': session}}), "
            "or call this inside of `with session.as_default():`."
        )
    if not is_open(session):
        raise _closed(keys)
    return session


def read(session: Any, variables: list[Any], keys: KeyPath) -> list[Any]:
    """Return the values of variables as arrays. Raises CheckpointError."""
    try:
        return [np.asarray(array) for array in session.run(variables)]
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        is_fresh = isinstance(error, tf.errors.FailedPreconditionError)
        do = "Run tf.compat.v1.global_variables_initializer() first. " if is_fresh else ""
        name = key_path_text(keys)
        raise CheckpointError(f"{name}: the session cannot read it. {do}({first_line(error)})") from error


def assign(values: list[Value]) -> None:
    """Assign the values to the variables, in as few runs as possible.

    TensorFlow prepares each new set of operations in a time that grows with the graph: one run for each variable
    would be quadratic. Feeding the initial values adds nothing to the graph, which may be finalized; variables that
    share an initial value cannot be in one run.
    """
    while values:
        batch: dict[Any, Value] = {}  # by the initial value to feed
        later = []
        for value in values:
            feed = value.variable.initializer.inputs[1].ref()
            if feed in batch or value.session is not values[0].session:
                later.append(value)
            else:
                batch[feed] = value
        initializers = [value.variable.initializer for value in batch.values()]
        values[0].session.run(initializers, {feed.deref(): value.array for feed, value in batch.items()})
        values = later


def first_line(error: Exception) -> str:
    """Return the message of an error, without the stack traces that sessions add (tensorflow 2.21)."""
    first = error.__context__ if isinstance(error.__context__, tf.errors.OpError) else error
    return (str(first).strip().splitlines() or [type(first).__name__])[0]


def _closed(keys: KeyPath) -> CheckpointError:
    return CheckpointError(f"{key_path_text(keys)}: the session is closed. Pass an open one.")
