"""Does what a plan says: run by run, each whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rla_hooks.endings import RUNNING
from rla_hooks.errors import RLAError
from rla_hooks.layout import ARCHIVED, LOG, RunPaths
from rla_hooks.locks import locked
from rla_hooks.query.entry import read_entry
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import listed, printable
from rla_hooks.upkeep.act_lock import acting
from rla_hooks.upkeep.journal import BEGUN, DONE, UNDOING, UNDONE, Journal, Moved, begin, remove_folders, unfinished
from rla_hooks.upkeep.planning import (
    ARCHIVE,
    COLLECT,
    DELETE,
    MOVE,
    RENAME,
    REPAIR,
    RESTORE,
    Item,
    Plan,
    listed_refusals,
)
from rla_hooks.upkeep.renames import Renames
from rla_hooks.upkeep.run_parts import seen_at, why_running
from rla_hooks.upkeep.swaps import renames_of

Progress = Callable[[int, int], object]  # runs that are done, and all
WORDS = {DELETE: "deleted", ARCHIVE: "archived", RESTORE: "restored", MOVE: "moved", RENAME: "renamed"}
WORDS |= {COLLECT: "put into the trash", REPAIR: "repaired"}
GONE = "is no longer there: it was moved or deleted meanwhile"


class DoneRun(NamedTuple):
    """A run that an act has renamed. to: its new name, where it has got one."""

    id: str
    name: str
    to: str | None
    files: int
    bytes: int


class Act(NamedTuple):
    """What somebody asked for once, and what was done of it.

    kind: ``delete``, ``archive``, ``restore``, ``move``, ``rename``, ``collect``, ``repair``; ``damaged`` where its
    act.json cannot be read. runs: those that have gone, or were repaired. problems: of the others, a line each. undone:
    whether they are back. trouble: why it cannot be undone; None where it can.
    """

    log_root: Path
    number: int
    kind: str
    time: datetime
    asked: str
    runs: tuple[DoneRun, ...]
    problems: tuple[str, ...] = ()
    undone: bool = False
    trouble: str | None = None

    @property
    def files(self) -> int:
        """How many files the act has moved."""
        return sum(run.files for run in self.runs)

    @property
    def bytes(self) -> int:
        """Their bytes."""
        return sum(run.bytes for run in self.runs)


class ActInterrupted(KeyboardInterrupt):
    """Ctrl-C in the middle of an act: the run at hand is whole; ``act`` has those that were done, of ``total``."""

    def __init__(self, act: Act, total: int):
        self.act, self.total = act, total
        what = "brought back" if act.undone else WORDS[act.kind]
        more = "" if act.undone or not act.runs else "; rla undo brings them back"
        super().__init__(f"{len(act.runs):,} of {total:,} runs were {what}{more}")


def check_refused(plan: Plan) -> None:
    """Raise RLAError if the plan leaves a run alone that somebody has named."""
    if plan.refused:
        lines = "\n".join(f"  - {line}" for line in listed_refusals(plan.refused))
        count = len(plan.refused)
        raise RLAError(
            f"{count:,} run{'s' if count > 1 else ''} cannot be {WORDS[plan.kind]}, and nothing was changed:\n{lines}"
        )


def carry_out(plan: Plan, *, asked: str = "", progress: Progress | None = None) -> Act:
    """Do what a plan says, with all of its items; return what was done. What was killed before is finished first.

    asked: the words for it, for the journal. progress: as in ``rla_hooks.upkeep.delete``. Raises RLAError if another
    process tidies this log root for long, or the trash cannot be written; then nothing has changed.
    """
    if not plan.items:
        check_refused(plan)
        raise RLAError("there is nothing to do: the plan has no runs.")
    with acting(plan.log_root, f"{plan.kind} {len(plan.items):,} runs"):
        finish_begun(plan.log_root)
        there, gone = list[Item](), list[Item]()
        for item in plan.items:
            (there if os.path.lexists(plan.log_root / item.parts[0].source) else gone).append(item)
        plan = plan._replace(items=tuple(there))
        try:
            journal = begin(plan, asked)
        except OSError as error:
            raise RLAError(f"the trash of {plan.log_root} cannot be written: {error}. Nothing was changed.") from error
        plans = {moved.parts: item for moved, item in zip(journal.runs, plan.items)}

        def look(moved: Moved) -> str | None:
            return _why_changed(plan.log_root, plans[moved.parts], plan.running)

        act = carry_all(renames_of(journal), look, progress)
        # Those that another act has taken since the plan are none of this one: it can be undone without them.
        return act._replace(problems=(*(f"{_called(item)} {GONE}" for item in gone), *act.problems))


def _why_changed(root: Path, item: Item, running: bool) -> str | None:
    """Why a run is left alone that was in its place at the plan, and not running, as the end of a sentence."""
    if item.absent and os.path.lexists(root / item.absent):
        return "has a log folder again"
    source = item.parts[0].source
    if not os.path.lexists(root / source):
        return GONE
    place = source.removeprefix(f"{ARCHIVED}/")
    if running or (not item.run_json and not place.startswith(f"{LOG}/")):
        return None  # the latter is no run
    paths = RunPaths(root if place == source else root / ARCHIVED, item.name)
    has_grown = bool(item.seen) and seen_at(paths) != item.seen
    if item.seen and not has_grown and not _may_run(paths):
        return None  # nobody has written anything since
    return why_running(SavedRun(paths, read_entry(paths))) or ("has grown meanwhile" if has_grown else None)


def _may_run(paths: RunPaths) -> bool:
    """Whether run.json says so: the run may have been resumed between the list that it is from and the plan.

    That of a run which was killed says so for ever.
    """
    try:
        noted = read_json(paths.run_json)
    except (OSError, ValueError):
        return False
    return noted.get("status") == RUNNING or bool(noted.get("appending"))


def carry_all(renames: Renames, look: Callable[[Moved], str | None], progress: Progress | None) -> Act:
    """Carry all runs of a journal, there or back, and end it. look: tells why a run stays, under its lock."""
    problems = list[str]()
    # A run that is not in its place any more is told. Not at an undo: it has never gone, or is back; nor leftovers.
    are_told = not renames.back and renames.journal.kind not in (COLLECT, REPAIR)
    wanted = [moved for moved in renames.journal.runs if are_told or renames.is_left(moved)]
    at, interrupted = None, None
    try:
        for number, moved in enumerate(wanted, 1):
            at = moved
            problem = _carry(renames, moved, look)
            problems += [problem] if problem else []
            if progress:
                progress(number, len(wanted))
    except KeyboardInterrupt as error:
        interrupted = error
        if at is not None and renames.is_begun(at):
            problem = _carry(renames, at, lambda _: None)
            problems += [problem] if problem else []
    done = [_done_run(moved) for moved in wanted if renames.is_begun(moved)]
    problems += _lost(renames) if renames.back else []
    end(renames)
    act = act_of(renames.journal, done)._replace(problems=tuple(problems), undone=renames.back)
    if interrupted is not None:
        raise ActInterrupted(act, len(wanted)) from interrupted
    return act


def _carry(renames: Renames, moved: Moved, look: Callable[[Moved], str | None]) -> str | None:
    """Carry one run; return a line that says why it has stayed."""
    item = moved.item
    try:
        with locked(renames.run_json(moved)):
            reason = look(moved)
            if reason is None:
                renames.carry(moved)
                return None
    except OSError as error:
        where = f" ({printable(error.filename)})" if error.filename else ""
        what = "is half way, and carried on by the next command" if renames.is_stuck else "stays"
        reason = f"{what}: {error.strerror or error}{where}"
    return f"{_called(item)} {reason}"


def _lost(renames: Renames) -> list[str]:
    """Return a line for each run of an act of which something cannot come back."""
    lines = []
    for moved in renames.journal.runs if renames.journal.kind not in (COLLECT, REPAIR) else ():
        if lost := renames.lost(moved):
            what = "all of it" if len(lost) == len(moved.parts) else listed([*map(printable, lost)], 5)
            lines.append(f"{_called(moved.item)} is not whole: {what} was removed from the trash by hand")
    return lines


def _called(item: Item) -> str:
    return f"{item.id} ({item.name})" if item.id else item.name


def end(renames: Renames) -> None:
    """Say in the journal how far the act has come, and remove the folders that are empty now.

    Where that cannot be written, or a run is stuck half way, the next command that can goes on with the act.
    """
    journal, back = renames.journal, renames_of(renames.journal, back=True)
    renames.remove_empty_folders()
    if renames.is_stuck:
        return
    state = DONE if any(back.is_left(moved) for moved in journal.runs) else UNDONE
    try:
        if state != journal.state:
            journal.set_state(state)
    except OSError:  # the act of another user, or the disk fails
        return
    if state == UNDONE:
        remove_folders(journal.root, journal.number, journal.anchors)


def finish_begun(root: Path) -> None:
    """Finish each act, and each undo, that was killed: the run that was half way goes on, the others stay.

    What another user has begun stays, if this one may not write there.
    """
    for journal in unfinished(root):
        renames = renames_of(journal, back=journal.state == UNDOING)
        if journal.state in (BEGUN, UNDOING):
            for moved in journal.runs:
                if renames.is_begun(moved):
                    _carry(renames, moved, lambda _: None)
        with suppress(OSError):
            end(renames)


def act_of(journal: Journal, runs: Iterable[DoneRun] | None = None) -> Act:
    """Return what there is of an act now: the runs that are where it has put them."""
    if runs is None:
        back = renames_of(journal, back=True)
        runs = [_done_run(moved) for moved in journal.runs if back.is_left(moved)]
    return Act(journal.root, journal.number, journal.kind, journal.time, journal.asked, tuple(runs))


def _done_run(moved: Moved) -> DoneRun:
    item = moved.item
    return DoneRun(item.id, item.name, item.to, item.files, item.bytes)
