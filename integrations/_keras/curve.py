"""The learning curve of a run, or of one of its named models, over all of its lives."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from typing import Any

from rla_hooks import Run
from rla_hooks.figures.learning_curve import LearningCurve, Point, epochs_in

_SHARE = 100  # the figure may take a hundredth of the time


class CurveFigure(LearningCurve):
    """A learning curve that is drawn at the end of the run, and at the end of a fit if that is cheap."""

    def __init__(self, run: Run, prefix: str):
        super().__init__()
        self._run = weakref.ref(run)
        self._prefix = prefix
        self._earlier: list[Point] = []  # the epochs of the lives before this one
        self._cheap_from = 0.0  # by time.perf_counter
        run.at_end(self.draw)

    def continue_from(self, run: Run) -> None:
        """Take the epochs that are in the run's files, since a resume goes on behind them."""
        if run.is_writing and run.log_dir is not None:
            self._earlier = list(epochs_in(run.log_dir, self._prefix))

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """Take an epoch; of those before, what this one has, too: rows have more than the logs of Keras."""
        earlier, self._earlier = self._earlier, []
        for before, found in earlier:
            super().add(before, {key: found[key] for key in values if key in found})
        super().add(step, values)

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
            run.save_figure(f"{self._prefix}learning_curve", figure)
        now = time.perf_counter()
        self._cheap_from = now + _SHARE * (now - start)
