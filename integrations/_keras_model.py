"""What a Keras model tells of itself: hyper-parameters, learning rates, weights. No framework is imported here."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

ToNumpy = Callable[[Any], Any]
_OPTIMIZER = ("iterations", "apply_gradients")  # what those of Keras 3, of Keras 2 and of before Keras 2.11 have


def describe(model: Any, keras: Any) -> dict[str, Any]:
    """Return the hyper-parameters that a model, its optimizers and its loss have; only those that can be told."""
    told = {
        "version": lambda: keras.__version__,
        "backend": lambda: keras.backend.backend(),
        "model": lambda: model.name,
        "class": lambda: type(model).__name__,
        "parameters": lambda: model.count_params(),
        "loss": lambda: named(getattr(model, "loss", None)),
        "summary": lambda: _summary(model),
        "config": lambda: model.to_json(),
    }
    for name, optimizer in optimizers(model).items():
        told[name] = lambda optimizer=optimizer: _config_of(optimizer)  # type: ignore[misc]
    found = {}
    with without_tensorflow(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a lambda in a config is trouble when it is loaded, and this never is
        for key, tell in told.items():
            try:
                found[key] = tell()
            except Exception:  # models without input shapes, or without get_config, cannot tell all
                continue
    return {key: value for key, value in found.items() if value is not None}


def optimizers(model: Any) -> dict[str, Any]:
    """Return the optimizers of a model by attribute: ``optimizer``, and those that its own ``train_step`` uses.

    Models with a train_step of their own (a GAN, an actor-critic) often leave the one of ``compile`` unused.
    """
    found = {"optimizer": getattr(model, "optimizer", None)}
    found |= (
        {name: value for name, value in vars(model).items() if not name.startswith("_")} if model is not None else {}
    )
    return {name: value for name, value in found.items() if all(hasattr(type(value), word) for word in _OPTIMIZER)}


def learning_rates(model: Any, to_numpy: ToNumpy) -> dict[str, Any]:
    """Return ``learning_rate``; ``learning_rate/<name>`` of further optimizers. A schedule gives its present value.

    What is no number stands there as it is.
    """
    rates = {}
    for name, optimizer in optimizers(model).items():
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
        inner = getattr(optimizer, "optimizers", None) or ()  # of a MultiOptimizer
        for each in inner or (optimizer,):
            part = f"/{each.name}" if inner else "" if name == "optimizer" else f"/{name}"
            rates[f"learning_rate{part}"] = _rate(each, to_numpy)
    return rates


def _rate(optimizer: Any, to_numpy: ToNumpy) -> Any:
    rate = getattr(optimizer, "learning_rate", None)
    try:
        if callable(rate) and not hasattr(rate, "shape"):  # a schedule: optimizers of before Keras 2.11 give itself
            rate = rate(optimizer.iterations)
        return float(to_numpy(rate))
    except Exception:  # somebody's own optimizer
        return rate


def iterations(model: Any, to_numpy: ToNumpy) -> int | None:
    """Return how many steps the optimizer has taken in its life, of several the busiest one; None without one."""
    counts = []
    for each in optimizers(model).values():
        with suppress(TypeError, ValueError):  # somebody's own, which does not count
            counts.append(int(to_numpy(each.iterations)))
    return max(counts, default=None)


def synced(model: Any) -> Any:
    """Return the model with the state that JAX keeps apart from it during a fit (Keras 3.15)."""
    getattr(model, "jax_state_sync", lambda: None)()
    return model


def accumulates(model: Any) -> bool:
    """Whether a step of the optimizer takes the gradients of several batches."""
    return bool(getattr(getattr(model, "optimizer", None), "gradient_accumulation_steps", None))


def pending(model: Any, to_numpy: ToNumpy) -> int:
    """Return how many batches have gone into gradients that are accumulated for the next step (Keras 3.15)."""
    optimizer = getattr(model, "optimizer", None)
    every = getattr(optimizer, "gradient_accumulation_steps", None)
    counted = getattr(optimizer, "_iterations", None)
    return int(to_numpy(counted)) % every if every and counted is not None else 0


def direction(model: Any, metric: str) -> str | None:
    """Return "up" or "down" where Keras (3.15) knows of one of its metrics which way is better."""
    found = list(getattr(model, "metrics", None) or ())
    found += [inner for each in found for inner in getattr(each, "metrics", None) or ()]  # of compile
    known = (getattr(each, "_direction", None) for each in found if getattr(each, "name", None) == metric)
    return next(filter(None, known), None)


def steps_once_a_batch(model: Any) -> bool:
    """Whether each batch hook means one step of the optimizer."""
    own = getattr(type(model), "train_step", None)
    is_keras = getattr(own, "__module__", "").partition(".")[0] in ("keras", "tf_keras")
    optimizer = getattr(model, "optimizer", None)
    skips = hasattr(optimizer, "inner_optimizer")  # a LossScaleOptimizer passes over steps whose gradients overflow
    return is_keras and getattr(model, "steps_per_execution", 1) == 1 and not accumulates(model) and not skips


def weights(model: Any, to_numpy: ToNumpy) -> Iterator[tuple[str, Any]]:
    """Give the name and array of each trainable variable."""
    for variable in model.trainable_variables:
        yield getattr(variable, "path", variable.name), to_numpy(variable)


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Keep Keras from importing TensorFlow on another backend, which takes seconds and hundreds of megabytes.

    Keras 3.15 imports it in each serialisation, to ask whether a value is one of its own.
    """
    lazy = getattr(sys.modules.get("keras.src.utils.module_utils"), "tensorflow", None)
    if "tensorflow" in sys.modules or getattr(lazy, "_available", False) is not None:
        yield
        return
    lazy._available = False
    try:
        yield
    finally:
        lazy._available = None


def _config_of(optimizer: Any) -> dict[str, Any]:
    config = {key: value for key, value in optimizer.get_config().items() if value is not None and key != "name"}
    return {"class": type(optimizer).__name__, **config}


def named(thing: Any) -> Any:
    """The names of losses: texts, functions, objects, or these in lists and dicts."""
    if thing is None or isinstance(thing, str):
        return thing
    if isinstance(thing, Mapping):
        return {str(key): named(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [named(value) for value in thing]
    return getattr(thing, "name", None) or getattr(thing, "__name__", None) or type(thing).__name__


def _summary(model: Any) -> str:
    lines: list[str] = []
    model.summary(print_fn=lambda line, **_: lines.append(str(line)))
    return "\n".join(line.rstrip() for line in "\n".join(lines).splitlines()).strip("\n")
