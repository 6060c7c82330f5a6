"""The run that a free function means: the tracked call's, or the process's own of RLA's imperative face."""

from __future__ import annotations

import functools

from rla_hooks import lifecycle
from rla_hooks.errors import RunError
from rla_hooks.tester import Tester


def required(what: str) -> Tester:
    """Return the current run, or raise :class:`RunError` that says what to call first.

    Where no runs are started, it is a Tester that takes everything and writes nothing.
    """
    run = lifecycle.current()
    if run is not None:
        return run
    if lifecycle.is_silent():
        return own_tester()
    if lifecycle.open_count():
        raise RunError(
            f"{what} does not know which of the {lifecycle.open_count()} open runs is meant: this thread was started "
            "inside none of them. Keep the run (run = rla.current_run() before the thread starts) and call its methods."
        )
    raise RunError(
        f"{what} was called outside a run. Decorate your function with @rla.track, or call tester.configure(...) "
        "and tester.log_files_gen() first."
    )


@functools.lru_cache(maxsize=1)
def own_tester() -> Tester:
    """Return the process's own Tester, the one of RLA's imperative face."""
    return Tester()
