"""RLACallback for keras_tuner: each execution of a trial is a run, with the trial's hyper-parameters and score.

    from rla_hooks.integrations.keras_tuner import RLACallback

    tuner = keras_tuner.RandomSearch(build, "val_loss", max_trials=20)
    tuner.search(x, y, validation_split=0.2, epochs=10, callbacks=[RLACallback(tuner)])

A callback cannot know which trial its fit belongs to, so it is given the tuner. The tuner's ``run_trial`` and
``on_trial_end`` are the methods that keras_tuner has for others to extend; :class:`Search` stands before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rla_hooks.integrations import _best, _versions

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RunError
from rla_hooks.hooks import OPTIONS, OwnRun, Run, WarnOnce, ending_of, open_run

_versions.check(
    "keras_tuner", (1, 4), "pip install 'rla-hooks[keras-tuner]'"
)  # before the import, which would say less

# ruff: noqa: E402
import keras_tuner
from rla_hooks.integrations import keras as keras_hooks
from rla_hooks.integrations._keras.run_binding import RunBinding
from rla_hooks.integrations._keras.state import RunState

__all__ = ["RLACallback"]

SCORE = "keras_tuner/score"
_HOOK = "RLACallback"


class RLACallback(keras_hooks.RLACallback):
    """Records each execution of each trial of a search as a run.

    tuner: the one whose ``search`` gets the callback. record: names of the search's hyper-parameters that become part
    of the runs' names. save_every: by default there are no checkpoints, since keras_tuner keeps the best weights of
    each trial. All other arguments are those of the RLACallback for Keras, the options of ``rla.run`` among them;
    ``group`` is the tuner's project and ``title`` the trial, if you give none.

    The trial's values are hyper-parameters of the run, beside ``keras_tuner.trial`` and ``keras_tuner.project``. When
    the trial has ended, it has a row with its ``keras_tuner/score``, and the runs of the best trial have the tag
    ``best``. Where keras_tuner catches an exception and goes on, the run has ``failed``. The parent of the runs is the
    one around the search. Raises ConfigError with all mistakes at once.

        tuner.search(x, y, epochs=10, callbacks=[RLACallback(tuner, task="sweep", record=["lr"])])
    """

    def __init__(self, tuner: Any, record: str | Sequence[str] = (), save_every: int | None = None, **arguments: Any):
        problems = _wrong_tuner(tuner) or _wrong_names(tuner, record)
        if arguments.get("resume") is not None:
            problems.append("resume cannot be given here. keras_tuner resumes a search itself: overwrite=False.")
        try:
            super().__init__(save_every=save_every, **arguments)
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(problems, _HOOK)
        self._options: dict[str, Any] = {name: value for name, value in arguments.items() if name in OPTIONS}
        self._record = [record] if isinstance(record, str) else [*record]
        self._runs = RunBinding(OwnRun(_HOOK, "keras"), arguments.get("name", ""))  # it joins the execution's run
        self._execution = Search.of(tuner).execution

    def _join(self) -> tuple[Run, RunState]:
        self._execution.begin(self._options, self._record)
        return super()._join()


def _wrong_tuner(tuner: Any) -> list[str]:
    if isinstance(tuner, keras_tuner.Tuner):
        return []
    return [f"tuner is {tuner!r:.100}. Allowed: the tuner whose search gets the callback, as in RLACallback(tuner)."]


def _wrong_names(tuner: Any, record: Any) -> list[str]:
    known = list(dict.fromkeys(each.name for each in tuner.oracle.get_space().space))  # conditional ones, too
    names = [record] if isinstance(record, str) else record
    if isinstance(names, (list, tuple)) and all(isinstance(name, str) and name in known for name in names):
        return []
    return [f"record is {record!r:.100}. Allowed: names of hyper-parameters of the search: {', '.join(known)}."]


class Execution:
    """One execution of a trial, for the callbacks that take part in it.

    keras_tuner copies its callbacks for each execution, in one list: those of one tuner share this object, and their
    copies a copy of it.
    """

    def __init__(self, search: Search):
        self._search = search
        self._trial: Any = None

    def __deepcopy__(self, memo: Any) -> Execution:
        return Execution(self._search)

    def begin(self, options: dict[str, Any], record: list[str]) -> None:
        """Start the run, unless another callback has done that, or the fit is outside of a search."""
        if self._trial is not self._search.trial:
            self._trial = self._search.trial
            if self._trial is not None:
                self._search.begin_execution(options, record)


class Search:
    """Stands before two methods of a tuner, and opens and ends the runs of its trials."""

    def __init__(self, tuner: Any):
        self._tuner = tuner
        self.trial: Any = None  # the present one
        self._around: Run | None = None  # the run that the user had open when it began
        self._runs: list[Run] = []  # of the present trial
        self._names: dict[str, list[str]] = {}  # of all runs, by trial
        self._best: str | None = None
        self._warn = WarnOnce()
        self.execution = Execution(self)
        self._run_trial, self._on_trial_end = tuner.run_trial, tuner.on_trial_end
        tuner.run_trial, tuner.on_trial_end = self.run_trial, self.on_trial_end

    @classmethod
    def of(cls, tuner: Any) -> Search:
        """Return the one that stands before this tuner already, or a new one."""
        known = getattr(tuner.run_trial, "__self__", None)
        return known if isinstance(known, cls) else cls(tuner)

    def run_trial(self, trial: Any, *arguments: Any, **named: Any) -> Any:
        """Run the trial, and see an exception, which keras_tuner catches."""
        self.end_execution("interrupted")  # what an error outside of a trial has left
        self.trial, self._around, self._runs = trial, open_run(), []
        try:
            return self._run_trial(trial, *arguments, **named)
        except BaseException as error:
            self.end_execution(ending_of(error), error)
            raise
        finally:
            self.trial = None

    def begin_execution(self, options: dict[str, Any], record: list[str]) -> None:
        """Start a run for the present trial, and end that of the execution before."""
        self.end_execution()
        values, run = self._values(), open_run()
        if run is not None and run is not self._around:  # HyperModel.fit has opened one of its own
            run.add_hyper_params(values)
            return
        trial, project = self.trial.trial_id, self._tuner.project_name
        of_several = f", execution {len(self._runs) + 1}" if self._tuner.executions_per_trial > 1 else ""
        named = {"title": f"trial {trial}{of_several}", "group": project} | {
            name: value for name, value in options.items() if value is not None
        }
        run = rla.start(record=[name for name in record if name in values], hyper_parameters=values, **named)
        self._runs.append(run)
        self._names.setdefault(trial, []).append(str(run.name))

    def _values(self) -> dict[str, Any]:
        about = {"trial": self.trial.trial_id, "project": self._tuner.project_name}
        return {**self.trial.hyperparameters.values, "keras_tuner": about}

    def end_execution(self, status: str = "finished", error: BaseException | None = None) -> None:
        """End the run of the present execution, if there is one."""
        if self._runs:
            if self.trial is not None:
                self._runs[-1].add_hyper_params(self._values())  # those that only the fit has asked for
            self._runs[-1].finish(status, error)

    def on_trial_end(self, trial: Any) -> None:
        """Let the tuner end the trial, then add the score to its runs."""
        try:
            self._on_trial_end(trial)
        finally:
            try:
                self._note_end(trial.trial_id)
            except Exception as error:  # of the oracle, which may be another process
                self._warn("score", f"the score of a trial was not noted: {type(error).__name__}: {error}")

    def _note_end(self, trial_id: str) -> None:
        runs, self._runs = self._runs, []
        if not runs:
            return
        oracle = self._tuner.oracle
        trial = oracle.get_trial(trial_id)
        if trial.status == "COMPLETED":
            for run in runs:
                run.log({SCORE: trial.score})
            runs[-1].finish()
        elif runs[-1].status == "running":
            runs[-1].finish("failed", RunError(f"keras_tuner takes this trial as {trial.status}: {trial.message}"))
        for run in runs:
            run.flush()
        for best in oracle.get_best_trials(1):
            if best.trial_id != self._best and best.trial_id in self._names:  # else an earlier process has tagged it
                self._best = best.trial_id
                _best.mark(runs[-1], self._names[self._best], "keras_tuner.project")
