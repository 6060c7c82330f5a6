"""Checkpoints of TensorFlow: modules, variables, tf.train.Checkpoint, tf.keras of Keras 2, sessions of TensorFlow 1.

A checkpoint is a folder, written by TensorFlow and readable with ``tf.train.load_checkpoint`` without rla_hooks:

    checkpoint-5.tf/content.pkl        plain data, Keras 3 objects (see keras_backend.py), what is in which file
                    objects.index      variables of eager objects, as tf.train.Checkpoint(policy=policy) writes them
                    objects.data-...       policy/body/w/.ATTRIBUTES/VARIABLE_VALUE
                    variables.index    variables of sessions, as tf.compat.v1.train.Saver writes them
                    variables.data-...     policy/dense/kernel

Without any object of TensorFlow, the default session is saved and restored as the object ``session``.

Restoring has three passes: list the variables of each object, in one walk through it (:class:`Inventory`); compare them
with the file; if all fit, assign the values.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rla_hooks.checkpoints import compare, plain, state_dicts
from rla_hooks.checkpoints.state_dicts import PrefixFilter
from rla_hooks.checkpoints.tensorflow import files, objects, sessions, tracking
from rla_hooks.checkpoints.tensorflow.objects import Inventory
from rla_hooks.encoding import KeyPath, NotStorable
from rla_hooks.errors import CheckpointError

restores_without_objects = True

_MARK = "__tensorflow__"  # {_MARK: {path: key}}, or {_MARK: key} for a single variable, is in the place of an object
_SESSION = "session"


class _Content(NamedTuple):
    """The content of a checkpoint's folder."""

    plain: Any
    objects: dict[str, Any]  # variables of eager objects in nested dicts
    arrays: dict[str, Any]  # values of variables of sessions, by name
    keys: set[str]


def matches(models: Mapping[str, Any]) -> bool:
    """Return whether there is an object of TensorFlow among the models."""
    return any(True for _ in state_dicts.find(models, objects.is_own))


def has_session() -> bool | None:
    """Return whether there is an open default session; None for a program that runs eagerly and needs none."""
    session = tf.compat.v1.get_default_session()
    if session is not None:
        return sessions.is_open(session)
    with tf.init_scope():  # to trace a tf.function is not to be in graph mode
        return None if tf.executing_eagerly() else False


def collect(models: Mapping[str, Any], var_prefix: str) -> tuple[Any, list[str]]:
    """Return variables and plain data, and what was left out.

    With ``var_prefix``, only variables of sessions, modules and models are taken whose name (or path of attributes:
    ``body/w``) begins with it, with or without ``<key>.`` or ``<key>/``. Other objects are saved completely.
    """
    collector = _Collector(PrefixFilter(var_prefix))
    completed = _with_session(models)
    encoded, left_out = state_dicts.collect(collector, completed, collector.prefix_filter)
    if completed is not models and _SESSION in models:
        left_out.append(f"{_SESSION}: the default session is saved under this name. Give yours another name")
    return _Content(encoded, collector.objects, collector.arrays, set(collector.file_keys.values())), left_out


def save(path: Path, content: Any) -> None:
    """Write what ``collect`` returned, and check that every variable is there."""
    path.mkdir()
    plain.save(path / "content.pkl", content.plain)
    written = files.write(path, content.objects, content.arrays)
    if missing := sorted(content.keys - written):
        raise CheckpointError(f"TensorFlow has not written {compare.shorten(missing)}. Rename what is named so.")


def load(path: Path, weights_only: bool) -> dict[str, Any]:
    """Return plain data, and a dict of names and arrays for each object. Foreign code never runs."""
    try:
        with files.readers(path) as readers:
            content = _imported(path, readers) or plain.load(path / "content.pkl", weights_only)
            return {key: _with_arrays(part, readers) for key, part in content.items()}
    except CheckpointError:
        raise
    except Exception as error:  # TensorFlow raises nearly anything for a file that is not its own
        raise CheckpointError(f"cannot be read by tensorflow {tf.__version__}: {sessions.first_line(error)}") from error


def _imported(path: Path, readers: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what content.pkl would say of a session that the original RLA saved, and ``rla import`` has copied."""
    if (path / "content.pkl").exists() or files.GRAPH not in readers:
        return None
    names = readers[files.GRAPH].get_variable_to_shape_map()
    return {_SESSION: {_MARK: {name: f"{files.GRAPH}/{name}" for name in names}}}


def restore(models: Mapping[str, Any], content: Mapping[str, Any], var_prefix: str) -> None:
    """Restore objects, sessions, Keras 3 objects and numpy arrays in place. Other data stays as it is.

    Names, shapes and types are compared before anything changes. There is no deferred restoring: an object without
    variables yet is an error.
    """
    if _SESSION in content:
        models = _with_session(models)
        if not models and content[_SESSION] and _is_state(content[_SESSION]):
            raise CheckpointError(
                "holds the variables of a session, and there is no default session (each thread has its own). "
                "Call this inside of `with session.as_default():`, or pass objects={'session': session}."
            )
    prefix_filter = PrefixFilter(var_prefix)
    inventories, problems = _inventories(models, content, prefix_filter)
    problems += [line for inventory in inventories for line in inventory.differences()]
    keras = objects.keras_backend()
    pairs, keras_problems = keras.match(models, content, prefix_filter) if keras else ([], [])
    compare.check(problems + keras_problems + prefix_filter.problems())
    plain.restore(models, content, var_prefix, lambda value: objects.is_own(value) or objects.is_keras(value))
    values = [value for inventory in inventories for value in inventory.new_values()]
    with tracking.eagerly():
        for variable, array in [*pairs, *((value.variable, value.array) for value in values if value.session is None)]:
            variable.assign(array)
    sessions.assign([value for value in values if value.session is not None])


def _inventories(
    models: Mapping[str, Any], content: Mapping[str, Any], prefix_filter: PrefixFilter
) -> tuple[list[Inventory], list[str]]:
    """Return the inventory of each object to restore, and a line for each object that has none."""
    inventories, problems = [], []
    for target in state_dicts.targets(models, content, objects.is_own):
        stored = {"": target.state} if isinstance(target.value, tf.Variable) else target.state
        if not _is_state(stored):
            problems.append(compare.other_kind(repr(target.name), f"a {type(target.value).__name__}", target.state))
            continue
        try:
            inventories.append(Inventory(target.value, target.keys, prefix_filter, stored))
        except (NotStorable, CheckpointError) as problem:
            problems.append(str(problem).rstrip("."))
    return inventories, problems


class _Collector(plain.Collector):
    def __init__(self, prefix_filter: PrefixFilter):
        super().__init__(prefix_filter)
        self.objects: dict[str, Any] = {}
        self.arrays: dict[str, Any] = {}
        self.file_keys: dict[int, str] = {}  # by a variable's id: one that several objects share is written once

    def encode_leaf(self, value: Any, keys: KeyPath) -> Any:
        keras = objects.keras_backend()
        if self.in_key:
            return super().encode_leaf(value, keys)
        if objects.is_own(value):
            return self._encode_object(value, keys)
        if keras and keras.is_own(value):
            return self.encode(keras.encode_object(value, keys, self.prefix_filter), keys)
        if isinstance(value, tracking.TRACKABLE):  # a dict, list or tuple that TensorFlow has wrapped
            kind = next(kind for kind in (dict, list, tuple) if isinstance(value, kind))
            return self.encode(kind(value), keys)
        if tf.is_tensor(value) and hasattr(value, "numpy"):
            value = value.numpy()
        return super().encode_leaf(value, keys)

    def _encode_object(self, value: Any, keys: KeyPath) -> dict[str, Any]:
        """Collect an object's variables for the two files; return the mark in its place in the plain data."""
        inventory = Inventory(value, keys, self.prefix_filter)
        self._read_session(inventory, keys)
        for path, variable in inventory.variables.items():
            if id(variable) not in self.file_keys:
                self.file_keys[id(variable)] = self._put(variable, keys, path)
        problems = dict(inventory.unbuilt_layers)
        for path, kind in inventory.other_states.items():
            problems[path] = f"the state of a {kind} cannot be stored here. Store what you need of it as arrays."
        for path, problem in problems.items():
            self.omit(NotStorable((*keys, path) if path else keys, problem))
        file_keys = {path: self.file_keys[id(variable)] for path, variable in inventory.variables.items()}
        return {_MARK: file_keys[""] if list(file_keys) == [""] else file_keys}

    def _read_session(self, inventory: Inventory, keys: KeyPath) -> None:
        """Take the values of an object's variables in a graph from their session."""
        variables = [variable for variable in inventory.graph_variables() if id(variable) not in self.file_keys]
        if not variables:
            return
        for variable, array in zip(variables, sessions.read(inventory.session, variables, keys), strict=True):
            name = variable.op.name
            if name in self.arrays:  # of another graph
                name = f"{inventory.name}/{name}"
            self.arrays[name] = array
            self.file_keys[id(variable)] = f"{files.GRAPH}/{name}"

    def _put(self, variable: Any, keys: KeyPath, path: str) -> str:
        """Add an eager variable to what tf.train.Checkpoint will save; return its key in the file."""
        parts = [*map(str, keys), *(path.split("/") if path else [])]
        folder = self.objects
        for part in parts[:-1]:
            folder = folder.setdefault(part, {})
            if not isinstance(folder, dict):
                break
        if not isinstance(folder, dict) or parts[-1] in folder:
            raise NotStorable(keys, f"{'/'.join(parts)!r} is the name of two things. Rename one.")
        folder[parts[-1]] = variable
        escaped = [part.replace(".", "..").replace("/", ".S") for part in parts]
        return "/".join([files.EAGER, *escaped, ".ATTRIBUTES/VARIABLE_VALUE"])


def _with_session(models: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the models, with the default session added if they have no object of TensorFlow."""
    session = tf.compat.v1.get_default_session()
    return models if session is None or matches(models) else {**models, _SESSION: session}


def _with_arrays(value: Any, readers: Mapping[str, Any]) -> Any:
    """Return content with arrays in place of the marks."""
    kind = type(value)
    if kind is dict and list(value) == [_MARK]:
        keys = value[_MARK]
        return _array(keys, readers) if isinstance(keys, str) else {p: _array(k, readers) for p, k in keys.items()}
    if kind in (dict, OrderedDict):
        return kind((key, _with_arrays(part, readers)) for key, part in value.items())
    return kind(_with_arrays(part, readers) for part in value) if kind in (list, tuple) else value


def _array(key: str, readers: Mapping[str, Any]) -> Any:
    file, _, name = key.partition("/")
    value = readers[file].get_tensor(name)
    return np.asarray(value, dtype=object if isinstance(value, bytes) else None)


def _is_state(value: Any) -> bool:
    """Return whether a value is the stored form of an object: arrays by their paths."""
    return isinstance(value, Mapping) and all(isinstance(array, np.ndarray | np.generic) for array in value.values())
