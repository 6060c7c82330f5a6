"""A fork: a new run that begins with what another one was at a checkpoint.

    take_over()   after the folders of the new run were made: writes the history of its metrics, then its checkpoints
                  (links, where that is safe: see checkpoints/links.py), and the manifest last
    ForkedLife    the new run goes on from there as a resumed one does: its first load restores the checkpoint

The original is only read. Where something fails, nothing of the new run is left.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any

from rla_hooks import atomic, rowfiles
from rla_hooks.checkpoints import links
from rla_hooks.checkpoints.entry import Positions
from rla_hooks.checkpoints.manifest import Entry, Manifest
from rla_hooks.core.fork_request import Fork
from rla_hooks.core.positions import positions
from rla_hooks.core.resume_request import Resumable
from rla_hooks.core.resuming import NewLife, ResumedRun
from rla_hooks.cutting import history
from rla_hooks.errors import RunError
from rla_hooks.layout import RunPaths
from rla_hooks.progress import Progress
from rla_hooks.texts import printable, shell_path, text_of

_WORDS = {"link": "linked", "clone": "shared with the original's by the file system", "copy": "copied"}


def take_over(fork: Fork, paths: RunPaths) -> ForkedFiles:
    """Fill the folders of a new run. Raises RunError, and removes them, where that cannot be done."""
    assert fork.entry is not None
    try:
        return take_files(fork, paths, fork.entry)
    except BaseException as error:
        remove(paths)
        if isinstance(error, OSError):
            what = f"the run {fork.id} ({printable(fork.name)})"
            raise RunError(
                f"{what} cannot be forked: {text_of(error)}. Nothing of the fork is left. Needed: room on the disk of "
                f"{shell_path(paths.log_root)}, and a checkpoint that stays."
            ) from error
        raise


def take_files(fork: Fork, paths: RunPaths, upto: Entry) -> ForkedFiles:
    """Write what stood at a checkpoint of the original, and its checkpoints, into a new run. Raises OSError."""
    return take_checkpoints(fork, paths, history.take(fork.paths, upto, paths, fork.checkpoints))


def take_checkpoints(fork: Fork, paths: RunPaths, entries: list[Entry]) -> ForkedFiles:
    """Give a new run, which has its rows, these checkpoints of the original. Raises OSError."""
    counts, taken = Counter[str](), list[Entry]()
    for entry in reversed(entries):  # the one that is needed first
        try:
            counts += links.take(entry, fork.checkpoint_dir, paths.checkpoint_dir)
            taken.insert(0, entry)
        except FileNotFoundError:
            if fork.entry is not None and entry.file == fork.entry.file:
                raise
            # the original is running, and keeps only its newest ones
    if taken:
        Manifest(paths.checkpoint_dir).take_over(taken)
    return ForkedFiles(fork, paths, taken, rowfiles.progress(rowfiles.files(paths.log_dir)), counts)


def remove(paths: RunPaths) -> None:
    """Remove the folders of a run that could not begin."""
    for folder in (paths.checkpoint_dir, paths.results_dir, paths.code_dir, paths.archive_dir, paths.log_dir):
        with suppress(OSError):
            atomic.remove(folder)


class ForkedFiles:
    """What a new run has taken over."""

    def __init__(self, fork: Fork, paths: RunPaths, taken: list[Entry], progress: Progress, counts: Counter[str]):
        self.fork, self.taken, self.counts = fork, taken, counts
        self.beginning = Resumable(paths, taken[-1] if taken else None)
        self.progress = progress._replace(rows=progress.rows or 0)

    @property
    def content(self) -> dict[str, Any]:
        """What run.json says from the start on."""
        return {"forked_from": self.fork.note(self.progress.last_step), **self.progress._asdict()}

    def lines(self) -> list[str]:
        """Return what the log says."""
        fork, rows = self.fork, self.progress.rows
        step = fork.note(self.progress.last_step)["step"]
        begin = f"forked from {fork.id} ({printable(fork.name)})" + (f" at step {step}" if step is not None else "")
        bytes_ = ", ".join(f"{count:,} bytes {_WORDS[kind]}" for kind, count in sorted(self.counts.items())) or "none"
        told = [f"{begin}: {rows} row{'s' * (rows != 1)}; checkpoints: {bytes_}"]
        return told + ([f"other hyper-parameters: {'; '.join(fork.changes)}"] if fork.changes else [])


class ForkedLife(NewLife):
    """The first life of a fork, which goes on from a checkpoint as a resumed one does."""

    def __init__(self, run: ResumedRun, files: ForkedFiles):
        super().__init__(run, files.beginning)
        self._files = files

    def begin(self) -> None:
        run = self._run
        run.logger.last_step = self._files.progress.last_step
        run.logger.before_row = self.first_row
        self._state.take_custom_data(self._files.fork.paths.tester_pkl)
        for line in self._files.lines():
            run.logger.message(line)

    def started(self) -> None:
        """All is written with which a run begins, such as the tables of hyper-parameters: no cut is to take it away."""
        taken = self._files.taken
        with self._run.guard.warn_on_error("the list of checkpoints"):
            own = self._own_positions()
            known = [replace(each, written=each.written | own) for each in taken if each.written is not None]
            if own and known:
                Manifest(self._paths.checkpoint_dir).take_over(known)

    def _own_positions(self) -> Positions:
        """How far the files of metrics are now that are the fork's own."""
        there = positions(self._run.logger.output_formats, self._paths.log_dir)
        return {name: there[name] for name in there.keys() - (self._files.taken[-1].written or {}).keys()}
