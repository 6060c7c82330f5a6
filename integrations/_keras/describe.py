"""What a run tells about its Keras models: hyper-parameters, and files with their configs and summaries.

    results/<run name>/model_config.json    what keras.models.model_from_json reads
                       model_summary.txt    the table of layers

Those of a further model are ``model-<its name>_config.json``; of a callback with a name they lie in a folder of that.
"""

from __future__ import annotations

import functools
import json
import math
import re
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from rla_hooks.integrations._keras.model import Framework, optimizers, without_tensorflow

from rla_hooks import Run, atomic
from rla_hooks.hooks import WarnOnce

_MODELS = 8  # a run with more of them is a population, whose hyper-parameters nobody reads


class ModelNotes:
    """Describes each model of a run once, and again after it was built, compiled again, or fitted for the first time.

    name: of the callback, or "".
    """

    def __init__(self, name: str):
        self._name = name
        self._models: weakref.WeakKeyDictionary[Any, tuple[str | None, Any]] = weakref.WeakKeyDictionary()
        self._count = 0
        self._warn = WarnOnce()

    def add(self, run: Run, model: Any, framework: Framework, fit: Mapping[str, Any]) -> None:
        """Add what is new of ``model`` to ``run``. fit: the parameters of the fit; empty outside of one."""
        if model is None:
            return
        optimizer = getattr(model, "optimizer", None)
        now = (
            None if optimizer is None else weakref.ref(optimizer),
            str(named(getattr(model, "loss", None))),
            bool(getattr(model, "built", True)),
            "epochs" in fit,
        )
        other_name, known = self._models.get(model, (None, None))
        if known is None:
            if self._count == _MODELS:
                return
            other_name = str(getattr(model, "name", "")) if self._count else None
            self._count += 1
        if known == now:
            return
        self._models[model] = other_name, now
        parts = [part for part in ("keras", self._name, other_name) if part]
        run.add_hyper_params({".".join(parts): describe(model, framework, fit)})
        self._save_files(run, model, other_name)

    def _save_files(self, run: Run, model: Any, other_name: str | None) -> None:
        if run.results_dir is None:
            return
        stem = "model" if other_name is None else "model-" + re.sub(r"[^\w.-]", "_", other_name)[:100]
        try:
            for ending, text in files_of(model).items():
                path = run.results_dir / self._name / f"{stem}_{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                atomic.write_bytes(path, text.encode(), sync=False)
        except OSError as error:
            self._warn("files", f"the model's config and summary were not saved: {error}. The training goes on.")


def describe(model: Any, framework: Framework, fit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters of a model, its optimizers, its loss and its fit, without those that are unknown."""
    read: dict[str, Callable[[], Any]] = {
        "version": lambda: framework.version,
        "backend": framework.backend,
        "model": lambda: model.name,
        "class": lambda: type(model).__name__,
        "parameters": lambda: model.count_params(),
        "trainable_parameters": lambda: sum(math.prod(each.shape) for each in model.trainable_weights),
        "loss": lambda: named(getattr(model, "loss", None)),
        "epochs": lambda: fit.get("epochs"),
        "steps_per_epoch": lambda: fit.get("steps"),
    }
    for name, optimizer in optimizers(model).items():
        read[name] = functools.partial(_config_of, optimizer)
    return _readable(read)


def files_of(model: Any) -> dict[str, str]:
    """Return the texts of the files about a model, those that can be made, by the ends of their names."""
    return _readable(
        {
            "config.json": lambda: json.dumps(json.loads(model.to_json()), indent=2) + "\n",
            "summary.txt": lambda: _summary(model),
        }
    )


def _readable(read: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    found = {}
    with without_tensorflow(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns that a lambda may not load again
        for key, get in read.items():
            try:
                found[key] = get()
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
    return {"class": type(optimizer).__name__, **{key: _as_written(value) for key, value in config.items()}}


def _as_written(value: Any) -> Any:
    """Return a number of 32 bits, as Keras keeps learning rates, as the shortest that is it: 0.001, not 0.00100000005.

    >>> _as_written(0.0010000000474974513), _as_written(0.999), _as_written("sgd")
    (0.001, 0.999, 'sgd')
    """
    import numpy

    if not isinstance(value, (float, numpy.float32)) or not math.isfinite(value):
        return value
    short = numpy.float32(value)
    return float(str(short)) if float(short) == float(value) else value


def _summary(model: Any) -> str:
    lines: list[str] = []
    model.summary(print_fn=lambda line, **_: lines.append(str(line)))
    return "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()).strip("\n") + "\n"
