"""The state that all RLACallbacks of a run share, or all of one name: an RL loop may use a new one for each fit."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rla_hooks.integrations._keras.describe import HyperParameters
from rla_hooks.integrations._keras.model import Framework, accumulation, iterations

from rla_hooks import Run
from rla_hooks.figures.learning_curve import LearningCurve
from rla_hooks.hooks import WarnOnce, flat

_SHARE = 100  # the figure may take a hundredth of the time
_FLOAT, _STR = {float}, {str}


class RunState:
    """The time step, the learning curve and the counts of a run, or of one of its named models."""

    def __init__(self, run: Run, name: str):
        self.prefix = f"{name}/" if name else ""  # of columns and figures
        self.began = time.time()
        self.warn = WarnOnce()
        self.hyper_parameters = HyperParameters(name)
        self.curve = CurveFigure(run, self.prefix + "learning_curve")
        self.clock = StepClock()
        self.fits = 0
        self.epochs = 0  # over all fits
        self.batches = 0  # of the epochs that have ended, as far as a callback counted them
        self.saved_epoch = 0  # the value of ``epochs`` at the last checkpoint
        self.best: dict[str, float | None] = {}  # the best score of each monitored metric
        self.resumed: weakref.WeakSet[Any] = weakref.WeakSet()  # the models that need no resume any more
        self.restored: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()  # to which step, by any name
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


class CurveFigure(LearningCurve):
    """A learning curve that is drawn at the end of the run, and at the end of a fit if that is cheap."""

    def __init__(self, run: Run, name: str):
        super().__init__()
        self._run = weakref.ref(run)
        self._name = name
        self._cheap_from = 0.0  # by time.perf_counter
        run.at_end(self.draw)

    def draw_if_cheap(self) -> None:
        """Draw, unless a loop of short fits would spend too much of its time on it."""
        if time.perf_counter() > self._cheap_from:
            self.draw()

    def draw(self) -> None:
        """Save the figure of all epochs so far, if there are new ones and a curve has two points."""
        run = self._run()
        if run is None or not run.is_writing or not self.rows:
            return
        start = time.perf_counter()
        figure = self.figure()
        if figure is not None:
            run.save_figure(self._name, figure)
        now = time.perf_counter()
        self._cheap_from = now + _SHARE * (now - start)


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
    if run not in _states:  # a copy of a run is the same run
        same = (states for other, states in _states.items() if run.paths is not None and other.paths == run.paths)
        _states[run] = next(same, {})
    states = _states[run]
    if name not in states:
        states[name] = RunState(run, name)
        states[name].restored = next(iter(states.values())).restored
    return states[name]
