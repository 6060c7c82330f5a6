"""Sessions of TensorFlow 1: which one holds the values of an object, reading them, and giving them back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rla_hooks.plaindata import Place, Refused

_SESSIONS = (tf.compat.v1.Session, tf.compat.v1.InteractiveSession)
_MONITORED = (tf.compat.v1.train.MonitoredSession, tf.compat.v1.train.SingularMonitoredSession)
_CLOSED = "the session is closed. Pass an open one."


class Value(NamedTuple):
    """A variable and its new value; ``session`` is None for an eager one."""

    variable: Any
    array: Any
    session: Any


def is_session(value: Any) -> bool:
    """Whether a value is a session, also one with hooks."""
    return isinstance(value, (*_SESSIONS, *_MONITORED))


def raw(value: Any, where: Place) -> Any:
    """The value itself, or the session inside of a MonitoredSession. Raises Refused where that is closed."""
    if not isinstance(value, _MONITORED):
        return value
    try:
        return value.run_step_fn(lambda step_context: step_context.session)
    except AttributeError as error:  # a closed one has none (tensorflow 2.21)
        raise Refused(where, _CLOSED) from error


def is_open(session: Any) -> bool:
    """Running nothing raises where a session is closed, and where its graph is empty (tensorflow 2.21)."""
    if session.graph.version == 0:
        return True
    try:
        session.run([])
    except RuntimeError:
        return False
    return True


def graph_of(variable: Any) -> Any:
    """The graph of a variable of TensorFlow 1; None for an eager one, which has no ``op`` (tensorflow 2.21)."""
    return getattr(getattr(variable, "op", None), "graph", None)


def session_of(value: Any, variables: list[Any], where: Place) -> Any:
    """The open session that holds these variables of an object, which belong to a graph. Raises Refused."""
    session = value if is_session(value) else tf.compat.v1.get_default_session()
    if session is None or any(graph_of(variable) is not session.graph for variable in variables):
        raise Refused(
            where,
            "its values are in a session. Pass the session itself ({'session': session}), "
            "or call this inside of `with session.as_default():`.",
        )
    if not is_open(session):
        raise Refused(where, _CLOSED)
    return session


def read(value: Any, variables: list[Any], where: Place) -> list[Any]:
    """The values of variables of an object, all of a graph. Raises Refused."""
    session = session_of(value, variables, where)
    try:
        return [np.asarray(array) for array in session.run(variables)]
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        fresh = isinstance(error, tf.errors.FailedPreconditionError)
        do = "Run tf.compat.v1.global_variables_initializer() first. " if fresh else ""
        raise Refused(where, f"the session cannot read it. {do}({first_line(error)})") from error


def feed_of(variable: Any, where: Place) -> Any:
    """What to feed so that the initializer of a variable gives it a value. Raises Refused where there is nothing."""
    initializer = variable.initializer
    if initializer is None or len(initializer.inputs) != 2:
        raise Refused(where, f"{variable.op.name!r} has no initializer that takes a value. Use a Saver of TensorFlow.")
    return initializer.inputs[1]


def assign(values: list[Value]) -> None:
    """Give variables their values, in as few runs as can be.

    TensorFlow prepares each new set of operations in a time that grows with the graph: one run for each variable
    would be quadratic. Feeding the initial values adds nothing to the graph, which may be finalized; variables that
    share an initial value cannot be in one run.
    """
    batches: dict[int, list[dict[Any, Value]]] = {}  # by session; in a batch, by what is fed
    for value in values:
        feed = feed_of(value.variable, ()).ref()
        of_session = batches.setdefault(id(value.session), [])
        batch = next((batch for batch in of_session if feed not in batch), None)
        if batch is None:
            of_session.append(batch := {})
        batch[feed] = value
    for batch in (batch for of_session in batches.values() for batch in of_session):
        session = next(iter(batch.values())).session
        initializers = [value.variable.initializer for value in batch.values()]
        session.run(initializers, {feed.deref(): value.array for feed, value in batch.items()})


def first_line(error: Exception) -> str:
    """What an error says. A session's (tensorflow 2.21) wraps it into traces of where the graph was made."""
    first = error.__context__ if isinstance(error.__context__, tf.errors.OpError) else error
    return (str(first).strip().splitlines() or [type(first).__name__])[0]
