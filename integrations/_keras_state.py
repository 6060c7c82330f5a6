"""What all RLACallbacks of one run share, so that an RL loop may use one for all its fits or a new one for each."""

from __future__ import annotations

import time
import weakref
from typing import Any

from rla_hooks.integrations._learning_curve import LearningCurve

from rla_hooks import Tester
from rla_hooks.errors import WarnOnce

_FIGURE = "learning_curve"
_MODELS = 8
_SHARE = 100  # the figure may take a hundredth of the time


class RunState:
    """The time step, the learning curve and the counts of a run."""

    def __init__(self, run: Tester):
        self.began = time.time()
        self.resumed: set[int] = set()  # the models that were, or had nothing to go on from
        self.warn = WarnOnce()
        self.clock = StepClock()
        self.counts_epochs = False  # instead of an optimizer's steps
        self.fits = 0
        self.epochs = 0  # over all fits
        self.saved_epoch = 0  # the count when a checkpoint was written last
        self.best: dict[str, float | None] = {}  # the best score of each monitored metric
        self.described: dict[str, int] = {}  # which optimizer the hyper-parameters tell of, by the model's key
        self._models: dict[int, str] = {}
        self.curve = LearningCurve()
        self._run = weakref.ref(run)
        self._drawn = 0.0  # when, and how long it took, in seconds
        self._cost = 0.0
        run.at_end(self.draw_curve)

    def name_of(self, model: Any) -> str | None:
        """The key of a model's hyper-parameters; None where a run has more models than anybody would read of."""
        key = self._models.get(id(model))
        if key is None and len(self._models) < _MODELS:
            key = self._models[id(model)] = f"keras.{getattr(model, 'name', '')}" if self._models else "keras"
        return key

    def draw_curve_if_cheap(self) -> None:
        """Draw at the end of a fit, unless a loop of short fits would spend its time with it."""
        if time.perf_counter() - self._drawn > _SHARE * self._cost:
            self.draw_curve()

    def draw_curve(self) -> None:
        """Save the learning curve of all epochs so far, if there are new ones and two points to a line."""
        run = self._run()
        if run is None or not run.writes or not self.curve.rows:
            return
        start = time.perf_counter()
        figure = self.curve.figure()
        if figure is not None:
            run.save_figure(_FIGURE, figure)
        self._drawn = time.perf_counter()
        self._cost = self._drawn - start


class StepClock:
    """Makes one growing axis of ``optimizer.iterations``, which begins anew with each new optimizer."""

    def __init__(self) -> None:
        self._taken = 0
        self._offset = 0

    def step(self, taken: int) -> int:
        """The time step of ``taken`` iterations. Where these went back, it goes on from where it was."""
        if taken < self._taken:
            self._offset += self._taken - taken
        self._taken = taken
        return taken + self._offset

    def go_on_from(self, step: int, taken: int) -> None:
        """Let ``taken`` iterations be no earlier than ``step``, where another process has come."""
        self._taken, self._offset = taken, max(0, step - taken)


_states: weakref.WeakKeyDictionary[Any, RunState] = weakref.WeakKeyDictionary()


def state_of(run: Tester) -> RunState:
    """Return what is known of this run, in this process."""
    state = _states.get(run)
    if state is None:
        state = _states[run] = RunState(run)
    return state
