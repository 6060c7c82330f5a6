"""run.json: the facts about a run and how it ended, readable without rla_hooks.

    {"format": 2, "id": "k3xq7aod", "name": "cartpole/2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.1", "task": "cartpole",
     "status": "finished", "started": "2026-01-31T12:00:00.000000+00:00", "ended": "...", "seconds": 61.2,
     "host": "...", "pid": 4242, "process": "...", "owner": {...}, "command": [...], "folder": "...", "parent": null,
     "python": "3.11.7", "rla_hooks": "0.1.0", "git": {...}, "code": {...},
     "rows": 97, "last_step": 99, "last": {"perf/return": 500.0}, "gaps": [], "warnings": [], "notes": [],
     "restarts": [], "error": null, "signal": null, "reported": false, "result": {"return": 492.5}}

The status words are in :mod:`rla_hooks.endings`. ``pid`` and ``process`` are those of the process that ends the run;
``owner`` is the one that writes progress.csv and log.txt. Processes that change the file hold its lock, and add their
own rows, gaps, warnings and notes to those of the others. ``result`` is what a tracked function returned, if that was
plain data. Format 1 has no ``owner``: all rows are in progress.csv. ``appending``, where it is there, has the processes
that add rows to the run since it ended (``rla.open``): if one was killed, only the files know what it has added.
``machine`` is what rla_hooks/machine/ tells of the one that the run is on.
``loaded_from``, where it is there, lists the checkpoints of other runs that were loaded: ``{"run": "cartpole/2026/...",
"id": "x5n2wq7k", "step": 3000, "file": "checkpoint-3000.pt"}``; ``resumed_from`` is such a checkpoint, from which a
framework has gone on in this run.
``unsent``, where it is there and not null, says what of a run that sends itself is not at the remote, and why.
What a resumed run has besides, and the entries of ``restarts``, are in :mod:`rla_hooks.restarts`.
"""

from __future__ import annotations

import copy
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from rla_hooks import life, machine, outcome, restarts
from rla_hooks.claims import Claim, claimed
from rla_hooks.command import command_line
from rla_hooks.endings import INTERRUPTED, KILLED, RUNNING
from rla_hooks.errors import RunError
from rla_hooks.life import PROCESS, read_status, this_process
from rla_hooks.locks import locked
from rla_hooks.masking import masked_command
from rla_hooks.progress import AddedProgress, Progress, number
from rla_hooks.reserve import Reserve
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import iso_time

FORMAT = 2
_MAX_LOADED = 100  # checkpoints of other runs; self-play loads opponents for ever
load = read_json  # of a run.json; raises OSError, or ValueError where it holds something else


class RunRecord:
    """The content of a run's run.json, and the file."""

    def __init__(self, path: Path, **content: Any):
        self.path = path
        self._added = AddedProgress()
        self._clock = time.monotonic()
        self._reserve = Reserve(path)
        self.notes: list[dict[str, str]] = []  # of this object, for the file
        self._revoked: list[outcome.Report] = []
        self._is_over = False  # whether the run goes on in a later life, which is another object's
        self._former: dict[str, Any] | None = None  # the content before this life, while that may be given up
        self._gpus: list[dict[str, Any]] | None = None  # of this machine, as its library has told later
        me = this_process()
        self.content: dict[str, Any] = {
            "format": FORMAT,
            **content,
            "status": RUNNING,
            "started": iso_time(),
            "ended": None,
            "seconds": None,
            **me,
            "owner": me,
            "command": masked_command(command_line()),
            "folder": _working_directory(),
            "python": sys.version.partition(" ")[0],
            "rows": 0,
            "last_step": None,
            "last": {},
            "gaps": [],
            "warnings": [],
            "notes": [],
            "restarts": [],
            "error": None,
            "signal": None,
            "reported": False,
        }

    @classmethod
    def existing(cls, path: Path) -> RunRecord:
        """Return the record of a run that another process, or another object, has started.

        Raises OSError if there is no such file, ValueError if it is damaged.
        """
        record, content = cls(path), read_json(path)
        read_status(content)
        owner = {key: content.get(key) for key in PROCESS}  # of format 1
        new = record.content | {"owner": owner} | content
        record.content = new | {"format": max(FORMAT, number(content.get("format")))}
        started = datetime.fromisoformat(str(content.get("resumed") or content["started"])).timestamp()
        record._clock = time.monotonic() - max(0.0, time.time() - started)
        return record

    @property
    def counted(self) -> int:
        """The rows of this process that are in the file's count."""
        return self._added.rows

    @property
    def status(self) -> str:
        return str(self.content["status"])

    def end(
        self,
        status: str,
        error: BaseException | str | None = None,
        signal: str | None = None,
        revocable: bool = False,
    ) -> bool:
        """Set the status if it is worse than the present one; return whether it was. The end time is always set.

        error: or its traceback. signal: the name of the one that ended the run. revocable: it is only a report, which
        :meth:`revoke_report` may take back.
        """
        self._catch_up()
        if self._is_over:
            return False
        self.content |= {"ended": iso_time(), "seconds": round(time.monotonic() - self._clock, 3)}
        return outcome.note(self.content, status, error, signal, revocable)

    def is_over(self) -> bool:
        """Whether the run goes on in a later life, as its file says now: another object's, maybe on another machine."""
        with suppress(OSError, ValueError):
            self._is_over |= read_json(self.path).get("life") != self.content.get("life")
        return self._is_over

    def revoke_report(self, error: BaseException | str | None = None) -> None:
        """Keep a reported failure as a note only, since the run itself ends by ``error``, or well, or goes on."""
        self._catch_up()
        if self._is_over:
            return
        taken_back = outcome.revoke(self.content, error)
        if taken_back is not None:
            report, kept = taken_back
            self.notes = [*self.notes, kept] if kept else self.notes  # a copy has the same list
            self._revoked.append(report)

    def reopen(self) -> bool:
        """The run goes on after an end; return False if that is no longer ours to say. Raises OSError."""
        with locked(self.path):
            self._catch_up()
            if self._is_over:
                return False
            self.content |= {"status": RUNNING, "ended": None, "seconds": None}
            self._reserve.write_json(self.content)
        self.keep_room(True)
        return True

    def save(self, **content: Any) -> None:
        """Write run.json with ``content``; keep what other processes wrote. On OSError the old file stays."""
        with locked(self.path):
            self._catch_up()
            self.content |= content
            self._reserve.write_json(self.content)

    def save_appending(self, is_appending: bool) -> None:
        """Note that this process adds rows to a run that is another's, or that it has ended to."""
        with locked(self.path):
            self._catch_up()
            noted, me = self.content.get("appending"), this_process()
            listed = [*noted] if isinstance(noted, list) else []
            if is_appending:
                listed.append(me)
            elif me in listed:
                listed.remove(me)  # once: it may add to the run by another object as well
            self.content["appending"] = listed
            self._reserve.write_json(self.content)

    def save_loaded(self, note: Mapping[str, Any]) -> None:
        """Note the checkpoint of another run that was loaded: each one once, and of very many the first ones."""
        with locked(self.path):
            self._catch_up()
            noted = self.content.get("loaded_from")
            listed = [*noted] if isinstance(noted, list) else []
            if note not in listed and len(listed) < _MAX_LOADED:
                self.content["loaded_from"] = [*listed, dict(note)]
                self._reserve.write_json(self.content)

    def save_origin(self, note: Mapping[str, Any]) -> None:
        """Note the checkpoint of another run from which a framework has gone on in this one."""
        with locked(self.path):
            self._catch_up()
            self.content["resumed_from"] = dict(note)
            self._reserve.write_json(self.content)

    def learn_gpus(self, gpus: list[dict[str, Any]]) -> None:
        """Take what the library of the GPUs has told of them, for the next version of the file; from any thread."""
        self._gpus = gpus

    def keep_room(self, keep: bool) -> None:
        """Keep room on the disk for the ending, from now on; or give it back, once the ending is written."""
        if keep:
            self._reserve.keep()
        else:
            self._reserve.drop()

    def save_progress(self, rows: int, last_step: int | None, last: Mapping[str, Any], **lists: list[Any]) -> None:
        """Add what this process has logged to the numbers in run.json; write the file only if something has changed.

        rows, last_step, last: of this process since its start. lists: all its ``gaps``, ``warnings`` and ``notes``.
        """
        lists["notes"] = self.notes
        with locked(self.path):
            noted = self._catch_up()
            self.content |= self._added.finish(noted)
            attempted = self._added.attempt(self.content, rows, last_step, last, lists)
            if noted != attempted:
                self._reserve.write_json(attempted)
            self.content |= self._added.finish(attempted)

    def take_over(self, taken: Mapping[str, Any]) -> None:
        """Begin with these keys: ``forked_from``, ``rows``, ``last_step`` and ``last`` of a fork."""
        self.content |= taken
        self._added.found(self.content)

    def skip_inherited(self, rows: int) -> None:
        """Count from ``rows`` on, and list nothing twice: this is a copy, and the original adds what was before."""
        self._added.skip(rows)

    def claim(self, count: Callable[[], Progress], folders: Iterable[Path] = ()) -> Claim:
        """Make this process the owner of the run's files, where it is or where the owner has died in the middle.

        A killed run begins a new life with it; then ``count`` gives the rows in its files, which run.json cannot know.
        So does a run of another container or host that has been silent in its ``folders`` for
        ``rla_hooks.life.STALE_AFTER`` seconds; as nobody can see that its process is gone, its files stay its own.
        On OSError this process is a guest.
        """
        with locked(self.path):
            self._catch_up()
            claim, change = claimed(self.content, tuple(folders), count)
            if change:
                self._reserve.write_json(self.content | change)
                self.content |= change
            return claim

    def resume(
        self,
        count: Callable[[], Progress],
        folders: Iterable[Path] = (),
        over: Mapping[str, Any] | None = None,
        **news: Any,
    ) -> str:
        """Begin a new life of the run in this process; return how the one before ended. Two at once: one gets it.

        count, folders: as in :meth:`claim`. over, news: as in ``rla_hooks.restarts``. Raises RunError if the run
        is alive, OSError or ValueError where run.json cannot be read or written; then nothing has changed.
        """
        with locked(self.path):
            content = read_json(self.path)
            status, alive = restarts.status_of_former(content, folders, over)
            if alive:
                raise RunError(
                    f"the run cannot be resumed: {alive}. Wait for its end, or end it; a process that cannot be seen "
                    f"from here counts as gone when it has written nothing for {life.STALE_AFTER / 60:.0f} minutes."
                )
            known = RunRecord.existing(self.path).content  # with what format 1 lacks
            if status == KILLED:
                known |= count().noted(known["rows"])
            self.content = restarts.new_life(known, this_process(), status, machine=machine.facts(), **news)
            self._added.found(self.content)
            self._clock = time.monotonic()
            self._former = content
            self._reserve.need()  # else a disk that is full by now would not let the run say how this life ends
            self._reserve.write_json(self.content)
        return status

    def give_up_life(self) -> None:
        """The new life cannot begin: write run.json as it was; as interrupted where something was cut already."""
        with locked(self.path):
            own = self.content.get("life")
            if own is None or read_json(self.path).get("life") != own:
                return
            if self._former is not None:
                self._reserve.write_json(self._former)
            elif self.end(INTERRUPTED):
                self._reserve.write_json(self.content)

    def note_cut(self, progress: Progress | None, back: int = 1, **news: Any) -> None:
        """Note what the files hold after a cut, and ``step``, ``rows_cut`` and ``cut`` of the resume that made it.

        progress: None where nothing was cut. back: as in ``rla_hooks.restarts.with_cut``.
        """
        with locked(self.path):
            self._catch_up()
            rows = number(self.content["rows"]) - news.get("rows_cut", 0)
            found = {} if progress is None else progress.noted(max(0, rows))
            self.content |= found | {"restarts": restarts.with_cut(self.content, back, **news)}
            self._added.found(self.content)
            self._former = None
            self._reserve.write_json(self.content)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_added": copy.copy(self._added)}  # a copy counts its own rows

    def _catch_up(self) -> dict[str, Any]:
        """Read run.json, and take over what other processes wrote (a failed rank, a child that trains); return it."""
        try:
            noted = read_json(self.path)
        except (OSError, ValueError):  # the first time, or somebody has damaged it
            return {}
        if noted.get("life") != self.content.get("life"):  # the run was resumed: how it ends is no longer ours to say
            self.content, self._is_over = self.content | noted, True
        known = [
            "rows",
            "last_step",
            "last",
            "gaps",
            "warnings",
            "notes",
            "restarts",
            "appending",
            "loaded_from",
            "resumed_from",
            "machine",
            "unsent",
        ]
        known += ["owner", *PROCESS]
        known += outcome.news(self.content, noted, self._revoked)
        if self.content["ended"] is None:
            known += ["ended", "seconds"]
        self.content |= {key: noted[key] for key in known if key in noted}
        if self._gpus is not None and not self._is_over and isinstance(self.content.get("machine"), dict):
            self.content["machine"] = self.content["machine"] | {"gpus": self._gpus}
        return noted


Ended = tuple[str, BaseException | str | None, str | None]  # status, error or its traceback, name of a signal


def report_in_file(path: Path, end: Ended, revocable: bool = False) -> None:
    """Set the status in the run.json of another process. Raises OSError if it is missing, ValueError if damaged.

    A further rank's error is appended: the first one is often only the lost connection to the rank that failed.
    """
    with locked(path):  # several ranks fail at the same moment
        record, (status, error, _) = RunRecord.existing(path), end
        if record.end(*end, revocable=revocable):
            record.save()
        elif error is not None and outcome.add_error(record.content, status, error):
            record.save(error=record.content["error"])


def worsen(path: Path, status: str) -> None:
    """Set the status in the run.json of a run that has ended, if it is worse; its times stay.

    Raises as :func:`report_in_file`.
    """
    with locked(path):
        record = RunRecord.existing(path)
        if outcome.note(record.content, status):
            record.save()


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:  # somebody removed it
        return None
