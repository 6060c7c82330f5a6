"""Reads from a Keras model its optimizers, learning rates and iterations."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

_OPTIMIZER = ("iterations", "apply_gradients")  # attributes of those of Keras 3, of Keras 2 and of before Keras 2.11


class Framework(Protocol):
    """What the parts need of Keras 3 or Keras 2; keras.py and tf_keras.py have one each, which can be pickled."""

    name: str  # of the package, and of the file in integrations/
    version: str
    has_first_epoch: bool  # whether a fit starts at ``model._initial_epoch``

    def backend(self) -> str:
        """Return "tensorflow", "torch" or "jax"."""

    def to_numpy(self, value: Any) -> Any:
        """Return a variable or tensor as an array."""


def optimizers(model: Any) -> dict[str, Any]:
    """Return the optimizers of a model by attribute: ``optimizer``, and those that its own ``train_step`` uses.

    Models with a train_step of their own (a GAN, an actor-critic) often leave the one of ``compile`` unused.
    """
    found = {"optimizer": getattr(model, "optimizer", None)}
    if model is not None:
        found |= {name: value for name, value in vars(model).items() if not name.startswith("_")}
    return {name: value for name, value in found.items() if all(hasattr(type(value), word) for word in _OPTIMIZER)}


def learning_rates(model: Any, framework: Framework) -> dict[str, Any]:
    """Return ``learning_rate``; ``learning_rate/<name>`` of further optimizers. A schedule gives its present value.

    A learning rate that is no number is returned as it is.
    """
    rates = {}
    for name, optimizer in optimizers(model).items():
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
        inner = getattr(optimizer, "optimizers", None) or ()  # of a MultiOptimizer
        for each in inner or (optimizer,):
            part = f"/{each.name}" if inner else "" if name == "optimizer" else f"/{name}"
            rates[f"learning_rate{part}"] = _rate(each, framework)
    return rates


def _rate(optimizer: Any, framework: Framework) -> Any:
    rate = getattr(optimizer, "learning_rate", None)
    try:
        if callable(rate) and not hasattr(rate, "shape"):  # optimizers of before Keras 2.11 return the schedule
            rate = rate(optimizer.iterations)
        return float(framework.to_numpy(rate))
    except Exception:  # a user's own optimizer may raise anything
        return rate


def iterations(model: Any, framework: Framework) -> int | None:
    """Return the number of steps that the optimizer has taken, the largest of several; None without optimizer."""
    counts = []
    for each in optimizers(model).values():
        with suppress(TypeError, ValueError):  # a user's own optimizer, which does not count
            counts.append(int(framework.to_numpy(each.iterations)))
    return max(counts, default=None)


def accumulation(model: Any) -> int | None:
    """Return how many batches give one step, where gradients are accumulated (Keras 3)."""
    return getattr(getattr(model, "optimizer", None), "gradient_accumulation_steps", None) or None


def pending_batches(model: Any, framework: Framework) -> int:
    """Return how many batches have gone into gradients that are accumulated for the next step (Keras 3.15)."""
    every = accumulation(model)
    counted = getattr(getattr(model, "optimizer", None), "_iterations", None)
    return int(framework.to_numpy(counted)) % every if every and counted is not None else 0


def steps_once_a_batch(model: Any) -> bool:
    """Whether each call of the batch hook means one step of the optimizer."""
    own = getattr(type(model), "train_step", None)
    is_keras = getattr(own, "__module__", "").partition(".")[0] in ("keras", "tf_keras")
    skips = hasattr(getattr(model, "optimizer", None), "inner_optimizer")  # a LossScaleOptimizer skips overflows
    return is_keras and getattr(model, "steps_per_execution", 1) == 1 and not accumulation(model) and not skips


def direction(model: Any, metric: str) -> str | None:
    """Return "up" or "down" if Keras (3.15) knows for one of its metrics which way is better, else None."""
    found = list(getattr(model, "metrics", None) or ())
    found += [inner for each in found for inner in getattr(each, "metrics", None) or ()]  # of compile
    known = (getattr(each, "_direction", None) for each in found if getattr(each, "name", None) == metric)
    return next(filter(None, known), None)


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Keep Keras from importing TensorFlow on another backend, which takes seconds and hundreds of megabytes.

    Keras 3.15 imports it in each serialisation, to ask whether a value is one of TensorFlow's.
    """
    lazy: Any = getattr(sys.modules.get("keras.src.utils.module_utils"), "tensorflow", None)
    if "tensorflow" in sys.modules or getattr(lazy, "_available", False) is not None:
        yield
        return
    lazy._available = False
    try:
        yield
    finally:
        lazy._available = None


def seeds(model: Any) -> dict[str, Any]:
    """Return the variables of a model of Keras 3 that its files do not have: the seeds of dropout and the like.

    They are numbered: the names of layers depend on how many others the program has made.
    """
    if not hasattr(model, "metrics_variables"):
        return {}  # Keras 2 has none
    known = {id(each) for each in (*model.weights, *model.metrics_variables)}
    found = [each for each in model.variables if id(each) not in known]
    return {f"seed-{number}": each for number, each in enumerate(found)}
