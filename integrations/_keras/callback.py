"""The methods of RLACallback. keras.py and tf_keras.py combine them with the ``Callback`` of Keras 3 and Keras 2."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rla_hooks.integrations import _states, _versions
from rla_hooks.integrations._keras import arguments
from rla_hooks.integrations._keras.batches import BatchSteps, is_row_due
from rla_hooks.integrations._keras.checkpoints import Checkpoints, Monitor
from rla_hooks.integrations._keras.fits import Fit, FitTracker
from rla_hooks.integrations._keras.model import Framework, accumulation, iterations, learning_rates
from rla_hooks.integrations._keras.resume import Resume
from rla_hooks.integrations._keras.run_binding import RunBinding
from rla_hooks.integrations._keras.saving import ModelSaver, TrainingPoint
from rla_hooks.integrations._keras.state import RunState

from rla_hooks import Run
from rla_hooks.errors import ConfigError
from rla_hooks.hooks import Argument, FigureCalls, OwnRun, check_arguments, is_count, watch_preemption

Figures = Mapping[str, Callable[[Any, int, Mapping[str, Any]], Any]]
Logs = Mapping[str, Any] | None
_HOOK = "RLACallback"

# In place of Keras' Callback: no framework is imported here. On JAX, reading its attribute ``model`` writes the
# training state back to the model.
KerasCallback: Any = object


class CallbackHooks(KerasCallback):
    """Records a Keras training in a run: metrics, hyper-parameters, checkpoints, figures.

    It joins the run that is open (``@rla.track``); if there is none, it creates one when a fit, or an evaluate outside
    a fit, begins. Place it last: it logs what the callbacks before it have added to the logs.

    monitor, mode ("min", "max" or "auto"): the metric of the best checkpoint. save_best_only: keep only that one.
    max_to_keep: the number of newest checkpoints to keep (None: all). save_weights_only: save ``.weights.h5`` instead
    of ``.keras``. save_every: epochs between the newest checkpoints, counted over all fits (None: no checkpoints).
    log_every: "epoch"; with "batch", or a number of batches, there are rows ``batch/<key>``, too, with the mean over
    the epoch so far. figures: ``{name: fn(model, epoch, logs)}``; each function returns a matplotlib figure or an image
    array, and is called after every ``figures_every`` epochs. log_lr: add the column ``learning_rate``. log_weights:
    show a histogram of each weight in TensorBoard. resume: by default a run that is itself resumed goes on from its
    newest checkpoint, and any other begins anew. "same": the run of the callback's own goes on, if it was interrupted
    (``resume="auto"`` of ``@rla.track``). True: also a new run goes on, from the newest checkpoint of the last run with
    the same task and record parameters; or a checkpoint file, a checkpoint folder, or a run of ``rla.runs()``. False:
    nothing is restored. name: of this model, if the run trains several side by side; it is put before the names of
    columns, figures and files: ``actor/loss``. state: True to save the random state with each checkpoint, by
    :func:`rla_hooks.save_state`, or a dict to save objects of yours, too: ``{"buffer": buffer}``; in a run that is
    resumed they are restored where the fit goes on from that checkpoint.
    task, config, log_root, record, writers, backup, tags, note, title, group: options of a run that the callback
    creates, as in ``@rla.track``; but ``record`` is a mapping of names and values.

    The time step is ``optimizer.iterations``, growing over fits; ``epoch`` is a column. Raises ConfigError with all
    mistakes at once.

        model.fit(x, y, validation_data=(x_val, y_val), callbacks=[RLACallback(monitor="val_accuracy", resume=True)])
    """

    _framework: Framework

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        save_best_only: bool = False,
        max_to_keep: int | None = 5,
        save_weights_only: bool = False,
        save_every: int | None = 1,
        log_every: str | int = "epoch",
        figures: Figures | None = None,
        figures_every: int = 1,
        log_lr: bool = True,
        log_weights: bool = False,
        resume: Any = None,
        name: str = "",
        state: bool | dict[str, Any] = False,
        **options: Any,
    ):
        if isinstance(resume, str) and resume == arguments.SAME:
            options |= {"resume": "auto"}
        own = OwnRun(_HOOK, "keras", **options)
        table = {
            "monitor": Argument(monitor, arguments.is_text, "the name of a metric, such as 'val_loss'"),
            "mode": Argument(mode, arguments.is_mode, "'min', 'max', 'auto'"),
            "save_best_only": Argument(save_best_only),
            "max_to_keep": Argument(max_to_keep, arguments.is_count_or_none, "a whole number above 0, or None"),
            "save_weights_only": Argument(save_weights_only),
            "save_every": Argument(save_every, arguments.is_count_or_none, arguments.EPOCHS + ", or None"),
            "log_every": Argument(log_every, arguments.is_cadence, "'epoch', 'batch', or a number of batches above 0"),
            "figures": Argument(figures, FigureCalls.fits, "{name: fn(model, epoch, logs) -> Figure}"),
            "figures_every": Argument(figures_every, is_count, arguments.EPOCHS),
            "log_lr": Argument(log_lr),
            "log_weights": Argument(log_weights),
            "resume": Argument(resume, arguments.is_checkpoint, arguments.CHECKPOINT),
            "name": Argument(name, arguments.is_model_name, "a text such as 'actor', without slashes"),
            "state": _states.argument(state) if not name else arguments.no_state(state),
        }
        check_arguments(_HOOK, (), table, own, arguments.HINTS)
        super().__init__()
        self._log_lr = log_lr
        self._log_weights = log_weights
        self._figures = FigureCalls(figures, figures_every)
        # In batches; 0 for no rows of them.
        self._row_every = 0 if log_every == "epoch" else 1 if log_every == "batch" else int(log_every)
        saver, states = ModelSaver(save_weights_only), _states.StateBeside(state)
        self._checkpoints = Checkpoints(
            Monitor(monitor, mode), saver, save_best_only, max_to_keep, save_every, name, states
        )
        self._resume = Resume(resume, self._checkpoints, self._framework)
        self._fits = FitTracker()
        self._runs = RunBinding(own, name)
        if self._row_every:  # Keras ends asynchronous dispatch for a callback that has this hook (3.15)
            self.__dict__["on_train_batch_end"] = self._on_train_batch_end

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, which has no model; the parts have their own __getstate__."""
        return {key: None if key in ("model", "_model") else value for key, value in self.__dict__.items()}

    def on_init_end(self, *arguments: Any, **named: Any) -> None:
        """No method of Keras: a Trainer of transformers calls it first."""
        raise ConfigError(
            "this RLACallback is made for Keras. For a Trainer of transformers write: from "
            "rla_hooks.integrations.transformers import RLACallback"
        )

    # --- the run, the model and the step --------------------------------------------------------------------------

    def _join(self) -> tuple[Run, RunState]:
        progress_bar = self._fits.params.get("verbose", "auto") != 0
        return self._runs.join(progress_bar, self._framework.backend())

    def _join_once(self) -> tuple[Run, RunState]:
        """Return the run of the present fit; in a custom loop, which may change the run, join at each call."""
        joined = self._runs.joined if self._fits.in_fit else None
        if joined is None:
            joined = self._join()
            self._describe(*joined)
        return joined

    def _describe(self, run: Run, state: RunState) -> None:
        if run.is_writing:
            state.models.add(run, self.model, self._framework, self._fits.current.params)

    def _step(self, state: RunState, epoch_ended: bool = False) -> int:
        return state.step(self.model, self._fits.around(), self._framework, epoch_ended)

    def set_model(self, model: Any) -> None:
        """Keras calls this at the beginning of each fit, evaluate and predict, but not for the validation in a fit."""
        _versions.check_same_package(self._framework.name, model, "model", ("keras", "tf_keras"))
        super().set_model(model)
        self._fits.announce(model)

    def set_params(self, params: Any) -> None:
        """Keras calls this after :meth:`set_model`."""
        super().set_params(params)
        self._fits.params = params or {}

    def _return_to_fit(self) -> None:
        if self._fits.return_to_fit():
            super().set_model(self._fits.model)
            super().set_params(self._fits.params)

    # --- a fit ----------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs = None) -> None:
        fit = self._fits.begin_fit()
        source = self._resume.named_source(self._fits.model, self._runs.state())  # raises before a run is created
        run, state = self._join()
        state.fit_begins(self._fits.model)
        self._checkpoints.states.begin()
        self._resume.begin_fit(run, state, self.model, fit, source)
        self._describe(run, state)  # with the learning rate that was restored
        self._step(state)
        fit.began_at = iterations(self.model, self._framework)
        watch_preemption(run, self._stop_fits)
        if run.should_stop():  # before this fit; Keras trains a batch all the same
            self._stop_fits()

    def _stop_fits(self) -> None:
        """A cluster preempts the program; a method for each batch, to ask, would cost more than the training's own."""
        self._fits.stop()

    def _stops_within_epoch(self, run: Run, fit: Fit) -> bool:
        """Whether the fit is preempted, and has not trained all batches of its epoch, as far as can be known."""
        if not run.should_stop():
            return False
        steps, done = fit.params.get("steps"), iterations(self.model, self._framework)
        if steps is None or done is None or fit.began_at is None:
            return True
        batches = (done - fit.began_at) * (accumulation(self.model) or 1)
        return batches < int(steps) * (fit.epochs + 1)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._return_to_fit()
        fit = self._fits.current
        fit.unset_first_epoch()
        fit.epoch_began = time.perf_counter()
        if self._row_every:
            _, state = self._join_once()
            fit.batch_steps = BatchSteps(self._fits.model, self._step(state), self._framework)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._return_to_fit()
        run, state = self._join_once()
        fit, model, values, epoch = self._fits.current, self.model, state.flat_logs(logs), int(epoch)
        if self._stops_within_epoch(run, fit):
            at = TrainingPoint(run, state, model, self._step(state))
            if run.is_writing:
                self._log_epoch(at, epoch, fit, values)
            self._checkpoints.preempted(at)
            return
        fit.epochs += 1
        state.batches, fit.batches = state.batches + fit.batches, 0
        step = self._step(state, epoch_ended=True)
        state.epoch_ends(self, fit.params, epoch)
        self._describe(run, state)  # a model of Keras 2 may not have been built before
        at = TrainingPoint(run, state, model, step)
        if run.is_writing:
            self._log_epoch(at, epoch, fit, values)
        self._checkpoints.after_epoch(at, epoch, fit.last_epoch, values)

    def _log_epoch(self, at: TrainingPoint, epoch: int, fit: Fit, values: dict[str, Any]) -> None:
        run, state, model, step = at
        extra: dict[str, Any] = {}
        if fit.epoch_began is not None:
            extra["time/seconds_per_epoch"] = time.perf_counter() - fit.epoch_began
        if self._log_lr:
            extra |= learning_rates(model, self._framework)
        state.log(run, {"epoch": epoch, **values, **{key: extra[key] for key in extra if key not in values}}, step)
        state.curve.add(step, values)
        if self._log_weights and model is not None:
            for weight in model.trainable_variables:
                name = state.prefix + getattr(weight, "path", weight.name)  # Keras 3, Keras 2
                run.add_histogram(name, self._framework.to_numpy(weight), step)
        self._figures.draw(run, step, state.epochs, model, epoch, values, prefix=state.prefix, warn=state.warn)

    def on_train_end(self, logs: Logs = None) -> None:
        self._return_to_fit()
        fit, joined = self._fits.end_fit(), self._runs.joined
        if joined is None:
            return
        run, state = joined
        epochs = fit.epochs and fit.epochs + fit.epochs_before
        self._checkpoints.after_fit(TrainingPoint(run, state, self.model, self._step(state)), epochs)
        if run.is_writing:
            state.curve.draw_if_cheap()
            run.flush()

    def _on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Log a row for a batch. Several threads may call this at once."""
        type(self).on_train_batch_end(self, batch, logs)  # of a derived class, or Keras' own
        self._return_to_fit()
        run, state = self._join_once()
        fit, done = self._fits.current, batch + 1
        if fit.batches < done:
            fit.batches = done
        every = self._row_every
        if not run.is_writing or (every > 1 and not is_row_due(state.batches + done, every, self._fits.model)):
            return
        values = {f"batch/{key}": value for key, value in state.flat_logs(logs).items()}
        if values:
            known = fit.batch_steps.after(done, fit.params.get("steps")) if fit.batch_steps else None
            state.log(run, values, self._step(state) if known is None else known)

    # --- evaluate and predict -------------------------------------------------------------------------------------

    def on_test_begin(self, logs: Logs = None) -> None:
        if self._fits.begin_stage():
            self._describe(*self._join())
            return
        run, state = self._join_once()
        if self._stops_within_epoch(run, self._fits.current):  # before a validation, which may take the grace time
            self._checkpoints.preempted(TrainingPoint(run, state, self.model, self._step(state)))

    def on_test_end(self, logs: Logs = None) -> None:
        """Log the result of an evaluate outside a fit; the metrics of a validation come with those of the epoch."""
        if not self._fits.end_stage() or not logs:
            return
        run, state = self._join()
        if run.is_writing and not self._resume.holds_rows(run, state):
            values = {f"evaluate/{key}": value for key, value in state.flat_logs(logs).items()}
            state.log(run, values, self._step(state))
            run.flush()

    def on_predict_begin(self, logs: Logs = None) -> None:
        self._fits.begin_stage()

    def on_predict_end(self, logs: Logs = None) -> None:
        self._fits.end_stage()
