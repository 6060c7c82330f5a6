"""Rows for batches, if RLACallback is asked for them. They cause most of the time that a callback can cost."""

from __future__ import annotations

from typing import Any

from rla_hooks.integrations._keras.model import Framework, accumulation, optimizers, pending_batches, steps_once_a_batch


class BatchSteps:
    """Computes the time steps of an epoch's batches: the step at its beginning plus the batches since.

    Reading ``optimizer.iterations`` at each batch would cost more than the row on TensorFlow; on JAX it would write the
    training state back to the model; and on torch, further batches may have been trained in the meantime.
    """

    def __init__(self, model: Any, first_step: int, framework: Framework):
        self._first = first_step
        self._pending = pending_batches(model, framework)
        self._every = accumulation(model) or 1
        self._step_is_fixed = not optimizers(model)  # then the time step counts epochs
        self._counts_batches = framework.backend() == "jax" or steps_once_a_batch(model)

    def after(self, batches: int, epoch_length: int | None) -> int | None:
        """Return the step after so many batches; None where only the optimizer knows it.

        With steps_per_execution the index of the last batch may lie beyond the end of the epoch (Keras 3.15).
        """
        if self._step_is_fixed:
            return self._first
        if not self._counts_batches:
            return None
        if epoch_length is not None:
            batches = min(batches, epoch_length)
        return self._first + (self._pending + batches) // self._every


class BatchCadence:
    """After which batches a row is due: ``log_every`` of RLACallback, counted over all fits."""

    def __init__(self, log_every: str | int):
        self.is_needed = log_every != "epoch"
        self._every = 1 if isinstance(log_every, str) else int(log_every)

    def is_due(self, batches: int, model: Any) -> bool:
        """Whether a row is due after so many batches. Keras may have executed several at once."""
        executed = getattr(model, "steps_per_execution", 1) or 1
        return batches // self._every > max(batches - executed, 0) // self._every
