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
from rla_hooks.integrations._keras_checkpoints import Checkpoints, names_of
from rla_hooks.integrations._keras_state import RunState, state_of

from rla_hooks import Tester
from rla_hooks.errors import ConfigError

Figures = Mapping[str, Callable[[Any, int, Mapping[str, Any]], Any]]


class CallbackHooks(BatchRows):
    """Routes a Keras training into a run: metrics, hyper-parameters, checkpoints, figures.

    It joins the run that is open (``@rla.track``), or makes one of its own, of the task ``task``, when a fit or a
    stand-alone evaluate begins. Place it last: it logs what the callbacks before it have added to the logs.

    monitor, mode ("min", "max" or "auto"): the metric of the best checkpoint. save_best_only: no newest ones beside
    it. max_to_keep: how many of the newest (None: all). save_weights_only: ``.weights.h5`` instead of ``.keras``.
    save_every: epochs between the newest, counted over all fits (None: no checkpoints at all).
    log_every: "epoch"; or "batch", or a number of batches, for rows ``batch/<key>`` beside, in which Keras gives the
    mean over the epoch so far. figures: ``fn(model, epoch, logs)`` that return a matplotlib figure or an image array,
    called after every ``figures_every`` epochs. log_lr: ``learning_rate``. log_weights: a histogram of each weight
    in TensorBoard. resume: True, or what :func:`rla_hooks.integrations._keras_resume.find` takes. name: of one model
    among several that a run trains side by side; it goes before the names of all that is kept: ``actor/loss``.
    task, config, log_root, record, writers, backup: of a run of its own, as in ``@rla.track``; ``record`` has values.

    The time step is ``optimizer.iterations``, growing over fits; ``epoch`` is a column. Raises ConfigError with all
    mistakes at once.
    """

    _keras: Any  # the module of the Callback class
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
        _keras_arguments.check(
            unknown,
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
        self._options = {
            "task": task,
            "config": config,
            "log_root": log_root,
            "record": record,
            "writers": writers,
            "backup": backup,
        }
        self._run: Tester | None = None
        self._in_fit = False
        self._fit_began = False  # and has not ended, unless by an exception
        self._fit_epochs = 0
        self._epoch_began: float | None = None
        self._restored_epoch = False

    # --- the run --------------------------------------------------------------------------------------------------

    def set_model(self, model: Any) -> None:
        """Called at the beginning of each fit, evaluate and predict, and not for the validation inside a fit."""
        self._check_tree(model)
        super().set_model(model)  # type: ignore[misc]
        self._in_fit = False  # a fit that an exception ended has not said so

    def _check_tree(self, model: Any) -> None:
        ours = self._keras.__name__
        trees = [each.__module__.partition(".")[0] for each in type(model).__mro__]
        theirs = next((tree for tree in trees if tree in ("keras", "tf_keras")), ours)
        if theirs != ours:
            raise ConfigError(
                f"this RLACallback is made for {ours}, the model is of {theirs}. Write: from "
                f"rla_hooks.integrations.{theirs} import RLACallback"
            )

    def _join(self) -> tuple[Tester, RunState]:
        """Return the run that this belongs to: that which the user has open, else that it had, else one of its own."""
        verbose = (getattr(self, "params", None) or {}).get("verbose", "auto")
        joined = _runs.open_run(progress_bar=verbose != 0)
        if joined is not None:
            self._tell_ignored(self._state(joined))
        run = joined or self._run or _runs.join_or_plan(**self._options)
        self._run = run if self._is_follower() else _runs.started(run)
        return self._run, self._state(self._run)

    def _state(self, run: Tester) -> RunState:
        return state_of(run, self.name)

    def _log(self, run: Tester, values: Mapping[str, Any], step: int) -> None:
        run.log({self._prefix + key: value for key, value in values.items()} if self._prefix else values, step)

    def _tell_ignored(self, state: RunState) -> None:
        given = [name for name, value in self._options.items() if value not in (None, "keras")]
        if given:
            message = f"RLACallback joins the run that is open: {', '.join(given)} are of no use to it and left out."
            state.warn("options", message)

    def _is_follower(self) -> bool:
        """Whether another process of a JAX training writes: no launcher's variable tells that."""
        if self._keras.backend.backend() != "jax" or "jax" not in sys.modules:
            return False
        return bool(sys.modules["jax"].process_index() != 0)

    def _describe(self, run: Tester, state: RunState) -> None:
        """Add the hyper-parameters of a model that is new, or newly compiled."""
        model = self.model if run.writes else None  # type: ignore[attr-defined]
        key = None if model is None else state.new_key(model)
        if key is not None:
            run.add_hyper_params({key: _keras_model.describe(model, self._keras)})

    # --- a fit ----------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        run, state = self._join()
        self._in_fit = self._fit_began = True
        self._fit_epochs = 0
        state.fit_begins(self.model)  # type: ignore[attr-defined]
        if self.resume:
            self._resume(run, state)
        self._describe(run, state)  # with the learning rate that was restored
        self._step(state)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._in_fit = self._fit_began  # an evaluate inside of the last epoch has called set_model
        self._forget_restored_epoch()
        self._epoch_began = time.perf_counter()
        self._count_batches()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if not self._in_fit:
            self._describe(*self._join())  # somebody's own loop
        run = self._run
        assert run is not None
        state = self._state(run)
        state.epochs += 1
        self._fit_epochs += 1
        model, values = self.model, _runs.flat(logs or {})  # type: ignore[attr-defined]
        step = self._step(state, epoch_ended=True)
        if run.writes:
            extra = {key: value for key, value in self._extra(model).items() if key not in values}
            self._log(run, {"epoch": epoch, **values, **extra}, step)
            state.curve.add(step, values)
            if self.log_weights and model is not None:
                for name, array in _keras_model.weights(model, self._to_numpy):
                    run.add_histogram(self._prefix + name, array, step)
            if state.epochs % self.figures_every == 0:
                self._draw(run, state, model, epoch, values, step)
        self._checkpoints.after_epoch(run, model, state, step, epoch, self._last_epoch(), values)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._in_fit = self._fit_began = False
        self._forget_restored_epoch()
        run = self._run
        if run is None:
            return
        state = self._state(run)
        self._checkpoints.after_fit(run, self.model, state, self._step(state), self._fit_epochs)  # type: ignore[attr-defined]
        if run.writes:
            state.draw_curve_if_cheap()
            run.flush()

    def _last_epoch(self) -> int | None:
        """Where the fit ends; None in somebody's own loop."""
        return (getattr(self, "params", None) or {}).get("epochs")

    def _extra(self, model: Any) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        if self._epoch_began is not None:
            extra["time/seconds_per_epoch"] = time.perf_counter() - self._epoch_began
        if self.log_lr:
            extra |= _keras_model.learning_rates(model, self._to_numpy)
        return extra

    def _step(self, state: RunState, epoch_ended: bool = False) -> int:
        """The time step: ``optimizer.iterations`` over all optimizers so far; epochs where none has counted one."""
        taken = _keras_model.iterations(self.model, self._to_numpy)  # type: ignore[attr-defined]
        if not taken and (epoch_ended or state.counts_epochs):
            state.counts_epochs = True
            message = "no optimizer of the model has counted a step in its iterations; the time step counts epochs."
            state.warn("no optimizer", message)
            taken = state.epochs
        return state.clock.step(taken or 0)

    def _draw(self, run: Tester, state: RunState, model: Any, epoch: int, logs: Mapping[str, Any], step: int) -> None:
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
        if not self._in_fit:
            self._describe(*self._join())

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """The result of an evaluate of its own is a row; that of the validation in a fit comes with the epoch's."""
        if self._in_fit or not logs:
            return
        run, state = self._join()
        if run.writes:
            self._log(run, {f"evaluate/{key}": value for key, value in _runs.flat(logs).items()}, self._step(state))
            run.flush()

    # --- resume ---------------------------------------------------------------------------------------------------

    def _resume(self, run: Tester, state: RunState) -> None:
        """Go on from a checkpoint, once for a model in a run: a second fit goes on from the first."""
        resume, self.resume = self.resume, None
        model = self.model  # type: ignore[attr-defined]
        if model is None or model in state.resumed:
            return
        state.resumed.add(model)
        names = names_of(self.name)
        found = _keras_resume.find(resume, run, str(getattr(model, "name", "")), state.began, names)
        if found is None:
            self._say(run, "resume=True: no checkpoint of this run or of an earlier one is there; it starts anew")
            return
        restored = _keras_resume.go_on(found, model, run, state, self._checkpoints.monitor, self._to_numpy)
        epochs = self._last_epoch()
        epoch = found.next_epoch(epochs)
        if epoch and self._takes_epoch:
            model._initial_epoch = epoch
            self._restored_epoch = True
            restored += f", epoch {epoch}"
            if epochs is not None and epoch >= epochs:
                restored += f"; all {epochs} epochs are done, so this fit trains nothing"
        elif epoch:
            restored += f"; pass initial_epoch={epoch} to fit to go on counting epochs"
        self._say(run, f"resumed from {found.path}: {restored}")

    def _say(self, run: Tester, message: str) -> None:
        if run.writes:
            run.logger.message(message)
            if not any(writer.name == "stdout" for writer in run.logger.output_formats):
                print(message)

    def _forget_restored_epoch(self) -> None:
        """The epoch that a fit begins at sticks to the model (Keras 3.15), and would cut a later fit short."""
        if self._restored_epoch:
            self._restored_epoch = False
            self.model._initial_epoch = None  # type: ignore[attr-defined]

    # --- copies ---------------------------------------------------------------------------------------------------

    def _to_numpy(self, value: Any) -> Any:
        """An array of a variable or tensor."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        """A copy made before the first fit has a run of its own, a later one stays with the run; none has a model."""
        left = ("on_train_batch_end", "_model", "model")
        return {key: value for key, value in self.__dict__.items() if key not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        super().set_model(None)  # type: ignore[misc]
        self._add_batch_hook()
