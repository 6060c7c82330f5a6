"""The start of one run: as a new one, as a former one that goes on, or as a fork; here, or where another rank writes.

    begin()     the run starts now. settings.resumed: the run that goes on; settings.forked: what a fork begins with
    plan()      it gets its name only, for a hook; adopt() starts it when it is first needed
    follow()    it is another process's to write
    rejoin()    a planned run was started by a copy, in a child process say: this object joins it

What is written of a resumed run and of a fork is in core/resuming.py and core/forking.py, which few runs load.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from rla_hooks import layout
from rla_hooks.core import handover, not_writing, registry
from rla_hooks.core.checkpoints import RunCheckpoints
from rla_hooks.core.custom_data import CustomData
from rla_hooks.core.files import RunFiles
from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership, State
from rla_hooks.core.hyper_parameters import HyperParameters
from rla_hooks.core.logger import Logger
from rla_hooks.core.resume_request import Resumable
from rla_hooks.core.settings import RunSettings
from rla_hooks.endings import RUNNING
from rla_hooks.errors import RunError, show_without_traceback
from rla_hooks.texts import text_of

if TYPE_CHECKING:
    from rla_hooks.checkpoints.manifest import Entry
    from rla_hooks.core.fork_request import Fork
    from rla_hooks.core.resuming import NewLife
    from rla_hooks.core.system_metrics import SystemMetrics


class StartingRun(registry.Registered, Protocol):
    """What this module uses of a run."""

    settings: RunSettings
    ownership: Ownership
    guard: Guard
    logger: Logger
    files: RunFiles
    checkpoints: RunCheckpoints
    hyper_parameters: HyperParameters
    custom_data: CustomData
    by_user: bool
    is_quiet: bool
    has_loaded: bool

    @property
    def is_resumed(self) -> bool: ...
    def should_stop(self) -> bool: ...
    def _is_over(self) -> bool: ...
    def _open_files(self, paths: layout.RunPaths, own: bool = True) -> None: ...
    def _claim_files(self) -> bool: ...


class RunStart:
    """How a run starts. ``new_life``: of a run that was resumed by this object, or is a fork; a copy has none."""

    def __init__(self, run: StartingRun):
        self._run = run
        self.new_life: NewLife | None = None
        self._system_metrics: SystemMetrics | None = None

    def begin(self) -> None:
        """Start this run, which is configured or planned. Raises ConfigError before anything is created."""
        run = self._run
        run.by_user = run.ownership.planned_at is None
        parents = not_writing.run_of_importing_parent()
        if parents is not None:
            self.follow(parents)
            run.logger.detach(to_parent=True)
        elif self._is_disabled():
            self._follow_rank_zero()
            self._watch_signals()
        elif run.settings.resumed is not None:
            self._resume(run.settings.resumed)
        else:
            self._start_new(run.settings.forked)

    def _start_new(self, forked: Fork | None) -> None:
        """Create the run's folders, with what a fork begins with, and write the files of its start."""
        run = self._run
        planned_at = run.ownership.planned_at
        place = run.settings.check_place()
        try:
            paths = layout.create(*place, planned_at, planned_at is not None)
        except OSError as error:  # a full disk, or one that fails: the training can do without
            ending = "The training goes on untracked: nothing of this run is saved"
            failed = f"the log root {str(place[0])!r} cannot be written: {text_of(error)}"
            if forked is not None:  # without its checkpoint it is another training
                raise RunError(f"nothing was forked: {failed}.") from error
            run.guard.warn("start", f"{failed}. {ending}.")
            self.follow(None)
            return
        taken = {} if forked is None else self._take_over(forked, paths)
        run._open_files(paths)  # before another thread can see that the run has started
        run.ownership.begin(paths)
        not_writing.export_run(paths)
        try:
            run.files.begin(taken)
            registry.register_open(run)
            self._watch_signals()
            run.files.tell_start(run.is_quiet)
            if run.settings.rerun is not None:
                run.settings.rerun.begin(paths)
            for line in run.settings.resume.notes if run.settings.resume else ():
                run.logger.message(line)
            if self.new_life is not None:
                self.new_life.begin()
            run.files.describe()
            if self.new_life is not None:
                self.new_life.started()
            self._measure_machine()
            self._begin_sending()
        except BaseException as error:  # Ctrl-C: run.json must not go on saying that it runs
            run.ending.end_block(error)
            raise

    def _resume(self, chosen: Resumable) -> None:
        """Go on with a run that has ended, in its files: see core/resuming.py. Raises RunError if that cannot be."""
        from rla_hooks.core.resuming import NewLife  # late: few runs come here

        run = self._run
        run.settings.check()
        self.new_life = life = NewLife(run, chosen)
        try:
            life.claim()
            run._open_files(chosen.paths)  # before another thread can see that the run has started
            run.ownership.begin(chosen.paths)
        except BaseException as error:
            life.give_up()
            if isinstance(error, RunError) and run.settings.resume is not None and run.settings.resume.by_variable:
                show_without_traceback(error)
            raise
        not_writing.export_run(chosen.paths)
        try:
            registry.register_open(run)
            self._watch_signals()
            run.files.tell_start(run.is_quiet)
            life.begin()
            self._measure_machine()
            self._begin_sending()
        except BaseException as error:  # Ctrl-C: run.json must not go on saying that it runs
            run.ending.end_block(error)
            raise

    def _measure_machine(self) -> None:
        """Begin to write system.csv, if the config asks for it."""
        run, config = self._run, self._run.settings.config
        if config is not None and config.system_metrics and run.paths is not None:
            from rla_hooks.core.system_metrics import SystemMetrics  # late: few runs do

            options = run.logger, run.guard, run._is_over
            self._system_metrics = SystemMetrics(run.paths.system_csv, config.system_metrics, *options)
            self._system_metrics.start()

    def _begin_sending(self) -> None:
        """Start the process that sends the run, if the config asks for it."""
        run, config = self._run, self._run.settings.config
        if config is not None and config.send_log_file and run.paths is not None:
            from rla_hooks.core.sender import Sender  # late: few runs do

            options = config.remote, config.send_every, config.send
            run.files.sender = Sender(run.paths.log_root, run.paths.name, *options)
            run.files.sender.start(run.guard)

    def stop_measuring(self) -> None:
        """The run ends in this process: system.csv gets no more rows."""
        if self._system_metrics is not None:
            self._system_metrics.stop()

    def _watch_signals(self) -> None:
        """A run that can be resumed has signals that ask it to stop, even if it does not ask itself."""
        if self._run.settings.resume is not None and self._run.settings.sweep is None:
            self._run.should_stop()

    def _take_over(self, forked: Fork, paths: layout.RunPaths) -> dict[str, Any]:
        """Fill the folders of a fork, and return what its run.json says. Raises RunError if that cannot be."""
        from rla_hooks.core.forking import ForkedLife, take_over  # late: few runs come here

        files = take_over(forked, paths)
        self.new_life = ForkedLife(self._run, files)
        return files.content

    def plan(self, tell: bool = True) -> None:
        """Choose the run's name and create nothing: :meth:`adopt` starts the run when it is first needed.

        For hooks that are asked for the run's folders before it is known whether there will be a run, and in which
        process. The run ends with this process; or with the process that starts it, if that is not a child of this one.
        ``tell``: pass the name on, in the environment, to processes that a launcher starts from here.
        """
        run = self._run
        resumed = run.settings.resumed
        if self._is_disabled():
            self._follow_rank_zero()
            return
        now, place = datetime.now(), run.settings.check_place()
        paths = layout.plan(*place, now) if resumed is None else resumed.paths
        run.ownership.plan(paths, now)
        registry.register_planned(run)
        if tell:
            not_writing.export_run(paths)

    def _is_disabled(self) -> bool:
        return handover.writing_disabled(self._run.settings.independent)

    def follow(self, paths: layout.RunPaths | None) -> None:
        """Write nothing from now on, since another rank does; ``paths``: the folders of its run, if known."""
        self._run.ownership.follow(paths)
        self._run.logger.detach()

    def _follow_rank_zero(self) -> None:
        """Write nothing, since rank zero does; load what its run began with, not what it has saved since.

        Of a fork whose folders are not known here, that is the original's.
        """
        run, paths = self._run, handover.run_of_writing_rank()
        former = run.settings.resumed or run.settings.forked
        self.follow(paths or (None if former is None else former.paths))
        if isinstance(former, Resumable) and former.begins_with:
            run.checkpoints.first_loads = dict(former.begins_with)
            run.logger.before_row = run.checkpoints.forget_first_loads
        elif former is not None and paths is None and run.settings.forked is not None:
            run.checkpoints.begins_with = run.settings.forked.entry

    def adopt(self) -> None:
        """Make this process write to the run: start a planned run, or continue one that another process has started.

        For a training in child processes. Does nothing if tracking is off, or if another rank writes.
        """
        run = self._run
        if self._is_disabled():
            return
        with handover.one_at_a_time():
            if run.ownership.state in (State.CONFIGURED, State.PLANNED):
                if not self.rejoin():
                    self.begin()
            elif not run.is_writing and run.files.record is not None:
                run.logger.take_over()
                run.files.skip_inherited_rows()
                run.ownership.take_over()
                registry.register_planned(run)  # the end of the parent is not that of this process
                if self.new_life is not None and self.new_life.is_open:
                    self.live_on()
            if self.new_life is not None:
                self.new_life.trains = True
        if run.is_writing and run.files.status == RUNNING and registry.current() is None:
            registry.register_open(run)

    def live_on(self) -> None:
        """This copy of a resumed run may load its checkpoint before the original does."""
        from rla_hooks.core.copied_life import CopiedLife  # late: few runs come here

        run = self._run
        if run.settings.resumed is not None:
            self.new_life = CopiedLife(run, run.settings.resumed, trains=False)

    def rejoin(self) -> bool:
        """Join the run, and return True, if a copy of this planned run has been started, in a child process say."""
        run = self._run
        if run.ownership.state is not State.PLANNED or run.paths is None or self._is_disabled():
            return False
        if not run.files.take_up(run.ownership.id):
            return False
        run.ownership.rejoin()
        run._open_files(run.paths, run._claim_files())
        run.logger.last_step = run.files.last_step()
        return True

    def loaded_checkpoint(self, checkpoint: Entry | str | os.PathLike[str]) -> None:
        """For hooks: the framework has loaded a checkpoint, to go on from. ``load_checkpoint`` does it by itself.

        checkpoint: its path, or its entry in the manifest. Of a resumed run, before its first row, the rows after the
        checkpoint's position are cut, and kept under ``cut/``. Raises RunError where the disk does not allow that; then
        the files are as they were. In a run that is not resumed nothing is cut; run.json and the log say which
        checkpoint of another run it was (``resumed_from``).
        """
        run = self._run
        is_new = self.new_life is None and not run.is_resumed
        if run.is_writing and self.new_life is not None:
            self.new_life.loaded(checkpoint)
        elif run.is_writing and is_new and isinstance(checkpoint, (str, os.PathLike)) and run.paths is not None:
            from rla_hooks.core import loading  # late: it reads saved runs

            if layout.path_within(checkpoint, run.paths.checkpoint_dir) is None:
                run.files.note_origin(*loading.origin_of(checkpoint))
        run.has_loaded = True

    @property
    def awaits_checkpoint(self) -> bool:
        """Whether the run is resumed, and this object, which writes it, has loaded no checkpoint and logged no row."""
        life = self.new_life
        return self._run.is_resumed and not self._run.has_loaded and life is not None and life.may_cut
