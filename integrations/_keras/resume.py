"""Restores a model from the checkpoint that it resumes from. "Rule 5" is that of the table in docs/keras.md."""

from __future__ import annotations

from typing import Any

from rla_hooks.integrations._keras.arguments import SAME
from rla_hooks.integrations._keras.best import keep_best
from rla_hooks.integrations._keras.checkpoints import Checkpoints
from rla_hooks.integrations._keras.fits import Fit
from rla_hooks.integrations._keras.model import Framework, iterations, seeds
from rla_hooks.integrations._keras.restoring import restore
from rla_hooks.integrations._keras.sources import ResumeSource, Sources
from rla_hooks.integrations._keras.state import RunState

from rla_hooks import Run


class Resume:
    """Restores each model of a run once, at its first fit with this callback (rules 14 to 18).

    resume: the argument of RLACallback: None, a bool, "same", a checkpoint file, a folder, or a run of ``rla.runs()``.
    """

    def __init__(self, resume: Any, checkpoints: Checkpoints, framework: Framework):
        self._resume = resume
        self._checkpoints = checkpoints
        self._framework = framework
        self._sources = Sources(checkpoints.names)

    def named_source(self, model: Any, state: RunState | None) -> ResumeSource | None:
        """Return the checkpoint that ``resume`` names; None if it names none, or if ``model`` is resumed already.

        Raises CheckpointError if it does not exist. Call this before a run is created (rules 12, 13).
        """
        done = model is None or (state is not None and model in state.resumed)
        return None if done else self._sources.named(self._resume, model)

    def holds_rows(self, run: Run, state: RunState) -> bool:
        """Whether a row of an evaluate must not be logged, since a fit will restore the model first (rule 44)."""
        if not run.awaits_checkpoint or self._resume is False:
            return False
        if not self._sources.is_there(run.checkpoint_dir, state.began):
            return False
        message = "an evaluate before the first fit of a resumed run logs no row: the curve goes on with that fit."
        state.warn("evaluate", message)
        return True

    def begin_fit(self, run: Run, state: RunState, model: Any, fit: Fit, source: ResumeSource | None) -> None:
        """Restore the model from ``source``, else from the last earlier checkpoint. Raises CheckpointError."""
        if model is None or model in state.resumed or not self._is_wanted(run, state, model):
            return
        found = source or self._sources.earlier(run, model, state.began)
        if found is None:
            state.resumed.add(model)
            if self._resume:
                said = self._resume if self._resume is True else repr(self._resume)
                _tell(run, f"resume={said}: no checkpoint of this run or of an earlier one is there; it starts anew")
            return
        # Rule 17: another callback, with another name, may have restored a later state of this model.
        is_latest = found.entry is None or found.entry.step > state.restored.get(model, -1)
        restored = self._restore(found, run, state, model) if is_latest else ""
        is_first = run.is_resumed and not run.has_loaded
        self._go_back(found, run, state, is_named=source is not None)
        restored += self._continue(found, run, state, model, is_latest)
        is_own = found.path.parent == run.checkpoint_dir
        if found.entry is not None and (source is None or is_own):  # rule 29
            restored += keep_best(found.path.parent, found.entry, run, state, self._checkpoints)
        state.resumed.add(model)
        if is_latest:
            restored += self._continue_epochs(found, fit)
        if is_first and is_own and found.entry is not None:
            states = self._checkpoints.states
            if states.load(run, found.entry.step, state.warn, models=seeds(model)):
                restored += ", random state"
        _tell(run, f"resumed from {found.path}: {restored}")

    def _is_wanted(self, run: Run, state: RunState, model: Any) -> bool:
        """Whether the model is to be restored at all (rules 38 to 40)."""
        if self._resume is not None:
            return run.is_resumed if self._resume == SAME else self._resume is not False
        is_programs = run.is_resumed and run.has_loaded and not state.restored
        if is_programs and (taken := iterations(model, self._framework)):
            state.resumed.add(model)
            _tell(run, f"the program has restored the model (iteration {taken}); pass resume=True to do it here")
            return False
        return run.is_resumed

    # --- what is restored -----------------------------------------------------------------------------------------

    def _restore(self, found: ResumeSource, run: Run, state: RunState, model: Any) -> str:
        return restore(model, found.path, self._framework, run.checkpoint_dir if run.is_writing else None)

    def _go_back(self, found: ResumeSource, run: Run, state: RunState, is_named: bool) -> None:
        """Tell the run: one that is resumed is cut, once; a new one notes where it comes from (rules 39, 41)."""
        if not run.is_resumed:
            run.loaded_checkpoint(found.path)
        elif not run.has_loaded:
            entry = found.entry
            if entry is not None and not is_named:
                entry = self._sources.last_of_all(found.path.parent, entry, state.began)
            run.loaded_checkpoint(found.path if entry is None else found.path.parent / entry.file)

    def _continue(self, found: ResumeSource, run: Run, state: RunState, model: Any, is_latest: bool) -> str:
        """Go on with the time step and the counts; return in words what was not restored."""
        step, words = (found.entry.step if found.entry is not None else None), ""
        if not is_latest:
            step = state.restored[model]
            words = f"nothing, since the model has gone on from step {step} already"
        if step is not None:
            taken = iterations(model, self._framework) or 0
            if run.is_resumed and found.entry is not None:
                taken = state.continue_counts(run, model, found.entry.info, step, taken)
            state.restored[model] = step
            state.clock.continue_from(step, model, taken)
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


def _tell(run: Run, message: str) -> None:
    if run.is_writing:
        run.logger.message(message)
        if not any(writer.name == "stdout" for writer in run.logger.output_formats):
            print(message)
