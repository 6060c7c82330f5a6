"""Chooses the checkpoint that a model resumes from. "Rule 5" is that of the table in docs/keras.md."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.integrations._keras.arguments import SAME
from rla_hooks.integrations._keras.saving import WEIGHTS, WHOLE

import rla_hooks as rla
from rla_hooks import Run, run_name
from rla_hooks.checkpoints import Entry, Manifest
from rla_hooks.errors import CheckpointError, warn

_SHOWN = 5  # files in an error
INHERITED_FROM = "brought_from"  # a key of an entry's info: the folder of the earlier run that this best file is from


class ResumeSource(NamedTuple):
    """A file to resume from, and its entry in the manifest."""

    path: Path
    entry: Entry | None

    def next_epoch(self, last_epoch: int | None) -> int:
        """Return the first epoch of a fit that ends at ``last_epoch``; 0 if it is not restored (rules 34, 35)."""
        info = self.entry.info if self.entry else {}
        epoch = info.get("epoch")
        # After one fit of one epoch, a further fit of one epoch is taken for a loop of such fits.
        in_loop = info.get("fits") != 1 or info.get("epochs") == last_epoch == 1
        return epoch + 1 if type(epoch) is int and epoch >= 0 and not in_loop else 0


class Sources:
    """Finds the checkpoints of the models of one name. names: of the newest and of the best."""

    def __init__(self, names: tuple[str, str]):
        self._names = names

    def named(self, resume: Any, model: Any) -> ResumeSource | None:
        """Return the checkpoint that ``resume`` names; None if it names none, but says what is to be taken.

        Raises CheckpointError if it does not exist, or was cut (rules 12, 13, 43).
        """
        if resume is None or isinstance(resume, bool) or (isinstance(resume, str) and resume == SAME):
            return None
        path = Path(getattr(resume, "checkpoint_dir", resume))
        if path.is_dir():
            found = self.newest(path, model, False) or self.newest(path, model, True)
        else:
            entry = next((each for each in Manifest(path.parent).entries() if each.file == path.name), None)
            if entry is not None and entry.cut is not None:
                raise CheckpointError(
                    f"resume={str(path)!r} is no checkpoint of its run any more: a resume has gone back to before it "
                    f"(cut {entry.cut}). Take one that is left, or copy the file to another folder and name that."
                )
            is_ours = path.is_file() and path.name.endswith((WHOLE, WEIGHTS))
            found = ResumeSource(path, entry) if is_ours else None
        if found is None:
            raise self._nothing_in(path)
        return found

    def earlier(self, run: Run, model: Any, before: float) -> ResumeSource | None:
        """Return the last checkpoint of an earlier process of the run, or of an earlier run (rules 1 to 6, 38).

        before: in seconds since 1970, when this process began with the run; later checkpoints do not count.
        """
        places = itertools.product((False, True), _folders(run))
        found = (self.newest(folder, model, inherited, before) for inherited, folder in places)
        return next(filter(None, found), None)

    def newest(self, folder: Path, model: Any, inherited: bool, before: float = math.inf) -> ResumeSource | None:
        """Return the undamaged Keras file of a folder that was written last (rules 5 to 10).

        inherited: look for a best file taken over from an earlier run, instead of one that this folder's run wrote.
        """
        manifest = Manifest(folder)
        ours = [e for e in self._of_keras(manifest, before) if e.name in self._names]
        ours = [e for e in ours if inherited is (INHERITED_FROM in e.info)]
        if len({str(entry.info.get("model")) for entry in ours}) > 1:
            ours = [entry for entry in ours if entry.info.get("model") == str(getattr(model, "name", ""))]
        for entry in reversed(ours):
            trouble = manifest.trouble(entry)
            if trouble is None:
                return ResumeSource(folder / entry.file, entry)
            warn(f"{folder / entry.file} {trouble}; an older one is looked for.")
        return None

    def is_there(self, folder: Path | None, before: float) -> bool:
        """Whether a folder lists a checkpoint of these names, of before this time; it may be damaged."""
        return folder is not None and any(e.name in self._names for e in self._of_keras(Manifest(folder), before))

    def last_of_all(self, folder: Path, entry: Entry, before: float) -> Entry:
        """Return the newest whole checkpoint of any model of the run; ``entry``: that of this one (rule 41).

        Models that are trained in turn, or one after the other, go on from their own; none of their rows is to be lost.
        """
        manifest = Manifest(folder)
        model = entry.info.get("model")
        for other in reversed(self._of_keras(manifest, before)):
            if other.time <= entry.time:
                break
            is_own = other.name in self._names and other.info.get("model") == model  # and damaged, or cut
            if not is_own and INHERITED_FROM not in other.info and manifest.trouble(other) is None:
                return other
        return entry

    @staticmethod
    def _of_keras(manifest: Manifest, before: float) -> list[Entry]:
        return [e for e in manifest.complete() if e.file.endswith((WHOLE, WEIGHTS)) and e.time < before]

    def _nothing_in(self, path: Path) -> CheckpointError:
        newest, best = self._names
        listed = [entry.file for entry in Manifest(path).complete()] if path.is_dir() else []
        there = f"Its manifest lists: {', '.join(listed[-_SHOWN:]) or 'nothing'}. " if path.is_dir() else ""
        return CheckpointError(
            f"resume={str(path)!r}: no Keras checkpoint named {newest!r} or {best!r} is there. {there}"
            f"Allowed: True, a *{WHOLE} or *{WEIGHTS} file, a checkpoint folder, or a run of rla.runs(). "
            "What rla.save_checkpoint has written is for rla.load_checkpoint."
        )


def _folders(run: Run) -> Iterator[Path]:
    """Yield the checkpoint folders of this run, then of the earlier ones of its task and record parameters.

    A run that is resumed goes on from its own.
    """
    if run.checkpoint_dir is not None:
        yield run.checkpoint_dir
    if run.config is not None and run.settings.resumed is None and run.settings.forked is None:
        record = run_name.parse(run.name).record if run.name else {}
        for earlier in reversed(rla.runs(run.config.log_root, run.task_name)):
            if earlier.name != run.name and earlier.record == record:
                yield earlier.checkpoint_dir
