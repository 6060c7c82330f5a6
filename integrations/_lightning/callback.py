"""RLACallback: the methods that Lightning calls on its checkpoint callback.

``pytorch_lightning.py`` and ``lightning_pytorch.py`` combine this class with the ``ModelCheckpoint`` of their
namespace. Lightning saves, on all ranks, and decides which files to keep. The overridden methods put the files into the
run's folder and its manifest, delete no file of another run, and let the training go on if the monitored metric is
missing or the disk is full. Of the methods with an underscore, _find_last_checkpoints, _save_checkpoint,
_remove_checkpoint, _save_topk_checkpoint and _save_last_checkpoint are ModelCheckpoint's own (2.6).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rla_hooks.integrations import _states
from rla_hooks.integrations._lightning import checkpoints, data, resume
from rla_hooks.integrations._lightning.listing import Listing
from rla_hooks.integrations._lightning.preemption import Preemption, stop
from rla_hooks.integrations._lightning.trainer import add_hyper_params, check_namespace, share
from rla_hooks.integrations._lightning.training_rows import TrainingRows, rla_logger

from rla_hooks import hooks
from rla_hooks.errors import ConfigError
from rla_hooks.hooks import Argument, FigureCalls, Handle, OwnRun, Run, WarnOnce
from rla_hooks.layout import path_within

ModelCheckpoint: Any = object  # in place of Lightning's: no framework is imported here


class CallbackHooks(ModelCheckpoint):
    """Saves checkpoints and figures in the run, logs learning rate and throughput, and reports how a training ended.

    monitor, mode, save_top_k, save_last, every_n_epochs, every_n_train_steps: as in Lightning's ModelCheckpoint.
    figures: functions ``fn(trainer, module)`` that return a matplotlib figure or an image array; they are called on
    the writing rank after every ``figures_every`` epochs. log_lr: the learning rates as ``lr-<optimizer>``.
    log_throughput: ``time/samples_per_second`` and ``time/seconds_per_epoch``.
    state: True to save the random state of Python, numpy and torch with each checkpoint, by
    :func:`rla_hooks.save_state`, or a dict to save objects of yours, too: ``{"buffer": buffer}``. In a run that is
    resumed they are restored where the fit goes on from that checkpoint.

    It works with RLALogger, with other loggers and without any; without RLALogger it logs the epoch's metrics itself.
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
        state: bool | dict[str, Any] = False,
        **unknown: Any,
    ):
        of_lightning = {
            "monitor": monitor,
            "mode": mode,
            "save_top_k": save_top_k,
            "save_last": save_last,
            "every_n_epochs": every_n_epochs,
            "every_n_train_steps": every_n_train_steps,
            "filename": filename,
            "save_weights_only": save_weights_only,
        }
        table = {
            "figures": Argument(figures, FigureCalls.fits, "{name: fn(trainer, module) -> Figure}"),
            "figures_every": Argument(figures_every, hooks.is_count, "a whole number of epochs above 0"),
            "log_lr": Argument(log_lr),
            "log_throughput": Argument(log_throughput),
            "state": _states.argument(state),
        }
        hint = " Checkpoints belong to the run's folder; a ModelCheckpoint of your own beside it may write elsewhere."
        to_logger = " Give it to @rla.track, rla.run or RLALogger."
        known = {name: Argument(value) for name, value in of_lightning.items()} | table
        hooks.check_arguments("RLACallback", unknown, known, hints={"dirpath": hint, "resume": to_logger})
        super().__init__(**of_lightning)
        # Before a launcher starts the processes, so that they and this one have the same run.
        self._own = hooks.attach_or_plan(OwnRun("RLACallback", "lightning"), tell=False)
        self._run: Run | None = None  # that of the present Trainer
        self._rows = TrainingRows(log_lr, log_throughput, FigureCalls(figures, figures_every))
        self._stopgap = ""  # the newest file, kept as long as the monitored metric is missing
        self._warn = WarnOnce()
        self._own_listing = Listing()  # without an RLALogger
        self._outdated: list[str] = []  # files to delete when those in their place are listed
        self._is_told = False  # whether the run knows what the present fit goes on from
        self._preemption = Preemption()
        self._states = _states.StateBeside(state)

    # --- the run --------------------------------------------------------------------------------------------------

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Find the run, on all ranks. With fast_dev_run, or for predict alone, no run is created."""
        if trainer.fast_dev_run:
            return
        check_namespace(self, trainer)
        self._is_told = False
        self._states.begin()
        others = [each for each in trainer.callbacks if isinstance(each, CallbackHooks)]
        if self._states and any(each._states for each in others if each is not self):
            raise ConfigError("two RLACallbacks of the Trainer have state=. Give it to one of them.", "RLACallback")
        handle = self._find_run(trainer)
        run = handle.resolve()
        run.quiet_stdout()  # for the progress bar
        share(run, trainer)
        self._use(run)
        self._rows.share([each._rows for each in others if each._find_run(trainer).resolve().paths == run.paths])
        if trainer.is_global_zero and stage != "predict":
            handle.ensure_started()
            if rla_logger(trainer) is None and getattr(pl_module, "_log_hyperparams", False):
                add_hyper_params(run, pl_module.hparams_initial)
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            self._preemption.begin(run, trainer)

    def _find_run(self, trainer: Any) -> Handle:
        """Return the run of the Trainer's RLALogger, else the one that the user has open, else a new one."""
        logger = rla_logger(trainer)
        if logger is not None:
            return logger.handle
        run = hooks.open_run()
        return self._own if run is None else Handle(run)

    def _use(self, run: Run) -> None:
        if self._run is not None and run.paths != self._run.paths:  # a copy of the callback has a copy of its run
            checkpoints.forget_files(self)  # the first run keeps its files
            self._stopgap, self._warn = "", WarnOnce()
        self._run = run
        self.dirpath: Any = str(run.checkpoint_dir) if run.checkpoint_dir else None

    def _find_last_checkpoints(self, trainer: Any) -> Any:
        """For ckpt_path="last", which Lightning looks up before it calls ``setup``: the run's newest whole one."""
        if trainer.fast_dev_run:
            return set()
        run = self._find_run(trainer).resolve()
        self._use(run)
        self._settle(trainer)
        return resume.newest(run)

    def _writing(self, trainer: Any) -> Run | None:
        """Return the run if this rank writes to it; None in the sanity check and with fast_dev_run, too."""
        is_trial = trainer.sanity_checking or trainer.fast_dev_run
        run = self._run if trainer.is_global_zero and not is_trial else None
        return run if run is not None and run.is_writing else None

    # --- metrics --------------------------------------------------------------------------------------------------

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        if self._run is not None:
            self._preemption.listen(trainer)
        self._tell_restored(trainer)
        self._rows.begin()

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._settle(trainer)
        super().on_train_epoch_start(trainer, pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._rows.batch_ends(self._writing(trainer), trainer, pl_module, batch)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if self._is_deferred() and not trainer.enable_validation:
            self._save_deferred(trainer)
        if self._run is not None and self._preemption.is_due(self._run, trainer):
            self._save_preempted(trainer)  # now: a state that is saved later would count the batch twice (2.6)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._stop_if_preempted(trainer)
        self._rows.flush(trainer)
        self._settle(trainer)
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)

    def _stop_if_preempted(self, trainer: Any) -> None:
        """Stop once Lightning has logged the metrics of the last batch, and before anything else is done."""
        if not self._preemption.is_leaving:
            return
        self._rows.flush(trainer)
        self._settle(trainer)  # the row of that batch belongs to what the checkpoint goes on from
        stop(trainer)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        self._stop_if_preempted(trainer)
        super().on_validation_start(trainer, pl_module)
        self._rows.flush(trainer)
        self._settle(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._stop_if_preempted(trainer)
        run = self._writing(trainer)
        if run is not None:  # first, since a fit that goes on from the checkpoint does not log them again
            self._rows.epoch_ends(run, trainer, pl_module, self._warn)
        self._settle(trainer)
        super().on_train_epoch_end(trainer, pl_module)
        if self._is_deferred() and self._should_save_on_train_epoch_end(trainer):
            self._save_deferred(trainer)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self._settle(trainer)
        super().on_validation_end(trainer, pl_module)
        if trainer.state.fn.value != "fit":
            self._log_result(trainer)

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        super().on_test_end(trainer, pl_module)
        self._log_result(trainer)

    def _log_result(self, trainer: Any) -> None:
        run = self._writing(trainer)
        if run is not None:
            self._rows.metrics(run, trainer, trainer.global_step)

    # --- checkpoints ----------------------------------------------------------------------------------------------

    def _save_checkpoint(self, trainer: Any, filepath: str) -> None:
        """Lightning's save, on all ranks."""
        is_over = self._is_of_former_life()
        if trainer.world_size > 1:  # they save together, and only one of them can know
            is_over = trainer.strategy.broadcast(is_over)
        if is_over:
            return
        if self._run is not None:
            keep = None if self.save_top_k == -1 else self.save_top_k
            self._states.save(self._run, trainer.global_step, data.point(trainer), keep, self._warn)
        with checkpoints.temporary_files_in(str(self.dirpath)):
            super()._save_checkpoint(trainer, filepath)
        self._warn.rearm("checkpoint")
        if self._run is not None and trainer.is_global_zero:
            self._listing(trainer).add(self, self._run, trainer, wait=True)

    def _remove_checkpoint(self, trainer: Any, filepath: str) -> None:
        """Delete a file of this run, but never one of the run that this one was resumed from.

        If what was saved in its place is not listed yet, it stays until then.
        """
        if path_within(filepath, str(self.dirpath)) is not None:
            self._outdated.append(filepath)
            if not self._listing(trainer).is_open:
                self._delete_outdated(trainer)

    def _is_of_former_life(self) -> bool:
        """Whether the run goes on elsewhere: the present life may use files of the same names."""
        run = self._run
        return run is not None and run.is_writing and not run.may_save_checkpoint()

    def _delete_outdated(self, trainer: Any) -> None:
        outdated, self._outdated = self._outdated, []
        if outdated and self._is_of_former_life():  # of several ranks only the one that writes deletes
            return
        for path in outdated:
            super()._remove_checkpoint(trainer, path)
            if trainer.is_global_zero:
                checkpoints.remove_empty_folders(str(self.dirpath), path)
        if outdated and self._run is not None and trainer.is_global_zero:
            self._run.forget_deleted_checkpoints()

    def _listing(self, trainer: Any) -> Listing:
        logger = rla_logger(trainer)
        return self._own_listing if logger is None else logger.listing

    def _settle(self, trainer: Any) -> None:
        """At each hook: the rows of what was saved before are there."""
        if trainer.is_global_zero:
            self._listing(trainer).settle(trainer)
        if self._outdated:
            self._delete_outdated(trainer)

    def _tell_restored(self, trainer: Any) -> None:
        if not self._is_told and self._run is not None:
            self._is_told = True
            resume.tell_on_all(self._run, trainer)
            goes_on = self._run.is_resumed and resume.is_restored(trainer)
            if goes_on and self._states.load(self._run, trainer.global_step, self._warn):
                data.begin_again(trainer)

    def _save_topk_checkpoint(self, trainer: Any, monitor_candidates: dict[str, Any]) -> None:
        """While the monitored metric is not logged, keep the newest checkpoint, since no best one can be chosen."""
        if self.save_top_k == 0:
            return
        with self._tolerant(trainer):
            previous, path = self._stopgap, ""
            if self.monitor is None or self.monitor in monitor_candidates:
                super()._save_topk_checkpoint(trainer, monitor_candidates)
            else:
                self._warn("monitor", checkpoints.missing_monitor(self.monitor, monitor_candidates))
                path = self._get_metric_interpolated_filepath_name(monitor_candidates, trainer, previous)
                if not self.best_k_models:
                    self.best_model_path = path
                self._save_checkpoint(trainer, path)
            self._stopgap = path
            if previous not in ("", path, *self.best_k_models):
                self._remove_checkpoint(trainer, previous)

    def _save_last_checkpoint(self, trainer: Any, monitor_candidates: dict[str, Any]) -> None:
        with self._tolerant(trainer):
            super()._save_last_checkpoint(trainer, monitor_candidates)

    @contextmanager
    def _tolerant(self, trainer: Any) -> Iterator[None]:
        """If the disk is full, warn and undo the changes to the lists of files: the training goes on with the old."""
        before = {name: copy.copy(getattr(self, name)) for name in (*checkpoints.FILES, "_stopgap")}
        try:
            yield
        except OSError as error:
            if trainer.world_size > 1:
                raise  # the other ranks save: they must not wait for one that could not
            self.__dict__.update(before)
            self._warn("checkpoint", f"the checkpoint was not saved: {error}. The training goes on.")

    def _is_deferred(self) -> bool:
        """Whether 2.6 delays a save at every_n_train_steps until a validation, since the monitored metric is missing.

        Without a validation, or with one at the end of each epoch, that save would never come.
        """
        return bool(getattr(self, "_defer_save_until_validation", False))

    def _save_deferred(self, trainer: Any) -> None:
        self._defer_save_until_validation = False
        if not self._should_skip_saving_checkpoint(trainer):
            candidates = self._monitor_candidates(trainer)
            self._save_topk_checkpoint(trainer, candidates)
            self._save_last_checkpoint(trainer, candidates)

    def _save_preempted(self, trainer: Any) -> None:
        """Save where the training stands, though it is not due, or the monitored metric is not there yet."""
        self._preemption.is_leaving = True
        if self._last_global_step_saved == trainer.global_step:
            return
        name = f"preempted-epoch={trainer.current_epoch}-step={trainer.global_step}"
        with self._tolerant(trainer):
            self._save_checkpoint(trainer, f"{self.dirpath}/{name}{self.FILE_EXTENSION}")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """When resuming, keep the best score and the list of best files, though the new run has another folder."""
        is_same_run = self._run is not None and self._run.is_resumed
        state = resume.moved(state_dict, self.dirpath) if is_same_run else {**state_dict, "dirpath": self.dirpath}
        super().load_state_dict(state)

    # --- the end --------------------------------------------------------------------------------------------------

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._settle(trainer)
        super().on_train_end(trainer, pl_module)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """A fit that had nothing left to do has not started."""
        self._tell_restored(trainer)
        super().on_fit_end(trainer, pl_module)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        super().on_exception(trainer, pl_module, exception)
        self._close(trainer)
        if trainer.fast_dev_run:
            return
        # In the process that spawned those which train, no hook has been called before.
        run = self._run or self._find_run(trainer).resolve()
        if isinstance(exception, SystemExit) and run.should_stop() and not self._preemption.is_leaving:
            self._save_preempted(trainer)  # SIGTERM in a validation, say: Lightning has left it
        run.report(hooks.ending_of(exception), exception)
        run.flush()

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        super().teardown(trainer, pl_module, stage)
        self._close(trainer)
        if self._run is not None and stage == "fit":
            self._preemption.end(self._run)
        if self._run is not None and self._run.is_writing:
            self._run.flush()

    def _close(self, trainer: Any) -> None:
        if trainer.is_global_zero:
            self._listing(trainer).close()
        self._delete_outdated(trainer)

    def __getstate__(self) -> dict[str, Any]:
        # During a fit log and log_dict are methods of the module, put here by the Trainer (2.6): a copy would take the
        # whole training along.
        return {key: value for key, value in self.__dict__.items() if key not in ("log", "log_dict")}
