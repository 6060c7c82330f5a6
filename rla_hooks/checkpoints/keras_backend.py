"""Checkpoints of Keras 3 on every backend of Keras: models, layers, optimizers, metrics, variables, seeds.

A file is a restricted pickle of plain data and numpy arrays, as in plain.py:

    {"policy": {"variables": [["dense/kernel", array], ["dense/bias", array], ...],
                "optimizer": [["adam/iteration", array], ["adam/learning_rate", array], ...]},
     "epoch": 3}

``optimizer`` stands there for a compiled model whose optimizer is built, and ``others`` where raw variables of
TensorFlow hang on a layer, or layers that Keras does not see: ``["module/v", array]``. An array of a type that
numpy has not (bfloat16) is stored as its bits: ``["dense/kernel", array of uint16, "bfloat16"]``.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import keras
import numpy as np

from rla_hooks.checkpoints import _states, plain
from rla_hooks.errors import CheckpointError
from rla_hooks.plaindata import Place, Refused

_KINDS: tuple[type, ...] = ()
if hasattr(keras, "Variable"):  # not in Keras 2, whose objects are TensorFlow's
    _KINDS = (keras.Layer, keras.Variable, keras.optimizers.Optimizer, keras.metrics.Metric, keras.random.SeedGenerator)

save = plain.save
load = plain.load


def is_own(value: Any) -> bool:
    """Whether a value is an object of Keras 3."""
    return isinstance(value, _KINDS)


def matches(models: Mapping[str, Any]) -> bool:
    """Whether there is an object of Keras among the models, and none of torch that is not Keras' own."""
    own = any(True for _ in _states.find(models, is_own))
    return own and not any(True for _ in _states.find(models, _is_torch))


def collect(models: Mapping[str, Any], var_prefix: str) -> tuple[Any, list[str]]:
    """Plain data of the models, and what was left out.

    With ``var_prefix``, only those variables of layers and models are taken whose path or ``<key>.<path>``
    begins so, and no optimizer of a compiled model.
    """
    collector = _Collector(_states.Selection(var_prefix))
    content = collector.value(dict(models))
    collector.selection.check()
    return content, collector.left_out or []


def restore(models: Mapping[str, Any], content: Mapping[str, Any], var_prefix: str) -> None:
    """Restore Keras objects, objects with ``load_state_dict`` and numpy arrays in place. Other data stays.

    Everything is compared before anything changes: number, shapes and types of variables, in their order. Names
    are not: the same model built twice in a process has ``dense`` and ``dense_1``.
    """
    pairs = plan(models, content, var_prefix)
    plain.restore(models, content, var_prefix, passed_over=is_own)
    with _eagerly():
        for variable, value in pairs:
            variable.assign(value)


def plan(models: Mapping[str, Any], content: Mapping[str, Any], var_prefix: str) -> list[tuple[Any, Any]]:
    """The variables of the Keras objects among the models, with their new values. Raises CheckpointError."""
    selection = _states.Selection(var_prefix)
    pairs: list[tuple[Any, Any]] = []
    problems: list[str] = []
    for target in _states.targets(models, content, is_own):
        try:
            problems += _compare(target, selection, pairs)
        except (TypeError, ValueError, LookupError, AttributeError):
            problems.append(f"{target.name!r} is a {type(target.value).__name__}, and in the file is something else")
    problems += selection.troubles()
    if problems:
        raise CheckpointError(_states.misfit(problems))
    return pairs


def state(value: Any, where: Place, selection: _states.Selection) -> dict[str, Any]:
    """What is stored for a Keras object. Raises Refused."""
    if trouble := _unbuilt(value):
        raise Refused(where, trouble)
    try:
        # On JAX the values live outside of the model while fit runs (keras 3.15), and come back when asked.
        getattr(value, "jax_state_sync", lambda: None)()
        found = parts(value, _states.dotted(where), selection)
        with _eagerly():
            return {part: [_entry(variable) for variable in variables] for part, variables in found.items()}
    except Exception as error:  # each backend of Keras has errors of its own
        raise Refused(where, f"a {type(value)} cannot be read ({type(error).__name__}: {error})") from error


class _Collector(plain.Collector):
    def __init__(self, selection: _states.Selection):
        super().__init__([])
        self.selection = selection

    def leaf(self, value: Any, where: Place) -> Any:
        if is_own(value) and not self.in_key:
            return self.stored(state(value, where, self.selection), where)
        if keras.ops.is_tensor(value):
            value = keras.ops.convert_to_numpy(value)
        return super().leaf(value, where)


class _Other:
    """A variable that Keras does not count among the own ones of a layer, with the attributes that lead to it."""

    def __init__(self, path: str, variable: Any):
        self.path = path
        self.value = variable.value if isinstance(variable, keras.Variable) else variable
        self.shape = self.value.shape
        self.dtype = keras.backend.standardize_dtype(self.value.dtype)
        self.assign = self.value.assign


def parts(value: Any, name: str, selection: _states.Selection) -> dict[str, list[Any]]:
    """The selected variables of a Keras object, those of its optimizer, and others that hang on it."""
    if isinstance(value, keras.Variable):
        return {"variables": [value]}
    variables = [value.state] if isinstance(value, keras.random.SeedGenerator) else list(value.variables)
    found = {"variables": variables}
    if isinstance(value, keras.Layer) and (others := _others(value, variables)):
        found["others"] = others
    if selection.var_prefix and isinstance(value, keras.Layer):
        return {part: [each for each in found[part] if selection.takes(name, each.path)] for part in found}
    optimizer = getattr(value, "optimizer", None)
    if isinstance(optimizer, keras.optimizers.Optimizer) and optimizer.built:
        found["optimizer"] = list(optimizer.variables)
    return found


def _others(layer: Any, own: list[Any]) -> list[_Other]:
    if keras.backend.backend() != "tensorflow":
        return []
    from rla_hooks.checkpoints import _tensorflow

    known = {id(part) for variable in own for part in (variable, variable.value)}
    others = [_Other(path, each) for path, each in _tensorflow.variables_inside(layer) if id(each) not in known]
    if len({other.path for other in others}) < len(others):
        raise ValueError(f"two of {[other.path for other in others]} have one name. Rename one.")
    return others


def _compare(target: _states.Target, selection: _states.Selection, pairs: list[tuple[Any, Any]]) -> list[str]:
    """Add the pairs of one object; returns where it differs from the file."""
    name, value, state = target
    if trouble := _unbuilt(value):
        return [f"{name}: {trouble}"]
    optimizer = getattr(value, "optimizer", None)
    if "optimizer" in state and isinstance(optimizer, keras.optimizers.Optimizer) and not optimizer.built:
        with _eagerly():
            optimizer.build(value.trainable_variables)
    problems = []
    found = parts(value, name, selection)
    for part in ("variables", "others", "optimizer"):
        if part != "variables" and (part not in state or (part == "optimizer" and part not in found)):
            continue  # files of before have no others; a model that is not compiled takes no optimizer
        variables, saved = found.get(part, []), state.get(part, [])
        if selection.var_prefix and isinstance(value, keras.Layer):
            saved = [entry for entry in saved if selection.takes(name, entry[0])]
        slots = part == "optimizer" or isinstance(value, keras.optimizers.Optimizer)
        both = _by_path(variables, saved) if part == "others" else zip_longest(variables, saved)
        problems += [line for one in both if (line := _fit(name, *one, slots, pairs))]
    return problems


def _by_path(variables: list[Any], saved: list[Any]) -> list[tuple[Any, Any]]:
    """Variables with what was saved by the same path; None where one side is missing."""
    rest = {entry[0]: entry for entry in saved}
    return [(variable, rest.pop(variable.path, None)) for variable in variables] + [(None, e) for e in rest.values()]


def _fit(name: str, variable: Any, entry: Any, slots: bool, pairs: list[tuple[Any, Any]]) -> str | None:
    """Add a pair that fits, else say why it does not."""
    if entry is None:
        return f"'{name}.{variable.path}' is not in the file"
    if variable is None:
        return f"'{name}.{entry[0]}' is only in the file"
    if entry[1] is None:
        return None  # it could not be stored, and saving has told so: a text
    full, own = f"'{name}.{variable.path}'", (tuple(variable.shape), variable.dtype)
    # An optimizer's variables end in fixed words, such as momentum, which tell Adam from RMSprop.
    if slots and re.split("[/_]", variable.path)[-1] != re.split("[/_]", entry[0])[-1]:
        return f"{full} is {entry[0]!r} in the file"
    value = entry[1].view(np.dtype(entry[2])) if len(entry) > 2 else entry[1]
    for what, mine, saved in zip(("shape", "dtype"), own, (value.shape, value.dtype.name), strict=True):
        if mine != saved:
            return f"{full} has {what} {mine} and in the file {saved}"
    pairs.append((variable, value))
    return None


def _entry(variable: Any) -> list[Any]:
    if isinstance(variable, _Other):  # a text is an object of numpy's, which is left out and told
        value = np.asarray(variable.value.numpy(), object if variable.dtype == "string" else None)
    else:
        value = np.asarray(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(variable)))
    if value.dtype.kind != "V":  # void: a type of ml_dtypes, such as bfloat16
        return [variable.path, value]
    return [variable.path, value.view(f"u{value.dtype.itemsize}"), value.dtype.name]


def is_variable(value: Any) -> bool:
    """Whether a value is a variable of Keras 3."""
    return bool(_KINDS) and isinstance(value, keras.Variable)


def is_followed(value: Any) -> bool:
    """Whether what hangs on an object of Keras 3 is to be stored with it; metrics begin anew with each epoch."""
    return bool(_KINDS) and isinstance(value, (keras.Layer, keras.random.SeedGenerator))


def unbuilt_layer(value: Any) -> str | None:
    """What to do with a layer that has no variables yet. One that has no build of its own will have none."""
    is_layer = bool(_KINDS) and isinstance(value, keras.Layer) and type(value).build is not keras.Layer.build
    return _unbuilt(value) if is_layer else None


def _unbuilt(value: Any) -> str | None:
    """What to do with an object that has no variables yet."""
    if getattr(value, "built", True):
        return None
    optimizer = isinstance(value, keras.optimizers.Optimizer)
    do = "build(model.trainable_variables)" if optimizer else "call it once, or build(input_shape)"
    return f"a {type(value).__name__} that is not built has no variables yet. Build it: {do}"


def _eagerly() -> contextlib.AbstractContextManager[None]:
    """Out of a graph of TensorFlow that is the default, where the values of variables are not at hand."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    from rla_hooks.checkpoints import _tensorflow

    return _tensorflow.eagerly()


def _is_torch(value: Any) -> bool:
    """Whether a value's class comes from torch, and not by way of Keras' torch backend."""
    if "torch" not in sys.modules or is_own(value):
        return False
    return any(kind.__module__.partition(".")[0] == "torch" for kind in type(value).__mro__)
