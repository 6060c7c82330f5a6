"""Which process a run belongs to, and how it goes from one to another: planned, started, copied, followed.

The six states of a run, as this process sees it:

    configured  its settings are known; it has no name, and nothing of it is on the disk
    planned     it has a name, and nothing is on the disk: a hook's run before it is first needed
    owner       this object has started it; it writes, and ends it
    guest       another object ends it: this is a copy, was loaded, or trains for the process that planned the run.
                It writes, and notes in run.json how far it came
    follower    another process writes it: another rank, or the parent of this forked child; or nothing is tracked
                (RLA_MODE=off). It takes everything and writes nothing
    ended       its owner has ended it; what is logged afterwards is still appended

    configured -> planned -> owner -> ended        plan, begin, end
    configured -> owner                            begin
    planned -> guest                               begin in a child process, or where another process has begun it
    owner, ended -> guest                          a copy; take_over in a forked child
    any -> follower                                follow; a fork
"""

from __future__ import annotations

import json
import os
import uuid
from datetime import datetime
from enum import Enum
from pathlib import Path

from rla_hooks import ranks
from rla_hooks.errors import ConfigError, RunError, did_you_mean
from rla_hooks.layout import RunPaths


class State(Enum):
    """The state of a run in this process: see the top of this file."""

    CONFIGURED = "configured"
    PLANNED = "planned"
    OWNER = "owner"
    GUEST = "guest"
    FOLLOWER = "follower"
    ENDED = "ended"


_WRITING = (State.OWNER, State.GUEST, State.ENDED)


class Ownership:
    """The state of a run, and its folders as far as they are known."""

    def __init__(self, paths: RunPaths | None = None, state: State = State.CONFIGURED):
        self.paths = paths
        self.id = uuid.uuid4().hex  # in run.json: by it the copies of a planned run know what one of them has started
        self.planned_at: datetime | None = None
        self._state = state
        self._planner: int | None = None  # the process that planned the run
        self._process = ranks.process_id  # that in which the state holds

    @property
    def state(self) -> State:
        """The state here: in a forked child, a run that its parent writes is another process's."""
        if self._state in _WRITING and self._process != ranks.process_id:
            return State.FOLLOWER
        return self._state

    @property
    def is_writing(self) -> bool:
        """Whether this object, in this process, writes to the run."""
        return self._process == ranks.process_id and self._state in _WRITING

    @property
    def ends_run(self) -> bool:
        """Whether this object, in this process, decides how the run has ended."""
        return self._process == ranks.process_id and self._state in (State.OWNER, State.ENDED)

    @property
    def is_of_parent(self) -> bool:
        """Whether the parent of this process has planned the run, and goes on after it."""
        return self._planner not in (None, ranks.process_id) and self._planner == os.getppid()

    @property
    def planner(self) -> int | None:
        """The process that planned the run; None where nobody did."""
        return self._planner

    def need_started(self, what: str) -> None:
        """Raise RunError that says what to call first, where a run was meant to be started and is not."""
        if self._state in (State.CONFIGURED, State.PLANNED) and not writing_disabled():
            raise RunError(f"{what} was called before the run has started. Call tester.log_files_gen() first.")

    # --- from state to state --------------------------------------------------------------------------------------

    def plan(self, paths: RunPaths, now: datetime) -> None:
        self.paths, self.planned_at = paths, now
        self._state, self._planner = State.PLANNED, ranks.process_id

    def begin(self, paths: RunPaths) -> None:
        """The run starts in this process, and ends with it; one that the parent has planned ends with the parent."""
        self.paths = paths
        self._become(State.GUEST if self.is_of_parent else State.OWNER)

    def rejoin(self) -> None:
        """A copy of this planned run has started it, in another process perhaps."""
        self._become(State.OWNER if self._planner == ranks.process_id else State.GUEST)

    def take_over(self) -> None:
        """Write here, too: in a child that was forked, or a copy that has come from another process."""
        self._become(State.GUEST)

    def follow(self, paths: RunPaths | None) -> None:
        """Another process writes; its folders are ``paths``, where they are known."""
        self.paths = paths
        self._become(State.FOLLOWER)

    def end(self) -> None:
        self._become(State.ENDED)

    def _become(self, state: State) -> None:
        self._state, self._process = state, ranks.process_id

    def of_copy(self) -> Ownership:
        """Return that of a copy of the run: what this one writes it writes, too, but it does not end it."""
        twin = Ownership.__new__(Ownership)
        twin.__dict__.update(self.__dict__)
        if self._state in (State.OWNER, State.ENDED):
            twin._state = State.GUEST
        return twin

    def arrived(self) -> bool:
        """Hold in this process, after a copy was unpickled; return whether it has come from another one."""
        foreign, self._process = self._process != ranks.process_id, ranks.process_id
        return foreign


# --- between processes ------------------------------------------------------------------------------------------------

RANKS_VARIABLE = "RLA_RUN_OF_RANK_ZERO"


def is_off() -> bool:
    """Whether the environment variable RLA_MODE turns tracking off."""
    mode = os.environ.get("RLA_MODE", "on").strip().lower()
    if mode not in ("on", "off", ""):
        raise ConfigError(f"RLA_MODE is {mode!r}. Known: on, off.{did_you_mean(mode, ['on', 'off'])}")
    return mode == "off"


def writing_disabled() -> bool:
    """Whether this process starts no runs: tracking is off, or another rank writes."""
    return is_off() or not ranks.is_writer_rank()


def export_to_child_ranks(paths: RunPaths | None) -> None:
    """Leave the run's name where processes that a launcher starts from here find it: all ranks have one run.

    None takes it away.
    """
    if paths is None:
        os.environ.pop(RANKS_VARIABLE, None)
    else:
        os.environ[RANKS_VARIABLE] = json.dumps([str(paths.log_root), paths.name])


def run_of_writing_rank() -> RunPaths | None:
    """Return the run of the rank that writes, on another rank that was started by it; None where it is not known."""
    if ranks.is_writer_rank():
        return None
    try:
        log_root, name = json.loads(os.environ[RANKS_VARIABLE])
        return RunPaths(Path(log_root), name)
    except (KeyError, ValueError, TypeError):
        return None


def forget_writing_rank() -> None:
    """Where a further run starts on a rank that does not write, the name of the last one must not be taken for it."""
    if not ranks.is_writer_rank():
        export_to_child_ranks(None)
