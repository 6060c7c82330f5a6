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

import errno
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rla_hooks.checkpoints import _states, _tensorflow, plain
from rla_hooks.checkpoints import _tensorflow_sessions as _sessions
from rla_hooks.errors import CheckpointError
from rla_hooks.plaindata import Place, Refused

restores_without_objects = True

# They have a state that is no variable.
_OTHERS = (tf.data.Iterator, tf.lookup.experimental.MutableHashTable, tf.lookup.experimental.DenseHashTable)
_MARK = "__tensorflow__"  # {_MARK: {path: key}}, or {_MARK: key} for a single variable, stands for an object
_SESSION = "session"
_EAGER, _GRAPH = "objects", "variables"  # the two files


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
    if _sessions.default() is not None:
        return True
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
    with _disk_trouble():
        if content.objects:
            holder = tf.Module()
            holder.objects = content.objects
            with tf.init_scope():
                tf.train.Checkpoint(root=holder.objects).write(str(path / _EAGER))
        if content.arrays:
            _write(path / _GRAPH, content.arrays)
        written = {f"{file}/{name}" for file in _files(path) for name, _ in tf.train.list_variables(str(path / file))}
    if missing := sorted(content.keys - written):
        raise CheckpointError(f"TensorFlow has not written {_states.shorten(missing)}. Rename what is named so.")


def load(path: Path, weights_only: bool) -> dict[str, Any]:
    """The content: plain data, and a dict of names and arrays for each object. Foreign code never runs."""
    try:
        readers = {file: tf.train.load_checkpoint(str(path / file)) for file in _files(path)}
        content = plain.load(path / "content.pkl", weights_only)
        return {key: _filled(part, readers) for key, part in content.items()}
    except CheckpointError:
        raise
    except Exception as error:  # TensorFlow raises nearly anything for a file that is not its own
        raise CheckpointError(
            f"cannot be read by tensorflow {tf.__version__}: {_sessions.first_line(error)}"
        ) from error


def restore(models: Mapping[str, Any], content: Mapping[str, Any], var_prefix: str) -> None:
    """Restore objects, sessions, Keras 3 objects and numpy arrays in place. Other data stays as it is.

    Names, shapes and types are compared before anything changes. No deferred restoring: what has no variables
    yet is an error.
    """
    if _SESSION in content:
        models = _with_session(models)
        if not models and content[_SESSION] and _is_state(content[_SESSION]):
            raise CheckpointError(
                "holds the variables of a session, and there is no default session (each thread has its own). "
                "Call this inside of `with session.as_default():`, or pass objects={'session': session}."
            )
    selection = _states.Selection(var_prefix)
    values: list[_sessions.Value] = []
    problems: list[str] = []
    for target in _states.targets(models, content, _tensorflow.is_own):
        try:
            problems += _compare(target, selection, values)
        except Refused as refused:
            problems.append(str(refused))
    problems += selection.troubles()
    if problems:
        raise CheckpointError(_states.misfit(problems))
    keras = _tensorflow.keras_backend()
    pairs = keras.plan(models, content, var_prefix) if keras else []
    plain.restore(
        models, content, var_prefix, passed_over=lambda value: _tensorflow.is_own(value) or _tensorflow.is_keras(value)
    )
    with tf.init_scope():
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
        variables = _tensorflow.selected(value, where, self.selection)
        self._read([v for v in variables.values() if _sessions.graph_of(v) is not None], value, where)
        for path, variable in variables.items():
            if id(variable) not in self.keys:
                self.keys[id(variable)] = self._put(variable, where, path)
        for path, node in _tensorflow.walk(value, where):
            if isinstance(node, _OTHERS):
                self._leave_out(Refused((*where, path), f"the state of a {type(node)} cannot be stored here."))
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
            self.keys[id(variable)] = f"{_GRAPH}/{name}"

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
        return "/".join([_EAGER, *escaped, ".ATTRIBUTES/VARIABLE_VALUE"])


def _compare(target: _states.Target, selection: _states.Selection, values: list[_sessions.Value]) -> list[str]:
    """Add the variables of one object with their new values; returns where it differs from the file."""
    name, where = target.name, (target.name,)
    value = _sessions.raw(target.value, where)
    saved = {"": target.state} if isinstance(value, tf.Variable) else target.state
    if not _is_state(saved):
        return [f"{name!r} is a {type(value).__name__} and in the file a {type(target.state)}"]
    _tensorflow.build_optimizer(value, saved)
    own = _tensorflow.selected(value, where, selection)
    if _tensorflow.by_prefix(value, selection):
        saved = {path: array for path, array in saved.items() if selection.takes(name, path)}
    of_graph = [variable for variable in own.values() if _sessions.graph_of(variable) is not None]
    session = _sessions.session_of(value, of_graph, where) if of_graph else None
    problems = [f"'{name}.{path}' is only in the file" for path in saved if path not in own]
    for path, variable in own.items():
        full = f"'{name}.{path}'".replace(".'", "'")
        if path not in saved:
            problems.append(f"{full} is not in the file")
            continue
        array, dtype = np.asarray(saved[path]), np.dtype(variable.dtype.base_dtype.as_numpy_dtype)
        if not variable.shape.is_compatible_with(array.shape):
            problems.append(f"{full} has shape {tuple(variable.shape)} and in the file {array.shape}")
        elif dtype != array.dtype:
            problems.append(f"{full} has dtype {dtype} and in the file {array.dtype}")
        if _sessions.graph_of(variable) is None:
            values.append(_sessions.Value(variable, array, None))
        else:
            _sessions.feed_of(variable, where)
            values.append(_sessions.Value(variable, array, session))
    return problems


def _is_state(value: Any) -> bool:
    """Whether a value is what the file has for an object: arrays by their paths."""
    return isinstance(value, Mapping) and all(isinstance(array, np.ndarray | np.generic) for array in value.values())


def _with_session(models: Mapping[str, Any]) -> Mapping[str, Any]:
    """The models, or with the default session where nothing of TensorFlow is among them."""
    session = tf.compat.v1.get_default_session()
    if session is None or any(True for _ in _states.find(models, _tensorflow.is_own)):
        return models
    return {**models, _SESSION: session}


def _files(path: Path) -> list[str]:
    return [name for name in (_EAGER, _GRAPH) if (path / f"{name}.index").exists()]


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


def _write(prefix: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays by their names, in a graph of its own: the user's may be finalized, and eager mode be off."""
    with tf.Graph().as_default(), tf.compat.v1.Session(config=tf.compat.v1.ConfigProto(device_count={"GPU": 0})) as own:
        inputs = [tf.compat.v1.placeholder(tf.as_dtype(array.dtype)) for array in arrays.values()]
        slices = [""] * len(inputs)
        write = tf.raw_ops.SaveV2(
            prefix=str(prefix), tensor_names=list(arrays), shape_and_slices=slices, tensors=inputs
        )
        own.run(write, dict(zip(inputs, arrays.values(), strict=True)))


@contextmanager
def _disk_trouble() -> Iterator[None]:
    """Make OSErrors of TensorFlow's errors, which name the trouble in words only."""
    try:
        yield
    except tf.errors.OpError as error:
        number = next((n for n in errno.errorcode if os.strerror(n) in error.message), errno.EIO)
        raise OSError(number, error.message) from error


@contextmanager
def _not_left_out() -> Iterator[None]:
    """Make an error where a session is not to be read: what would be saved without it is no checkpoint."""
    try:
        yield
    except Refused as refused:
        raise CheckpointError(str(refused)) from refused
