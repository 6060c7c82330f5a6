"""RLACallback and sb3_logger for Stable-Baselines3 and sb3-contrib.

    from rla_hooks.integrations.sb3 import RLACallback

    PPO("MlpPolicy", "CartPole-v1").learn(100_000, callback=RLACallback())

The callback adds a writer to the model's logger, and leaves the rest of that logger as it is. Where SB3's own tables,
csv and event files are not wanted, ``model.set_logger(sb3_logger())`` gives the model a logger that writes to the run
alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from rla_hooks.integrations import _options, _versions

_versions.check("stable_baselines3", (2, 4), "pip install 'rla-hooks[sb3]'")  # before the import, which would say less

# ruff: noqa: E402
from rla_hooks.integrations._sb3 import checkpoints
from rla_hooks.integrations._sb3.checkpoints import Best, Checkpoints
from rla_hooks.integrations._sb3.describe import hyper_parameters
from rla_hooks.integrations._sb3.logger import RunLogger, RunWriter, handles
from rla_hooks.integrations._sb3.whole_state import WholeState
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import HumanOutputFormat, Logger

from rla_hooks.errors import ConfigError, RunError
from rla_hooks.hooks import (
    Argument,
    Handle,
    OwnRun,
    Run,
    WarnOnce,
    attach_or_plan,
    check_arguments,
    is_count,
    open_run,
    watch_preemption,
)

__all__ = ["RLACallback", "sb3_logger"]

_HOOK, _TASK = "RLACallback", "sb3"
_OF_OTHERS = ("set_model", "set_params", "setup")  # what Keras and Lightning call on a callback, beside on_...
_EVERY = " It is checkpoint_every, in environment steps."
_HINTS = {"save_freq": _EVERY, "save_every": _EVERY, "save_path": " Checkpoints belong to the run."}


def sb3_logger(task: str | None = None, log_root: Any = None, **options: Any) -> RunLogger:
    """Return an SB3 logger, for ``model.set_logger``, that writes to the open run; without one, to a new run.

    It has the methods of SB3's loggers. What was recorded is written by ``dump(step)``: numbers and texts as a row,
    figures, images and videos under results/ and in TensorBoard, arrays as histograms, ``HParam`` as hyper-parameters.
    ``exclude`` names writers of the run, such as "tensorboard". Keys may be of any length, nothing need be excluded,
    and an output that fails gives one warning.

    task, log_root, options: those of ``rla.run``, for a new run; but ``record`` is a mapping of names and values.
    Nothing is created before the first row. Raises ConfigError with all mistakes at once. For example::

        model.set_logger(sb3_logger(task="cartpole", tags=["baseline"]))
        model.learn(100_000)
    """
    own = OwnRun("sb3_logger", _TASK, task=task, log_root=log_root, **options)
    check_arguments("sb3_logger", (), {}, own, {"folder": " It is log_root.", "format_strings": " It is writers."})
    if open_run() is not None:
        _options.warn_of_unused("sb3_logger", own.given, WarnOnce())
    return RunLogger(attach_or_plan(own, tell=False))


class RLACallback(BaseCallback):
    """Records ``learn`` of Stable-Baselines3 and sb3-contrib in a run: rows, hyper-parameters, checkpoints.

    It joins the run of an :func:`sb3_logger` that the model has, else the run that is open (``@rla.track``), else it
    creates one, when ``learn`` begins; that ends with the process. Each dump of the model's logger is a row at its
    ``num_timesteps``: rollout, train, time, eval, and what the program records itself.

    checkpoint_every: environment steps between two checkpoints (None: no checkpoints), each saved at the start of the
    next rollout: a folder with ``model.zip``, ``replay_buffer.pkl`` and ``vecnormalize.pkl``, as far as the model has
    them. max_to_keep: the number of newest ones to keep (None: all). replay_buffer: whether to save it; by default if
    it is not larger than a gigabyte. monitor, mode ("max" or "min"): the key in SB3's logger whose best value decides
    which model is kept as ``best``; by default that of EvalCallback.
    state: True to save the whole state in place of SB3's files: by :func:`rla_hooks.save_state`, with environments,
    buffer, normalizer and random state. In a run that is resumed it is loaded, and the training goes on as if it had
    never been interrupted, by the same script. Or further objects of yours, by their names, as ``{"curriculum": c}``.
    options: those of ``rla.run``, for a new run; but ``record`` is a mapping of names and values.

    Raises ConfigError with all mistakes at once, and RunError if a run is resumed, and ``learn`` begins at step 0. For
    example::

        model.learn(100_000, callback=[EvalCallback(eval_env), RLACallback(checkpoint_every=10_000)])
    """

    def __init__(
        self,
        checkpoint_every: int | None = 50_000,
        max_to_keep: int | None = 3,
        replay_buffer: bool | None = None,
        monitor: str = "eval/mean_reward",
        mode: str = "max",
        verbose: int = 0,
        state: bool | Mapping[str, Any] = False,
        **options: Any,
    ):
        own = OwnRun(_HOOK, _TASK, **options)
        table = {
            "checkpoint_every": Argument(checkpoint_every, _is_count_or_none, "environment steps above 0, or None"),
            "max_to_keep": Argument(max_to_keep, _is_count_or_none, "a whole number above 0, or None"),
            "replay_buffer": Argument(replay_buffer, (True, False, None).__contains__, "True, False, None"),
            "monitor": Argument(monitor, lambda key: isinstance(key, str), "a key of SB3's logger"),
            "mode": Argument(mode, ("max", "min").__contains__, "'max', 'min'"),
            "verbose": Argument(verbose),
            "state": Argument(state, lambda value: isinstance(value, (bool, dict)), "True, False, a dict of objects"),
        }
        check_arguments(_HOOK, (), table, own, _HINTS)
        super().__init__(verbose)
        self._own = own
        self._handle = attach_or_plan(own, tell=False)  # nothing is on the disk yet
        handles.add(self._handle)
        whole = None if state is False else WholeState({} if state is True else state)
        self._checkpoints = Checkpoints(checkpoint_every, max_to_keep, replay_buffer, Best(monitor, mode), whole)
        self._warn = WarnOnce()
        self._logger: Logger | None = None  # that has our writer
        self._should_stop: Callable[[], bool] = bool
        self._is_second = False  # whether another callback records this call of learn
        self._loads_state = self._is_stopping = False

    @property
    def run(self) -> Run:
        """The run, which may be only planned yet: its folders are named, but do not exist."""
        return self._handle.resolve()

    def __getattr__(self, name: str) -> Any:
        """Called for what the class does not have: for a method that another framework calls, it says so."""
        if name in _OF_OTHERS or name.startswith("on_"):
            raise ConfigError(
                f"this RLACallback is made for Stable-Baselines3, and something else asks it for {name!r}. Import the "
                "RLACallback of rla_hooks.integrations.keras, .lightning or .transformers."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # --- the run --------------------------------------------------------------------------------------------------

    def _init_callback(self) -> None:
        """Once in each call of ``learn``, which has made a new logger if ``set_logger`` was not called."""
        if not isinstance(self.model, BaseAlgorithm):
            raise ConfigError(f"RLACallback got a {type(self.model).__name__}. Pass it to learn() of an SB3 model.")
        self._is_second = False
        self._add_writer()

    def _add_writer(self) -> None:
        logger = self._logger = self.model.logger
        if not isinstance(logger, Logger):  # a run's own, say
            self._find_run(None)
            return
        writer = next((each for each in logger.output_formats if isinstance(each, RunWriter)), None)
        self._find_run(writer)
        call = self.model.start_time  # of learn
        if writer is None or not (writer.of_logger or writer.handle.resolve().paths == self.run.paths):
            logger.output_formats[:] = [each for each in logger.output_formats if each is not writer]
            writer = RunWriter(self._handle)
            logger.output_formats.insert(0, writer)  # before those that may raise
        elif writer.owner is not None and writer.owner[0] is not self and writer.owner[1] == call:
            self._is_second = True
            self._warn("second", "learn() has got a second RLACallback for the same run: it does nothing. Pass one.")
            return
        writer.owner = self, call
        writer.on_row = self._on_row

    def _find_run(self, writer: RunWriter | None) -> None:
        opened = open_run()
        if writer is not None and writer.of_logger:
            self._handle = writer.handle
        elif opened is not None:
            self._handle = Handle(opened)
            _options.warn_of_unused(_HOOK, self._own.given, self._warn)

    def _on_training_start(self) -> None:
        if self._is_second:
            self._should_stop = bool
            return
        run, model = self._handle.ensure_started(), self.model
        self._should_stop = run.should_stop
        if (run.made_by_hook and not self._writes_alone()) or self._shows_on_stdout():
            run.quiet_stdout()
        watch_preemption(run)
        self._loads_state = run.awaits_checkpoint and self._checkpoints.whole is not None
        if run.awaits_checkpoint and not self._loads_state:
            self._tell_loaded(run)
        if run.is_writing:
            run.add_hyper_params({**self._described(), "total_timesteps": self.locals.get("total_timesteps")})
        self._checkpoints.begin(run, model.num_timesteps)

    def _described(self) -> dict[str, Any]:
        """The hyper-parameters of the model; none, with one warning, where a class of the user's own has others."""
        try:
            return hyper_parameters(self.model)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            self._warn("model", f"the model's hyper-parameters could not be read: {text}. The training goes on.")
            return {}

    def _tell_loaded(self, run: Run) -> None:
        """The run is resumed: tell it which of its checkpoints the program has loaded, so that later rows are cut."""
        path = checkpoints.loaded_by(run, self.model)
        if path is not None:
            run.loaded_checkpoint(path)
            checkpoints.record_again(path, self.model)
        elif self.model.num_timesteps == 0:
            raise RunError(
                f"the run {run.name} is resumed, but learn() begins at step 0. Load the model from the folder "
                'rla.latest_checkpoint(run, "checkpoint") by SB3\'s load(), and call learn(..., '
                "reset_num_timesteps=False); or start a new run."
            )

    def _writes_alone(self) -> bool:
        return isinstance(self._logger, RunLogger)

    def _shows_on_stdout(self) -> bool:
        """Whether SB3 prints its tables, or a progress bar."""
        formats = getattr(self._logger, "output_formats", ())
        tables = [each for each in formats if isinstance(each, HumanOutputFormat) and each.file is sys.stdout]
        return bool(tables) or bool(self.locals.get("progress_bar"))

    # --- while it learns ------------------------------------------------------------------------------------------

    def _on_step(self) -> bool:
        """After each step of the environments: stop if a cluster asks for it; not before a whole state is saved."""
        return not (self._should_stop() and (self._is_stopping or self._checkpoints.whole is None or self._is_second))

    def _on_rollout_start(self) -> None:
        """All steps so far are in the replay buffer, or were learnt from: the place to save, and to go on from."""
        if self._is_second:
            return
        if self.model.logger is not self._logger:  # another one was set while the model learns
            self._add_writer()
        run = self._handle.ensure_started()
        if self._loads_state:
            self._loads_state = False
            if self._checkpoints.load_whole(run, self.model, self._root()):
                return
        self._is_stopping = self._checkpoints.whole is not None and run.should_stop()
        self._checkpoints.save_if_due(run, self.model, self._root(), self._is_stopping)

    def _root(self) -> BaseCallback:
        """The callback of ``learn``, which has this one and others inside of it."""
        root = self.locals.get("callback")
        return root if isinstance(root, BaseCallback) else self

    def _on_row(self, run: Run, values: Any, step: int) -> None:
        self._checkpoints.note_score(run, self.model, values)

    def _on_training_end(self) -> None:
        """``learn`` is over; not if it raises. The writer stays, for what is dumped afterwards."""
        if self._is_second:
            return
        run = self._handle.ensure_started()
        if run.is_writing:
            if not self._is_stopping:  # else the last step was begun, and the state before it is saved
                self._checkpoints.end(run, self.model, self._root())
            run.flush()


def _is_count_or_none(value: Any) -> bool:
    return value is None or is_count(value)
