"""The learning curve keeps what a figure can show, however long the training is."""

import itertools
import math

import pytest

from rla_hooks.figures.learning_curve import LearningCurve

pytestmark = pytest.mark.every_panel


def _lines(figure):
    return {
        (axes.get_title(), line.get_label()): (list(line.get_xdata()), list(line.get_ydata()))
        for axes in figure.axes
        for line in axes.lines
    }


def test_training_and_validation_share_a_panel():
    """The loss comes first; what is no number has no panel, and neither has what has one value only."""
    curve = LearningCurve()
    curve.add(10, {"accuracy": 0.5, "loss": 2.0, "val_loss": 2.5, "note": "a", "once": 1.0})
    assert curve.figure() is None
    curve.add(20, {"accuracy": 0.75, "loss": 1.0})
    curve.add(30, {"accuracy": 1.0, "loss": 0.5, "val_loss": 1.5})
    figure = curve.figure()
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    assert _lines(figure) == {
        ("loss", "training"): ([10, 20, 30], [2.0, 1.0, 0.5]),
        ("loss", "validation"): ([10, 30], [2.5, 1.5]),
        ("accuracy", "training"): ([10, 20, 30], [0.5, 0.75, 1.0]),
    }


def test_infinities_leave_gaps():
    """They would stretch the axis until nothing is seen; a curve of nothing else is none."""
    curve = LearningCurve()
    for step, loss in enumerate([1.0, math.inf, math.nan, 2.0]):
        curve.add(step, {"loss": loss, "broken": math.nan})
    ((_, values),) = _lines(curve.figure()).values()
    assert [value for value in values if not math.isnan(value)] == [1.0, 2.0]


def test_a_long_training_is_thinned():
    """A hundred thousand epochs keep some thousand points, evenly, with the first and the last."""
    curve = LearningCurve()
    for step in range(100_001):
        curve.add(step, {"loss": float(step)})
    ((steps, values),) = _lines(curve.figure()).values()
    assert (steps[0], steps[-1]) == (0, 100_000) and steps == values
    assert 1000 < len(steps) < 2100
    assert len({b - a for a, b in itertools.pairwise(steps[:-1])}) == 1


def test_many_metrics_have_six_panels_at_most():
    """A figure of forty panels shows nothing."""
    curve = LearningCurve()
    for step in range(2):
        curve.add(step, {f"m{number:02}": 1.0 for number in range(40)} | {"loss": 1.0})
    assert [axes.get_title() for axes in curve.figure().axes] == ["loss", "m00", "m01", "m02", "m03", "m04"]
