"""What a run asks of a Lightning callback. No framework is imported here.

``pytorch_lightning.py`` and ``lightning_pytorch.py`` join this with the ``ModelCheckpoint`` of their namespace:
checkpoints are Lightning's own work (all ranks take part), the run's folder and manifest are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rla_hooks.integrations import _runs
from rla_hooks.integrations._lightning_checkpoints import CheckpointHooks
from rla_hooks.integrations._lightning_logger import LoggerHooks
from rla_hooks.integrations._lightning_values import Speed, learning_rates

from rla_hooks import Run
from rla_hooks.errors import ConfigError, WarnOnce, did_you_mean
from rla_hooks.record import ending_of

Figures = Mapping[str, Callable[[Any, Any], Any]]


class CallbackHooks(CheckpointHooks):
    """Checkpoints into the run's folder, figures into results/, learning rate and speed as metrics, the real ending.

    monitor, mode, save_top_k, save_last, every_n_epochs, every_n_train_steps: as in Lightning's ModelCheckpoint.
    figures: functions ``fn(trainer, module)`` that return a matplotlib figure or an image array; they are called on
    the writing rank after every ``figures_every`` epochs. log_lr: the learning rates as ``lr-<optimizer>``.
    log_throughput: ``time/samples_per_second`` and ``time/seconds_per_epoch``.

    It works with RLALogger, with other loggers and with none; then it logs the epoch's metrics itself.
    """

    def __init__(
        self,
        monitor: str | None = None,
        mode: str = "min",
        save_top_k: int = 1,
        save_last: bool | None = None,
        every_n_epochs: int | None = None,
        every_n_train_steps: int | None = None,
        figures: dict[str, Callable[[Any, Any], Any]] | None = None,
        figures_every: int = 1,
        log_lr: bool = True,
        log_throughput: bool = True,
        filename: str | None = None,
        save_weights_only: bool = False,
        **unknown: Any,
    ):
        problems = [_unknown(key) for key in unknown]
        if isinstance(figures_every, bool) or not isinstance(figures_every, int) or figures_every < 1:
            problems.append(f"figures_every is {figures_every!r}. Allowed: a whole number of epochs above 0.")
        if not isinstance(figures or {}, Mapping) or not all(map(callable, dict(figures or {}).values())):
            problems.append(f"figures is {figures!r}. Allowed: {{name: fn(trainer, module) -> Figure}}.")
        if problems:
            raise ConfigError(problems, "RLACallback")
        super().__init__(  # type: ignore[call-arg]
            monitor=monitor,
            mode=mode,
            save_top_k=save_top_k,
            save_last=save_last,
            every_n_epochs=every_n_epochs,
            every_n_train_steps=every_n_train_steps,
            filename=filename,
            save_weights_only=save_weights_only,
        )
        self.figures: Figures = dict(figures or {})
        self.figures_every = figures_every
        self.log_lr = log_lr
        self.log_throughput = log_throughput
        self._run: Run | None = None
        # Before a launcher starts the processes, so that they and this one have the same run.
        self._own = _runs.join_or_plan(
            task="lightning", config=None, log_root=None, record=None, writers=None, backup=None, tell=False
        )
        self._alone = False  # no RLALogger takes the metrics
        self._warn = WarnOnce()
        self._speed = Speed()
        self._waiting: tuple[int, int] | None = None  # the step whose values wait for its metrics; rows before it
        self._stopgap = ""

    # --- the run --------------------------------------------------------------------------------------------------

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Find the run, on all ranks. fast_dev_run makes nothing, and predict alone makes no run."""
        if getattr(trainer, "fast_dev_run", False):
            return
        _check_namespace(self, trainer)
        logger, run = self._find(trainer)
        self._alone = logger is None
        _runs.share(run, trainer)
        self._use(run)
        if trainer.is_global_zero and stage != "predict":
            _runs.started(run)
            if logger is None and getattr(pl_module, "_log_hyperparams", False):
                _runs.add_hyper_params(run, pl_module.hparams_initial)
        super().setup(trainer, pl_module, stage)  # type: ignore[misc]

    def _find(self, trainer: Any) -> tuple[LoggerHooks | None, Run]:
        """Return the Trainer's RLALogger and the run: that logger's, else the one the user has open, else our own."""
        logger = next((each for each in trainer.loggers if isinstance(each, LoggerHooks)), None)
        return logger, logger._run if logger is not None else _runs.open_run() or self._own

    def _use(self, run: Run) -> None:
        if self._run is not None and run.paths != self._run.paths:  # a copy of the callback has a copy of its run
            self._forget_last_run()
        self._run = run
        self.dirpath = str(run.checkpoint_dir) if run.checkpoint_dir else None

    def _find_last_checkpoints(self, trainer: Any) -> Any:
        """For ckpt_path="last", which Lightning looks up before it calls ``setup``."""
        if not trainer.fast_dev_run:
            self._use(self._find(trainer)[1])
        return super()._find_last_checkpoints(trainer)  # type: ignore[misc]

    def _writes(self, trainer: Any) -> bool:
        return bool(
            self._run is not None
            and self._run.is_writing
            and trainer.is_global_zero
            and not trainer.sanity_checking
            and not trainer.fast_dev_run
        )

    # --- metrics --------------------------------------------------------------------------------------------------

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)  # type: ignore[misc]
        self._speed.restart()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.log_throughput:
            self._speed.count(batch)
        if self._logs_step(trainer, pl_module):
            step = trainer.fit_loop.epoch_loop._batches_that_stepped  # counted up after this hook
            values = learning_rates(trainer) if self.log_lr else {}
            if self.log_throughput:
                values["time/samples_per_second"] = self._speed.per_second()
            if self._alone:
                self._log(trainer, values, step)
            elif values:  # the row of the step's metrics, which comes next, takes them along
                self._log_waiting(trainer)
                logger = self._run.logger  # type: ignore[union-attr]
                logger.record_all(values)
                self._waiting = step, logger.rows
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)  # type: ignore[misc]
        if self._is_deferred() and not trainer.enable_validation:
            self._save_deferred(trainer)

    def _logs_step(self, trainer: Any, pl_module: Any) -> bool:
        """Whether Lightning logs the metrics of this batch."""
        return (
            bool(trainer.log_every_n_steps)
            and self._writes(trainer)
            and trainer._logger_connector.should_update_logs
            and not (pl_module.automatic_optimization and trainer.fit_loop._should_accumulate())
        )

    def _log_waiting(self, trainer: Any) -> None:
        """Where a step had no metrics of its own, make what waits for them a row."""
        if self._waiting is not None and self._run is not None:
            step, rows = self._waiting
            if self._run.logger.rows == rows:
                self._run.log({"epoch": trainer.current_epoch, "stage": "train"}, step)
        self._waiting = None

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        super().on_validation_start(trainer, pl_module)  # type: ignore[misc]
        self._log_waiting(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        super().on_train_epoch_end(trainer, pl_module)  # type: ignore[misc]
        if self._is_deferred() and self._should_save_on_train_epoch_end(trainer):
            self._save_deferred(trainer)
        if not self._writes(trainer):
            return
        self._log_waiting(trainer)
        step = trainer.fit_loop.epoch_loop._batches_that_stepped - 1
        if self.log_throughput:
            self._log(trainer, {"time/seconds_per_epoch": self._speed.epoch()}, step)
        if (trainer.current_epoch + 1) % self.figures_every == 0:
            self._draw(trainer, pl_module, step)
        if self._alone:
            self._log(trainer, trainer.callback_metrics, step)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        super().on_validation_end(trainer, pl_module)  # type: ignore[misc]
        if self._alone and self._writes(trainer) and trainer.state.fn.value != "fit":
            self._log(trainer, trainer.callback_metrics, trainer.global_step)

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        super().on_test_end(trainer, pl_module)  # type: ignore[misc]
        if self._alone and self._writes(trainer):
            self._log(trainer, trainer.callback_metrics, trainer.global_step)

    def _log(self, trainer: Any, values: Mapping[str, Any], step: int) -> None:
        if values and self._run is not None:
            self._run.log({**values, "epoch": trainer.current_epoch, "stage": str(trainer.state.stage.value)}, step)

    def _draw(self, trainer: Any, pl_module: Any, step: int) -> None:
        assert self._run is not None
        for name, make in self.figures.items():
            try:
                figure = make(trainer, pl_module)
            except Exception as error:
                self._warn(("figure", name), f"the figure {name!r} was not made: {type(error).__name__}: {error}")
                continue
            if figure is not None:
                self._run.add_figure(name, figure, step)

    # --- the end --------------------------------------------------------------------------------------------------

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        super().on_exception(trainer, pl_module, exception)  # type: ignore[misc]
        if trainer.fast_dev_run:
            return
        run = self._run or self._own  # in the process that spawned those which train, no hook has been called before
        run.report(ending_of(exception), exception)
        run.flush()

    def __getstate__(self) -> dict[str, Any]:
        # During a fit log and log_dict are methods of the module, put here by the Trainer (2.6): a copy would take the
        # whole training along.
        return {key: value for key, value in self.__dict__.items() if key not in ("log", "log_dict")}

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        super().teardown(trainer, pl_module, stage)  # type: ignore[misc]
        if self._run is not None and self._run.is_writing:
            self._run.flush()


def _unknown(key: str) -> str:
    known = ["monitor", "mode", "save_top_k", "save_last", "every_n_epochs", "every_n_train_steps", "figures"]
    known += ["figures_every", "log_lr", "log_throughput", "filename", "save_weights_only"]
    hint = did_you_mean(key, known)
    if key == "dirpath":
        hint = " Checkpoints belong to the run's folder; a ModelCheckpoint of your own beside it may write elsewhere."
    return f"unknown argument {key!r}. Known: {', '.join(known)}.{hint}"


def _check_namespace(callback: Any, trainer: Any) -> None:
    """A callback of the other namespace would not be recognised as the Trainer's checkpoint callback."""
    ours, theirs = _namespace(callback, "ModelCheckpoint"), _namespace(trainer, "Trainer")
    if theirs is not None and theirs != ours:
        raise ConfigError(
            f"this RLACallback is made for {ours}, the Trainer is of {theirs}. Write: from "
            f"rla_hooks.integrations.{theirs.replace('.', '_')} import RLACallback"
        )


def _namespace(thing: Any, base: str) -> str | None:
    """Return which of the two trees of classes a thing belongs to."""
    for each in type(thing).__mro__:
        for namespace in ("pytorch_lightning", "lightning.pytorch"):
            if each.__name__ == base and each.__module__.startswith(namespace + "."):
                return namespace
    return None
