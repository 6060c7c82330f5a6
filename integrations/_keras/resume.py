"""Chooses the checkpoint that a model resumes from, and restores it. "Rule 5" is that of the table in docs/keras.md."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.integrations._keras.checkpoints import Checkpoints, newest_whole
from rla_hooks.integrations._keras.fits import Fit
from rla_hooks.integrations._keras.model import Framework, iterations
from rla_hooks.integrations._keras.restoring import restore
from rla_hooks.integrations._keras.saving import WEIGHTS, WHOLE, link_or_copy, suffix_of
from rla_hooks.integrations._keras.state import RunState

import rla_hooks as rla
from rla_hooks import Run, layout
from rla_hooks.checkpoints import Entry, Manifest, Saver
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


class Resume:
    """Restores each model of a run once, at its first fit with this callback (rules 14 to 18).

    resume: the argument of RLACallback: None, True, a checkpoint file, a folder, or a run of ``rla.runs()``.
    """

    def __init__(self, resume: Any, checkpoints: Checkpoints, framework: Framework):
        self._resume = resume
        self._names = checkpoints.names  # of the newest and of the best
        self._monitor = checkpoints.monitor
        self._framework = framework

    def named_source(self, model: Any, state: RunState | None) -> ResumeSource | None:
        """Return the checkpoint that ``resume`` names; None if it is None or True, or if ``model`` is resumed already.

        Raises CheckpointError if it does not exist. Call this before a run is created (rules 12, 13).
        """
        done = model is None or (state is not None and model in state.resumed)
        if done or not self._resume or self._resume is True:
            return None
        path = Path(getattr(self._resume, "checkpoint_dir", self._resume))
        if path.is_dir():
            found = self._newest(path, model, False) or self._newest(path, model, True)
        else:
            entries = (entry for entry in Manifest(path.parent).complete() if entry.file == path.name)
            is_ours = path.is_file() and path.name.endswith((WHOLE, WEIGHTS))
            found = ResumeSource(path, next(entries, None)) if is_ours else None
        if found is None:
            raise self._nothing_in(path)
        return found

    def begin_fit(self, run: Run, state: RunState, model: Any, fit: Fit, source: ResumeSource | None) -> None:
        """Restore the model from ``source``, else from the last earlier checkpoint. Raises CheckpointError."""
        if not self._resume or model is None or model in state.resumed:
            return
        found = source or self._earlier(run, model, state.began)
        if found is None:
            state.resumed.add(model)
            _tell(run, "resume=True: no checkpoint of this run or of an earlier one is there; it starts anew")
            return
        # Rule 17: another callback, with another name, may have restored a later state of this model.
        is_latest = found.entry is None or found.entry.step > state.restored.get(model, -1)
        restored = self._restore_and_continue(found, run, state, model, is_latest)
        if source is None and found.entry is not None:  # rule 29
            restored += self._inherit_best(found.path.parent, found.entry, run, state)
        state.resumed.add(model)
        if is_latest:
            restored += self._continue_epochs(found, fit)
        _tell(run, f"resumed from {found.path}: {restored}")

    # --- which checkpoint -----------------------------------------------------------------------------------------

    def _earlier(self, run: Run, model: Any, before: float) -> ResumeSource | None:
        """Return the last checkpoint of an earlier process of the run, or of an earlier run (rules 1 to 6).

        before: in seconds since 1970, when this process began with the run; later checkpoints do not count.
        """
        places = itertools.product((False, True), _folders(run))
        found = (self._newest(folder, model, inherited, before) for inherited, folder in places)
        return next(filter(None, found), None)

    def _newest(self, folder: Path, model: Any, inherited: bool, before: float = math.inf) -> ResumeSource | None:
        """Return the undamaged Keras file of a folder that was written last (rules 5 to 10).

        inherited: look for a best file taken over from an earlier run, instead of one that this folder's run wrote.
        """
        manifest = Manifest(folder)
        ours = [entry for entry in manifest.complete() if entry.file.endswith((WHOLE, WEIGHTS)) and entry.time < before]
        ours = [e for e in ours if e.name in self._names and inherited is (INHERITED_FROM in e.info)]
        if len({str(entry.info.get("model")) for entry in ours}) > 1:
            ours = [entry for entry in ours if entry.info.get("model") == str(getattr(model, "name", ""))]
        for entry in reversed(ours):
            trouble = manifest.trouble(entry)
            if trouble is None:
                return ResumeSource(folder / entry.file, entry)
            warn(f"{folder / entry.file} {trouble}; an older one is looked for.")
        return None

    def _nothing_in(self, path: Path) -> CheckpointError:
        newest, best = self._names
        listed = [entry.file for entry in Manifest(path).complete()] if path.is_dir() else []
        there = f"Its manifest lists: {', '.join(listed[-_SHOWN:]) or 'nothing'}. " if path.is_dir() else ""
        return CheckpointError(
            f"resume={str(path)!r}: no Keras checkpoint named {newest!r} or {best!r} is there. {there}"
            f"Allowed: True, a *{WHOLE} or *{WEIGHTS} file, a checkpoint folder, or a run of rla.runs(). "
            "What rla.save_checkpoint has written is for rla.load_checkpoint."
        )

    # --- what is restored -----------------------------------------------------------------------------------------

    def _restore_and_continue(self, found: ResumeSource, run: Run, state: RunState, model: Any, is_latest: bool) -> str:
        """Restore weights, optimizer and time step; return in words what was restored."""
        if is_latest:
            words = restore(model, found.path, self._framework, run.checkpoint_dir if run.is_writing else None)
            step = found.entry.step if found.entry is not None else None
        else:
            step = state.restored[model]
            words = f"nothing, since the model has gone on from step {step} already"
        if step is not None:
            state.restored[model] = step
            state.clock.continue_from(step, model, iterations(model, self._framework) or 0)
        return words

    def _continue_epochs(self, found: ResumeSource, fit: Fit) -> str:
        """Set the first epoch of the fit, if Keras allows that; return in words what was done."""
        epoch, last = found.next_epoch(fit.last_epoch), fit.last_epoch
        if not epoch:
            return ""
        if not self._framework.has_first_epoch:
            return f"; pass initial_epoch={epoch} to fit to go on counting epochs"
        fit.set_first_epoch(epoch)
        done = last is not None and epoch >= last
        return f", epoch {epoch}" + (f"; all {last} epochs are done, so this fit trains nothing" if done else "")

    def _inherit_best(self, folder: Path, entry: Entry, run: Run, state: RunState) -> str:
        """Link or copy the best file of an earlier run into this run; return in words the best score.

        folder, entry: of the checkpoint that was restored. Rules 26 to 28: a score without
        its file must not count, since this run would then have no best checkpoint.
        """
        if not run.is_writing or run.checkpoint_dir is None:
            return ""
        best = newest_whole(Manifest(run.checkpoint_dir), self._names[1])
        is_own = best is not None and INHERITED_FROM not in best.info
        earlier = self._best_beside(folder, entry)
        if earlier is not None and not is_own and folder.resolve() != run.checkpoint_dir.resolve():
            best, path = earlier, folder / earlier.file
            info = {**best.info, INHERITED_FROM: str(path.parent)}
            try:
                saver = Saver(run.checkpoint_dir, 1)
                write, name, written = lambda new: link_or_copy(path, new), self._names[1], run.positions()
                saver.write(write, suffix_of(path), best.step, name, info, written)
            except OSError as error:
                state.warn("inherit", f"the best checkpoint {path} was not taken over: {error}")
                return ""
            state.best.pop(self._monitor.name, None)  # it is read from the manifest
        score = self._monitor.best_in(best.info) if best is not None else None
        return "" if score is None else f", best {self._monitor.name} {score}"

    def _best_beside(self, folder: Path, entry: Entry) -> Entry | None:
        """Return the best checkpoint of a folder: ``entry`` itself where it is the best (rule 30)."""
        score = self._monitor.best_in(entry.info)
        best = newest_whole(Manifest(folder), self._names[1])
        known = self._monitor.best_in(best.info) if best else None
        is_later = best is None or entry.time > best.time
        if score is not None and entry.info.get("score") == score != known and is_later:
            return entry
        return best if known is not None else None


def _folders(run: Run) -> Iterator[Path]:
    """Yield the checkpoint folders of this run, then of the earlier ones of its task and record parameters."""
    if run.checkpoint_dir is not None:
        yield run.checkpoint_dir
    if run.config is not None:
        record = layout.parse(run.name).record if run.name else {}
        for earlier in reversed(rla.runs(run.config.log_root, run.task_name)):
            if earlier.name != run.name and earlier.record == record:
                yield earlier.checkpoint_dir


def _tell(run: Run, message: str) -> None:
    if run.is_writing:
        run.logger.message(message)
        if not any(writer.name == "stdout" for writer in run.logger.output_formats):
            print(message)
