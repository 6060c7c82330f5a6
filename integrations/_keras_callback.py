"""What a run asks of a Keras callback. No framework is imported here.

``keras.py`` and ``tf_keras.py`` join this with the ``Callback`` of Keras 3 and of Keras 2.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from rla_hooks.integrations import _keras_arguments, _keras_model, _keras_resume, _runs
from rla_hooks.integrations._keras_batches import BatchRows
from rla_hooks.integrations._keras_checkpoints import Checkpoints, Moment
from rla_hooks.integrations._keras_fits import Fits
from rla_hooks.integrations._keras_state import RunState, state_of

from rla_hooks import Run

Figures = Mapping[str, Callable[[Any, int, Mapping[str, Any]], Any]]


class CallbackHooks(Fits, BatchRows):
    """Routes a Keras training into a run: metrics, hyper-parameters, checkpoints, figures.

    It joins the run that is open (``@rla.track``), or makes one of its own, of the task ``task``, when a fit or a
    stand-alone evaluate begins. Place it last: it logs what the callbacks before it have added to the logs.

    monitor, mode ("min", "max" or "auto"): the metric of the best checkpoint. save_best_only: no newest ones beside
    it. max_to_keep: how many of the newest (None: all). save_weights_only: ``.weights.h5`` instead of ``.keras``.
    save_every: epochs between the newest, counted over all fits (None: no checkpoints at all).
    log_every: "epoch"; or "batch", or a number of batches, for rows ``batch/<key>`` beside, in which Keras gives the
    mean over the epoch so far. figures: ``fn(model, epoch, logs)`` that return a matplotlib figure or an image array,
    called after every ``figures_every`` epochs. log_lr: ``learning_rate``. log_weights: a histogram of each weight
    in TensorBoard. resume: True, to go on from the newest checkpoint of an earlier process of this run or of the last
    run of its task and record parameters; or a file, a checkpoint folder, a run of ``rla.runs()``. name: of one model
    among several that a run trains side by side; it goes before the names of all that is kept: ``actor/loss``.
    task, config, log_root, record, writers, backup: of a run of its own, as in ``@rla.track``; ``record`` has values.

    The time step is ``optimizer.iterations``, growing over fits; ``epoch`` is a column. Raises ConfigError with all
    mistakes at once.
    """

    _takes_epoch = True  # whether a fit begins at ``model._initial_epoch``

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
        *,
        task: str = "keras",
        config: str | None = None,
        log_root: str | None = None,
        record: Mapping[str, Any] | None = None,
        writers: list[str] | None = None,
        backup: str | None = None,
        **unknown: Any,
    ):
        self._options = {
            "task": task,
            "config": config,
            "log_root": log_root,
            "record": record,
            "writers": writers,
            "backup": backup,
        }
        _keras_arguments.check(
            unknown,
            self._options,
            monitor=monitor,
            mode=mode,
            log_every=log_every,
            max_to_keep=max_to_keep,
            save_every=save_every,
            figures=figures,
            figures_every=figures_every,
            resume=resume,
            name=name,
        )
        self.log_every = log_every
        super().__init__()
        self.figures: Figures = dict(figures or {})
        self.figures_every = figures_every
        self.log_lr = log_lr
        self.log_weights = log_weights
        self.resume = resume
        self.name = name
        self._prefix = f"{name}/" if name else ""
        self._checkpoints = Checkpoints(monitor, mode, save_best_only, max_to_keep, save_weights_only, save_every, name)
        self._run: Run | None = None
        self._is_copy = False  # of a callback that has a run
        self._forget_fits()
        self._add_batch_hook()

    # --- the run --------------------------------------------------------------------------------------------------

    def _join(self) -> tuple[Run, RunState]:
        """Return the run that this belongs to: that which the user has open, else that it had, else one of its own."""
        joined = _runs.open_run(progress_bar=self._params_now.get("verbose", "auto") != 0)
        if joined is not None:
            self._tell_ignored(self._state(joined))
        run = joined or self._run or _runs.join_or_plan(**self._options)
        # A process that was forked inside of a run writes nothing; a copy that came by pickle trains for the original.
        takes_over = run.made_by_hook and (self._is_copy or run.status is None)
        self._run = _runs.started(run) if takes_over and not self._is_follower() else run
        self._is_copy = False
        return self._run, self._state(self._run)

    def _state(self, run: Run) -> RunState:
        return state_of(run, self.name)

    def _log(self, run: Run, values: Mapping[str, Any], step: int) -> None:
        run.log({self._prefix + key: value for key, value in values.items()} if self._prefix else values, step)

    def _tell_ignored(self, state: RunState) -> None:
        given = [name for name, value in self._options.items() if value != _keras_arguments.OWN_RUN[name]]
        if given:
            message = f"RLACallback joins the run that is open: {', '.join(given)} are of no use to it and left out."
            state.warn("options", message)

    def _is_follower(self) -> bool:
        """Whether another process of a JAX training writes: no launcher's variable tells that."""
        if self._keras.backend.backend() != "jax" or "jax" not in sys.modules:
            return False
        return bool(sys.modules["jax"].process_index() != 0)

    def _describe(self, run: Run, state: RunState) -> None:
        """Add the hyper-parameters of a model that is new, or newly compiled."""
        model = self.model if run.is_writing else None  # type: ignore[attr-defined]
        key = None if model is None else state.new_key(model)
        if key is not None:
            run.add_hyper_params({key: _keras_model.describe(model, self._keras)})

    # --- a fit ----------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        model = self._model_now
        self._begin_fit(model)
        given = self._given_checkpoint(model)  # before a run is made: it may not be there
        run, state = self._join()
        state.fit_begins(model)
        if self.resume and model is not None and model not in state.resumed:
            self._resume(run, state, given)
        self._describe(run, state)  # with the learning rate that was restored
        self._step(state)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._return_to_fit()
        self._forget_moved_epoch(self._fit)
        self._fit.epoch_began = time.perf_counter()
        self._count_batches()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._return_to_fit()
        run, state = self._joined()
        fit, model, values = self._fit, self.model, self._values(state, logs)  # type: ignore[attr-defined]
        epoch = int(epoch)
        fit.epochs += 1
        state.batches, fit.batches = state.batches + fit.batches, 0
        step = self._step(state, epoch_ended=True)
        state.epoch_ends(self, fit.params, epoch)
        self._describe(run, state)  # a model of Keras 2 is built only now
        if run.is_writing:
            extra = {key: value for key, value in self._extra(model).items() if key not in values}
            self._log(run, {"epoch": epoch, **values, **extra}, step)
            state.curve.add(step, values)
            if self.log_weights and model is not None:
                for name, array in _keras_model.weights(model, self._to_numpy):
                    run.add_histogram(self._prefix + name, array, step)
            if state.epochs % self.figures_every == 0:
                self._draw(run, state, model, epoch, values, step)
        self._checkpoints.after_epoch(Moment(run, state, model, step), epoch, self._last_epoch(), values)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._return_to_fit()
        fit = self._end_fit()
        run = self._run
        if run is None:
            return
        state = self._state(run)
        at = Moment(run, state, self.model, self._step(state))  # type: ignore[attr-defined]
        self._checkpoints.after_fit(at, fit.epochs)
        if run.is_writing:
            state.draw_curve_if_cheap()
            run.flush()

    def _joined(self) -> tuple[Run, RunState]:
        """Return the run of this fit; that of somebody's own loop is asked for each time."""
        if self._fits and self._run is not None:
            return self._run, self._state(self._run)
        run, state = self._join()
        self._describe(run, state)
        return run, state

    def _values(self, state: RunState, logs: Any) -> dict[str, Any]:
        """What Keras, or somebody's own loop, has given as logs, flat."""
        if logs is None or isinstance(logs, Mapping):
            return _runs.flat(logs or {})
        message = f"logs are {logs!r:.80}. Allowed: a mapping such as train_on_batch(x, y, return_dict=True) gives."
        state.warn("logs", message)
        return {}

    def _extra(self, model: Any) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        if self._fit.epoch_began is not None:
            extra["time/seconds_per_epoch"] = time.perf_counter() - self._fit.epoch_began
        if self.log_lr:
            extra |= _keras_model.learning_rates(model, self._to_numpy)
        return extra

    def _step(self, state: RunState, epoch_ended: bool = False) -> int:
        """The time step: ``optimizer.iterations`` over all optimizers so far; epochs where none has counted one."""
        for fit in self._fits:  # an evaluate or a fit inside of these begins where they are now
            around = fit.model()
            if around is not None and around is not self._model_now:
                state.clock.step(around, _keras_model.iterations(_keras_model.synced(around), self._to_numpy) or 0)
        model = self.model  # type: ignore[attr-defined]
        taken = _keras_model.iterations(model, self._to_numpy)
        if not taken and (epoch_ended or state.counts_epochs) and not _keras_model.accumulates(model):
            state.counts_epochs = True
            message = "no optimizer of the model has counted a step in its iterations; the time step counts epochs."
            state.warn("no optimizer", message)
            taken = state.epochs + epoch_ended
        return state.clock.step(model, taken or 0)

    def _draw(self, run: Run, state: RunState, model: Any, epoch: int, logs: Mapping[str, Any], step: int) -> None:
        for name, make in self.figures.items():
            try:
                figure = make(model, epoch, logs)
            except Exception as error:
                message = f"the figure {name!r} was not made: {type(error).__name__}: {error}"
                state.warn(("figure", name), message)
                continue
            if figure is not None:
                run.add_figure(self._prefix + name, figure, step)

    # --- evaluate -------------------------------------------------------------------------------------------------

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._told = False
        if self._is_alone:
            self._describe(*self._join())

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """The result of an evaluate of its own is a row; that of the validation in a fit comes with the epoch's."""
        alone = self._is_alone
        self._alone = False
        if not alone or not logs:
            return
        run, state = self._join()
        if run.is_writing:
            values = self._values(state, logs)
            self._log(run, {f"evaluate/{key}": value for key, value in values.items()}, self._step(state))
            run.flush()

    def on_predict_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._told = False

    def on_predict_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._alone = False

    # --- resume ---------------------------------------------------------------------------------------------------

    def _given_checkpoint(self, model: Any) -> _keras_resume.Found | None:
        """The checkpoint that ``resume`` names, unless this model has gone on from it."""
        run = _runs.open_run(progress_bar=False) or self._run
        done = run is not None and model in self._state(run).resumed
        if not self.resume or self.resume is True or done or model is None:
            return None
        return _keras_resume.given(self.resume, str(getattr(model, "name", "")), self._checkpoints.names)

    def _resume(self, run: Run, state: RunState, given: _keras_resume.Found | None) -> None:
        """Go on from a checkpoint, once for a model in a run: a second fit goes on from the first."""
        model, names = self.model, self._checkpoints.names  # type: ignore[attr-defined]
        found = given or _keras_resume.earlier(run, str(getattr(model, "name", "")), names, state.began)
        if found is None:
            state.resumed.add(model)
            self._say(run, "resume=True: no checkpoint of this run or of an earlier one is there; it starts anew")
            return
        is_later = found.entry is None or found.entry.step > state.restored.get(model, -1)
        restored = _keras_resume.go_on(found, model, run, state, self._to_numpy, is_later)
        if given is None:  # of another experiment the best may be out of reach
            restored += _keras_resume.take_best(found, run, state, self._checkpoints.monitor, names)
        state.resumed.add(model)
        if not is_later:  # another callback of this model, by another name, has come further
            self._say(run, f"resumed from {found.path}: {restored}")
            return
        epochs = self._last_epoch()
        epoch = found.next_epoch(epochs)
        if epoch and self._takes_epoch:
            model._initial_epoch = epoch
            self._fit.moved_epoch = True
            restored += f", epoch {epoch}"
            if epochs is not None and epoch >= epochs:
                restored += f"; all {epochs} epochs are done, so this fit trains nothing"
        elif epoch:
            restored += f"; pass initial_epoch={epoch} to fit to go on counting epochs"
        self._say(run, f"resumed from {found.path}: {restored}")

    def _say(self, run: Run, message: str) -> None:
        if run.is_writing:
            run.logger.message(message)
            if not any(writer.name == "stdout" for writer in run.logger.output_formats):
                print(message)

    # --- copies ---------------------------------------------------------------------------------------------------

    def _to_numpy(self, value: Any) -> Any:
        """An array of a variable or tensor."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        """A copy made before the first fit has a run of its own, a later one stays with the run; none has a model."""
        left = ("on_train_batch_end", "_model", "model", "_fits", "_own_loop")
        return {key: value for key, value in self.__dict__.items() if key not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._is_copy = self._run is not None
        self._forget_fits()
        super().set_model(None)  # type: ignore[misc]
        self._add_batch_hook()
