"""What a run asks of a Lightning callback. No framework is imported here.

``pytorch_lightning.py`` and ``lightning_pytorch.py`` join this with the ``ModelCheckpoint`` of their namespace:
checkpoints are Lightning's own work (all ranks take part), the run's folder and manifest are ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rla_hooks.integrations import _runs
from rla_hooks.integrations._lightning_logger import LoggerHooks

from rla_hooks import Tester
from rla_hooks.errors import ConfigError, WarnOnce, did_you_mean
from rla_hooks.record import ending_of

Figures = Mapping[str, Callable[[Any, Any], Any]]


class CallbackHooks:
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
        if figures is not None and not all(map(callable, figures.values())):
            problems.append("figures has values that are no functions. Allowed: {name: fn(trainer, module) -> Figure}.")
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
        self._run: Tester | None = None
        # Before a launcher starts the processes, so that they and this one have the same run.
        self._own = _runs.join_or_plan(
            task="lightning", config=None, log_root=None, record=None, writers=None, backup=None, tell=False
        )
        self._alone = False  # no RLALogger takes the metrics
        self._warn = WarnOnce()
        self._speed = _Speed()

    # --- the run --------------------------------------------------------------------------------------------------

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Find the run, on all ranks. fast_dev_run makes nothing, and predict alone makes no run."""
        if getattr(trainer, "fast_dev_run", False):
            return
        _check_namespace(self, trainer)
        logger = next((each for each in trainer.loggers if isinstance(each, LoggerHooks)), None)
        self._alone = logger is None
        run = logger._run if logger is not None else _runs.open_run() or self._own
        _runs.share(run, trainer)
        self._use(run)
        if trainer.is_global_zero and stage != "predict":
            _runs.started(run)
            if logger is None and getattr(pl_module, "_log_hyperparams", False):
                run.add_hyper_params(dict(pl_module.hparams_initial))
        super().setup(trainer, pl_module, stage)  # type: ignore[misc]

    def _use(self, run: Tester) -> None:
        if run is self._run:
            return
        if self._run is not None:
            self._forget_last_run()
        self._run = run
        self.dirpath = str(run.checkpoint_dir) if run.checkpoint_dir else None

    def _forget_last_run(self) -> None:
        """One callback object for two runs: the second has its own folder and scores, the first keeps its files."""
        self.best_k_models = {}
        self.best_model_path = self.kth_best_model_path = self.last_model_path = self._last_checkpoint_saved = ""
        self.best_model_score = self.current_score = None
        self._last_global_step_saved = 0

    def _writes(self, trainer: Any) -> bool:
        return bool(
            self._run is not None and self._run.writes and trainer.is_global_zero and not trainer.sanity_checking
        )

    # --- metrics --------------------------------------------------------------------------------------------------

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)  # type: ignore[misc]
        self._speed.restart()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._speed.count(batch)
        if trainer.log_every_n_steps and self._writes(trainer) and trainer._logger_connector.should_update_logs:
            step = trainer.fit_loop.epoch_loop._batches_that_stepped  # counted up after this hook
            values = _learning_rates(trainer) if self.log_lr else {}
            if self.log_throughput:
                values["time/samples_per_second"] = self._speed.per_second()
            if self._alone:
                self._log(trainer, values, step)
            else:  # the row of the step's metrics, which comes next, takes them along
                self._run.logger.record_all(values)  # type: ignore[union-attr]
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)  # type: ignore[misc]

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        super().on_train_epoch_end(trainer, pl_module)  # type: ignore[misc]
        if not self._writes(trainer):
            return
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
                self._run.save_figure(name, figure, step)

    # --- checkpoints ----------------------------------------------------------------------------------------------

    def _save_checkpoint(self, trainer: Any, filepath: str) -> None:
        """Lightning's save on all ranks; a full disk costs the checkpoint, not the training."""
        try:
            super()._save_checkpoint(trainer, filepath)  # type: ignore[misc]
        except OSError as error:
            if trainer.world_size > 1:
                raise  # the other ranks saved: they must not wait for this one
            self._warn(
                "checkpoint", f"the checkpoint {Path(filepath).name} was not saved: {error}. The training goes on."
            )
            return
        self._warn.again("checkpoint")
        if self._run is not None and trainer.is_global_zero and self._run.writes:
            self._run.register_checkpoint(Path(filepath), trainer.global_step)

    def _remove_checkpoint(self, trainer: Any, filepath: str) -> None:
        """Delete what this run wrote, never a file of the run that this one was resumed from."""
        if self._run is None or self._run.checkpoint_dir is None:
            return
        if Path(filepath).absolute().parent != Path(self._run.checkpoint_dir):
            return
        super()._remove_checkpoint(trainer, filepath)  # type: ignore[misc]
        if trainer.is_global_zero and self._run.writes:
            self._run.forget_checkpoint(Path(filepath))

    def _save_topk_checkpoint(self, trainer: Any, monitor_candidates: dict[str, Any]) -> None:
        """A monitor that is never logged must not cost the checkpoints: the newest is kept instead."""
        if self.monitor is None or self.monitor in monitor_candidates or self.save_top_k == 0:
            super()._save_topk_checkpoint(trainer, monitor_candidates)  # type: ignore[misc]
            return
        known = [key for key in monitor_candidates if key not in ("epoch", "step")]
        self._warn(
            "monitor",
            f"RLACallback(monitor={self.monitor!r}): no such metric is logged; the newest checkpoint is kept instead. "
            f"Logged: {', '.join(known) or 'none'}.{did_you_mean(self.monitor, known)}",
        )
        self._save_none_monitor_checkpoint(trainer, monitor_candidates)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume: the best score and the list of the best survive in the folder of a new run, too."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})  # type: ignore[misc]

    # --- the end --------------------------------------------------------------------------------------------------

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        super().on_exception(trainer, pl_module, exception)  # type: ignore[misc]
        run = self._run or self._own  # in the process that spawned those which train, no hook has been called before
        run.report(ending_of(exception), exception)
        run.flush()

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        super().teardown(trainer, pl_module, stage)  # type: ignore[misc]
        if self._run is not None and self._run.writes:
            self._run.flush()


class _Speed:
    """Counts samples and seconds."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._samples = 0
        self._since = self._epoch_since = time.perf_counter()

    def count(self, batch: Any) -> None:
        self._samples += _batch_size(batch)

    def per_second(self) -> float:
        """Samples a second since the last call."""
        now = time.perf_counter()
        speed = self._samples / max(now - self._since, 1e-9)
        self._samples, self._since = 0, now
        return speed

    def epoch(self) -> float:
        """Seconds since the last call."""
        now = time.perf_counter()
        seconds, self._epoch_since = now - self._epoch_since, now
        return seconds


def _batch_size(batch: Any) -> int:
    """The length of the first tensor or list in a batch; 1 where there is none."""
    while isinstance(batch, (tuple, list, Mapping)) and batch:
        batch = next(iter(batch.values())) if isinstance(batch, Mapping) else batch[0]
    shape = getattr(batch, "shape", ())
    return int(shape[0]) if len(shape) else 1


def _learning_rates(trainer: Any) -> dict[str, float]:
    """The rate of each optimizer, and of each group where there are several."""
    rates: dict[str, float] = {}
    for number, optimizer in enumerate(trainer.optimizers):
        name = f"lr-{type(optimizer).__name__}" + (f"-{number}" if len(trainer.optimizers) > 1 else "")
        groups = optimizer.param_groups
        for index, group in enumerate(groups):
            rates[f"{name}/group_{index}" if len(groups) > 1 else name] = float(group["lr"])
    return rates


def _unknown(key: str) -> str:
    known = ["monitor", "mode", "save_top_k", "save_last", "every_n_epochs", "every_n_train_steps", "figures"]
    known += ["figures_every", "log_lr", "log_throughput", "filename", "save_weights_only"]
    hint = did_you_mean(key, known)
    if key == "dirpath":
        hint = " Checkpoints belong to the run's folder; a ModelCheckpoint of your own beside it may write elsewhere."
    return f"unknown argument {key!r}. Known: {', '.join(known)}.{hint}"


def _check_namespace(callback: Any, trainer: Any) -> None:
    """A callback of the other namespace would not be recognised as the Trainer's checkpoint callback."""
    ours = next(base.__module__ for base in type(callback).__mro__ if base.__name__ == "ModelCheckpoint")
    theirs = type(trainer).__mro__[-2].__module__
    if ours.split(".")[0] != theirs.split(".")[0] and theirs.split(".")[0] in ("lightning", "pytorch_lightning"):
        module = "lightning_pytorch" if theirs.startswith("lightning.") else "pytorch_lightning"
        raise ConfigError(
            f"this RLACallback is made for {ours.split('.')[0]}, the Trainer is of {theirs.split('.')[0]}. "
            f"Write: from rla_hooks.integrations.{module} import RLACallback"
        )
