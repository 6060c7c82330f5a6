"""The environment variables of a preemption: how long a program has to stop, its exit code, whether it is requeued."""

from __future__ import annotations

import math
import os

from rla_hooks.fields import Fields

_GRACE = 20.0  # seconds


class PreemptionSettings(Fields):
    """What the variables say; of a wrong one the default. ``problems``: a line for each wrong one.

    >>> from_environment().grace
    20.0
    """

    grace: float  # seconds from the signal until the process is ended
    exit_code: int | None  # None: 128 + signal
    requeue: bool
    problems: list[str]


def from_environment() -> PreemptionSettings:
    """Read the variables."""
    problems: list[str] = []

    def check(name: str, text: str, fits: bool, allowed: str) -> bool:
        if text and not fits:
            problems.append(f"{name} is {text!r}. Allowed: {allowed}.")
        return bool(text) and fits

    grace, code = os.environ.get("RLA_GRACE", "").strip(), os.environ.get("RLA_EXIT_CODE", "").strip()
    requeue = os.environ.get("RLA_REQUEUE", "").strip()
    has_grace = check("RLA_GRACE", grace, 0 < _number(grace) <= 86400, "seconds above 0, up to 86400")
    has_code = check("RLA_EXIT_CODE", code, code.isdecimal() and _number(code) <= 255, "a whole number from 0 to 255")
    is_right = check("RLA_REQUEUE", requeue, requeue in ("0", "1"), "0, 1")
    return PreemptionSettings(
        float(grace) if has_grace else _GRACE, int(code) if has_code else None, is_right and requeue == "1", problems
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
