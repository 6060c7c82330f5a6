"""Rows of batches, for a callback that is asked for them. No framework is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rla_hooks.integrations import _keras_model, _runs

from rla_hooks import Tester


class BatchRows:
    """The part of CallbackHooks that Keras calls at each batch: most of the cost that a callback can have."""

    log_every: str | int
    _keras: Any
    _run: Tester | None

    def __init__(self) -> None:
        super().__init__()
        self._first_step = 0  # of the epoch, from which the steps of batch rows are counted
        self._asks_optimizer = False  # for each row
        self._counts_epochs = False  # there is no optimizer
        self._add_batch_hook()

    def _add_batch_hook(self) -> None:
        """Be a callback with a batch hook only where one is needed: it ends asynchronous dispatch (Keras 3.15)."""
        if self.log_every != "epoch":
            self.on_train_batch_end = self._on_train_batch_end

    def _count_batches(self) -> None:
        """Note where an epoch begins, and how its batches are to be counted."""
        if self._run is None or self.log_every == "epoch":
            return
        model, on_tensorflow = self._model_now, self._keras.backend.backend() == "tensorflow"
        self._first_step = self._step(self._state(self._run))
        self._asks_optimizer = on_tensorflow and not _keras_model.steps_once_a_batch(model)
        self._counts_epochs = not _keras_model.optimizers(model)

    def _on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Log a row. On a thread-safe backend this may run in several threads at once, so it keeps no state."""
        if self._run is None:
            self._describe(*self._join())
        run, logs = self._run, logs or {}
        if not logs or run is None or not run.writes:
            return
        every = 1 if self.log_every == "batch" else int(self.log_every)
        executed = getattr(self._model_now, "steps_per_execution", 1) or 1
        if every == 1 or (batch + 1) // every > max(batch + 1 - executed, 0) // every:
            values = {f"batch/{key}": value for key, value in _runs.flat(logs).items()}
            self._log(run, values, self._batch_step(run, batch))

    @property
    def _model_now(self) -> Any:
        """The model without the state that JAX would have to be asked for."""
        return vars(self).get("_model", vars(self).get("model"))

    def _batch_step(self, run: Tester, batch: int) -> int:
        """That at the epoch's begin and the batches since; where these are no steps, what the optimizer has counted.

        It is not asked each time: on TensorFlow that costs more than the row, JAX would have to give its state back to
        the model, and on torch other batches may have been taken since. With steps_per_execution the index of the last
        batch may lie beyond the end of the epoch (Keras 3.15).
        """
        if self._asks_optimizer:
            return self._step(self._state(run))
        if self._counts_epochs:
            return self._first_step
        steps = (getattr(self, "params", None) or {}).get("steps")
        done = batch + 1 if steps is None else min(batch + 1, steps)
        optimizer = getattr(self._model_now, "optimizer", None)
        return self._first_step + done // (getattr(optimizer, "gradient_accumulation_steps", None) or 1)
