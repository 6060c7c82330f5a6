"""Functions of the user that change the points of a run before they become a curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy

from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.plot.checks import Mistakes
from rla_hooks.plot.gather import Points, in_order
from rla_hooks.texts import printable, shown

Transform = Callable[[Any, Any], tuple[Any, Any]]  # of x and y, which are numpy arrays


def check_transform(mistakes: Mistakes, transform: Any, metrics: Sequence[str]) -> None:
    """Note what is neither None, nor a function, nor a mapping from metrics to functions."""
    given = transform if isinstance(transform, Mapping) else {}
    if not isinstance(transform, Mapping) and transform is not None and not callable(transform):
        allowed = "a function of x and y that returns both, or a mapping from metrics to such functions."
        mistakes.wrong("transform", transform, allowed)
    for metric, function in given.items():
        if metric not in metrics:
            mistakes.add(
                f"transform has {shown(metric, 100)}, which is none of the metrics. Known: "
                f"{printable(', '.join(metrics))}.{did_you_mean(metric, metrics)}"
            )
        elif not callable(function):
            mistakes.wrong(f"transform[{metric!r}]", function, "a function of x and y that returns both.")


def transformed(points: Points, transform: Transform | Mapping[str, Transform] | None, metric: str) -> Points:
    """Return the points of a run as the function for this metric gives them; without one as they are.

    Raises ConfigError where it returns no two sequences of numbers of one length. What is no finite x is left out.

    >>> points = Points(numpy.array([0.0, 1.0]), numpy.array([1.0, 100.0]))
    >>> transformed(points, {"loss": lambda x, y: (x * 1000, numpy.log10(y))}, "loss")[:2]
    (array([   0., 1000.]), array([0., 2.]))
    """
    function = transform.get(metric) if isinstance(transform, Mapping) else transform
    if function is None:
        return points
    with numpy.errstate(all="ignore"):  # the logarithm of 0 is a gap
        returned = function(points.x.copy(), points.y.copy())
    try:
        x, y = (numpy.asarray(each, float) for each in returned)
        is_pair = x.ndim == 1 and x.shape == y.shape
    except (TypeError, ValueError):
        is_pair = False
    if not is_pair:
        raise ConfigError(
            f"transform returns {shown(returned, 100)} for {printable(repr(metric))}. Allowed: x and y, two arrays of "
            "numbers of one length. To change y only: lambda x, y: (x, y / 2)"
        )
    is_there = numpy.isfinite(x)
    return in_order(x[is_there], y[is_there])


def transform_note(transform: Transform | Mapping[str, Transform] | None) -> str:
    """Return what a figure says of it.

    >>> transform_note({"loss": numpy.log}), transform_note(lambda x, y: (x, y)), transform_note(None)
    ('Transformed: log', 'Transformed by a function', '')
    """
    if not transform:
        return ""
    functions = transform.values() if isinstance(transform, Mapping) else [transform]
    names = [*dict.fromkeys(str(getattr(each, "__name__", "<>")) for each in functions)]
    if any(name.startswith("<") for name in names):
        return "Transformed by a function"
    return f"Transformed: {', '.join(names)}"
