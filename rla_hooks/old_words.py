"""RLA's own words that have another name here: each says once, on its first use, what that is.

Words that both have (``tester.log_files_gen``, ``logger.record_tabular``, ...) say nothing.
"""

from __future__ import annotations

import sys
from contextlib import suppress

from rla_hooks.ranks import is_writer_rank

_told: set[str] = set()


def tell_modern_name(old: str, modern: str) -> None:
    """Print on stderr, once in a process for each old word, which word of rla_hooks does the same.

    old: as the user wrote it, ``"easy_plot.plot_func"``; modern: a phrase that follows "is", ``"rla.plot_curves"``.
    The ranks that do not write say nothing.
    """
    if old in _told:
        return
    _told.add(old)
    if not is_writer_rank() or sys.stderr is None:
        return
    with suppress(OSError, ValueError):  # of a stderr that is closed
        print(f"rla: {old} is {modern} in rla_hooks. It works as it is; docs/rla.md has all names.", file=sys.stderr)


def forget_state() -> None:
    """Tell each word once more. :func:`rla_hooks.testing.reset` calls it."""
    _told.clear()
