"""The hyper-parameters that Keras models add to a run: their layers, optimizers and losses."""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from rla_hooks.integrations._keras.model import Framework, optimizers, without_tensorflow

from rla_hooks import Run

_MODELS = 8  # a run with more of them is a population, whose hyper-parameters nobody reads


class HyperParameters:
    """Adds the hyper-parameters of each model of a run once, and again after it was built or compiled again."""

    def __init__(self, name: str):
        self._key = f"keras.{name}" if name else "keras"
        self._models: weakref.WeakKeyDictionary[Any, tuple[str, Any]] = weakref.WeakKeyDictionary()
        self._count = 0

    def add(self, run: Run, model: Any, framework: Framework) -> None:
        """Add the hyper-parameters of ``model`` to ``run``, unless they are there."""
        if model is None:
            return
        optimizer = getattr(model, "optimizer", None)
        compiled = (
            None if optimizer is None else weakref.ref(optimizer),
            str(named(getattr(model, "loss", None))),
            bool(getattr(model, "built", True)),
        )
        key, known = self._models.get(model, ("", None))
        if known == compiled or (not key and self._count == _MODELS):
            return
        if not key:
            key = f"{self._key}.{getattr(model, 'name', '')}" if self._count else self._key
            self._count += 1
        self._models[model] = key, compiled
        run.add_hyper_params({key: describe(model, framework)})


def describe(model: Any, framework: Framework) -> dict[str, Any]:
    """Return the hyper-parameters of a model, its optimizers and its loss, without those that cannot be read."""
    read: dict[str, Callable[[], Any]] = {
        "version": lambda: framework.version,
        "backend": framework.backend,
        "model": lambda: model.name,
        "class": lambda: type(model).__name__,
        "parameters": lambda: model.count_params(),
        "loss": lambda: named(getattr(model, "loss", None)),
        "summary": lambda: _summary(model),
        "config": lambda: model.to_json(),
    }
    for name, optimizer in optimizers(model).items():
        read[name] = functools.partial(_config_of, optimizer)
    found = {}
    with without_tensorflow(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns that a lambda may not load again, and this config never does
        for key, value in read.items():
            try:
                found[key] = value()
            except Exception:  # of a model without input shapes, or without get_config, some cannot be read
                continue
    return {key: value for key, value in found.items() if value is not None}


def named(loss: Any) -> Any:
    """Return the names of losses: texts, functions, objects, or these in lists and dicts."""
    if loss is None or isinstance(loss, str):
        return loss
    if isinstance(loss, Mapping):
        return {str(key): named(value) for key, value in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [named(value) for value in loss]
    return getattr(loss, "name", None) or getattr(loss, "__name__", None) or type(loss).__name__


def _config_of(optimizer: Any) -> dict[str, Any]:
    config = {key: value for key, value in optimizer.get_config().items() if value is not None and key != "name"}
    return {"class": type(optimizer).__name__, **config}


def _summary(model: Any) -> str:
    lines: list[str] = []
    model.summary(print_fn=lambda line, **_: lines.append(str(line)))
    return "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()).strip("\n")
