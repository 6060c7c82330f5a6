"""Checkpoints of Keras 3 on every backend of Keras: models, layers, optimizers, metrics, variables, seeds.

A file is a restricted pickle of plain data and numpy arrays, as in plain.py:

    {"policy": {"variables": [["dense/kernel", array], ["dense/bias", array], ...],
                "optimizer": [["adam/iteration", array], ["adam/learning_rate", array], ...]},
     "epoch": 3}

A compiled model whose optimizer is built has ``optimizer``. A layer has ``others`` if its attributes have variables of
TensorFlow, or layers that Keras does not track: ``["module/v", array]``. An array of a type that numpy lacks (bfloat16)
is stored as its bits: ``["dense/kernel", array of uint16, "bfloat16"]``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import keras
import numpy as np

from rla_hooks.checkpoints import compare, plain, state_dicts
from rla_hooks.checkpoints.compare import ArraySpec
from rla_hooks.checkpoints.state_dicts import PrefixFilter, Target, is_of_torch
from rla_hooks.encoding import KeyPath, NotStorable
from rla_hooks.texts import text_of

_KINDS: tuple[type, ...] = ()
if hasattr(keras, "Variable"):  # not in Keras 2, whose objects are TensorFlow's
    _KINDS = (keras.Layer, keras.Variable, keras.optimizers.Optimizer, keras.metrics.Metric, keras.random.SeedGenerator)

save = plain.save
load = plain.load
reads_any_bytes = plain.reads_any_bytes


def is_own(value: Any) -> bool:
    """Return whether a value is an object of Keras 3."""
    return isinstance(value, _KINDS)


def matches(models: Mapping[str, Any]) -> bool:
    """Return whether there is an object of Keras among the models, and none of torch that is not Keras' own."""
    own = any(True for _ in state_dicts.find(models, is_own))
    return own and not any(True for _ in state_dicts.find(models, lambda each: is_of_torch(each) and not is_own(each)))


def collect(models: Mapping[str, Any], var_prefix: str) -> tuple[Any, list[str]]:
    """Return plain data of the models, and what was left out.

    With ``var_prefix``, only variables of layers and models whose path or ``<key>.<path>`` begins with it are
    taken, and no optimizer of a compiled model.
    """
    prefix_filter = PrefixFilter(var_prefix)
    return state_dicts.collect(_Collector(prefix_filter), models, prefix_filter)


def restore(models: Mapping[str, Any], content: Mapping[str, Any], var_prefix: str) -> None:
    """Restore Keras objects, objects with ``load_state_dict`` and numpy arrays in place. Other data stays.

    Everything is compared before anything changes: number, shapes and types of variables, in their order. Names
    are not: the same model built twice in a process has ``dense`` and ``dense_1``.
    """
    prefix_filter = PrefixFilter(var_prefix)
    pairs, problems = match(models, content, prefix_filter)
    compare.check(problems + prefix_filter.problems())
    plain.restore(models, content, var_prefix, is_own)
    with eagerly():
        for variable, value in pairs:
            variable.assign(value)


def match(
    models: Mapping[str, Any], content: Mapping[str, Any], prefix_filter: PrefixFilter
) -> tuple[list[tuple[Any, Any]], list[str]]:
    """Return the variables of the Keras objects in the models with their new values, and a line for each misfit."""
    pairs: list[tuple[Any, Any]] = []
    problems: list[str] = []
    for target in state_dicts.targets(models, content, is_own):
        if advice := _unbuilt(target.value):
            problems.append(f"{target.name}: {advice}")
        elif not _is_state(target.state):
            problems.append(compare.other_kind(repr(target.name), f"a {type(target.value).__name__}", target.state))
        else:
            problems += _match_object(target, prefix_filter, pairs)
    return pairs, problems


def encode_object(value: Any, keys: KeyPath, prefix_filter: PrefixFilter) -> dict[str, Any]:
    """Return what is stored for a Keras object. Raises NotStorable."""
    if advice := _unbuilt(value):
        raise NotStorable(keys, advice)
    try:
        # On JAX the values live outside of the model while fit runs (keras 3.15), and come back when asked.
        getattr(value, "jax_state_sync", lambda: None)()
        found = parts(value, state_dicts.dotted(keys), prefix_filter)
        with eagerly():
            return {part: [_entry(variable) for variable in variables] for part, variables in found.items()}
    except Exception as error:  # each backend of Keras raises other errors
        raise NotStorable(keys, f"a {type(value)} cannot be read ({type(error).__name__}: {text_of(error)})") from error


def parts(value: Any, name: str, prefix_filter: PrefixFilter) -> dict[str, list[Any]]:
    """Return the variables of a Keras object that are stored, by the part of the file that they belong to."""
    if isinstance(value, keras.Variable):
        return {"variables": [value]}
    variables = [value.state] if isinstance(value, keras.random.SeedGenerator) else list(value.variables)
    found = {"variables": variables}
    if isinstance(value, keras.Layer) and (others := _other_variables(value, variables)):
        found["others"] = others
    if prefix_filter.var_prefix and isinstance(value, keras.Layer):
        return {part: [each for each in found[part] if prefix_filter.selects(name, each.path)] for part in found}
    optimizer = getattr(value, "optimizer", None)
    if isinstance(optimizer, keras.optimizers.Optimizer) and optimizer.built:
        found["optimizer"] = list(optimizer.variables)
    return found


def unbuilt_layer(value: Any) -> str | None:
    """Return what to do with a layer that has no variables yet; None if it has no ``build`` and will have none."""
    is_layer = isinstance(value, keras.Layer) and type(value).build is not keras.Layer.build
    return _unbuilt(value) if is_layer else None


class _Collector(plain.Collector):
    def encode_leaf(self, value: Any, keys: KeyPath) -> Any:
        if is_own(value) and not self.in_key:
            return self.encode(encode_object(value, keys, self.prefix_filter), keys)
        if keras.ops.is_tensor(value):
            value = keras.ops.convert_to_numpy(value)
        return super().encode_leaf(value, keys)


class _OtherVariable:
    """A variable of a layer that Keras does not track, with its path of attributes: ``module/v``."""

    def __init__(self, path: str, variable: Any):
        self.path = path
        self.value = variable.value if isinstance(variable, keras.Variable) else variable
        self.shape = self.value.shape
        self.dtype = keras.backend.standardize_dtype(self.value.dtype)
        self.assign = self.value.assign


def _other_variables(layer: Any, own: list[Any]) -> list[_OtherVariable]:
    if keras.backend.backend() != "tensorflow":
        return []
    from rla_hooks.checkpoints.tensorflow.keras_layers import variables_in_attributes

    known = {id(part) for variable in own for part in (variable, variable.value)}
    found = variables_in_attributes(layer, is_own)
    others = [_OtherVariable(path, variable) for path, variable in found if id(variable) not in known]
    if len({other.path for other in others}) < len(others):
        raise ValueError(f"two of {[other.path for other in others]} have one name. Rename one.")
    return others


def _match_object(target: Target, prefix_filter: PrefixFilter, pairs: list[tuple[Any, Any]]) -> list[str]:
    """Add the pairs of variable and value of one object; return a line for each difference from the file."""
    value, state = target.value, target.state
    optimizer = getattr(value, "optimizer", None)
    if "optimizer" in state and isinstance(optimizer, keras.optimizers.Optimizer) and not optimizer.built:
        with eagerly():
            optimizer.build(value.trainable_variables)
    problems = []
    found = parts(value, target.name, prefix_filter)
    for part in ("variables", "others", "optimizer"):
        if part != "variables" and (part not in state or (part == "optimizer" and part not in found)):
            continue  # files of before have no others; a model that is not compiled takes no optimizer
        variables, stored = found.get(part, []), state.get(part, [])
        if prefix_filter.var_prefix and isinstance(value, keras.Layer):
            stored = [entry for entry in stored if prefix_filter.selects(target.name, entry[0])]
        in_optimizer = part == "optimizer" or isinstance(value, keras.optimizers.Optimizer)
        for variable, entry in _by_path(variables, stored) if part == "others" else zip_longest(variables, stored):
            if problem := _difference(target.name, variable, entry, in_optimizer):
                problems.append(problem)
            elif entry[1] is not None:  # None: it could not be stored (a text), and saving gave a warning
                pairs.append((variable, _array(entry)))
    return problems


def _by_path(variables: list[Any], stored: list[Any]) -> list[tuple[Any, Any]]:
    """Return variables with what was stored by the same path; None where one side is missing."""
    rest = {entry[0]: entry for entry in stored}
    return [(variable, rest.pop(variable.path, None)) for variable in variables] + [(None, e) for e in rest.values()]


def _difference(name: str, variable: Any, entry: Any, in_optimizer: bool) -> str | None:
    """Return how a variable differs from what is stored for it; None where it fits."""
    full = repr(f"{name}.{entry[0] if variable is None else variable.path}")
    own = None if variable is None else ArraySpec(tuple(variable.shape), variable.dtype)
    if entry is None or variable is None:
        return compare.difference(full, own, None if entry is None else ArraySpec(None))
    # An optimizer's variables end in fixed words, such as momentum, which tell Adam from RMSprop.
    if in_optimizer and re.split("[/_]", variable.path)[-1] != re.split("[/_]", entry[0])[-1]:
        return compare.other_name(full, entry[0])
    array = _array(entry)
    return None if array is None else compare.difference(full, own, ArraySpec(array.shape, array.dtype.name))


def _is_state(state: Any) -> bool:
    """Return whether a part of a file is what :func:`encode_object` returned."""
    return isinstance(state, Mapping) and all(
        isinstance(entry, (list, tuple)) and len(entry) > 1 and isinstance(entry[0], str)
        for entries in state.values()
        for entry in (entries if isinstance(entries, list) else [None])
    )


def _entry(variable: Any) -> list[Any]:
    """Return what is stored for a variable: its path, an array, and its type where numpy has not that type."""
    if isinstance(variable, _OtherVariable):  # a text has no numeric type; it is left out, with a warning
        value = np.asarray(variable.value.numpy(), object if variable.dtype == "string" else None)
    else:
        value = np.asarray(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(variable)))
    if value.dtype.kind != "V":  # void: a type of ml_dtypes, such as bfloat16
        return [variable.path, value]
    return [variable.path, value.view(f"u{value.dtype.itemsize}"), value.dtype.name]


def _array(entry: list[Any]) -> Any:
    """Return the array of an entry; None where it could not be stored."""
    return entry[1].view(np.dtype(entry[2])) if len(entry) > 2 else entry[1]


def _unbuilt(value: Any) -> str | None:
    """Return what to do with an object that has no variables yet."""
    if getattr(value, "built", True):
        return None
    optimizer = isinstance(value, keras.optimizers.Optimizer)
    do = "build(model.trainable_variables)" if optimizer else "call it once, or build(input_shape)"
    return f"a {type(value).__name__} that is not built has no variables yet. Build it: {do}"


def eagerly() -> contextlib.AbstractContextManager[None]:
    """Leave a graph of TensorFlow that is the default, where the values of variables are not at hand."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    from rla_hooks.checkpoints.tensorflow import tracking

    return tracking.eagerly()
