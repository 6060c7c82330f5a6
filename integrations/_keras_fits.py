"""Which model and which epoch the hooks of a callback are about. No framework is imported here.

Keras tells a callback its model at the beginning of each fit, evaluate and predict. Inside of a fit there may be
others, such as an evaluate of a target network; when these are over, the callback is told nothing.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rla_hooks.errors import ConfigError

_NO_PARAMS: Mapping[str, Any] = {}


@dataclass
class Fit:
    """A fit that is going on, or somebody's own loop, and its present epoch."""

    model: Callable[[], Any] = lambda: None  # a weak reference
    params: Mapping[str, Any] = field(default_factory=lambda: _NO_PARAMS)
    epochs: int = 0  # that have ended
    moved_epoch: bool = False  # whether ``model._initial_epoch`` was set for it
    epoch_began: float | None = None  # in seconds
    batches: int = 0  # of the present epoch
    first_step: int = 0
    pending: int = 0  # batches whose gradients are accumulated for the next step
    asks_optimizer: bool = True  # for the step of each batch
    stands_still: bool = False  # there is no optimizer, and epochs are counted


class Fits:
    """The part of CallbackHooks that knows the fits which are going on."""

    _keras: Any  # the module of the Callback class

    def _forget_fits(self) -> None:
        self._fits: list[Fit] = []  # the innermost last; one that an exception has ended stays until the next
        self._own_loop = Fit()
        self._told = False  # of a model, and not yet what is to be done with it
        self._alone = False  # whether an evaluate or predict has begun that is no part of a fit

    @property
    def _fit(self) -> Fit:
        return self._fits[-1] if self._fits else self._own_loop

    @property
    def _is_alone(self) -> bool:
        return self._alone or not self._fits

    @property
    def _model_now(self) -> Any:
        """The model without the state that JAX would have to be asked for."""
        return vars(self).get("_model", vars(self).get("model"))

    @property
    def _params_now(self) -> Mapping[str, Any]:
        return getattr(self, "params", None) or _NO_PARAMS

    def set_model(self, model: Any) -> None:
        """Called at the beginning of each fit, evaluate and predict, and not for the validation inside a fit."""
        self._check_tree(model)
        super().set_model(model)  # type: ignore[misc]
        self._told = self._alone = True

    def _return_to_fit(self) -> None:
        """An evaluate, or a fit, that was given this callback inside of a fit has told it of its own model."""
        if self._told:  # and nothing of Keras has begun since: it is somebody's own loop, after a fit that failed
            for fit in self._fits:
                self._forget_moved_epoch(fit)
            self._forget_fits()
        if not self._fits:
            return
        self._alone = False
        fit = self._fits[-1]
        model = fit.model()
        if model is not None and model is not self._model_now:
            super().set_model(model)  # type: ignore[misc]
        if self._params_now is not fit.params:
            self.set_params(fit.params)  # type: ignore[attr-defined]

    def _check_tree(self, model: Any) -> None:
        ours = self._keras.__name__
        trees = [each.__module__.partition(".")[0] for each in type(model).__mro__]
        theirs = next((tree for tree in trees if tree in ("keras", "tf_keras")), ours)
        if theirs != ours:
            raise ConfigError(
                f"this RLACallback is made for {ours}, the model is of {theirs}. Write: from "
                f"rla_hooks.integrations.{theirs} import RLACallback"
            )

    def _begin_fit(self, model: Any) -> None:
        for fit in self._fits:
            if fit.model() is model:  # an exception has ended it
                self._forget_moved_epoch(fit)
        self._fits = [fit for fit in self._fits if fit.model() is not model and fit.model() is not None]
        reference = (lambda: None) if model is None else weakref.ref(model)
        self._fits.append(Fit(reference, self._params_now))
        self._told = self._alone = False

    def _end_fit(self) -> Fit:
        fit = self._fits.pop() if self._fits else self._own_loop
        self._forget_moved_epoch(fit)
        self._own_loop = Fit()
        return fit

    def _last_epoch(self) -> int | None:
        """Where the fit ends; None in somebody's own loop."""
        epochs = self._fit.params.get("epochs")
        return None if epochs is None else int(epochs)

    def _forget_moved_epoch(self, fit: Fit) -> None:
        """The epoch that a fit begins at sticks to the model (Keras 3.15), and would cut a later fit short."""
        model = fit.model() if fit.moved_epoch else None
        fit.moved_epoch = False
        if model is not None:
            model._initial_epoch = None
