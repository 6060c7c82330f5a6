"""The settings that a study of Optuna suggests, and what it is told of them. Nothing here imports Optuna by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from rla_hooks.endings import FINISHED, PRUNED
from rla_hooks.errors import WarnOnce, warn
from rla_hooks.launch.existing import is_alive
from rla_hooks.launch.jobs import Job
from rla_hooks.launch.space import space_of
from rla_hooks.masking import mask_text

_GROUP = "rla_sweep"  # the attribute of a trial that names the group of its sweep
_warn = WarnOnce()


def is_study(search: object) -> bool:
    """Whether the settings come from a study."""
    optuna = sys.modules.get("optuna")
    return optuna is not None and isinstance(search, optuna.Study)


def sign_of(study: Any) -> int:
    """Return -1 where the study minimizes, else 1."""
    return -1 if study.direction.name == "MINIMIZE" else 1


def distributions(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return Optuna's distributions; a list of values is a choice among them."""
    import optuna

    kind = optuna.distributions.BaseDistribution
    return {
        name: value
        if isinstance(value, kind)
        else optuna.distributions.CategoricalDistribution(space_of({"": value})[""])
        for name, value in settings.items()
    }


def example(settings: Any) -> dict[str, Any]:
    """Return one setting of a study, which is told nothing of it."""
    import optuna

    spare = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), storage=_memory())
    return _setting_of(spare.ask({} if callable(settings) else distributions(settings)), settings)


def _memory() -> Any:
    import optuna

    return optuna.storages.InMemoryStorage()


def _setting_of(trial: Any, settings: Any) -> dict[str, Any]:
    return dict(settings(trial)) if callable(settings) else dict(trial.params)


def can_report(study: Any, on: Any) -> Callable[[Any], TrialReport] | None:
    """Return what makes the reports of a trial; None, with a warning, where the study lives in this process only."""
    import optuna

    if isinstance(study._storage, optuna.storages.InMemoryStorage):
        if type(on).__name__ == "ThreadPoolExecutor":
            return lambda trial: TrialReport(study, trial._trial_id)
        if not isinstance(study.pruner, optuna.pruners.NopPruner):
            warn(
                "The study is in the memory of this process, where other processes cannot report to it, so that no "
                "run is pruned. Give it a storage: optuna.create_study(storage='sqlite:///study.db', ...)."
            )
        return None
    return lambda trial: TrialReport(study, trial._trial_id)


class TrialReport:
    """Tells a trial, from the process that runs it, how good its run is so far."""

    def __init__(self, study: Any, number: int):
        self._study, self._number = study, number

    def __call__(self, value: float, step: int) -> None:
        import optuna

        try:
            trial = optuna.trial.Trial(self._study, self._number)
            trial.report(value, step)
            is_over = trial.should_prune()
        except Exception as error:  # of the study's storage
            _warn("report", f"the study was not told a value: {mask_text(f'{type(error).__name__}: {error}')}")
            return
        if is_over:
            raise optuna.TrialPruned(f"pruned at step {step}, where the value is {value:.5g}")


class StudySource:
    """Settings that a study suggests, one after the other, until it has ``total`` trials with a value or pruned.

    A trial that an earlier process of this sweep has left is given up, and its setting is suggested once more: its run
    goes on.
    """

    def __init__(
        self,
        study: Any,
        settings: Any,
        limit: int,
        group: str,
        job_of: Callable[[int, dict[str, Any], Any], Job],
        value_of: Callable[[Job], float | None],
        resume: bool,
    ):
        self._study, self._settings, self._group = study, settings, group
        self._job_of, self._value_of = job_of, value_of
        self._space = None if callable(settings) else distributions(settings)
        self.jobs: list[Job] = []
        if resume:
            self._take_up()
        done = self._done()
        if resume:
            self.jobs += [job_of(each.number, self._setting_of_former(each), None) for each in done]
        self.total = self._left = max(0, limit - len(done))

    def next(self) -> Job | None:
        while self._left > 0:
            self._left -= 1
            trial = self._study.ask(self._space)
            job = self._job_of(trial.number, _setting_of(trial, self._settings), trial)
            trial.set_user_attr(_GROUP, self._group)
            self.jobs.append(job)
            if not job.skipped:
                return job
            self.ended(job)  # a sampler may suggest what has been tried: its value is known
        return None

    def ended(self, job: Job) -> None:
        import optuna

        status = job.outcome.status if job.outcome is not None else job.former.status if job.former else ""
        value = self._value_of(job)
        states = optuna.trial.TrialState
        try:
            if status == PRUNED:
                self._study.tell(job.trial, state=states.PRUNED)
            elif status == FINISHED and value is not None:
                self._study.tell(job.trial, value)
            else:
                self._study.tell(job.trial, state=states.FAIL)
                if status == FINISHED:
                    _warn(
                        "value", "a run has finished without a value for the study. Return a number, or give metric=."
                    )
        except Exception as error:  # of the study's storage
            _warn(
                "tell", f"the study was not told how a run has ended: {mask_text(f'{type(error).__name__}: {error}')}"
            )

    def _done(self) -> list[Any]:
        trials = self._study.get_trials(deepcopy=False)
        return [each for each in trials if each.state.name in ("COMPLETE", "PRUNED") and self._is_ours(each)]

    def _setting_of_former(self, trial: Any) -> dict[str, Any]:
        import optuna

        return _setting_of(optuna.trial.FixedTrial(trial.params) if callable(self._settings) else trial, self._settings)

    def _is_ours(self, trial: Any) -> bool:
        return bool(trial.user_attrs.get(_GROUP) == self._group)

    def _take_up(self) -> None:
        import optuna

        for each in self._study.get_trials(deepcopy=False):
            if each.state.name != "RUNNING" or not self._is_ours(each):
                continue
            former = self._job_of(each.number, self._setting_of_former(each), None).former
            if former is None or not is_alive(former):  # else another sweep of this study has it
                self._study.tell(each.number, state=optuna.trial.TrialState.FAIL)
                self._study.enqueue_trial(each.params, user_attrs={_GROUP: self._group})
