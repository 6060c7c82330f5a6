"""A new life of a run: it is claimed in run.json, goes on in the same files, and is cut when a checkpoint is loaded.

    claim()         under the lock of run.json: of two resumes that start at once one goes on. Then a cut that was
                    killed is completed. Nothing has changed where this raises
    begin()         takes over what the former life has left: its step, hyper-parameters, custom data and labels
    loaded(...)     a checkpoint was loaded before the first row: the rows after its position are cut
    first_row()     the first row of the new life; afterwards nothing is cut

The object that has claimed the run has a NewLife; copies of it, in processes that may train, have one of
core/copied_life.py. What is done once, by the first of them that loads or logs, is done under the lock of run.json.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rla_hooks import rowfiles
from rla_hooks.atomic import sweep
from rla_hooks.core.custom_data import CustomData
from rla_hooks.core.files import RunFiles
from rla_hooks.core.former_state import FormerState
from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership
from rla_hooks.core.hyper_parameters import HyperParameters
from rla_hooks.core.job import job_identity, launch_identity
from rla_hooks.core.logger import Logger
from rla_hooks.core.resume_request import Resumable, ResumeRequest
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import RunError
from rla_hooks.layout import RunPaths, make_folders, path_within
from rla_hooks.locks import locked
from rla_hooks.progress import Progress
from rla_hooks.record import RunRecord
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import printable, shell_path, text_of

if TYPE_CHECKING:
    from rla_hooks.checkpoints.manifest import Entry
    from rla_hooks.cutting import Cut


class ResumedRun(Protocol):
    """What this module uses of a run."""

    settings: RunSettings
    ownership: Ownership
    guard: Guard
    logger: Logger
    files: RunFiles
    hyper_parameters: HyperParameters
    custom_data: CustomData

    def _open_files(self, paths: RunPaths, own: bool = True) -> None: ...


class NewLife:
    """One further life of a run, from the claim to its first row."""

    def __init__(self, run: ResumedRun, chosen: Resumable):
        self._run, self._chosen = run, chosen
        self._request: ResumeRequest = run.settings.resume or ResumeRequest(None)
        self._record: RunRecord | None = None
        self._state = FormerState(run, chosen.paths)
        self.may_cut = not (self._request.from_start or self._request.keeps_rows)  # whether no row has come yet
        self.trains = True
        self._has_loaded = False
        self._first: tuple[Entry, Cut | None] | None = None  # the checkpoint that was loaded first, and what it cut
        self._cut: Cut | None = None  # of everything, where the run begins from the start
        self._events: set[str] | None = None  # the event files that were there when this life began

    @property
    def _paths(self) -> RunPaths:
        return self._chosen.paths

    # --- the start ------------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Make this process the run's only writer. Raises RunError where it cannot be resumed."""
        run, paths, self._record = self._run, self._paths, RunRecord(self._paths.run_json)
        record = self._record
        folders = (paths.log_dir, paths.tensorboard_dir, paths.checkpoint_dir)
        try:
            news: dict[str, Any] = {"life": run.ownership.id, "job": job_identity(), "reason": self._request.reason}
            news |= {"launch": launch_identity(), "begins_with": self._newest_checkpoints()}
            news |= run.ownership.ending_process()
            record.resume(self._count, folders, self._chosen.over, **news)
            make_folders(paths)
            self._cut_at_start(record)
        except BaseException as error:
            self.give_up()
            if isinstance(error, (OSError, ValueError, KeyError, TypeError)):
                place = shell_path(paths.log_dir)
                why = text_of(error) if isinstance(error, OSError) else f"its run.json is damaged: {text_of(error)}"
                raise RunError(
                    f"the run in {place} cannot be resumed: {why}. Nothing of it has changed. Needed: a whole "
                    "run.json, and a disk with room that this user may write to."
                ) from error
            raise
        run.files.record = record
        run.files.ask_gpus()

    def _newest_checkpoints(self) -> dict[str, str]:
        """The files that this life may begin with, by name: other ranks look here."""
        from rla_hooks.checkpoints.manifest import Manifest

        entry = self._chosen.entry
        if entry is None:
            return {}
        return {each.name: each.file for each in [*Manifest(self._paths.checkpoint_dir).complete(), entry]}

    def give_up(self) -> None:
        """Leave the run as it was, since the new life cannot begin."""
        try:
            if self._record is not None:
                self._record.give_up_life()
                self._record.keep_room(False)
        except (OSError, ValueError):
            pass  # the error that has led here matters more; this process's end makes the run a killed one

    def _cut_at_start(self, record: RunRecord) -> None:
        """Complete a cut that was killed; cut everything where the run is to begin from the start."""
        from rla_hooks import cutting
        from rla_hooks.cutting.eventfiles import names_in

        finished = cutting.finish_cut(self._paths)
        if finished is not None:
            record.note_cut(self._count(), 2, step=finished.step, rows_cut=finished.rows, cut=finished.number)
        if self._request.from_start:
            self._cut = cut = cutting.cut_all(self._paths)
            record.note_cut(self._count() if cut else None, **_noted(cut, None))
        self._events = {*names_in(self._paths.tensorboard_dir)}

    def _count(self) -> Progress:
        return rowfiles.progress(rowfiles.files(self._paths.log_dir))

    def begin(self) -> None:
        """Take over what the former life has left, note what is new, and tell it. The run's files are open."""
        run, paths, chosen = self._run, self._paths, self._chosen
        record = run.files.record
        assert record is not None
        with run.guard.warn_on_error("run.json"):
            record.keep_room(True)
        for folder in (paths.log_dir, paths.checkpoint_dir, paths.results_dir, paths.archive_dir):
            sweep(folder)
        run.logger.last_step = record.content["last_step"]
        run.logger.before_row = self.first_row
        if not self._request.from_start:
            self._state.take_custom_data(paths.tester_pkl)
        self._state.take_hyper_parameters()
        self._state.change_labels()
        former = record.content["restarts"][-1]
        rows = f"{former['rows']} row{'s' * (former['rows'] != 1)}"
        told = f"resumed ({self._request.reason}): {former['status']} before, after {rows}"
        if self._request.from_start:
            told += f"; begun from the start: {_kept(self._cut) if self._cut else 'nothing was there to cut'}"
        for line in (told, *chosen.notes):
            run.logger.message(line)
        if chosen.code_diff:
            self._state.keep_diff(chosen.code_diff, len(record.content["restarts"]))

    def started(self) -> None:
        """Called when everything is written with which a new run begins."""

    # --- the cut --------------------------------------------------------------------------------------------------

    def first_row(self) -> None:
        """The first row of this life is about to be written: from now on nothing is cut."""
        if self.may_cut and not self._is_first_row_of_other():
            self.may_cut = False
            step = self._chosen.entry.step if self._chosen.entry else None
            self._run.guard.warn(
                "resume",
                "a row was logged before a checkpoint was loaded, so nothing was cut: if the training repeats the "
                f"steps after its newest checkpoint (step {step}), their rows are there twice. Call "
                "rla.load_checkpoint(...) before the first row.",
            )
        self._state.show_tables()

    first_row.rows_only = True  # type: ignore[attr-defined]  # a picture is no row: see Logger.write_media

    def _is_first_row_of_other(self) -> bool:
        """Whether another process has cut the run, or logged to it; else note that this life begins uncut."""
        record = self._run.files.record
        with locked(self._paths.run_json):
            if self.begun_by_others():
                self._follow_cut()
                return True
            if record is not None:
                with self._run.guard.warn_on_error("run.json"):
                    record.note_cut(None, loaded=False)
        return False

    @property
    def is_open(self) -> bool:
        """Whether neither a checkpoint was loaded nor a row logged, as far as this process knows."""
        return self.may_cut and not self._has_loaded

    def begun_by_others(self) -> bool:
        """Whether another process has cut the run in this life, or logged rows. The lock of run.json is held."""
        try:
            listed = read_json(self._paths.run_json).get("restarts")
        except (OSError, ValueError):
            return False
        noted = listed[-1] if isinstance(listed, list) and listed else {}
        return "loaded" in noted or (noted.get("step") is not None and not self._has_loaded)

    def _follow_cut(self) -> None:
        """Another process has cut the run: log to its files as they are now."""
        logger, self.may_cut = self._run.logger, False
        with self._run.guard.warn_on_error("run.json"):
            logger.while_closed(lambda: None)
            logger.last_step = read_json(self._paths.run_json).get("last_step")

    def _cuts_to(self, entry: Entry) -> bool:
        return True

    def loaded(self, checkpoint: Entry | str | os.PathLike[str]) -> None:
        """A checkpoint was loaded: cut the rows after its position, unless a row has come before.

        Raises RunError where the disk does not allow it.
        """
        if not self.may_cut or self._run.logger.before_row is None:
            return
        entry = self._entry_of(checkpoint)
        if entry is None or not self._cuts_to(entry):
            return
        if self._first is not None:
            self._check_again(*self._first, entry)
            return
        self._run.logger.while_closed(lambda: self._cut_or_follow(entry))

    def _cut_or_follow(self, entry: Entry) -> None:
        with locked(self._paths.run_json):
            if self.begun_by_others():
                self._follow_cut()
            elif self.may_cut:  # else a signal handler has logged a row just now
                self._cut_to(entry)

    def _cut_to(self, entry: Entry) -> None:
        from rla_hooks import cutting
        from rla_hooks.cutting.eventfiles import names_in

        run = self._run
        try:
            own = set[str]() if self._events is None else {*names_in(self._paths.tensorboard_dir)} - self._events
            cut = cutting.cut_to(self._paths, entry, own)
        except OSError as error:
            run._open_files(self._paths, False)  # rows that come all the same must not be in the way of the cut
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error  # what the disk says, alone
            raise RunError(
                f"the rows after step {entry.step} cannot be cut: {cause.strerror or text_of(cause)}. Make room on the "
                f"disk of {shell_path(self._paths.log_root)}, and resume again, which completes the cut."
            ) from error
        self._first = entry, cut
        self._note(entry, cut)

    def _check_again(self, first: Entry, cut: Cut | None, entry: Entry) -> None:
        """A further checkpoint is loaded before the first row: the first one has decided where the curve goes on."""
        from rla_hooks.checkpoints.entry import is_state

        if entry.file == first.file or (entry.step == first.step and is_state(entry) is not is_state(first)):
            return  # a framework's file, and the state that is saved beside it
        missed = None  # the newest one, which the first load has cut
        if cut is not None and entry.step == first.step:
            from rla_hooks.checkpoints.manifest import Manifest

            entries = Manifest(self._paths.checkpoint_dir).entries()
            of_name = [each.step for each in entries if each.cut == cut.number and each.name == entry.name]
            missed = max(of_name, default=None)
        if entry.step != first.step:
            what = f"the load of step {entry.step} ({printable(entry.file)}) cuts nothing"
        elif missed is not None:
            what = f"the checkpoints after it, up to step {missed}, are cut, too, so this is {printable(entry.file)}"
        else:
            return
        self._run.guard.warn(
            "loads",
            f"the curve was cut to step {first.step} by the first load ({printable(first.file)}), and {what}. Load the "
            "checkpoint to go on from first; others after the first row.",
        )

    def _entry_of(self, checkpoint: Entry | str | os.PathLike[str]) -> Entry | None:
        """Return the run's checkpoint that was loaded; None with a warning for a file that is none of them."""
        if not isinstance(checkpoint, (str, os.PathLike)):
            return checkpoint
        from rla_hooks.checkpoints.manifest import Manifest

        folder = self._paths.checkpoint_dir
        file = path_within(checkpoint, folder) or ""
        for entry in Manifest(folder).entries():
            if file == entry.file or file.startswith(f"{entry.file}/"):
                return entry
        self._run.guard.warn(
            "resume",
            f"{printable(checkpoint)} is no checkpoint of this run, so nothing was cut. Those of the run are in "
            f"{shell_path(folder)}.",
        )
        self.may_cut = False
        return None

    def _note(self, entry: Entry, cut: Cut | None) -> None:
        run, logger = self._run, self._run.logger
        record = run.files.record
        assert record is not None
        with run.guard.warn_on_error("run.json"):
            record.note_cut(self._count() if cut else None, **_noted(cut, entry))
        self._has_loaded = True
        logger.last_step = record.content["last_step"]
        if logger.time_step.is_set:
            logger.time_step.set_time(entry.step)
        logger.before_row = self._first_row_after_cut
        what = "there is nothing after it"
        if cut is not None:
            what = _kept(cut, " after it")
        logger.message(f"resumed at step {entry.step} ({printable(Path(entry.file))}): {what}")

    def _first_row_after_cut(self) -> None:
        self.may_cut = False
        self._state.show_tables()

    _first_row_after_cut.rows_only = True  # type: ignore[attr-defined]


def _kept(cut: Cut, which: str = "") -> str:
    """Say where the rows of a cut are."""
    return f"{cut.rows} row{'s' * (cut.rows != 1)}{which} {'are' if cut.rows != 1 else 'is'} kept in cut/{cut.number}"


def _noted(cut: Cut | None, entry: Entry | None) -> dict[str, Any]:
    """Return what the entry in ``restarts`` says of a load, and of what was cut by it."""
    found: dict[str, Any] = {"step": entry.step if entry else None}
    return found if cut is None else found | {"rows_cut": cut.rows, "cut": cut.number}
