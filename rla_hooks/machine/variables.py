"""Which variables of a program take much memory."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from rla_hooks.texts import size_text, text_of

_MOST = 10  # variables


def large_variables(least: int) -> dict[str, str]:
    """Return names and sizes, as texts, of the largest variables of the function of the program that has called here.

    Those of its module count, too. least: bytes; smaller ones are left out. Of an array or a tensor its data count, of
    a list not what is in it.
    """
    frame = _frame_of_program()
    variables = {**frame.f_globals, **frame.f_locals}
    sizes = sorted(((_size_of(value), text_of(name)) for name, value in variables.items()), reverse=True)
    return {name: size_text(size) for size, name in sizes[:_MOST] if size >= least}


def _frame_of_program() -> FrameType:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "rla_hooks":
        frame = frame.f_back
    return frame


def _size_of(value: Any) -> int:
    try:
        return int(getattr(value, "nbytes", None) or sys.getsizeof(value))
    except Exception:  # of the user's object
        return 0
