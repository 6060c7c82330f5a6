"""Checkpoints of TensorFlow: modules, variables, tf.train.Checkpoint, tf.keras of Keras 2, sessions of TensorFlow 1.

A checkpoint is a folder, written by TensorFlow and readable with ``tf.train.load_checkpoint`` without rla_hooks:

    checkpoint-5.tf/content.pkl        plain data, Keras 3 objects (see keras_backend.py), what is in which file
                    objects.index      variables of eager objects, as tf.train.Checkpoint(policy=policy) writes them
                    objects.data-...       policy/body/w/.ATTRIBUTES/VARIABLE_VALUE
                    variables.index    variables of sessions, as tf.compat.v1.train.Saver writes them
                    variables.data-...     policy/dense/kernel

Without any object of TensorFlow, the default session is saved and restored as the object ``session``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rla_hooks.checkpoints import _states, _tensorflow, _tensorflow_files, _tensorflow_fit, plain
from rla_hooks.checkpoints import _tensorflow_sessions as _sessions
from rla_hooks.errors import CheckpointError
from rla_hooks.plaindata import Place, Refused

restores_without_objects = True

_MARK = "__tensorflow__"  # {_MARK: {path: key}}, or {_MARK: key} for a single variable, stands for an object
_SESSION = "session"


class _Content(NamedTuple):
    """What goes into the folder."""

    tagged: Any
    objects: dict[str, Any]  # variables of eager objects in nested dicts
    arrays: dict[str, Any]  # values of variables of sessions, by name
    keys: set[str]


def matches(models: Mapping[str, Any]) -> bool:
    """Whether there is an object of TensorFlow among the models."""
    return any(True for _ in _states.find(models, _tensorflow.is_own))


def has_session() -> bool | None:
    """Whether there is an open default session to save; None where a program needs none, since it runs eagerly."""
    session = tf.compat.v1.get_default_session()
    if session is not None:
        return _sessions.is_open(session)
    with tf.init_scope():  # to trace a tf.function is not to be in graph mode
        return None if tf.executing_eagerly() else False


def collect(models: Mapping[str, Any], var_prefix: str) -> tuple[Any, list[str]]:
    """Variables and plain data, and what was left out.

    With ``var_prefix``, only those variables of sessions, modules and models are taken whose name (or path of
    attributes: ``body/w``) begins so, also with ``<key>.`` or ``<key>/`` before it. Other objects are whole.
    """
    collector = _Collector(_states.Selection(var_prefix))
    completed = _with_session(models)
    tagged = collector.value(dict(completed))
    collector.selection.check()
    left_out = collector.left_out or []
    if completed is not models and _SESSION in models:
        left_out.append(f"{_SESSION}: the default session is saved under this name. Give yours another name")
    return _Content(tagged, collector.objects, collector.arrays, set(collector.keys.values())), left_out


def save(path: Path, content: Any) -> None:
    """Write what ``collect`` gave, and look whether every variable is there."""
    path.mkdir()
    plain.save(path / "content.pkl", content.tagged)
    written = _tensorflow_files.write(path, content.objects, content.arrays)
    if missing := sorted(content.keys - written):
        raise CheckpointError(f"TensorFlow has not written {_states.shorten(missing)}. Rename what is named so.")


def load(path: Path, weights_only: bool) -> dict[str, Any]:
    """The content: plain data, and a dict of names and arrays for each object. Foreign code never runs."""
    try:
        with _tensorflow_files.readers(path) as readers:
            content = plain.load(path / "content.pkl", weights_only)
            return {key: _filled(part, readers) for key, part in content.items()}
    except CheckpointError:
        raise
    except Exception as error:  # TensorFlow raises nearly anything for a file that is not its own
        text = _sessions.first_line(error)
        raise CheckpointError(f"cannot be read by tensorflow {tf.__version__}: {text}") from error


def restore(models: Mapping[str, Any], content: Mapping[str, Any], var_prefix: str) -> None:
    """Restore objects, sessions, Keras 3 objects and numpy arrays in place. Other data stays as it is.

    Names, shapes and types are compared before anything changes. No deferred restoring: what has no variables
    yet is an error.
    """
    if _SESSION in content:
        models = _with_session(models)
        if not models and content[_SESSION] and _tensorflow_fit.is_state(content[_SESSION]):
            raise CheckpointError(
                "holds the variables of a session, and there is no default session (each thread has its own). "
                "Call this inside of `with session.as_default():`, or pass objects={'session': session}."
            )
    selection = _states.Selection(var_prefix)
    values: list[_sessions.Value] = []
    problems: list[str] = []
    for target in _states.targets(models, content, _tensorflow.is_own):
        try:
            problems += _tensorflow_fit.compare(target, selection, values)
        except Refused as refused:
            problems.append(str(refused).rstrip("."))
    problems += selection.troubles()
    if problems:
        raise CheckpointError(_states.misfit(problems))
    keras = _tensorflow.keras_backend()
    pairs = keras.plan(models, content, var_prefix) if keras else []
    plain.restore(
        models, content, var_prefix, passed_over=lambda value: _tensorflow.is_own(value) or _tensorflow.is_keras(value)
    )
    with _tensorflow.eagerly():
        for variable, array in [*pairs, *((v.variable, v.array) for v in values if v.session is None)]:
            variable.assign(array)
    _sessions.assign([value for value in values if value.session is not None])


class _Collector(plain.Collector):
    def __init__(self, selection: _states.Selection):
        super().__init__([])
        self.selection = selection
        self.objects: dict[str, Any] = {}
        self.arrays: dict[str, Any] = {}
        self.keys: dict[int, str] = {}  # by the id of a variable: one that several objects share is written once

    def leaf(self, value: Any, where: Place) -> Any:
        keras = _tensorflow.keras_backend()
        if self.in_key:
            return super().leaf(value, where)
        if _tensorflow.is_own(value):
            return self._marked(value, where)
        if keras and keras.is_own(value):
            return self.stored(keras.state(value, where, self.selection), where)
        if isinstance(value, _tensorflow.TRACKABLE):  # a dict, list or tuple that TensorFlow has wrapped
            kind = next(kind for kind in (dict, list, tuple) if isinstance(value, kind))
            return self.stored(kind(value), where)
        if tf.is_tensor(value) and hasattr(value, "numpy"):
            value = value.numpy()
        return super().leaf(value, where)

    def _marked(self, value: Any, where: Place) -> dict[str, Any]:
        """Note an object's variables for the two files; returns what stands for it among the plain data."""
        with _not_left_out():
            value = _sessions.raw(value, where)
        nodes = _tensorflow.nodes(value, where)
        variables = _tensorflow.selected(value, nodes, where, self.selection)
        self._read([v for v in variables.values() if _sessions.graph_of(v) is not None], value, where)
        for path, variable in variables.items():
            if id(variable) not in self.keys:
                self.keys[id(variable)] = self._put(variable, where, path)
        for path, kind in _tensorflow.other_states(value, nodes):
            what = f"the state of a {kind} cannot be stored here. Store what you need of it as arrays."
            self._leave_out(Refused((*where, path) if path else where, what))
        for path, trouble in _tensorflow.unbuilt(nodes):
            self._leave_out(Refused((*where, path), trouble))
        keys = {path: self.keys[id(variable)] for path, variable in variables.items()}
        return {_MARK: keys[""] if list(keys) == [""] else keys}

    def _read(self, variables: list[Any], value: Any, where: Place) -> None:
        """Take the values of variables of a graph from their session."""
        fresh = [variable for variable in variables if id(variable) not in self.keys]
        if not fresh:
            return
        with _not_left_out():
            arrays = _sessions.read(value, fresh, where)
        for variable, array in zip(fresh, arrays, strict=True):
            name = variable.op.name
            if name in self.arrays:  # of another graph
                name = f"{_states.dotted(where)}/{name}"
            self.arrays[name] = array
            self.keys[id(variable)] = f"{_tensorflow_files.GRAPH}/{name}"

    def _put(self, variable: Any, where: Place, path: str) -> str:
        """Put an eager variable where tf.train.Checkpoint shall find it; returns its key."""
        parts = [*map(str, where), *(path.split("/") if path else [])]
        folder = self.objects
        for part in parts[:-1]:
            folder = folder.setdefault(part, {})
            if not isinstance(folder, dict):
                break
        if not isinstance(folder, dict) or parts[-1] in folder:
            raise Refused(where, f"{'/'.join(parts)!r} is the name of two things. Rename one.")
        folder[parts[-1]] = variable
        escaped = [part.replace(".", "..").replace("/", ".S") for part in parts]
        return "/".join([_tensorflow_files.EAGER, *escaped, ".ATTRIBUTES/VARIABLE_VALUE"])


def _with_session(models: Mapping[str, Any]) -> Mapping[str, Any]:
    """The models, or with the default session where nothing of TensorFlow is among them."""
    session = tf.compat.v1.get_default_session()
    if session is None or any(True for _ in _states.find(models, _tensorflow.is_own)):
        return models
    return {**models, _SESSION: session}


def _filled(value: Any, readers: Mapping[str, Any]) -> Any:
    """Put arrays where marks stand."""
    kind = type(value)
    if kind is dict and list(value) == [_MARK]:
        keys = value[_MARK]
        return _array(keys, readers) if isinstance(keys, str) else {p: _array(k, readers) for p, k in keys.items()}
    if kind in (dict, OrderedDict):
        return kind((key, _filled(part, readers)) for key, part in value.items())
    return kind(_filled(part, readers) for part in value) if kind in (list, tuple) else value


def _array(key: str, readers: Mapping[str, Any]) -> Any:
    file, _, name = key.partition("/")
    value = readers[file].get_tensor(name)
    return np.asarray(value, dtype=object if isinstance(value, bytes) else None)


@contextmanager
def _not_left_out() -> Iterator[None]:
    """Make an error where a session is not to be read: what would be saved without it is no checkpoint."""
    try:
        yield
    except Refused as refused:
        raise CheckpointError(str(refused)) from refused
