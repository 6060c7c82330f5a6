"""What all RLACallbacks of a run, or of one name in it, share: an RL loop may use one for all its fits or many."""

from __future__ import annotations

import threading
import time
import weakref
from typing import Any

from rla_hooks.integrations._keras_model import named

from rla_hooks import Run
from rla_hooks.errors import WarnOnce
from rla_hooks.figures.learning_curve import LearningCurve

_FIGURE = "learning_curve"
_MODELS = 8
_SHARE = 100  # the figure may take a hundredth of the time


class RunState:
    """The time step, the learning curve and the counts of a run, or of one of the models that it names."""

    def __init__(self, run: Run, name: str):
        self.began = time.time()
        self.restored: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()  # to which step, by any name
        self.resumed: weakref.WeakSet[Any] = weakref.WeakSet()  # the models that were, or had nothing to go on from
        self.warn = WarnOnce()
        self.clock = StepClock()
        self.counts_epochs = False  # instead of an optimizer's steps
        self.fits = 0
        self.epochs = 0  # over all fits
        self.batches = 0  # the same, of the epochs that have ended, as far as they were counted
        self.saved_epoch = 0  # the count when a checkpoint was written last
        self.best: dict[str, float | None] = {}  # the best score of each monitored metric
        self.curve = LearningCurve()
        self._prefix = f"{name}/" if name else ""
        self._told = f"keras.{name}" if name else "keras"  # before the names of hyper-parameters
        self._models: weakref.WeakKeyDictionary[Any, tuple[str, Any]] = weakref.WeakKeyDictionary()
        self._count = 0  # of the models that hyper-parameters have been told of
        self._fitted: weakref.WeakSet[Any] = weakref.WeakSet()
        self._last_fitted: Any = None  # a weak reference
        self._ended: tuple[Any, Any, int] = (None, None, -1)  # the last epoch: whose callback, which fit, its number
        self._run = weakref.ref(run)
        self._drawn = 0.0  # when, and how long it took, in seconds
        self._cost = 0.0
        run.at_end(self.draw_curve)

    def new_key(self, model: Any) -> str | None:
        """The key of a model's hyper-parameters where they are to be told: it is new, newly built or compiled.

        None, too, where a run has more models than anybody would read of.
        """
        optimizer = getattr(model, "optimizer", None)
        compiled = (
            None if optimizer is None else weakref.ref(optimizer),
            str(named(getattr(model, "loss", None))),
            bool(getattr(model, "built", True)),
        )
        key, told = self._models.get(model, ("", None))
        if key and told == compiled:
            return None
        if not key:
            if self._count == _MODELS:
                return None
            key = f"{self._told}.{getattr(model, 'name', '')}" if self._count else self._told
            self._count += 1
        self._models[model] = key, compiled
        return key

    def fit_begins(self, model: Any) -> None:
        """Count a fit. Say so where models take turns: one after the other may be one curve, but not those."""
        self.fits += 1
        if model is None:
            return
        if self._last_fitted is not None and self._last_fitted() is not model and model in self._fitted:
            message = (
                "models take turns in this run, and share the names of metrics and checkpoints. Give each an "
                "RLACallback of its own name: RLACallback(name='actor')."
            )
            self.warn("turns", message)
        self._last_fitted = weakref.ref(model)
        self._fitted.add(model)

    def epoch_ends(self, callback: Any, fit: Any, epoch: int) -> None:
        """Count an epoch of a fit, known by the parameters that Keras gives to all its callbacks (3.15).

        Say so where two callbacks count the same.
        """
        self.epochs += 1
        other, same, last = self._ended
        if fit and fit is same and epoch == last and other() not in (None, callback):
            message = (
                "two RLACallbacks keep the same fit: each epoch is there twice, and they share their checkpoints. "
                "Give one of them a name: RLACallback(name='by_accuracy')."
            )
            self.warn("twice", message)
        self._ended = weakref.ref(callback), fit, epoch

    def draw_curve_if_cheap(self) -> None:
        """Draw at the end of a fit, unless a loop of short fits would spend its time with it."""
        if time.perf_counter() - self._drawn > _SHARE * self._cost:
            self.draw_curve()

    def draw_curve(self) -> None:
        """Save the learning curve of all epochs so far, if there are new ones and two points to a line."""
        run = self._run()
        if run is None or not run.is_writing or not self.curve.rows:
            return
        start = time.perf_counter()
        figure = self.curve.figure()
        if figure is not None:
            run.save_figure(self._prefix + _FIGURE, figure)
        self._drawn = time.perf_counter()
        self._cost = self._drawn - start


class StepClock:
    """Makes one growing axis of the ``optimizer.iterations`` of the models of a run.

    The first model's count is the step. Each of a later model, and of a new optimizer, adds to that.
    """

    def __init__(self) -> None:
        self.now = 0
        self._began = False
        self._taken: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()  # hooks of batches may come from several threads

    def step(self, model: Any, taken: int) -> int:
        """The time step where ``model`` has taken so many iterations. Fewer than before: those of a new optimizer."""
        key = self if model is None else model
        with self._lock:
            before = self._taken.get(key, taken if self._began else 0)
            self.now += max(0, taken - before)
            self._taken[key], self._began = taken, True
            return self.now

    def go_on_from(self, step: int, model: Any, taken: int) -> None:
        """Let ``taken`` iterations be no earlier than ``step``, where another process has come."""
        with self._lock:
            self.now = max(self.now, step)
            self._taken[self if model is None else model], self._began = taken, True


_states: weakref.WeakKeyDictionary[Any, dict[str, RunState]] = weakref.WeakKeyDictionary()


def state_of(run: Run, name: str = "") -> RunState:
    """Return what is known of this run in this process, or of the model that it knows by that name."""
    if run not in _states:  # a copy of its Run is the same run
        same = (states for other, states in _states.items() if run.paths is not None and other.paths == run.paths)
        _states[run] = next(same, {})
    states = _states[run]
    if name not in states:
        states[name] = RunState(run, name)
        states[name].restored = next(iter(states.values())).restored
    return states[name]
