"""What RLA does with the rows of a run before they are averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy

from rla_hooks.easy_plot.smoothing import symmetric_ema
from rla_hooks.errors import ConfigError
from rla_hooks.plot.checks import is_number
from rla_hooks.texts import shown


class Prepared:
    """A function of x and y of a run for ``rla.plot_curves(transform=)``; ``__name__`` is what the figure says of it.

    x_bound: rows below it, or between two; x_start: rows from it on. y_bound: higher values are as high as that.
    remove_outlier: leave out what lies ten standard deviations above the mean. scale: a factor, or a function of y, a
    pandas Series. rescale_idx: x then ends there. resample, smooth_step: see ``symmetric_ema``.

    >>> prepare = Prepared(x_bound=3, scale=lambda y: y * 2)
    >>> prepare(numpy.arange(5.0), numpy.ones(5)), prepare.__name__
    ((array([0., 1., 2.]), array([2., 2., 2.])), 'x below 3, scaled')
    """

    def __init__(
        self,
        x_bound: Any = None,
        x_start: float | None = None,
        y_bound: float | None = None,
        remove_outlier: bool = False,
        scale: Any = None,
        rescale_idx: float | None = None,
        resample: int = 0,
        smooth_step: float = 1.0,
    ):
        self._above, self._below = x_bound if isinstance(x_bound, (tuple, list)) else (None, x_bound)
        self._start, self._highest, self._is_cut = x_start, y_bound, remove_outlier
        self._scale, self._end, self._resample, self._decay = scale, rescale_idx, resample, smooth_step
        parts = {
            f"x above {self._above}": self._above is not None,
            f"x below {self._below}": self._below is not None,
            f"x from {x_start} on": x_start is not None,
            f"values above {y_bound} are {y_bound}": y_bound is not None,
            "without outliers": remove_outlier,
            "scaled": scale is not None,
            f"x ends at {rescale_idx}": rescale_idx is not None,
            f"exponential mean to both sides, of {smooth_step:g}/{resample} of x": bool(resample),
        }
        self.__name__ = ", ".join(text for text, is_done in parts.items() if is_done)

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        kept = numpy.full(len(x), True)
        for bound, fits in ((self._above, x.__gt__), (self._below, x.__lt__), (self._start, x.__ge__)):
            if bound is not None:
                kept &= fits(bound)
        x, y = x[kept], y[kept]
        if not len(x):
            return x, y
        if self._highest is not None:
            y = numpy.minimum(y, self._highest)
        if self._is_cut and len(y) > 1 and (spread := numpy.nanstd(y, ddof=1)):
            kept = ~((y - numpy.nanmean(y)) / spread >= 10)
            x, y = x[kept], y[kept]
        y = _scaled(y, self._scale)
        if self._end is not None and x[-1]:
            x, first = numpy.unique((x * (self._end / x[-1])).astype(int), return_index=True)
            y = y[first]
        there = numpy.isfinite(y)
        if self._resample and there.any():
            x, y, _ = symmetric_ema(x[there], y[there], n=self._resample, decay_steps=self._decay)
            if x[0] == x[-1]:  # of one row
                x, y = x[:1], y[:1]
        return x, y


def _scaled(y: Any, scale: Any) -> Any:
    if scale is None or is_number(scale):
        return y if scale is None else y * float(scale)
    from pandas import Series

    found = numpy.asarray(scale(Series(y)), float)
    if found.shape != y.shape:
        raise ConfigError(f"scale_dict has a function that makes {found.shape} of {y.shape} values. Give each its own.")
    return found


def transforms(
    metrics: list[str], scale_dict: Mapping[str, Any] | None, how: Mapping[str, Any]
) -> dict[str, Callable[[Any, Any], tuple[Any, Any]]] | None:
    """Return the function for each metric; None where nothing is to be changed.

    how: the other arguments of :class:`Prepared`. Raises ConfigError for what can scale nothing.

    >>> transforms(["loss"], None, {"x_bound": None, "resample": 0}), transforms(["loss"], {}, {"x_bound": 10}).keys()
    (None, dict_keys(['loss']))
    """
    scales = dict(scale_dict or {})
    for metric, scale in scales.items():
        if not callable(scale) and not is_number(scale):
            raise ConfigError(f"scale_dict has {shown(metric)}: {shown(scale, 60)}. Allowed: a function, or a factor.")
    unset = {"resample": 0, "smooth_step": how.get("smooth_step"), "remove_outlier": False}
    is_asked = any(value is not None and value != unset.get(name) for name, value in how.items())
    if not is_asked and not any(metric in scales for metric in metrics):
        return None
    return {metric: Prepared(scale=scales.get(metric), **how) for metric in metrics}
