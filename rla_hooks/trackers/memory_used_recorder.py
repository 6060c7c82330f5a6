"""RLA's look at large variables."""

from __future__ import annotations

import sys
from typing import Any

from rla_hooks.easy_log import logger
from rla_hooks.old_words import tell_modern_name
from rla_hooks.texts import size_text, text_of

_MOST = 10  # variables


def print_large_memory_variable(least: int = 1 << 30) -> dict[str, str]:
    """Log the largest variables of the function that calls this, and of its module; return their sizes as texts.

    least: bytes; smaller ones are left out. Of an array or a tensor its data count, of a list not what is in it.

    >>> buffer = bytearray(3 << 20)
    >>> print_large_memory_variable(least=1 << 20)
    buffer: 3.0 MiB
    {'buffer': '3.0 MiB'}
    """
    tell_modern_name("print_large_memory_variable", "rla.run(system_metrics=10), which keeps the use of memory,")
    frame = sys._getframe(1)
    sizes = {name: _size_of(value) for name, value in {**frame.f_globals, **frame.f_locals}.items()}
    largest = sorted((item for item in sizes.items() if item[1] >= least), key=lambda item: -item[1])[:_MOST]
    found = {text_of(name): size_text(size) for name, size in largest}
    for name, size in found.items():
        logger.info(f"{name}: {size}")
    return found


def _size_of(value: Any) -> int:
    try:
        return int(getattr(value, "nbytes", None) or sys.getsizeof(value))
    except Exception:  # of the user's object
        return 0
