"""Quantiles of distributions, from ``scipy.special``: ``scipy.stats`` takes a second to import.

Those that intervals of means need come from a sum: importing ``scipy.special`` takes longer than a thousand of them.
"""

from __future__ import annotations

import functools
import importlib
import math
from statistics import NormalDist
from typing import Any

import numpy as np

from rla_hooks.errors import RLAError


def special() -> Any:
    """Return ``scipy.special``; a clear error where scipy is not installed."""
    try:
        return importlib.import_module("scipy.special")
    except ModuleNotFoundError as error:
        if error.name != "scipy":
            raise
        raise RLAError("This needs scipy. Install it: pip install 'rla-hooks[statistics]'") from error


def t_quantile(probability: float, degrees: Any) -> Any:
    """The quantile of Student's t with ``degrees`` of freedom; NaN for none.

    >>> f"{t_quantile(0.975, 4):.3f}"
    '2.776'
    """
    if isinstance(degrees, int) and 1 <= degrees <= _MOST_TERMS and 0.5 < probability <= _IN_MIDDLE:
        return _t_quantile(probability, degrees)
    with np.errstate(invalid="ignore"):
        return special().stdtrit(degrees, probability)


NORMAL = NormalDist()  # the standard normal distribution
_MOST_TERMS = 1000
_IN_MIDDLE = 0.9995  # beyond it a sum from the middle loses digits of what is left


@functools.lru_cache(maxsize=256)
def _t_quantile(probability: float, degrees: int) -> float:
    """By Newton's method from the normal quantile, which is below: the distribution is concave there."""
    log_scale = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - math.log(math.pi * degrees) / 2
    found = NORMAL.inv_cdf(probability)
    for _ in range(100):
        density = math.exp(log_scale - (degrees + 1) / 2 * math.log1p(found * found / degrees))
        step = (probability - 0.5 - _t_half(found, degrees)) / density
        found += step
        if abs(step) <= 1e-15 * found:
            break
    return found


def _t_half(t: float, degrees: int) -> float:
    """The probability between 0 and t of Student's t: a finite sum (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = degrees % 2
    term, total = (cosine, cosine if degrees > 1 else 0.0) if is_odd else (1.0, 1.0)
    for at in range(2 + is_odd, degrees - 1, 2):
        term *= cosine * cosine * (at - 1) / at
        total += term
    return (angle + sine * total) / math.pi if is_odd else sine * total / 2
