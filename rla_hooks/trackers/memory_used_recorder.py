"""RLA's look at large variables."""

from __future__ import annotations

from rla_hooks.easy_log import logger
from rla_hooks.machine.variables import large_variables
from rla_hooks.old_words import tell_modern_name


def print_large_memory_variable(least: int = 1 << 30) -> dict[str, str]:
    """Log the largest variables of the function that calls this, and of its module; return their sizes as texts.

    least: bytes; smaller ones are left out.

    >>> __name__ = "program"
    >>> buffer = bytearray(3 << 20)
    >>> print_large_memory_variable(least=1 << 20)
    buffer: 3.0 MiB
    {'buffer': '3.0 MiB'}
    """
    tell_modern_name("print_large_memory_variable", "rla.run(system_metrics=10), which keeps the use of memory,")
    found = large_variables(least)
    for name, size in found.items():
        logger.info(f"{name}: {size}")
    return found
