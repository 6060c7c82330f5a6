"""One run: its parts, its start, its rows, its end.

    settings           the plan that it was started from
    ownership          its state in this process, and its paths (core/handover.py names the six states)
    hyper_parameters   those of its start, and those that hooks have added
    logger             rows of metrics
    files              run.json (``record``), parameter.json, labels.json, tester.pkl, the code
    labels             tags, note and title
    checkpoints, states, figures, tensorboard, plugin_summaries, custom_data, timers   what it records besides rows
    starting, ending   how it starts, also as one that goes on, or as a fork; how it ends
    guard              turns errors into one warning for each subject

There are three ways to get one to use: :meth:`Run.start`, :meth:`Run.open` and :meth:`Run.silent`. This file is longer
than others since a run offers the methods of its parts, which users call.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rla_hooks import layout
from rla_hooks.claims import Claim
from rla_hooks.config import Config
from rla_hooks.core import archive, registry
from rla_hooks.core.checkpoints import RunCheckpoints
from rla_hooks.core.custom_data import CustomData
from rla_hooks.core.ending import RunEnd
from rla_hooks.core.figures import RunFigures
from rla_hooks.core.files import RunFiles
from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership, State
from rla_hooks.core.hyper_parameters import HyperParameters
from rla_hooks.core.logger import WARN, Logger
from rla_hooks.core.run_labels import RunLabels
from rla_hooks.core.settings import RunSettings
from rla_hooks.core.starting import RunStart
from rla_hooks.core.states import RunStates
from rla_hooks.core.summary_plugins import PluginSummaries
from rla_hooks.core.summary_words import SummaryWords
from rla_hooks.core.summary_writer import SummaryWriter
from rla_hooks.core.time_step import TimeStepHolder
from rla_hooks.core.timers import TimeTracker
from rla_hooks.delegation import of_part, value_of
from rla_hooks.parameters import safe
from rla_hooks.record import RunRecord
from rla_hooks.writers import make_writers
from rla_hooks.writers.base import Writer

if TYPE_CHECKING:
    from rla_hooks.core.resuming import NewLife

R = TypeVar("R", bound="Run")
_LOADED_AT_ONCE = 16  # runs that were loaded and have files open; an evaluation may load a thousand
_should_stop_of: Callable[[Run], bool] | None = None  # kept: a training asks at every step
_FOLDER = "One of the run's paths; None before the run has a name, and if tracking is off."


class Run(SummaryWords):
    """One run. While it is open, a full disk or a bad value gives one warning and does not stop the training.

    >>> run = Run.silent()          # what code gets if tracking is off: it accepts every call and writes nothing
    >>> run.log({"perf/return": 12.0}, step=0)
    >>> run.name, run.status, run.is_writing
    (None, None, False)
    """

    def __init__(self, settings: RunSettings, ownership: Ownership | None = None):
        self.settings = settings.of_run()
        self.ownership = ownership or Ownership()
        self.guard = Guard()
        self.logger = Logger()
        self.hyper_parameters = HyperParameters(self.settings.hyper_param)
        self.custom_data = CustomData()
        self.timers = TimeTracker()
        self.rla_tester: Any = None  # the Tester for this run; made on first use by rla_hooks.tester
        self.starting = RunStart(self)
        self.ending = self._make_end()
        self.by_user = False  # whether the user has opened the run, rather than a hook
        self._owns_files = True  # whether progress.csv and log.txt are this process's
        self.has_loaded = False  # whether a checkpoint of the run was loaded through this object
        self.is_quiet = False  # whether no tables are printed, because of a framework's progress bar
        self._make_parts()

    def _make_parts(self, record: RunRecord | None = None) -> None:
        """Make the parts that a copy does not take over, but makes again."""
        own = self.settings, self.ownership, self.logger, self.guard
        self.files = RunFiles(*own, self.hyper_parameters, self.custom_data, record)
        self.labels = RunLabels(self.ownership, self.guard)
        self.checkpoints = RunCheckpoints(*own, self.custom_data, self._save_archive, self._note_loaded)
        self.checkpoints.on_load = self.loaded_checkpoint
        self.checkpoints.is_over = self._is_over
        parts = self.ownership, self.logger, self.guard, self.custom_data, self.checkpoints
        self.states = RunStates(*parts, self._save_archive)
        self.figures = RunFigures(self.ownership, self.logger, self.guard)
        self.guard.connect(self.logger, self.files.save_progress)
        self.tensorboard = SummaryWriter(self)
        self.plugin_summaries = PluginSummaries(self)

    # --- three ways to get one ------------------------------------------------------------------------------------

    @classmethod
    def start(cls, settings: RunSettings) -> Run:
        """Start a run: choose its name, create its folders, save parameters and code.

        Raises :class:`~rla_hooks.errors.ConfigError` with all mistakes before anything is created.
        """
        run = cls(settings)
        run.begin()
        return run

    @classmethod
    def open(cls, archived: str | os.PathLike[str]) -> Run:
        """Open the run of a tester.pkl, or of the folder that holds it, as a guest: to read from it and append to it.

        No code of the file is run. Raises OSError if there is no such file, RunError if it is not a tester.pkl of ours.
        """
        for loaded in registry.guests()[: 1 - _LOADED_AT_ONCE]:
            loaded._pause()
        content, paths = archive.load(Path(archived))
        run = cls._of_others(archive.settings_of(content, paths), paths)
        run.custom_data.update(content["custom_data"])
        if content["time_step"] is not None:
            run.logger.time_step.set_time(content["time_step"])
        return run

    @classmethod
    def _of_others(cls: type[R], settings: RunSettings, paths: layout.RunPaths) -> R:
        """Return the run at these paths, which another object or process has started, as a guest."""
        run = cls(settings, Ownership(paths, State.GUEST))
        run.files.take_up()
        run._open_files(paths, run._owns_old_files())
        run.logger.last_step = run.files.last_step()
        run.logger.before_row = run._begin_writing
        return run

    @classmethod
    def silent(cls, paths: layout.RunPaths | None = None) -> Run:
        """Return a run that accepts every call and writes nothing; ``paths``: of the run that another rank writes."""
        return cls(RunSettings(), Ownership(paths, State.FOLLOWER))

    # --- what it is -----------------------------------------------------------------------------------------------

    state: State = value_of("ownership", "state", "The state of the run in this process: see core/handover.py.")

    @property
    def is_writing(self) -> bool:
        """Whether this object, in this process, writes to a run."""
        return self.ownership.is_writing

    @property
    def made_by_hook(self) -> bool:
        """Whether a hook made this run for itself, rather than the user."""
        return self.ownership.planned_at is not None

    paths: layout.RunPaths | None = value_of("ownership", "paths", "The run's folders and files.")
    name: str | None = value_of("paths", "name", "The run name, RLA's log_name; None before it has one.")
    status: str | None = value_of(
        "files", "status", "The status in run.json: ``running``, ``finished``, ``failed``...; None before the start."
    )
    record: RunRecord | None = value_of("files", "record", "The content of run.json; None before the start.")
    task_name: str | None = value_of("settings", "task_name", "The group of runs that this one belongs to.")
    parent: str | None = value_of("settings", "parent", "The name of the run that this one was started in, or None.")
    config: Config | None = value_of("settings", "config", "The checked values of the config.")
    private_config: dict[str, Any] = value_of("settings", "private_config", "The config as given; secrets are masked.")
    hyper_param: dict[str, Any] = value_of("hyper_parameters", "values", "The hyper-parameters: the user's objects.")
    time_step_holder: TimeStepHolder = value_of("logger", "time_step", "The step of rows that are given none.")

    def parameters(self) -> dict[str, Any]:
        """Return the hyper-parameters without nesting, with dotted keys, as in parameter.json."""
        return self.hyper_parameters.flat()

    log_dir: Path | None = value_of("paths", "log_dir", _FOLDER)
    results_dir: Path | None = value_of("paths", "results_dir", _FOLDER)
    checkpoint_dir: Path | None = value_of("paths", "checkpoint_dir", _FOLDER)
    code_dir: Path | None = value_of("paths", "code_dir", _FOLDER)
    tensorboard_dir: Path | None = value_of("paths", "tensorboard_dir", _FOLDER)
    pkl_file: Path | None = value_of("paths", "tester_pkl", _FOLDER)

    # --- start ----------------------------------------------------------------------------------------------------

    def take_settings(self, settings: RunSettings) -> None:
        """Take over ``settings`` as they are now; for a run that has not started."""
        self.settings = settings.of_run()
        self.hyper_parameters = HyperParameters(self.settings.hyper_param)
        self._make_parts()

    begin = of_part("starting", RunStart.begin)
    plan = of_part("starting", RunStart.plan)
    adopt = of_part("starting", RunStart.adopt)
    follow = of_part("starting", RunStart.follow)
    loaded_checkpoint = of_part("starting", RunStart.loaded_checkpoint)
    new_life: NewLife | None = value_of("starting", "new_life", "Of a run that was resumed, or forked, by this object.")
    awaits_checkpoint: bool = value_of(
        "starting",
        "awaits_checkpoint",
        "For hooks: whether the run is resumed, and this object, which writes it, has loaded none and logged no row. A "
        "hook restores its checkpoint first then: what comes before is cut, or in the way of the cut.",
    )

    @property
    def is_resumed(self) -> bool:
        """Whether the run goes on from a checkpoint that an earlier process, or the original of a fork, has saved.

        It is to be loaded.

        >>> import rla_hooks as rla
        >>> def main(steps):
        ...     step = 0
        ...     if rla.current_run().is_resumed:
        ...         step, content = rla.load_checkpoint()
        ...     for step in range(step, steps):
        ...         rla.log({"loss": 1.0 / (step + 1)}, step=step)
        ...     rla.save_checkpoint({"weights": [1.0]}, step=step + 1)
        >>> options = {"task": "demo", "writers": ["csv"], "backup": "none"}
        >>> try:
        ...     with rla.run(**options) as run:
        ...         main(steps=2)
        ...         raise KeyboardInterrupt
        ... except KeyboardInterrupt:
        ...     with rla.run(**options, resume=run.name):
        ...         main(steps=4)
        >>> [(run.status, run.metrics()["time-step"].tolist()) for run in rla.runs()]
        [('finished', [0, 1, 2, 3])]
        """
        resumed = self.settings.resumed
        return self.settings.forked is not None or (resumed is not None and resumed.entry is not None)

    def _open_files(self, paths: layout.RunPaths, own: bool = True) -> None:
        """Log to the run's files from now on; ``own``: to progress.csv and log.txt, else to files beside them."""
        self.logger.attach(self._writers(paths, own), paths.log_dir)
        self.logger.on_row = self.settings.log_callback
        if self.settings.config is not None:
            self.logger.wait = self.settings.config.log_wait
        self.logger.on_recovery = self.files.save_progress
        self._owns_files = own

    def _writers(self, paths: layout.RunPaths, own: bool) -> list[Writer]:
        config = self.settings.config
        assert config is not None
        is_of_sweep = self.settings.sweep is not None and self.settings.sweep.quiet and self.settings.default_writers
        is_quiet = self.is_quiet or is_of_sweep
        wanted = [writer for writer in config.writers if not (is_quiet and writer == "stdout")]
        writers = make_writers(wanted, paths, config.tables_per_second, own)
        for each in writers:
            with self.guard.warn_on_error(f"begin_run of the writer {each.name}", "failed"):
                getattr(each, "begin_run", lambda _: None)(paths)
        return writers

    def _owns_old_files(self) -> bool:
        """Whether the files that are there are this process's, before the first row."""
        return self.files.is_owner

    def _save_archive(self) -> None:
        self.files.archive()
        self.files.send_now()

    def _note_loaded(self, note: dict[str, Any], line: str) -> None:
        self.files.note_loaded(note, line)

    def _make_end(self) -> RunEnd:
        return RunEnd(self, self.starting.rejoin, self._pause, self.starting.stop_measuring)

    def _claim_files(self) -> bool:
        """Return whether this process owns the run's files. If the run was killed, it goes on here."""
        claim = self.files.claim()
        if claim in (Claim.NEW_LIFE, Claim.NEW_LIFE_BESIDE):
            self.ownership.take_up()
        return claim in (Claim.OWNER, Claim.NEW_LIFE)

    def _begin_writing(self) -> None:
        """A loaded run gets its first row: from now on, the end of the process updates its run.json."""
        registry.register_planned(self)
        own = self._claim_files()
        if own != self._owns_files and self.paths is not None:
            self.logger.output_formats, self._owns_files = self._writers(self.paths, own), own

    def _pause(self) -> None:
        """Write what is left to write, and keep no file open, until the next row."""
        self.logger.settle()
        self.logger.before_row = self._begin_writing
        registry.forget_planned(self)
        self.flush()
        self.logger.close()
        if self.record is not None:
            self.record.keep_room(False)

    def quiet_stdout(self) -> None:
        """Print no tables, since the framework shows a progress bar, unless the user has named the writer stdout."""
        if self.settings.default_writers:
            self.is_quiet = True
            self.logger.output_formats = [each for each in self.logger.output_formats if each.name != "stdout"]

    # --- rows and data --------------------------------------------------------------------------------------------

    def log(self, values: Mapping[str, Any], step: int | None = None, *, wait: bool | None = None) -> None:
        """Log a row of metrics to the run.

        values: numbers, strings, or arrays and tensors of one element, by name. None is a missing value. Other values
        are left out, with one warning. step: the row's time step; by default that of ``time_step_holder`` if it is set,
        else one more than the last row's. When this returns, the operating system has the row. Raises RunError if no
        run has started.

        wait: False if tensors on an accelerator are to be copied in the background, and the row is to be written once
        they have come: by a later ``log``, ``flush``, ``save_checkpoint`` or the end. Rows keep their order, and at
        most 64 wait. By default the config key LOG_WAIT, which is true.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
        ...     rla.log({"perf/return": 12.0, "loss": 0.5}, step=10)
        ...     rla.log({"perf/return": 13.0})
        >>> rla.runs()[-1].metrics()["time-step"].tolist()
        [10, 11]
        """
        if type(values) is not dict and not isinstance(values, Mapping):  # the first is quicker to see
            given = f"log got {safe(values)!r} ({type(values).__name__})"
            self.guard.warn("log", f"{given}. Allowed: a mapping such as {{'perf/return': 12.0}}; nothing was logged.")
            return
        if self.files.record is None:
            self.ownership.need_started("log")
        self.logger.log(values, step, wait=wait)

    update_hyper_param = of_part("files", RunFiles.update_hyper_param)
    add_hyper_params = of_part("files", RunFiles.add_hyper_params)
    print_args = of_part("files", RunFiles.print_args)
    keep_result = of_part("files", RunFiles.keep_result)

    print_log_dir = of_part("files", RunFiles.print_log_dir)
    time_record = of_part("timers", TimeTracker.start)

    def time_record_end(self, name: str) -> float:
        """Stop the clock ``name``, record ``time_used/<name>`` in seconds for the next dump, and return it."""
        seconds = self.timers.stop(name)
        self.logger.record(f"time_used/{name}", seconds)
        return seconds

    tag = of_part("labels", RunLabels.tag)
    set_note = of_part("labels", RunLabels.set_note)
    set_title = of_part("labels", RunLabels.set_title)

    add_custom_data = of_part("custom_data", CustomData.add)
    get_custom_data = of_part("custom_data", CustomData.of)

    def clear_custom_data(self, key: str) -> None:
        """Forget the data kept under ``key``."""
        if self.custom_data.pop(key, None) is None:
            self.logger.message(f"there is no custom data {key!r}", level=WARN)

    new_saver = of_part("checkpoints", RunCheckpoints.new_saver)
    save_checkpoint = of_part("checkpoints", RunCheckpoints.save_checkpoint)
    load_checkpoint = of_part("checkpoints", RunCheckpoints.load_checkpoint)
    save_state = of_part("states", RunStates.save_state)
    load_state = of_part("states", RunStates.load_state)
    register_checkpoint = of_part("checkpoints", RunCheckpoints.register_checkpoint)
    may_save_checkpoint = of_part("checkpoints", RunCheckpoints.may_save_checkpoint)
    positions = of_part("checkpoints", RunCheckpoints.positions)
    forget_deleted_checkpoints = of_part("checkpoints", RunCheckpoints.forget_deleted_checkpoints)
    save_figure = of_part("figures", RunFigures.save_figure)
    simple_plot = of_part("figures", RunFigures.simple_plot)
    simple_scatter = of_part("figures", RunFigures.simple_scatter)
    simple_hist = of_part("figures", RunFigures.simple_hist)

    # --- end ------------------------------------------------------------------------------------------------------

    at_end = of_part("ending", RunEnd.at_end)
    report = of_part("ending", RunEnd.report)
    finish = of_part("ending", RunEnd.finish)
    reopen = of_part("ending", RunEnd.reopen)

    def should_stop(self) -> bool:
        """Return whether the training is to save and stop: see :func:`rla_hooks.should_stop`."""
        global _should_stop_of
        if _should_stop_of is None:
            from rla_hooks.core import preemption  # late: few programs need it

            _should_stop_of = preemption.should_stop_of
        return _should_stop_of(self)

    def _is_over(self) -> bool:
        """Whether the run goes on in a later life."""
        return self.record is not None and self.record.is_over()

    def flush(self) -> None:
        """At a pause of the training: write the rows that wait for a device, show the last table, update run.json."""
        self.logger.flush()
        if self.is_writing:
            self.files.save_progress()
            self.files.send_now()

    # --- copies ---------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """A copy appends to the run and does not end it. It does not take over callbacks, models and figures."""
        left = ["starting", "ending", "files", "labels", "checkpoints", "states"]
        left += ["figures", "tensorboard", "plugin_summaries"]
        # Copies, since copy.copy would share them: neither counts the other's rows, nor gets its hyper-parameters.
        own: dict[str, Any] = {"record": copy.copy(self.record), "logger": copy.deepcopy(self.logger)}
        own |= {"hyper_parameters": copy.copy(self.hyper_parameters), "ownership": self.ownership.of_copy()}
        own |= {"rla_tester": None, "guard": copy.deepcopy(self.guard)}
        own |= {"is_open": self.new_life is not None and self.new_life.is_open}
        return {key: value for key, value in self.__dict__.items() if key not in left} | own

    def __setstate__(self, state: dict[str, Any]) -> None:
        record, is_open = state.pop("record"), state.pop("is_open")
        self.__dict__.update(state)
        self.starting = RunStart(self)
        self.ending = self._make_end()
        self._make_parts(record)
        if self.ownership.arrived():
            registry.register_planned(self)
        else:
            self.logger.before_row = self._first_row_of_copy
        self.files.skip_inherited_rows()
        if is_open:
            self.starting.live_on()

    def _first_row_of_copy(self) -> None:
        """The end of the process counts the rows of a copy, too."""
        if self.state is State.GUEST:
            registry.register_planned(self)

    def __repr__(self) -> str:
        return f"Run({self.name or self.task_name or 'not configured'!r}, {self.status or self.state.value})"
