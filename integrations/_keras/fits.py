"""Keeps track of the model and the fit that a call of a callback's method belongs to.

Keras calls ``set_model`` at the beginning of each fit, evaluate and predict. Inside a fit there may be others, such as
an evaluate of a target network; when that ends, Keras does not call ``set_model`` again.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rla_hooks.integrations._keras.batches import BatchSteps


@dataclass(eq=False)
class Fit:
    """A fit, or a custom training loop, and the counts of its present epoch."""

    model: Callable[[], Any] = lambda: None  # a weak reference
    params: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 0  # that have ended
    began_at: int | None = None  # the optimizer's iterations
    epoch_began: float | None = None  # in seconds
    batches: int = 0  # of the present epoch
    batch_steps: BatchSteps | None = None  # of the present epoch
    epochs_before: int = 0  # that an earlier process has trained
    _first_epoch_is_set: bool = False

    @property
    def last_epoch(self) -> int | None:
        """The number of epochs at which the fit ends; None in a custom loop."""
        epochs = self.params.get("epochs")
        return None if epochs is None else int(epochs)

    def set_first_epoch(self, epoch: int) -> None:
        """Let the fit start at ``epoch``. To be called in ``on_train_begin`` (Keras 3)."""
        self.model()._initial_epoch = epoch
        self._first_epoch_is_set, self.epochs_before = True, epoch

    def unset_first_epoch(self) -> None:
        """Undo :meth:`set_first_epoch`: the model keeps the value (3.15), which would shorten a later fit."""
        model = self.model() if self._first_epoch_is_set else None
        self._first_epoch_is_set = False
        if model is not None:
            model._initial_epoch = None


class FitTracker:
    """The fits that are in progress, innermost last. A copy has none, and no model."""

    def __init__(self) -> None:
        self.model: Any = None  # of the present hook; without the state that JAX would have to be asked for
        self.params: Mapping[str, Any] = {}  # the same: verbose, epochs, steps
        self._fits: list[Fit] = []  # the innermost last; one that an exception has ended stays until the next begins
        self._custom_loop = Fit()
        self._model_announced = False  # a model was set, and not yet said what for
        self._standalone = False  # an evaluate or predict has begun that is no part of a fit

    def __reduce__(self) -> tuple[type[FitTracker], tuple[()]]:
        return type(self), ()

    @property
    def current(self) -> Fit:
        """The innermost fit, or the custom loop."""
        return self._fits[-1] if self._fits else self._custom_loop

    @property
    def in_fit(self) -> bool:
        return bool(self._fits)

    def stop(self) -> None:
        """Make the fits end after the present batch: Keras looks at this flag of the model after each."""
        for fit in list(self._fits):
            model = fit.model()
            if model is not None:
                model.stop_training = True

    def around(self) -> Iterator[Any]:
        """Yield the models of the outer fits, if another model is the present one."""
        models = (fit.model() for fit in self._fits)
        return (model for model in models if model is not None and model is not self.model)

    def announce(self, model: Any) -> None:
        """Note that a fit, evaluate or predict of ``model`` begins. Keras does not announce the validation in a fit."""
        self.model = model
        self._model_announced = self._standalone = True

    def begin_fit(self) -> Fit:
        """Begin a fit of the announced model. An open fit of it was ended by an exception; Keras reports none."""
        self._drop([fit for fit in self._fits if fit.model() is self.model or fit.model() is None])
        reference = (lambda: None) if self.model is None else weakref.ref(self.model)
        self._fits.append(Fit(reference, self.params))
        self._model_announced = self._standalone = False
        return self._fits[-1]

    def end_fit(self) -> Fit:
        """End the innermost fit, or the custom loop."""
        fit = self._fits.pop() if self._fits else self._custom_loop
        fit.unset_first_epoch()
        self._custom_loop = Fit()
        return fit

    def return_to_fit(self) -> bool:
        """Make the model and params of the innermost fit the present ones again; return whether they were others.

        An evaluate or a fit inside it may have set others. Call this in methods that only a fit or a loop calls.
        """
        if self._model_announced:  # and nothing of Keras has begun since: a custom loop, after a fit that failed
            self._drop(list(self._fits))
            self._custom_loop = Fit()
            self._model_announced = self._standalone = False
        if not self._fits:
            return False
        fit = self._fits[-1]
        model = fit.model()
        if model is self.model and fit.params is self.params and not self._standalone:  # as after most batches
            return False
        self.model, self.params = self.model if model is None else model, fit.params
        self._standalone = False
        return True

    def begin_stage(self) -> bool:
        """Begin an evaluate or predict; return whether it is outside a fit."""
        self._model_announced = False
        return self._standalone or not self._fits

    def end_stage(self) -> bool:
        """End an evaluate or predict; return whether it was outside a fit."""
        standalone = self._standalone or not self._fits
        self._standalone = False
        return standalone

    def _drop(self, fits: list[Fit]) -> None:
        for fit in fits:
            fit.unset_first_epoch()
            self._fits.remove(fit)
