"""The end of one run: its status is noted before anything that takes time, and nothing that comes later changes it.

Who says how a run has ended:

    the tracked call, the block, finish()   the last word. A failure that a framework's hook has reported before, of a
                                            fit that was tried again, say, is then kept as a note
    the end of the process                  for a run that nobody else has ended
    a hook's report                         until one of the above comes; for a run that a hook has opened by itself
                                            the worst report stays

Ctrl-C, and signals that raise, may come at any line. What notes the ending is tried again then, and what is left for
the end is cut short. The exception that has ended the run passes unchanged: only a run that ended well raises Ctrl-C.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Protocol

from rla_hooks import handles
from rla_hooks.core import handover, process_end, registry
from rla_hooks.core.files import RunFiles
from rla_hooks.core.guard import Guard
from rla_hooks.core.handover import Ownership, State
from rla_hooks.core.logger import Logger
from rla_hooks.core.program_exit import ProgramEnd
from rla_hooks.core.settings import RunSettings
from rla_hooks.core.states import RunStates
from rla_hooks.endings import (
    FAILED,
    FINISHED,
    INTERRUPTED,
    PREEMPTED,
    PRUNED,
    RUNNING,
    SEVERITY,
    check_ending,
    ending_of,
    signal_of,
)
from rla_hooks.record import RunRecord, report_in_file
from rla_hooks.writers.base import Ending

_LATE_AT_ONCE = 16  # runs with rows after their end that have files open; a sweep may have a thousand
_TRIES = 5  # of a step that Ctrl-C interrupts


_Step = Callable[[], object]


class EndingRun(registry.Registered, Protocol):
    """What this module uses of a run."""

    settings: RunSettings
    ownership: Ownership
    guard: Guard
    files: RunFiles
    states: RunStates
    by_user: bool
    is_quiet: bool

    @property
    def logger(self) -> Logger: ...
    @property
    def status(self) -> str | None: ...
    def flush(self) -> None: ...


class RunEnd:
    """How a run ends, and what is left for its end."""

    def __init__(self, run: EndingRun, rejoin: _Step, pause: _Step, stop_measuring: _Step):
        self._run, self._rejoin, self._pause, self._stop_measuring = run, rejoin, pause, stop_measuring
        self.in_block = False  # whether a tracked call or a block goes on that will end the run
        self._actions: list[Callable[[], object]] = []
        self._begun: ProgramEnd | None = None  # an ending that is decided, and not yet in run.json
        self._closed = False
        self._rows_before: int | None = None  # when the last cell of a notebook ended

    def at_end(self, action: Callable[[], object]) -> None:
        """Call ``action`` when the run ends, unless it is interrupted; for figures that are drawn once."""
        self._actions.append(action)

    def report(self, status: str, error: BaseException | None = None, signal: str | None = None) -> None:
        """Record in run.json how the training has ended; the run stays open. Of several statuses the worst is kept.

        status: ``finished``, ``pruned``, ``preempted``, ``interrupted`` or ``failed``. signal: the name of the one that
        ended it. In a run that the user has opened, a reported failure becomes a note if the run ends well after all:
        its fit was tried again. On a rank that does not write, this changes the run.json of the writing rank, which may
        be about to die. Raises ConfigError if ``status`` is none of these.
        """
        check_ending(status)
        self._rejoin()
        if error is not None and ending_of(error, self._run.settings.pruned_by) == PRUNED:
            status = PRUNED  # hooks do not know what the user calls so
        self._report(_where_preempted(ProgramEnd(status, error, signal)), self._run.by_user)

    @handles.freed()
    def _report(self, end: ProgramEnd, revocable: bool) -> None:
        record = self._record()
        if record is not None:
            record.end(*end[:3], revocable=revocable)
            self._run.files.save_progress()
        elif not handover.is_off():
            self._run.files.report(end[:3], revocable)

    def _record(self) -> RunRecord | None:
        """The content of run.json, if it is for this object to end the run."""
        return self._run.files.record if self._run.ownership.ends_run else None

    def finish(self, status: str = FINISHED, error: BaseException | None = None) -> None:
        """End the run. Of several statuses the worst is kept; a second call with the same one does nothing.

        status: ``finished``, ``pruned``, ``preempted``, ``interrupted`` or ``failed``. error: its traceback is kept in
        run.json. Rows that are logged afterwards are still appended. A copy, a loaded run, or the run in a child
        process that trains only updates the numbers in run.json. Raises ConfigError if ``status`` is not one of these.
        """
        check_ending(status)
        self._end(ProgramEnd(status, error, None if error is None else signal_of(error)), last_word=True)

    def report_signal(self, name: str) -> None:
        """A framework's handler has got this signal, and will stop the training."""
        if self._run.ownership.state is not State.ENDED:
            self.report(INTERRUPTED, None, name)
            self._run.logger.settle()  # afterwards, since a device may keep us waiting

    def report_preempted(self, name: str) -> None:
        """This signal has asked the program to stop: note it, if this process ends the run. It goes on for now."""
        record = self._record()
        if record is not None and self._run.ownership.state is not State.ENDED:
            # As another process would: the training goes on in another thread, and changes its record meanwhile.
            report_in_file(record.path, (PREEMPTED, None, name), revocable=True)

    def end_block(self, error: BaseException | None) -> None:
        """End the run with its tracked call or block, which ``error`` leaves, or nothing."""
        self.finish(FINISHED if error is None else ending_of(error, self._run.settings.pruned_by), error)

    def reopen(self) -> bool:
        """Go on with a run that this object has ended well: it is running again, and ends later. Return whether it is.

        For hooks whose framework closes its writer and goes on to use it. A run that failed stays so; what is logged to
        it all the same is appended.
        """
        run, record = self._run, self._record()
        if record is None or run.ownership.state is not State.ENDED or record.status != FINISHED:
            return False
        with run.guard.warn_on_error("run.json"):
            if record.reopen():
                self._closed = False
                run.logger.before_row = None
                run.ownership.take_up()
                registry.register_open(run)
                return True
        return False

    def end_with_process(self, end: ProgramEnd) -> None:
        """End the run, unless that is done, since the process ends."""
        if self._run.ownership.state is State.ENDED:
            _surely(self.count_late_rows)
            return
        end = _where_preempted(end)
        if self._begun is not None:  # the process dies in the middle of it
            end = self._begun
        elif self.in_block and end.status == FINISHED:
            end = ProgramEnd(INTERRUPTED)  # a thread that nobody waits for, say
        elif end.is_guess and self._run.status not in (None, RUNNING):
            end = ProgramEnd(FINISHED)  # what was reported is known better
        elif isinstance(end.error, BaseException):
            end = end._replace(status=ending_of(end.error, self._run.settings.pruned_by))
        # A launcher that ends this process, by SIGTERM, does so because of the failure that another rank has reported.
        self._end(end, last_word=end.status == FINISHED and not end.in_shell)

    def after_cell(self, error: BaseException | None) -> None:
        """A cell of a notebook has ended, by ``error`` or well. It counts if it has opened the run, or logged to it."""
        record, before, self._rows_before = self._record(), self._rows_before, self._run.logger.rows
        is_over = self._run.ownership.state is State.ENDED
        if record is None or is_over or self.in_block or before == self._rows_before:
            return
        self._run.files.save_session()
        if error is None:
            record.revoke_report()
            self._run.files.save_progress()
        else:
            self._report(ProgramEnd.by(error, self._run.settings.pruned_by), True)

    @property
    def is_of_earlier_cell(self) -> bool:
        """Whether a cell of a notebook has ended since the run was opened."""
        return self._rows_before is not None

    def end_with_cells(self) -> None:
        """End the run, since a later cell of the notebook starts another one: as the end of the kernel would."""
        self.end_with_process(ProgramEnd(FINISHED, in_shell=True))

    # --- the end --------------------------------------------------------------------------------------------------

    @handles.freed()
    def _end(self, end: ProgramEnd, last_word: bool) -> None:
        """Note the ending, then do what is left for it."""
        run = self._run
        if self._begun is None and run.ownership.state is not State.ENDED:
            end = _where_preempted(end)
        registry.leave(run)
        self._rejoin()
        record = self._record()
        if record is None:
            self._leave(end)
            return
        if self._closed and self._begun is None and SEVERITY[end.status] <= SEVERITY[record.status]:
            self.count_late_rows()
            return
        self._begun = self._begun or end
        late = _surely(functools.partial(self._note, record, end, last_word))
        late = self._close(record, end) or late
        if late is not None and end.error is None and not isinstance(late, Exception):
            raise late

    def _note(self, record: RunRecord, end: ProgramEnd, last_word: bool) -> None:
        """Write the ending to run.json; to be called again if Ctrl-C has come in between."""
        is_news = self._run.ownership.state is not State.ENDED
        if last_word and self._run.by_user and end.status != FAILED:
            record.revoke_report(end.error)
        if is_news or SEVERITY[end.status] > SEVERITY[record.status]:
            record.end(*end[:3])
        self._run.files.save_progress()
        self._run.ownership.end()
        self._begun = None

    def _close(self, record: RunRecord, end: ProgramEnd) -> BaseException | None:
        """Do what is left for the end, then close the files. Return what has interrupted it, if anything has."""
        run, late = self._run, None
        actions, self._actions = self._actions, []
        if end.status in (PREEMPTED, INTERRUPTED):  # then there is no time
            actions = []
        for action in actions:
            try:
                with run.guard.warn_on_error("what was left for the end"):
                    action()
            except BaseException as error:  # Ctrl-C, or a signal
                late = error
                break
        media = Ending(record.status != FAILED, time.time())
        for step in (
            self._stop_measuring,
            run.states.finish_saving,
            functools.partial(run.logger.write_media, "hyperparameters", media, step=0),
            functools.partial(run.files.tell_end, run.is_quiet),
            run.logger.close,
            run.files.save_progress,
            run.files.save_missing,
            run.files.save_session,
            run.files.archive,
            functools.partial(record.keep_room, False),
            run.files.end_sending,
            functools.partial(registry.forget, run),
        ):
            late = _surely(step) or late
        self._closed = True
        run.logger.before_row = self._late_row
        return late

    def _late_row(self) -> None:
        """A row is logged after the end: the process's end, at the latest, counts it, and changes nothing else."""
        late = [run for run in registry.guests() if run.ownership.state is State.ENDED]
        for run in late[: 1 - _LATE_AT_ONCE]:
            run.ending.count_late_rows()
        registry.register_planned(self._run)

    def count_late_rows(self) -> None:
        """Note in run.json what was logged after the end, and keep no file open until the next row."""
        run = self._run
        run.logger.settle()
        if run.logger.before_row is not None:  # nothing was logged since then
            return
        run.logger.before_row = self._late_row
        registry.forget_planned(run)
        run.flush()
        run.logger.close()

    def _leave(self, end: ProgramEnd) -> None:
        """The end of an object that does not end the run: a copy, a loaded run, a child process, another rank."""
        run = self._run
        self._stop_measuring()
        run.states.finish_saving()
        if run.ownership.state is State.GUEST:
            if run.ownership.is_of_parent and end.error is not None and run.files.record is not None:
                run.files.record.end(*end[:3], revocable=True)  # the training was here; the parent may know more
            self._pause()
        else:
            run.flush()
        if process_end.preemption is not None:
            process_end.preemption.forget(run)
        handover.forget_writing_rank()


def _where_preempted(end: ProgramEnd) -> ProgramEnd:
    """Return the ending of a run that a signal has asked to stop: preempted, unless it failed, or Ctrl-C came.

    Whatever raises SystemExit then, code of the user's or a framework, obeys the signal.
    """
    name = process_end.preempted_by()
    is_exit = issubclass(type(end.error), (str, SystemExit))  # a text tells of an exit
    if name is None or (SEVERITY[end.status] > SEVERITY[PREEMPTED] and not (is_exit and end.signal != "SIGINT")):
        return end
    return end._replace(status=PREEMPTED, error=None, signal=name)


def _surely(step: Callable[[], object]) -> BaseException | None:
    """Call ``step`` until nothing interrupts it. Return the last interruption, or None."""
    late = None
    for _ in range(_TRIES):
        try:
            step()
            return late
        except BaseException as error:  # Ctrl-C, or a signal
            late = error
            late.__traceback__ = None  # its frames hold files open, and their locks
    return late
