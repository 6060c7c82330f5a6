"""The manager of one run, which RLA calls Tester: it starts the run, keeps what it gives, and ends it.

``@rla.track`` makes one for each call; in RLA's imperative style it is set up by hand::

    tester = Tester()
    tester.set_hyper_param(lr=0.1, info="baseline")
    tester.add_record_param(["info"])
    tester.configure(task_name="cartpole", log_root="rla_data")
    tester.log_files_gen()                  # the run starts: folders, parameters, code
    tester.log({"perf/return": 12.0}, step=0)
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks import layout, lifecycle, ranks
from rla_hooks._version import __version__
from rla_hooks.atomic import read_json, write_json
from rla_hooks.core import archive
from rla_hooks.core.logger import Logger
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import ConfigError, RunError
from rla_hooks.handover import RunHandover
from rla_hooks.outputs import RunOutputs
from rla_hooks.parameters import safe
from rla_hooks.record import FAILED, FINISHED, INTERRUPTED, RunRecord, report_in_file
from rla_hooks.tensorboard_words import TensorBoardWords
from rla_hooks.writers import make_writers, parameter_tables
from rla_hooks.writers.base import Ending


class Tester(RunSettings, RunOutputs, TensorBoardWords, RunHandover):
    """One run: its settings, its start, its outputs, its end."""

    __test__ = False  # pytest takes every class of this name for tests

    def __init__(self, script: str | os.PathLike[str] | None = None) -> None:
        RunSettings.__init__(self, script)
        RunOutputs.__init__(self)
        self.parent: str | None = None
        self.record: RunRecord | None = None
        self._owner = False  # whether this object started the run and will end it
        self._ended = False
        RunHandover.__init__(self)
        self._added: set[str] = set()  # names of hyper-parameters that joined the tracked ones

    # --- start ----------------------------------------------------------------------------------------------------

    def log_files_gen(self) -> None:
        """Start the run: take a name, make the folders, save parameters and code.

        Raises :class:`~rla_hooks.errors.ConfigError` for all mistakes before anything is created. A Tester whose
        run is open ends it and starts another one with the present hyper-parameters.
        """
        if self._started:
            self.finish()
            self._forget_run()
        if lifecycle.is_silent():
            self._follow_writing_rank()
            return
        record_values = self.check()
        assert self.task_name is not None and self.config is not None
        self.paths = layout.create(self.config.log_root, self.task_name, record_values, self._planned, self.is_planned)
        self._started = True
        self._process = ranks.process_id  # the Tester may have come here by a fork
        self._owner = not self._ends_with_parent()
        lifecycle.tell_other_ranks(self.paths)
        self._open_files(self.paths)
        self._start_record(self.paths)
        lifecycle.opened(self)
        self.logger.message(f"run: {self.paths.log_dir}")
        self._guarded("parameter.json", self._save_parameters)
        self._guarded("the code backup", self._back_up_code)
        self._guarded("tester.pkl", self._archive)

    def quiet_stdout(self) -> None:
        """Print no tables where a framework has its progress bar, unless stdout was asked for by name."""
        if not self._default_writers or self.config is None:
            return
        self.config.writers = tuple(name for name in self.config.writers if name != "stdout")
        self.logger.output_formats = [each for each in self.logger.output_formats if each.name != "stdout"]

    def _forget_run(self) -> None:
        """A further run of this Tester has its own outputs and counts anew."""
        RunOutputs.__init__(self)
        RunHandover.__init__(self)
        self.record = None
        self._ended = False

    def _open_files(self, paths: layout.RunPaths) -> None:
        assert self.config is not None
        time_step = self.logger.time_step  # it may have been set before the run was started
        self.logger = Logger(make_writers(self.config.writers, paths, self.config.tables_per_second), paths.log_dir)
        self.logger.time_step = time_step
        self.logger.on_row = self._log_callback
        self.logger.on_recovery = self._save_record

    def _start_record(self, paths: layout.RunPaths) -> None:
        assert self.config is not None
        self.record = RunRecord(
            paths.run_json,
            id=self._id,
            name=paths.name,
            task=self.task_name,
            parent=self.parent,
            rla_hooks=__version__,
            writers=list(self.config.writers),
        )
        if self._ends_with_parent() and self._planner is not None:
            self.record.content |= {"pid": self._planner, "process": ranks.process_identity(self._planner)}
        self._guarded("run.json", self.record.save)

    def update_hyper_param(self, k: str, v: Any) -> None:
        """Set one hyper-parameter; in a run that has started, its files follow."""
        super().update_hyper_param(k, v)
        if self.is_writing:
            self._guarded("parameter.json", self._save_parameters)

    def add_hyper_params(self, params: Mapping[str, Any]) -> None:
        """Add hyper-parameters to those the run has; in a run that has started, its files follow.

        One that the run has with another value keeps it, and the new one becomes ``module.<name>``: both were used.
        """
        before = _as_text(self.parameters())
        for key, value in params.items():
            known = key in self.hyper_param and key not in self._added
            differs = known and _as_text(safe(self.hyper_param[key])) != _as_text(safe(value))
            name = f"module.{key}" if differs else str(key)
            self.hyper_param[name] = value
            if not known or differs:
                self._added.add(name)
        if self.is_writing and _as_text(self.parameters()) != before:
            self._guarded("parameter.json", self._save_parameters)

    def _save_parameters(self) -> None:
        assert self.paths is not None
        parameters = self._all_parameters()
        write_json(self.paths.parameter_json, parameters)
        self.logger.write_media("hyperparameters", parameter_tables.text(parameters), step=0)
        self.logger.write_media("hyperparameters", parameter_tables.hparams(parameters), step=0)

    def _all_parameters(self) -> dict[str, Any]:
        """The hyper-parameters, with those that another process of the run has added."""
        assert self.paths is not None
        try:
            return read_json(self.paths.parameter_json) | self.parameters()
        except (OSError, ValueError):
            return self.parameters()

    def _back_up_code(self) -> None:
        assert self.config is not None and self.paths is not None and self.record is not None
        if self.config.backup == "none":
            return
        from rla_hooks.snapshot import backup, provenance

        code_dir, log_root, options = self.paths.code_dir, self.paths.log_root, self.backup_options()
        report = backup.back_up(code_dir, log_root, **options)
        project = options["project_root"] or backup.project_of(options["script"])
        origin = provenance.collect(project, code_dir / backup.NOTES, log_root)
        left_out = {reason: len(paths) for reason, paths in report.left_out.items()}
        self.record.save(**origin, code={"files": report.files, "bytes": report.bytes, "left_out": left_out})
        self.logger.message(report.line())

    # --- end ------------------------------------------------------------------------------------------------------

    @property
    def status(self) -> str | None:
        """The status in run.json: ``running``, ``finished``, ``failed`` or ``interrupted``; None before the start."""
        return self.record.status if self.record else None

    def report(self, status: str, error: BaseException | None = None) -> None:
        """Note that something ended the training, though the run may go on. Of several endings the worst wins.

        On a rank that does not write, the note goes into the writing rank's run.json, which may be about to die.
        """
        self._join()
        if self._owner and self.record is not None and self.is_writing:
            self.record.end(status, error)
            self._save_record()
        elif self.paths is not None and self.paths.run_json.exists() and not lifecycle.is_off():
            run_json = self.paths.run_json
            self._guarded("run.json", lambda: report_in_file(run_json, status, error))

    def finish(self, status: str = FINISHED, error: BaseException | None = None) -> None:
        """End the run. Of several endings the worst wins. Metrics that are logged afterwards are still appended.

        A copy of the Tester, or the process that trains for another one, only notes how far it came.
        """
        self._join()
        if not self._owner or not self.is_writing or self.record is None:
            self.flush()
            lifecycle.forget_writing_rank()
            return
        actions, self._at_end = self._at_end, []
        if status != INTERRUPTED:  # there is no time for it
            for action in actions:
                self._guarded("what was left for the end", action)
        if not self.record.end(status, error) and self._ended:
            return
        self._ended = True
        self.logger.write_media("hyperparameters", Ending(self.record.status != FAILED, time.time()), step=0)
        self.logger.close()
        self._save_record()
        self._guarded("tester.pkl", self._archive)
        lifecycle.closed(self)

    def flush(self) -> None:
        """A pause: show the last table and write run.json. Rows are with the operating system already."""
        super().flush()
        if self.is_writing:
            self._save_record()

    def _save_record(self) -> None:
        """Write run.json with what the metrics have come to."""
        record, logger = self.record, self.logger
        if record is not None:
            progress = (logger.rows, logger.last_step, logger.last_values, logger.gaps_as_dicts())
            self._guarded("run.json", lambda: record.save_progress(*progress))

    # --- archive --------------------------------------------------------------------------------------------------

    def _archive(self) -> None:
        assert self.paths is not None and self.config is not None
        content = {
            "name": self.paths.name,
            "task": self.task_name,
            "parent": self.parent,
            "hyper_param": self._all_parameters(),
            "hyper_param_record": list(self.hyper_param_record),
            "private_config": self.private_config,
            "writers": list(self.config.writers),
            "time_step": self.logger.time_step.get_time() if self.logger.time_step.is_set else None,
        }
        for place in archive.save(self.paths.tester_pkl, content, self.custom_data):
            self._warn(("custom data", place), f"tester.pkl does without {place}")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tester:
        """Restore a Tester from its tester.pkl, or the folder of it, without running any code of the file.

        It reads from its run and appends to it, also where the log root was moved. Raises OSError where there is no
        such file, and :class:`~rla_hooks.errors.RunError` where it is damaged or foreign.
        """
        content, paths = archive.load(Path(path))
        tester = cls()
        try:
            config = {key: value for key, value in content["private_config"].items() if key == "DL_FRAMEWORK"}
            tester.configure(content["task"], config, paths.log_root, writers=content["writers"], backup="none")
        except ConfigError as error:
            raise RunError(f"{path} is no archived Tester of rla_hooks: {error}") from error
        tester.hyper_param = content["hyper_param"]
        tester.hyper_param_record = content["hyper_param_record"]
        tester.custom_data = content["custom_data"]
        tester.parent = content["parent"]
        tester.paths, tester._started = paths, True
        assert tester.config is not None
        tester.config.raw = content["private_config"]
        tester.logger = Logger(make_writers(tester.config.writers, paths), paths.log_dir)
        if content["time_step"] is not None:
            tester.logger.time_step.set_time(content["time_step"])
        tester.logger.last_step = _last_step(paths)
        return tester

    @classmethod
    def load_tester(cls, record_date: str, task_name: str, log_root: str | os.PathLike[str]) -> Tester:
        """Restore the Tester of the run of ``task_name`` that started at ``record_date``.

        The date is the one in the run's name: ``2026/01/31/12-00-00-000000``.
        """
        return cls.load(archive.find(record_date, task_name, Path(log_root)))

    def __getstate__(self) -> dict[str, Any]:
        # Callbacks, models and the user's own objects belong to this process; hyper-parameters go in their safe form.
        # A copy appends to the run but does not end it.
        own: dict[str, Any] = {
            "_saver": None,
            "_owner": False,
            "_log_callback": None,
            "_at_end": [],
            "hyper_param": self.parameters(),
        }
        return self.__dict__ | own

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._process != ranks.process_id:
            self._process = ranks.process_id
            lifecycle.watch(self)
        self._leave_rows_to_original()

    def __repr__(self) -> str:
        return f"Tester({self.name or self.task_name or 'not configured'!r}, {self.status or 'not started'})"


def _last_step(paths: layout.RunPaths) -> int | None:
    """Return the step of a run's last row as its run.json says, so that rows without a step count on."""
    try:
        step = read_json(paths.run_json).get("last_step")
    except (OSError, ValueError):
        return None
    return step if isinstance(step, int) else None


def _as_text(parameters: Any) -> str:
    """To compare them: NaN is not equal to itself."""
    return json.dumps(parameters)
