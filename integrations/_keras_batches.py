"""Rows of batches, for a callback that is asked for them. No framework is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rla_hooks.integrations import _keras_model
from rla_hooks.integrations._keras_state import RunState

from rla_hooks import Run


class BatchRows:
    """The part of CallbackHooks that Keras calls at each batch: most of the cost that a callback can have."""

    log_every: str | int
    _run: Run | None

    def _add_batch_hook(self) -> None:
        """Be a callback with a batch hook only where one is needed: it ends asynchronous dispatch (Keras 3.15)."""
        if self.log_every == "epoch":
            return
        own = type(self).on_train_batch_end  # type: ignore[attr-defined]

        def on_train_batch_end(batch: int, logs: Mapping[str, Any] | None = None) -> None:
            own(self, batch, logs)  # Keras' calls on_batch_end; a class that derives from this one may have either
            self._on_train_batch_end(batch, logs)

        self.on_train_batch_end = on_train_batch_end

    def _count_batches(self) -> None:
        """Note where an epoch begins, and how its batches are to be counted."""
        if self.log_every == "epoch":
            return
        _, state = self._joined()
        fit, model, backend = self._fit, self._model_now, self._keras.backend.backend()
        fit.first_step = self._step(state)
        fit.asks_optimizer = backend != "jax" and not _keras_model.steps_once_a_batch(model)
        fit.stands_still = not _keras_model.optimizers(model)
        fit.pending = _keras_model.pending(model, self._to_numpy)

    def _on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log a row. On a thread-safe backend this may run in several threads at once."""
        self._return_to_fit()
        run, state = self._joined()
        fit = self._fit
        fit.batches = max(fit.batches, batch + 1)
        if not run.is_writing:
            return
        every = 1 if self.log_every == "batch" else int(self.log_every)
        done = state.batches + batch + 1
        executed = getattr(self._model_now, "steps_per_execution", 1) or 1
        if every == 1 or done // every > max(done - executed, 0) // every:
            values = {f"batch/{key}": value for key, value in self._values(state, logs).items()}
            if values:
                self._log(run, values, self._batch_step(state, batch + 1))

    def _batch_step(self, state: RunState, done: int) -> int:
        """That at the epoch's begin and the batches since; where these are no steps, what the optimizer has counted.

        It is not asked each time: on TensorFlow that costs more than the row, JAX would have to give its state back to
        the model, and on torch other batches may have been taken since. With steps_per_execution the index of the last
        batch may lie beyond the end of the epoch (Keras 3.15).
        """
        fit = self._fit
        if fit.stands_still:
            return fit.first_step
        if fit.asks_optimizer:
            return self._step(state)
        steps = fit.params.get("steps")
        done = done if steps is None else min(done, steps)
        every = getattr(getattr(self._model_now, "optimizer", None), "gradient_accumulation_steps", None) or 1
        return fit.first_step + (fit.pending + done) // every
