"""Quantiles of distributions, from ``scipy.special``: ``scipy.stats`` takes a second to import."""

from __future__ import annotations

import importlib
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
    with np.errstate(invalid="ignore"):
        return special().stdtrit(degrees, probability)


NORMAL = NormalDist()  # the standard normal distribution
