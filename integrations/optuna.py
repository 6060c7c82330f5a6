"""``with optuna_trial(trial) as run``: a trial of an Optuna study is a run.

    from rla_hooks.integrations.optuna import optuna_trial

    def objective(trial):
        with optuna_trial(trial):
            lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
            for step in range(100):
                loss = train(lr)
                trial.report(loss, step)
                if trial.should_prune():
                    raise optuna.TrialPruned
            return loss

    study.optimize(objective, n_trials=20)

The block sees parameters, reports and exceptions. The value comes after it, since the objective returns it to Optuna:
:func:`mark_best` adds it to the run.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
import weakref
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rla_hooks.integrations import _best, _versions

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RunError
from rla_hooks.hooks import Argument, Run, WarnOnce, check_arguments, open_run

_versions.check("optuna", (3, 0), "pip install 'rla-hooks[optuna]'")  # before the import, which would say less

# ruff: noqa: E402
import optuna

__all__ = ["mark_best", "optuna_trial"]

RUNS = "rla_runs"  # the attribute of a trial, in the study, that names its runs
VALUE, INTERMEDIATE = "optuna/value", "optuna/intermediate_value"
_SUGGEST = ("suggest_float", "suggest_int", "suggest_categorical")
_TRIAL = "the trial that study.optimize passes to the objective, or that study.ask() returns"
_RECORD = "record may name parameters that the trial has when the run starts: suggest them before the block."
_LOOKS = 3  # at the best trial: another process may have marked a better one meanwhile
_warn = WarnOnce()


def optuna_trial(trial: optuna.trial.BaseTrial, **options: Any) -> TrialBlock:
    """Record a trial of a study as a run, for the length of a block.

    trial: what the objective gets. options: those of ``rla.run``, further hyper-parameters among them. ``group`` is
    the name of the study and ``title`` the trial's number, if you give none. ``record`` may name parameters that are
    suggested before the block.

    A parameter becomes a hyper-parameter when it is suggested, and each ``trial.report`` a row
    ``optuna/intermediate_value``. The run ends with the block: ``pruned`` if TrialPruned leaves it, ``failed`` by
    another exception. Its parent is the run around it; hooks of Lightning, Keras and others inside join it. Raises
    ConfigError, with every mistake, before anything is created.

        with optuna_trial(trial, task="cartpole", tags=["sweep"]) as run:
            run.log({"perf/return": train(trial.suggest_float("lr", 1e-4, 1e-1, log=True))})
    """
    arguments = {"trial": Argument(trial, lambda value: isinstance(value, optuna.trial.BaseTrial), _TRIAL)}
    check_arguments("optuna_trial", (), arguments)
    return TrialBlock(trial, options)


def mark_best(study: optuna.Study, trial: optuna.trial.FrozenTrial | None = None) -> None:
    """Add the values of trials that have ended to their runs, and let the runs of the best trial have the tag ``best``.

    A value is a row ``optuna/value``; those of several objectives are ``optuna/values/<name>``, and all trials of the
    Pareto front are the best. If Optuna takes a trial as failed or pruned whose block has ended well, so does the run.

    This happens by itself when the next trial begins, when the run around the study ends, and when the process ends;
    as a callback of the study it happens at once. trial: is not needed; Optuna passes it.

        study.optimize(objective, n_trials=20, callbacks=[mark_best])
    """
    try:
        with _lock:
            _note_ended(study)
    except Exception as error:  # of the study's storage, say
        _warn("values", f"values of trials were not added to their runs: {type(error).__name__}: {error}")


class TrialBlock:
    """What :func:`optuna_trial` returns. No generator: the exception that leaves the block is not touched at all."""

    def __init__(self, trial: optuna.trial.BaseTrial, options: dict[str, Any]):
        self._trial, self._options = trial, options
        self._listener: _Listener | None = None

    def __enter__(self) -> Run:
        if "_rla_listener" in vars(self._trial):
            raise ConfigError(
                f"trial {self._trial.number} is in a block of optuna_trial already. Use the run of that block: "
                "rla.current_run()."
            )
        _mark_all()
        around, study = open_run(), getattr(self._trial, "study", None)  # fixed and frozen trials have none
        self._block = rla.run(**self._run_options(study))
        try:
            run = self._block.__enter__()
        except ConfigError as error:
            is_unknown = any(problem.startswith("the record parameter") for problem in error.problems)
            raise ConfigError([*error.problems, _RECORD]) if is_unknown else error from None
        if run.is_writing:
            self._listener = _Listener(self._trial, run)
            if study is not None:
                _begin(study, self._trial, run, around)
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            self._listener.stop()
        self._block.__exit__(kind, error, trace)

    def _run_options(self, study: optuna.Study | None) -> dict[str, Any]:
        """The options of rla.run: those that were given, and what the trial tells."""
        options, number = dict(self._options), self._trial.number
        options["title"] = options.get("title") or f"trial {number}"
        known: dict[str, Any] = {**self._trial.params, "optuna": {"trial": number}}
        if study is not None:
            known["optuna"]["study"] = study.study_name
            options["group"] = options.get("group") or _as_label(study.study_name)
        given = options.get("hyper_parameters") or {}
        if isinstance(given, Mapping):  # else rla.run says what is wrong
            known = {key: value for key, value in known.items() if key not in options}  # rla.run takes none twice
            options["hyper_parameters"] = {**known, **given}
        return options


def _as_label(name: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in name)[:500]


class _Listener:
    """Sees what is suggested and reported, by attributes of this one trial that stand before its methods."""

    def __init__(self, trial: optuna.trial.BaseTrial, run: Run):
        self._trial, self._run = trial, run
        self._saved = len(trial.params)  # how many of its parameters the run has
        vars(trial)["_rla_listener"] = self
        for name in _SUGGEST:
            vars(trial)[name] = functools.partial(self._suggest, getattr(trial, name))
        vars(trial)["report"] = functools.partial(self._report, trial.report)

    def stop(self) -> None:
        for name in (*_SUGGEST, "report", "_rla_listener"):
            vars(self._trial).pop(name, None)
        self._add_parameters()

    def _suggest(self, suggest: Any, *arguments: Any, **named: Any) -> Any:
        value = suggest(*arguments, **named)
        self._add_parameters(self._saved // 10)  # hundreds of them do not rewrite parameter.json hundreds of times
        return value

    def _report(self, report: Any, value: Any, step: Any) -> None:
        report(value, step)  # raises for what is no number
        try:
            row, step = {INTERMEDIATE: float(value)}, int(step)
        except (TypeError, ValueError):  # fixed and frozen trials take anything
            return
        self._run.log(row, step)

    def _add_parameters(self, at_least: int = 1) -> None:
        parameters = self._trial.params
        if len(parameters) - self._saved >= max(1, at_least):
            self._saved = len(parameters)
            self._run.add_hyper_params(parameters)


# --- the ends of trials -----------------------------------------------------------------------------------------------

_lock = threading.RLock()  # trials may run in threads
_waiting: dict[optuna.Study, dict[int, list[Run]]] = {}  # the runs of trials whose end is not known yet, by number
_best_known: weakref.WeakKeyDictionary[optuna.Study, frozenset[int]] = weakref.WeakKeyDictionary()  # numbers of trials
_watched: weakref.WeakSet[Run] = weakref.WeakSet()  # runs around studies


def _begin(study: optuna.Study, trial: optuna.trial.BaseTrial, run: Run, around: Run | None) -> None:
    """Remember the run until the trial's end is known, and name it in the study."""
    _watch_process()
    with _lock:
        runs = _waiting.setdefault(study, {}).setdefault(trial.number, [])
        runs.append(run)
        if around is not None and around not in _watched:
            _watched.add(around)
            around.at_end(_mark_all)
    try:
        trial.set_user_attr(RUNS, [each.name for each in runs])
    except Exception as error:  # of the study's storage
        _warn("names", f"the study does not name the runs of its trials: {type(error).__name__}: {error}")


@functools.cache
def _watch_process() -> None:
    atexit.register(_mark_all)
    multiprocessing = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None:  # its children leave without atexit
        multiprocessing.Finalize(None, _mark_all, exitpriority=10)  # before the runs end, which have 0


def _forget_parent() -> None:
    """This is a forked child: the trials that have begun are the parent's, and so is whoever holds the lock."""
    global _lock
    _lock = threading.RLock()
    _waiting.clear()
    _watch_process.cache_clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_parent)


def _mark_all() -> None:
    for study in [*_waiting]:
        mark_best(study)


def _note_ended(study: optuna.Study) -> None:
    """Add the ends of trials to their runs; if some have ended, mark the best."""
    waiting = _waiting.get(study, {})
    trials = study.get_trials(deepcopy=False) if waiting else []
    ended = [each for each in trials if each.number in waiting and each.state.is_finished()]
    runs: list[Run] = []
    for trial in ended:
        runs = [run for run in waiting.pop(trial.number) if run.is_writing]  # in a forked child they do not
        for run in runs:
            _note_end(run, trial, study)
    if not waiting:
        _waiting.pop(study, None)
    if runs:
        _mark(study, runs[-1])


def _note_end(run: Run, trial: optuna.trial.FrozenTrial, study: optuna.Study) -> None:
    if trial.state == optuna.trial.TrialState.COMPLETE:
        names = getattr(study, "metric_names", None) or range(len(trial.values))
        keys = [VALUE] if len(trial.values) == 1 else [f"{VALUE}s/{name}" for name in names]
        run.log(dict(zip(keys, trial.values)))
    elif trial.state == optuna.trial.TrialState.PRUNED:
        run.finish("pruned")
    elif run.status == "finished":
        run.finish(
            "failed", RunError("Optuna takes this trial as failed: the objective gave no number that it can use")
        )
    run.finish()  # it has ended: this closes its files again


def _mark(study: optuna.Study, run: Run) -> None:
    for _ in range(_LOOKS):
        best = _best_of(study)
        numbers = frozenset(trial.number for trial in best)
        if numbers == _best_known.get(study):
            return
        _best.mark(run, {name for trial in best for name in trial.user_attrs.get(RUNS, ())}, "optuna.study")
        _best_known[study] = numbers


def _best_of(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    try:
        return [study.best_trial] if len(study.directions) == 1 else study.best_trials
    except ValueError:  # none has a value, or none fulfils the constraints
        return []
