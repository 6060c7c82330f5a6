"""The files of a run other than its rows: run.json, parameter.json, labels.json, tester.pkl, and its code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from rla_hooks import handles, labels, machine
from rla_hooks._version import __version__
from rla_hooks.atomic import json_bytes, sweep, write_json
from rla_hooks.claims import Claim
from rla_hooks.core import archive, code_backup
from rla_hooks.core.custom_data import CustomData
from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership, State
from rla_hooks.core.hyper_parameters import HyperParameters
from rla_hooks.core.job import job_identity, launch_identity
from rla_hooks.core.logger import BACKUP, Logger
from rla_hooks.core.settings import RunSettings
from rla_hooks.layout import RunPaths
from rla_hooks.life import read_status, this_process
from rla_hooks.locks import locked
from rla_hooks.masking import mask_value
from rla_hooks.parameter_forms import forms_of
from rla_hooks.progress import MAX_LAST, Progress
from rla_hooks.record import Ended, RunRecord, report_in_file
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import cut, duration, shell_path, shown, text_of
from rla_hooks.writers import parameter_tables
from rla_hooks.writers.human_writer import print_text

if TYPE_CHECKING:
    from rla_hooks.core.sender import Sender

_MAX_TEXT = 1000  # characters of one that is a text
_MAX_RESULT = 10_000  # bytes of what a function returned; lists of runs read it of each run


class RunFiles:
    """Writes the files of a run. If one cannot be written, one warning names it, and the training goes on.

    ``record`` is the content of run.json; None before the start, and on a rank that does not write.
    """

    def __init__(
        self,
        settings: RunSettings,
        ownership: Ownership,
        logger: Logger,
        guard: Guard,
        hyper_parameters: HyperParameters,
        custom_data: CustomData,
        record: RunRecord | None = None,
    ):
        self._settings, self._ownership, self._logger, self._guard = settings, ownership, logger, guard
        self._hyper_parameters, self._custom_data = hyper_parameters, custom_data
        self.record = record
        self._told: set[str] = set()
        self.sender: Sender | None = None  # of a run that sends itself to a remote
        self._lacks_parameters = False  # whether parameter.json could not be written

    @property
    def _paths(self) -> RunPaths:
        assert self._ownership.paths is not None
        return self._ownership.paths

    @property
    def status(self) -> str | None:
        """The status in run.json; ``killed`` for the run of another process that is gone, None before the start."""
        if self.record is None:
            return None
        return read_status(self.record.content) if self._ownership.state is State.GUEST else self.record.status

    # --- start ----------------------------------------------------------------------------------------------------

    def begin(self, taken: Mapping[str, Any]) -> None:
        """Write run.json, at the start of the run. taken: what a fork has taken over, as run.json has it."""
        settings, ownership, launch = self._settings, self._ownership, launch_identity()
        self.record = RunRecord(
            self._paths.run_json,
            id=ownership.id,
            name=self._paths.name,
            task=settings.task_name,
            parent=settings.parent,
            function=settings.function_name,
            job=job_identity(),
            **({"launch": launch} if launch else {}),
            hyper_parameters=[text_of(key) for key in self._hyper_parameters.given],
            stored_as=forms_of(self._hyper_parameters.given),
            **({"config_argument": settings.config_argument} if settings.config_argument else {}),
            **({"rerun_of": settings.rerun.note()} if settings.rerun else {}),
            rla_hooks=__version__,
            machine=machine.facts(),
            writers=[writer.name for writer in self._logger.output_formats],
        )
        self.record.content |= ownership.ending_process()
        if settings.sweep is not None:
            self.record.content |= settings.sweep.note()
        self.record.take_over(taken)
        with self._guard.warn_on_error("run.json"):
            self.record.save()
            self.record.keep_room(True)
        self.ask_gpus()

    def ask_gpus(self) -> None:
        """Let run.json have the memory of the GPUs, too: with its next version once their library has told it."""
        if self.record is not None and machine.has_gpus():
            from rla_hooks.machine.gpus import ask_later  # late: most machines have none

            ask_later(self.record.learn_gpus)

    def describe(self) -> None:
        """Write parameter.json, labels.json, the code backup and tester.pkl, at the start of the run."""
        self.save_parameters()
        self._save_labels()
        with self._guard.warn_on_error("the code backup"):
            assert self.record is not None
            code_backup.back_up(self._settings, self._paths, self.record, self._logger)
        self.archive()

    def _save_labels(self) -> None:
        with self._guard.warn_on_error("labels.json"):
            if self._settings.labels:
                labels.change(self._paths.labels_json, self._settings.labels, at_start=True)

    def save_missing(self) -> None:
        """Write the small files that could not be written, if there is room now."""
        if self._lacks_parameters or not os.path.lexists(self._paths.parameter_json):
            self.save_parameters()
        if not os.path.lexists(self._paths.labels_json):
            self._save_labels()

    def save_session(self) -> None:
        """Keep what has run in this notebook, or was typed at the prompt, since the start of the run."""
        with self._guard.warn_on_error("the code backup"):
            code_backup.save_session(self._paths)

    # --- a run that another object or process has started -----------------------------------------------------------

    def take_up(self, id: str | None = None) -> bool:
        """Continue the existing run.json; return False if it is damaged or missing, or names another run."""
        try:
            record = RunRecord.existing(self._paths.run_json)
        except (OSError, ValueError):
            return False
        if id is not None and id not in (record.content.get("id"), record.content.get("life")):
            return False
        self.record = record
        return True

    @property
    def is_owner(self) -> bool:
        """Whether this process owns progress.csv and log.txt."""
        return self.record is not None and self.record.content["owner"] == this_process()

    def claim(self) -> Claim:
        """Decide whether this process owns progress.csv and log.txt: see :meth:`RunRecord.claim`.

        Where a killed run goes on, temporary files that the kill has left are removed.
        """
        claim = Claim.GUEST
        if self.record is not None:
            with self._guard.warn_on_error("run.json"):
                paths = self._paths
                folders = (paths.log_dir, paths.tensorboard_dir, paths.checkpoint_dir)
                claim = self.record.claim(self._progress_in_files, folders)
                self.record.keep_room(True)
        if claim in (Claim.NEW_LIFE, Claim.NEW_LIFE_BESIDE):
            paths = self._paths
            for folder in (paths.log_dir, paths.checkpoint_dir, paths.results_dir, paths.archive_dir):
                sweep(folder)
        return claim

    def _progress_in_files(self) -> Progress:
        from rla_hooks import rowfiles  # late: few runs come here

        found = rowfiles.progress(rowfiles.files(self._paths.log_dir))
        return found._replace(rows=found.rows or 0)

    def last_step(self) -> int | None:
        """Return the step of the last row, which run.json may tell though the rest of it be damaged."""
        try:
            step = read_json(self._paths.run_json).get("last_step")
        except (OSError, ValueError):
            return None
        return step if isinstance(step, int) else None

    def skip_inherited_rows(self) -> None:
        """Count only rows, gaps and warnings of this copy itself; the original adds the earlier ones to run.json."""
        self._logger.missing.forget()
        self._guard.forget_notes()
        if self.record is not None:
            self.record.skip_inherited(self._logger.rows)

    # --- while the run is open ------------------------------------------------------------------------------------

    def update_hyper_param(self, k: str, v: Any) -> None:
        """Set the hyper-parameter ``k`` to ``v``, and update parameter.json."""
        self._hyper_parameters.values[k] = v
        self.save_parameters()

    def add_hyper_params(self, params: Mapping[str, Any]) -> None:
        """Add hyper-parameters to the run's, and update parameter.json.

        If the run was started with another value of the same name, that one stays and the new one is ``module.<name>``.
        What is no mapping gives one warning.
        """
        if not isinstance(params, Mapping):
            allowed = "Allowed: a mapping such as {'lr': 0.1}; it was left out"
            self._guard.warn("add_hyper_params", f"add_hyper_params got {shown(params, 100)}. {allowed}.")
        elif self._hyper_parameters.add(params):
            self.save_parameters()

    def print_args(self) -> None:
        """Write the hyper-parameters to the console and to log.txt. Raises RunError if no run has started."""
        self._ownership.need_started("print_args")
        for key, value in sorted(self._hyper_parameters.flat().items()):
            self._logger.message(f"{key}: {value}", level=BACKUP)  # as RLA has them in backup.txt

    def print_log_dir(self) -> None:
        """Write the paths of the run's folders to the console and to log.txt."""
        paths = self._ownership.paths
        for kind in ("log_dir", "tester_pkl", "checkpoint_dir", "results_dir", "code_dir"):
            path = shell_path(getattr(paths, kind)) if paths else None
            self._logger.message(f"{kind.replace('tester_pkl', 'pkl_file')}: {path}")

    def save_parameters(self) -> None:
        """Write parameter.json, and the tables of hyper-parameters in TensorBoard."""
        if not self._ownership.is_writing:
            return
        self._lacks_parameters = True
        with self._guard.warn_on_error("parameter.json"):
            with locked(self._paths.parameter_json):
                parameters = archive.all_parameters(self._hyper_parameters.flat(), self._paths)
                write_json(self._paths.parameter_json, parameters)
            self._lacks_parameters = False
            if shortened := ", ".join(self._hyper_parameters.shortened[:10]):
                self.tell_once(f"parameter.json has only the beginning of these long hyper-parameters: {shortened}")
            self._logger.write_media("hyperparameters", parameter_tables.text(parameters), step=0)
            self._logger.write_media("hyperparameters", parameter_tables.hparams(parameters), step=0)

    def tell_once(self, line: str) -> None:
        """Write a line to the console and to log.txt, once for the run."""
        if line not in self._told:
            self._told.add(line)
            self._logger.message(line)

    def save_progress(self) -> None:
        """Update the number of rows, the last values and the gaps in run.json."""
        if self.record is not None and self._ownership.is_writing:
            logger = self._logger
            with self._guard.warn_on_error("run.json"):
                lists = {"gaps": logger.missing.as_dicts(), "warnings": self._guard.notes()}
                values = islice(logger.last_values.items(), MAX_LAST)
                last = {key: cut(value, _MAX_TEXT) if type(value) is str else value for key, value in values}
                self.record.save_progress(logger.rows, logger.last_step, last, **lists)
                logger.missing.unsaved = False

    def send_now(self) -> None:
        """Let the process that sends the run, if there is one, send what there is. Nobody waits for it."""
        if self.sender is not None:
            self.sender.ask()

    def unsent(self) -> str | None:
        """Return why the run could not be sent, as run.json has it; None where it was."""
        with suppress(OSError, ValueError):
            noted = read_json(self._paths.run_json).get("unsent")
            return str(noted.get("problem")) if isinstance(noted, Mapping) else None
        return None

    def end_sending(self) -> None:
        """The run has ended: let that process send the rest, and end."""
        if self.sender is not None:
            self.sender.end()

    def save_appending(self, is_appending: bool) -> None:
        """Note in run.json that this process adds rows to a run that has its own end, or that it does so no longer."""
        if self.record is not None:
            with self._guard.warn_on_error("run.json"):
                self.record.save_appending(is_appending)

    def note_loaded(self, note: Mapping[str, Any], line: str) -> None:
        """Note in run.json, and in the log, that a checkpoint of another run was loaded: each one once."""
        self.tell_once(line)
        if self.record is not None:
            with self._guard.warn_on_error("run.json"):
                self.record.save_loaded(note)

    def note_origin(self, note: Mapping[str, Any], line: str) -> None:
        """Note in run.json, and in the log, the checkpoint of another run from which a framework has gone on."""
        self.tell_once(line)
        if self.record is not None:
            with self._guard.warn_on_error("run.json"):
                self.record.save_origin(note)

    def tell_start(self, quiet: bool) -> None:
        """Say where the run is. ``quiet``: on stdout, too, though no tables go there because of a progress bar."""
        self._tell(f"run: {shell_path(self._paths.log_dir)}", quiet)

    def tell_end(self, quiet: bool) -> None:
        """Show the last table, and say how the run has ended: status, rows, time, and its folder."""
        assert self.record is not None
        self._logger.flush()
        content = self.record.content
        rows = content["rows"] + self._logger.rows - self.record.counted
        time = f" in {duration(content['seconds'])}" if content["seconds"] is not None else ""
        told = f"{self.record.status}: {rows} row{'s' * (rows != 1)}{time}, "
        if missing := self._logger.missing.as_text():
            told += f"but {missing}, "
        told += shell_path(self._paths.log_dir)
        self._tell(told, quiet)

    def _tell(self, line: str, quiet: bool) -> None:
        self._logger.message(line)
        if quiet:
            with suppress(Exception):  # a closed stdout
                print_text(f"{line}\n")

    def archive(self) -> None:
        """Write tester.pkl, which ``Run.open`` reads."""
        if not self._ownership.is_writing:
            return
        with self._guard.warn_on_error("tester.pkl"):
            parameters = self._hyper_parameters.flat()
            content = archive.content_of(self._settings, self._paths, parameters, self._logger.time_step)
            for place in archive.save(self._paths.tester_pkl, content, self._custom_data):
                self._guard.warn(("custom data", place), f"tester.pkl does without {place}")

    def keep_result(self, value: Any) -> None:
        """Keep what the training came to as ``result`` in run.json, which its next change, or the end, writes.

        What is no plain data, of at most 10,000 bytes, is left out. What a tracked function returns replaces it.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
        ...     run.keep_result({"return": 492.5})
        >>> rla.runs()[-1].result
        {'return': 492.5}
        """
        if value is None or self.record is None or not self._ownership.ends_run:
            return
        with self._guard.warn_on_error("the result", "could not be kept"), handles.freed():
            from rla_hooks.results import plain_data  # late: a function that returns nothing does without

            result = mask_value("result", plain_data(value))
            if result is not None and len(json_bytes(result)) <= _MAX_RESULT:
                self.record.content["result"] = result
            elif result is not None:
                self._logger.message(f"the result is not kept: it has more than {_MAX_RESULT:,} bytes as JSON")

    def report(self, end: Ended, revocable: bool) -> None:
        """Note how the training ended in the run.json that another process writes, if it exists."""
        paths = self._ownership.paths
        with self._guard.warn_on_error("run.json"):
            if paths is not None and paths.run_json.exists():
                report_in_file(paths.run_json, end, revocable)

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError("the files of a run are not copied; its copy makes its own")
