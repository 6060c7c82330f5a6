"""The state of a run in this process, and what changes it: a start, a copy, a fork, another rank.

The six states of a run, as this process sees it:

    configured  its settings are known; it has no name yet, and nothing is on the disk
    planned     it has a name, but nothing is on the disk: the run of a hook that has not been needed yet
    owner       this object has started the run; it writes to it and ends it
    guest       another object ends the run; this one is a copy, was loaded from tester.pkl, or trains in a child
                process. It writes, and notes its progress in run.json
    follower    another process writes the run (another rank, or the parent of this forked child), or tracking is off
                (RLA_MODE=off). It accepts every call and writes nothing
    ended       its owner has ended it; rows that are logged afterwards are still appended

    configured -> planned -> owner -> ended        plan, begin, end
    configured -> owner                            begin
    planned -> guest                               begin, in a child of the process that planned it
    planned -> owner or guest                      rejoin: a copy of it has been started, here or in another process
    guest -> owner                                 take_up, by the first row of a killed run that was loaded
    ended -> owner                                 take_up, where a hook goes on after the end: RunEnd.reopen
    owner, ended -> guest                          in a copy: of_copy
    owner, guest, ended -> follower                in a forked child
    follower -> guest                              take_over, in a forked child that trains
    any -> follower                                follow, on a rank that does not write
"""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from datetime import datetime
from enum import Enum
from typing import Any

from rla_hooks import ranks
from rla_hooks.core import not_writing
from rla_hooks.errors import ConfigError, RunError, did_you_mean
from rla_hooks.layout import RunPaths
from rla_hooks.life import process_identity
from rla_hooks.locks import new_in_child


class State(Enum):
    """The state of a run in this process: see the top of this file."""

    CONFIGURED = "configured"
    PLANNED = "planned"
    OWNER = "owner"
    GUEST = "guest"
    FOLLOWER = "follower"
    ENDED = "ended"


_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"  # of the names of runs; their number divides 256: all are as likely
_WRITING = (State.OWNER, State.GUEST, State.ENDED)


class Ownership:
    """The state of a run in this process, and its folders; ``paths`` is None while they are not known."""

    def __init__(self, paths: RunPaths | None = None, state: State = State.CONFIGURED):
        self.paths = paths
        self.id = _new_id()  # in run.json: copies of a planned run find by it that one of them has started
        self.planned_at: datetime | None = None
        self._state = state
        self.planner: int | None = None  # the process that planned the run
        self._process = ranks.process_id  # the process that the state is about

    @property
    def state(self) -> State:
        """The state in this process: in a forked child, FOLLOWER for a run that its parent writes."""
        if self._state in _WRITING and self._process != ranks.process_id:
            return State.FOLLOWER
        return self._state

    @property
    def is_writing(self) -> bool:
        """Whether this object, in this process, writes to the run."""
        return self._process == ranks.process_id and self._state in _WRITING

    @property
    def ends_run(self) -> bool:
        """Whether this object, in this process, ends the run and sets its final status."""
        return self._process == ranks.process_id and self._state in (State.OWNER, State.ENDED)

    @property
    def is_of_parent(self) -> bool:
        """Whether the parent of this process has planned the run, so that the parent will end it."""
        return self.planner not in (None, ranks.process_id) and self.planner == os.getppid()

    def ending_process(self) -> dict[str, Any]:
        """Return ``pid`` and ``process`` of the parent, for run.json, if that will end the run; else nothing."""
        if self.planner is None or not self.is_of_parent:
            return {}
        return {"pid": self.planner, "process": process_identity(self.planner)}

    def need_started(self, what: str) -> None:
        """Raise RunError, which says what to call first, if the run has not started though tracking is on."""
        if self._state in (State.CONFIGURED, State.PLANNED) and not writing_disabled():
            raise RunError(f"{what} was called before the run has started. Call tester.log_files_gen() first.")

    # --- from state to state --------------------------------------------------------------------------------------

    def plan(self, paths: RunPaths, now: datetime) -> None:
        self.paths, self.planned_at = paths, now
        self._state, self.planner = State.PLANNED, ranks.process_id

    def begin(self, paths: RunPaths) -> None:
        """The run has started in this process: it owns the run, unless the parent process has planned it."""
        self.paths = paths
        self._become(State.GUEST if self.is_of_parent else State.OWNER)

    def rejoin(self) -> None:
        """A copy of this planned run has been started, in this process or in another one."""
        self._become(State.OWNER if self.planner == ranks.process_id else State.GUEST)

    def take_up(self) -> None:
        """The run was killed, or has ended, and goes on here."""
        self._become(State.OWNER)

    def take_over(self) -> None:
        """Write in this process, too: in a forked child that trains, or in a copy that came from another process."""
        self._become(State.GUEST)

    def follow(self, paths: RunPaths | None) -> None:
        """Leave the writing to another process; ``paths``: the run's folders, None if they are not known."""
        self.paths = paths
        self._become(State.FOLLOWER)

    def end(self) -> None:
        self._become(State.ENDED)

    def _become(self, state: State) -> None:
        self._state, self._process = state, ranks.process_id

    def of_copy(self) -> Ownership:
        """Return the Ownership for a copy of the run, which writes if this one does, but does not end the run."""
        twin = Ownership.__new__(Ownership)
        twin.__dict__.update(self.__dict__)
        if self._state in (State.OWNER, State.ENDED):
            twin._state = State.GUEST
        return twin

    def arrived(self) -> bool:
        """Apply the state to this process, after unpickling; return whether the copy came from another process."""
        foreign, self._process = self._process != ranks.process_id, ranks.process_id
        return foreign


def _new_id() -> str:
    """Return a random name for a run: eight characters of a-z and 2-7.

    >>> len(_new_id())
    8
    """
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in os.urandom(8))


_starting = threading.RLock()


def one_at_a_time() -> AbstractContextManager[Any]:
    """The lock that a run starts under: several threads may need a planned one at the same moment."""
    return _starting


new_in_child(globals(), "_starting")


# --- between processes ------------------------------------------------------------------------------------------------


def is_off() -> bool:
    """Whether the environment variable RLA_MODE turns tracking off."""
    mode = os.environ.get("RLA_MODE", "on").strip().lower()
    if mode not in ("on", "off", ""):
        raise ConfigError(f"RLA_MODE is {mode!r}. Known: on, off.{did_you_mean(mode, ['on', 'off'])}")
    return mode == "off"


def writing_disabled(independent: bool = False) -> bool:
    """Whether this process must not start runs: tracking is off, or another rank writes.

    independent: of a run that has nothing to do with those of other ranks.
    """
    return is_off() or not (independent or ranks.is_writer_rank())


def run_of_writing_rank() -> RunPaths | None:
    """Return, on a rank that does not write, the paths of the run of the writing rank; None if they are not known."""
    if is_off() or ranks.is_writer_rank():
        return None
    not_writing.tell_rank()
    return not_writing.exported_run()


def forget_writing_rank() -> None:
    """On a rank that does not write, forget the name of the last run, so that the next one does not get it."""
    if not ranks.is_writer_rank():
        not_writing.export_run(None)
