"""The state that all RLACallbacks of a run share, or all of one name: an RL loop may use a new one for each fit."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rla_hooks.integrations._keras.curve import CurveFigure
from rla_hooks.integrations._keras.describe import ModelNotes
from rla_hooks.integrations._keras.model import Framework, accumulation, iterations

from rla_hooks import Run
from rla_hooks.hooks import WarnOnce, flat

_FLOAT, _STR = {float}, {str}


class RunState:
    """The time step, the learning curve and the counts of a run, or of one of its named models."""

    def __init__(self, run: Run, name: str):
        self.prefix = f"{name}/" if name else ""  # of columns and figures
        self.began = time.time()
        self.warn = WarnOnce()
        self.models = ModelNotes(name)
        self.curve = CurveFigure(run, self.prefix)
        self.clock = StepClock()
        self.fits = 0
        self.epochs = 0  # over all fits
        self.batches = 0  # of the epochs that have ended, as far as a callback counted them
        self.saved_epoch = 0  # the value of ``epochs`` at the last checkpoint
        self.best: dict[str, float | None] = {}  # the best score of each monitored metric
        self.resumed: weakref.WeakSet[Any] = weakref.WeakSet()  # the models that need no resume any more
        self.restored: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()  # to which step, by any name
        self._names: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()  # in former lives of the run
        self._counts_epochs = False  # as the time step, in place of an optimizer's iterations
        self._fitted: weakref.WeakSet[Any] = weakref.WeakSet()
        self._last_fitted: Callable[[], Any] = lambda: None  # a weak reference
        self._last_epoch: tuple[Any, Any, int] = (None, None, -1)  # weak reference to the callback, fit, number

    def log(self, run: Run, values: Mapping[str, Any], step: int) -> None:
        """Log a row, with the name before each key."""
        run.log({self.prefix + key: value for key, value in values.items()} if self.prefix else values, step)

    def flat_logs(self, logs: Any) -> dict[str, Any]:
        """Return the logs that Keras, or a custom loop, passed, without nesting."""
        if type(logs) is dict and _FLOAT.issuperset(map(type, logs.values())) and _STR.issuperset(map(type, logs)):
            return logs.copy()  # what Keras passes
        if logs is None or isinstance(logs, Mapping):
            return flat(logs or {})
        message = f"logs are {logs!r:.80}. Allowed: a mapping such as train_on_batch(x, y, return_dict=True) gives."
        self.warn("logs", message)
        return {}

    def step(self, model: Any, around: Iterable[Any], framework: Framework, epoch_ended: bool = False) -> int:
        """Return the time step: the iterations of all optimizers so far; epochs, if no optimizer counts.

        around: the models of the fits inside of which this one runs; it starts at the step that they have reached.
        """
        for outer in around:
            getattr(outer, "jax_state_sync", lambda: None)()  # JAX keeps the state apart during a fit (Keras 3.15)
            self.clock.step(outer, iterations(outer, framework) or 0)
        taken = iterations(model, framework)
        if not taken and (epoch_ended or self._counts_epochs) and not accumulation(model):
            self._counts_epochs = True
            message = "no optimizer of the model has counted a step in its iterations; the time step counts epochs."
            self.warn("no optimizer", message)
            taken = self.epochs + epoch_ended
        return self.clock.step(model, taken or 0)

    @property
    def counts(self) -> dict[str, int]:
        """What a checkpoint has to know for :meth:`continue_counts`."""
        return {"all_epochs": self.epochs, "all_batches": self.batches, "saved_epoch": self.saved_epoch}

    def name_of(self, model: Any) -> str:
        """Return the name of a model in the manifest; in a resumed run that of its former lives.

        Keras numbers models, so that the same one has another name when a notebook makes it again.
        """
        return self._names.get(model) or str(getattr(model, "name", ""))

    def continue_counts(self, run: Run, model: Any, info: Mapping[str, Any], step: int, taken: int) -> int:
        """In a run that is resumed, count on from a checkpoint, and continue the learning curve of the run's files.

        info, step: of the checkpoint's entry. taken: the iterations of the model; returns what takes their place, if
        the time step counts epochs.
        """
        if not self.epochs:
            self.curve.continue_from(run)
        if info.get("model"):
            self._names[model] = str(info["model"])
        known = {key: info[key] if type(info.get(key)) is int else 0 for key in self.counts}
        self.epochs = max(self.epochs, known["all_epochs"])
        self.batches = max(self.batches, known["all_batches"])
        self.saved_epoch = max(self.saved_epoch, known["saved_epoch"])
        self._counts_epochs = not taken and self.epochs == step > 0
        return self.epochs if self._counts_epochs else taken

    def fit_begins(self, model: Any) -> None:
        """Count a fit. Warn where models take turns: a sequence of models may be one curve, turns may not."""
        self.fits += 1
        if model is None:
            return
        if self._last_fitted() is not model and model in self._fitted:
            message = (
                "models take turns in this run, and share the names of metrics and checkpoints. Give each an "
                "RLACallback of its own name: RLACallback(name='actor')."
            )
            self.warn("turns", message)
        self._last_fitted = weakref.ref(model)
        self._fitted.add(model)

    @property
    def has_several(self) -> bool:
        """Whether several models were fitted, as far as they are still there."""
        return len(self._fitted) > 1

    def epoch_ends(self, callback: Any, fit: Any, epoch: int) -> None:
        """Count an epoch of a fit, which is known by the parameters that Keras gives to all its callbacks (3.15).

        Warn where two callbacks count the same epoch.
        """
        self.epochs += 1
        other, same, last = self._last_epoch
        if fit and fit is same and epoch == last and other() not in (None, callback):
            message = (
                "two RLACallbacks keep the same fit: each epoch is there twice, and they share their checkpoints. "
                "Give one of them a name: RLACallback(name='by_accuracy')."
            )
            self.warn("twice", message)
        self._last_epoch = weakref.ref(callback), fit, epoch


class StepClock:
    """Makes one growing time step of the ``optimizer.iterations`` of the models of a run.

    The first model's count is the step. The steps of each later model, and of a new optimizer, are added to it.
    """

    def __init__(self) -> None:
        self._now = 0
        self._began = False
        self._taken: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._lock = threading.RLock()  # batch hooks may be called from several threads

    def step(self, model: Any, taken: int) -> int:
        """Return the time step where ``model`` has taken so many iterations.

        Fewer than before means a new optimizer.
        """
        key = self if model is None else model
        with self._lock:
            before = self._taken.get(key, taken if self._began else 0)
            self._now += max(0, taken - before)
            self._taken[key], self._began = taken, True
            return self._now

    def continue_from(self, step: int, model: Any, taken: int) -> None:
        """Continue at ``step``, of the checkpoint that ``model`` resumes from; ``taken``: its iterations now."""
        with self._lock:
            self._now = max(self._now, step)
            self._taken[self if model is None else model], self._began = taken, True


_states: weakref.WeakKeyDictionary[Any, dict[str, RunState]] = weakref.WeakKeyDictionary()
forget_state = _states.clear  # between two tests


def state_of(run: Run, name: str) -> RunState:
    """Return the state of this run in this process, or of its model of that name."""
    if run not in _states:  # a copy of a run is the same run; what has resumed it is another life of it
        known = [] if run.new_life is not None or run.paths is None else [*_states.items()]
        _states[run] = next((states for other, states in reversed(known) if other.paths == run.paths), {})
    states = _states[run]
    if name not in states:
        states[name] = RunState(run, name)
        states[name].restored = next(iter(states.values())).restored
    return states[name]
