"""RLACallback: the methods that a Trainer calls.

A Trainer gives its callbacks ``args``, ``state`` and ``control``, but neither itself nor an exception. So an exception
in ``train`` is told by what ends the run: the tracked call or the block, or the end of the program. Of a run of the
callback's own, whose program has caught the exception, the end says that a training has begun and has not ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rla_hooks.integrations._transformers import describe, resume, trials
from rla_hooks.integrations._transformers.listing import Listing
from rla_hooks.integrations._transformers.preemption import Preemption

from rla_hooks import hooks
from rla_hooks.errors import ConfigError, RunError
from rla_hooks.hooks import Handle, OwnRun, Run, WarnOnce

# Methods that other frameworks call on their callbacks first, and where theirs is.
_OTHERS = dict.fromkeys(("setup", "state_key", "on_exception"), "lightning")
_OTHERS |= dict.fromkeys(("on_batch_end", "on_train_batch_end", "set_params", "set_model"), "keras")
_last_row: list[Any] = [None, None]  # the logs of the last row, and the callback that has logged them


def forget_state() -> None:
    """Between two tests."""
    _last_row[:] = None, None


class CallbackHooks:
    """Records the trainings of a Trainer in the open run; if there is none, in a new one, which ends with the program.

    It logs what the Trainer logs, under the names that its TensorBoard has (``train/loss``, ``eval/loss``), adds
    arguments and model to the hyper-parameters, and lists the Trainer's checkpoints in the run.

    options: those of ``rla.run``, for a run of its own; but ``record`` is a mapping of names and values. Raises
    ConfigError with all mistakes.
    """

    def __init__(self, **options: Any):
        self._own = OwnRun("RLACallback", "transformers", **options)
        hooks.check_arguments("RLACallback", (), {}, self._own)
        self._handle = self._planned = hooks.attach_or_plan(self._own)
        self._trial = trials.Trial(self._own)
        self._listing, self._preemption, self._warn = Listing(), Preemption(), WarnOnce()
        self._names = _Names()
        self._is_training = False
        self._watched: Any = None  # the run whose end is told of a training that has not ended
        self._early: list[tuple[Run, dict[str, Any], int]] = []  # rows that wait for the training of a resumed run

    @property
    def run(self) -> Run:
        """The run, which may be only planned yet: ``callback.run.checkpoint_dir`` is where its checkpoints belong."""
        return self._find().resolve()

    def _find(self) -> Handle:
        """Return the run of the present training; else the one that the user has open, else the callback's own.

        A training whose run has ended is over: an exception has left it.
        """
        if not self._is_training or self._handle.resolve().status not in (None, "running"):
            run = hooks.open_run()
            self._handle = self._planned if run is None else Handle(run)
        return self._handle

    # --- the training ---------------------------------------------------------------------------------------------

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        self._is_training = False
        if state.is_hyper_param_search and state.is_world_process_zero:
            self._trial.begin(state)
        handle = self._find()
        handle.resolve().quiet_stdout()  # for the progress bar
        self._is_training = True
        self._listing.begin()
        if state.is_world_process_zero:
            run = handle.ensure_started()
            self._watch_end(run)
            self._forget_early()
            if state.global_step:
                resume.tell(run, args, state, self._warn)
            with self._tolerant("the arguments of the Trainer"):
                describe.tell_arguments(run, args)
            with self._tolerant("the model of the Trainer"):
                describe.tell_model(run, model)
        self._preemption.begin(handle.resolve(), args)

    @contextmanager
    def _tolerant(self, what: str) -> Iterator[None]:
        """Warn once of what a Trainer, or a model of the user's own, does not have: the training goes on."""
        try:
            yield
        except Exception as error:
            self._warn(what, f"{what} could not be recorded: {type(error).__name__}: {error}. The training goes on.")

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._is_training = False
        self._preemption.end(self._handle.resolve())
        if not state.is_world_process_zero:
            return
        self._listing.end(args)
        self._handle.resolve().flush()
        if state.is_hyper_param_search:
            self._trial.end(state, control)

    def _watch_end(self, run: Run) -> None:
        if run.made_by_hook and self._watched is not run:
            self._watched = run
            run.at_end(self._tell_unfinished)

    def _tell_unfinished(self) -> None:
        """The run ends well, and has a training that has not ended."""
        run = self._watched
        if self._is_training and run is not None and run.status == "finished":
            run.report("failed", RunError("train() was left by an exception, which the program has caught"))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        if state.is_world_process_zero:
            self._listing.step_ends()
        if self._preemption.is_due(self._handle.resolve(), args, state):
            control.should_training_stop = control.should_save = True
            control.should_evaluate = False  # there is no time
        return control

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._listing.epoch_begins()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        self._listing.epoch_ends()
        if self._preemption.is_leaving:  # it is saved
            control.should_evaluate = control.should_save = False
        return control

    # --- rows -----------------------------------------------------------------------------------------------------

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if logs and state.is_world_process_zero and not self._is_second(logs):
            names = self._names
            values = {names[key]: value for key, value in logs.items()}
            run = self._find().ensure_started()
            self._log(run, hooks.flat(values), state.global_step)
            self._listing.row_logged(state.global_step, logs)

    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any, **kwargs: Any) -> None:
        """A Trainer that only predicts makes no run of its own."""
        run = self._find().run
        if run is not None and metrics and state.is_world_process_zero:
            values = {self._names[key]: value for key, value in metrics.items()}
            self._log(run, hooks.flat(values), state.global_step)

    def _log(self, run: Run, values: dict[str, Any], step: int) -> None:
        """Log a row. One before the training of a resumed run waits: it would be in the way of the cut."""
        if self._is_training or not run.awaits_checkpoint:
            run.log(values, step)
            return
        if not self._early:
            run.at_end(self._log_early)  # no training has come
        self._early.append((run, values, step))

    def _log_early(self) -> None:
        early, self._early = self._early, []
        for run, values, step in early:
            run.log(values, step)

    def _forget_early(self) -> None:
        if self._early:
            self._early = []
            self._warn("early", "an evaluate before train() of a resumed run logs no row: the curve goes on with it.")

    def _is_second(self, logs: Any) -> bool:
        """Whether another RLACallback has logged this row to the same run."""
        last, callback = _last_row
        if last is not logs or callback is self:
            _last_row[:] = logs, self
            return False
        if callback.run is not self.run:
            return False
        self._warn("second", "two RLACallbacks are in one Trainer; the second one logs no rows to the same run.")
        return True

    # --- checkpoints ----------------------------------------------------------------------------------------------

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            with self._tolerant("a checkpoint of the Trainer"):
                self._listing.saved(self._handle.resolve(), args, state, self._warn)

    # --- other frameworks -----------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name in _OTHERS:
            raise _of_another(_OTHERS[name])
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __call__(self, *arguments: Any) -> None:
        """Stable-Baselines3 calls what is no callback of its own."""
        raise _of_another("sb3")


def _of_another(framework: str) -> ConfigError:
    return ConfigError(
        "this RLACallback is made for the Trainer of transformers. Here write: from "
        f"rla_hooks.integrations.{framework} import RLACallback"
    )


class _Names(dict[str, str]):
    """The names of metrics in rows: those that a Trainer gives them for TensorBoard; ``epoch`` stays a column."""

    def __missing__(self, key: str) -> str:
        start, _, rest = str(key).partition("_")
        if key == "epoch":
            name = key
        else:
            name = f"{start}/{rest}" if rest and start in ("eval", "test") else f"train/{key}"
        self[key] = name
        return name
