"""Which checkpoints of a run are old: all but the newest, the best, and those that somebody may come back to.

Only files count that rla_hooks has put in their places itself (``own`` in the manifest), and that are there in full
size. What a framework or the program has written is never taken away, nor does it count as the newest one, for it may
be written anew at any time; what the manifest does not list is not ours.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rla_hooks.checkpoints.entry import Entry
from rla_hooks.checkpoints.keeping import MODE, MONITOR, SCORE
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.cutting import journal
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.upkeep.run_parts import why_running

_FROM = "forked_from", "resumed_from"  # keys of run.json that name a checkpoint; loaded_from lists several


class OldCheckpoints(NamedTuple):
    """The old checkpoints of a run: ``old`` are to go. newest: of each name the one that stays and has to be whole."""

    run: SavedRun
    manifest: Manifest
    old: tuple[Entry, ...]
    newest: tuple[Entry, ...]

    @property
    def folder(self) -> str:
        """The folder of the checkpoints, relative to the log root."""
        return os.path.relpath(self.manifest.folder, self.run.paths.log_root).replace(os.sep, "/")

    def damage(self) -> str | None:
        """Read the newest, and return what is wrong with one of them, as the end of a sentence; None if nothing is."""
        for entry in self.newest:
            problem = self.manifest.trouble(entry)
            if problem is not None:
                return f"has no whole newest one: {entry.file} {problem}"
        return None


def named_elsewhere(runs: Iterable[SavedRun]) -> dict[str, set[str]]:
    """Return the files of checkpoints, by the id of their run, from which runs of the log root come."""
    found: dict[str, set[str]] = {}
    for run in runs:
        noted = [run.run_json.get(key) for key in _FROM]
        several = run.run_json.get("loaded_from")
        for each in [*noted, *(several if isinstance(several, list) else ())]:
            if isinstance(each, dict) and isinstance(each.get("id"), str) and isinstance(each.get("file"), str):
                found.setdefault(each["id"], set()).add(each["file"])
    return found


def old_checkpoints(
    run: SavedRun, keep: int, named: Mapping[str, set[str]]
) -> tuple[OldCheckpoints | None, str | None]:
    """Return the old checkpoints of a run, None where there are none; and why it is left alone, as the end
    of a sentence, if it is.

    keep: how many of each name stay, the newest. named: of :func:`named_elsewhere`.
    """
    manifest = Manifest(run.checkpoint_dir)
    if not os.path.isfile(manifest.path):
        return None, None
    entries = manifest.readable()
    if entries is None:
        return None, "has a manifest.json that cannot be read in full"
    whole = [entry for entry in entries if entry.own and manifest.has_size(entry)]
    newest, kept = _kept(whole, keep)
    kept |= named.get(run.id, set()) | _needed(run, entries)
    old = tuple(entry for entry in whole if entry.file not in kept)
    if not old:
        return None, None
    reason = why_running(run) or _unfinished(run)
    return (None, reason) if reason else (OldCheckpoints(run, manifest, old, newest), None)


def _kept(whole: list[Entry], keep: int) -> tuple[tuple[Entry, ...], set[str]]:
    """Return the newest one of each name, and the files of those that stay as the newest or the best ones."""
    newest: list[Entry] = []
    kept: set[str] = set()
    groups: dict[Any, list[Entry]] = {}
    scored: dict[Any, list[Entry]] = {}
    for entry in whole:
        if entry.cut is None:
            groups.setdefault((entry.name, entry.info.get("writer")), []).append(entry)
            if _score(entry) is not None:
                key = entry.name, entry.info.get("writer"), str(entry.info.get(MONITOR))
                scored.setdefault(key, []).append(entry)
    for group in groups.values():  # in the order of writing
        newest.append(group[-1])
        kept |= {entry.file for entry in group[-keep:]}
    for group in scored.values():
        modes = {entry.info.get(MODE) for entry in group}
        group.reverse()  # of equal ones the newest
        # What is best is known only where the mode is: else the highest and the lowest score stay.
        kept |= {max(group, key=_score_of).file} if modes != {"min"} else set()
        kept |= {min(group, key=_score_of).file} if modes != {"max"} else set()
    return tuple(newest), kept


def _score(entry: Entry) -> float | None:
    """Return the score as it was noted; None for an entry without one."""
    score = entry.info.get(SCORE)
    is_number = isinstance(score, (int, float)) and not isinstance(score, bool) and score == score
    return score if is_number else None


def _score_of(entry: Entry) -> float:
    score = _score(entry)
    assert score is not None
    return score


def _needed(run: SavedRun, entries: Iterable[Entry]) -> set[str]:
    """The files that a life of the run has begun with, or was forked with."""
    begins, forked = run.run_json.get("begins_with"), run.forked_from
    files = {file for file in begins.values() if isinstance(file, str)} if isinstance(begins, dict) else set()
    if forked is not None and isinstance(forked.get("file"), str):
        files.add(forked["file"])
    steps = {restart.get("step") for restart in run.restarts[-1:]} - {None}
    return files | {entry.file for entry in entries if entry.step in steps}


def _unfinished(run: SavedRun) -> str | None:
    """Why nothing is taken from a run whose next resume has a cut to finish."""
    top = journal.folder_of(run.paths)
    if any(journal.is_undone(top / str(number)) for number in journal.numbers_in(top)[-1:]):
        return "has a cut to finish, in which a resume was killed"
    return None
