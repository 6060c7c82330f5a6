"""Ray Tune: ``RLATuneCallback`` makes each trial of a Tuner a run; ``trainable`` lets a Tuner call a tracked function.

    from rla_hooks.integrations.ray_tune import RLATuneCallback, trainable

    @rla.track(record=["lr"])
    def main(lr, seed=0):
        for step in range(100):
            rla.log({"loss": loss}, step)
            rla.report(score, step)                 # Tune gets it as the metric objective

    tuner = tune.Tuner(
        trainable(main),                            # or any other trainable, RLlib's too
        param_space={"lr": tune.grid_search([1e-4, 3e-4])},
        run_config=tune.RunConfig(callbacks=[RLATuneCallback()]),
    )

A run of a tracked function is written where that trains. Of any other trainable the callback writes the run, in the
process of the Tuner: what Tune is told.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rla_hooks.integrations import _versions

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RunError
from rla_hooks.hooks import Argument, OwnRun, Run, WarnOnce, check_arguments, flat, start_run, to_scalar
from rla_hooks.layout import LOG
from rla_hooks.record import worsen

_versions.check("ray", (2, 41), "pip install 'rla-hooks[ray]'")  # before the import, which says less

# ruff: noqa: E402
from ray import tune
from ray.tune.result import AUTO_RESULT_KEYS

from rla_hooks.launch.ray_trainable import log_root_of, trainable

__all__ = ["RLATuneCallback", "trainable"]

STEP = "training_iteration"
_OF_TUNE = {*AUTO_RESULT_KEYS, "trial_id", "experiment_tag", "done", "should_checkpoint"}
_warn = WarnOnce()


def _guarded(method: Callable[..., None]) -> Callable[..., None]:
    """What goes wrong in a callback ends the whole experiment; here it is a warning."""

    @functools.wraps(method)
    def guarded(self: RLATuneCallback, *arguments: Any, **named: Any) -> None:
        try:
            method(self, *arguments, **named)
        except Exception as error:
            _warn(method.__name__, f"RLATuneCallback: a trial is not tracked: {type(error).__name__}: {error}")

    return guarded


class RLATuneCallback(tune.Callback):  # type: ignore[misc, unused-ignore]
    """Records each trial of a Tuner as a run, in the process of the Tuner.

    record: names in the trials' config that become part of the runs' names. options: those of ``rla.run``; ``task`` is
    the trainable's name, ``group`` the experiment's and ``title`` the trial's, if you give none.

    The config of a trial is its hyper-parameters, beside ``ray_tune.trial`` and ``ray_tune.experiment``. What it
    reports is a row, with the iteration as the step. A trial with an error is a run that ``failed``. One that a
    scheduler, or a stopper, ends is ``pruned`` unless it got as far as any other. A trial that is restored goes on in
    its run, also with ``Tuner.restore``. Of a trial of :func:`trainable` no second run is made; only that it was pruned
    is added.

    Raises ConfigError, with every mistake, before anything is created.

        tune.Tuner(train, run_config=tune.RunConfig(callbacks=[RLATuneCallback(record=["lr"])]))
    """

    def __init__(self, record: str | Sequence[str] = (), **options: Any):
        names = [record] if isinstance(record, str) else record
        table = {"record": Argument(names, _is_names, "names in the config of the trials: ['lr']")}
        check_arguments("RLATuneCallback", (), table, OwnRun("RLATuneCallback", "ray_tune", **options))
        if options.get("resume") is not None:
            raise ConfigError("resume cannot be given here. Tune resumes an experiment itself: Tuner.restore.")
        self._record, self._options = [*names], options
        self._forget()

    def _forget(self) -> None:
        self._runs: dict[str, Run] = {}  # by trial
        self._stopped: dict[str, tuple[Any, int]] = {}  # trials that Tune has stopped, and how far they came
        self._former: dict[Any, Any] | None = None  # runs of an earlier life of the experiment, by trial
        self._furthest = 0  # step that any trial has come to

    def __getstate__(self) -> dict[str, Any]:
        return {"_record": self._record, "_options": self._options}  # Tune stores the callbacks of an experiment

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    @_guarded
    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Start the run of a trial; one that is restored goes on, maybe with a config that Tune has changed."""
        if log_root_of(trial) is not None:
            return
        run = self._runs.get(trial.trial_id)
        if run is None or run.status != "running":
            self._runs[trial.trial_id] = self._started(trial)
        else:
            run.add_hyper_params(dict(trial.config))

    def _started(self, trial: Any) -> Run:
        group = self._options.get("group") or trial.experiment_dir_name
        options = {"task": str(trial.trainable_name), **self._options, "group": group}
        options["title"] = options.get("title") or str(trial)
        about = {"trial": trial.trial_id, "experiment": trial.experiment_dir_name}
        options["record"] = {name: trial.config[name] for name in self._record if name in trial.config}
        own = OwnRun("RLATuneCallback", "ray_tune", **options)
        config = own.settings().config
        if self._former is None and config is not None:
            self._former = _former_runs(config.log_root, group)
        own.options["resume"] = (self._former or {}).get(trial.trial_id)
        return start_run(own, {**trial.config, "ray_tune": about}, keeps_rows=True, beside=True)

    @_guarded
    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Log what a trial has reported."""
        step = int(result.get(STEP) or 0)
        # A tracked function goes on where it was when Tune tries it again, and Tune counts its iterations anew.
        progress = result["step"] if log_root_of(trial) is not None and "step" in result else step
        self._furthest = max(self._furthest, progress)
        if result.get("done") and not _has_reached(trial.stopping_criterion, flat(result)):
            self._stopped[trial.trial_id] = trial, progress
        run = self._runs.get(trial.trial_id)
        if run is not None:
            run.log(_numbers(result), step)

    @_guarded
    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """End the run of a trial."""
        self._end(trial)

    @_guarded
    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """End the run of a trial as failed."""
        run = self._runs.get(trial.trial_id)
        if run is not None:
            run.finish("failed", _error_of(trial))

    @_guarded
    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """End what is open still, and say of the trials that were stopped early that they are pruned."""
        for trial, step in self._stopped.values():
            if step < self._furthest:
                self._end(trial)
        for run in self._runs.values():
            if run.status == "running":
                run.finish("interrupted")

    def _end(self, trial: Any) -> None:
        """Say that a trial is over: now, and again once it is known that others got further."""
        _, step = self._stopped.get(trial.trial_id, (None, self._furthest))
        status, run = "pruned" if step < self._furthest else "finished", self._runs.get(trial.trial_id)
        if run is not None:
            run.finish(status)
        elif status == "pruned" and (root := log_root_of(trial)) is not None:
            for saved in rla.runs(root, group=trial.experiment_dir_name):
                if saved.title == str(trial):
                    worsen(saved.paths.run_json, status)


def _is_names(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value)


def _numbers(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a trial has reported, without what Tune adds, and what is no number or text."""
    found = {}
    for key, value in flat({key: value for key, value in result.items() if key not in _OF_TUNE}).items():
        try:
            found[key] = to_scalar(value)
        except (TypeError, ValueError):  # RLlib has lists and Nones
            continue
    return found


def _has_reached(criterion: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    """Whether the trial has come to where the user's ``stop=`` ends it: it has done what it was to do."""
    values = ((result.get(name), least) for name, least in criterion.items())
    return any(value is not None and value >= least for value, least in values)


def _error_of(trial: Any) -> RunError:
    """Return what Tune has written of the last error of a trial, which is the traceback of another process."""
    try:
        text = Path(trial.error_file).read_text(errors="replace").rpartition("Failure #")[2].partition("\n")[2].strip()
    except (OSError, TypeError):  # it has none
        text = "Tune does not say why"
    return RunError(f"the trial {trial} has failed:\n{text}")


def _former_runs(log_root: Path, group: str) -> dict[Any, Any]:
    """Return the runs that an earlier life of the experiment has left, by their trials."""
    found = rla.runs(log_root, group=group) if (log_root / LOG).is_dir() else ()
    return {run.hparams.get("ray_tune.trial"): run for run in found}
