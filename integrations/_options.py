"""What hooks say of the options of a run of their own where they join the run that is open."""

from __future__ import annotations

from collections.abc import Sequence

from rla_hooks.hooks import WarnOnce


def warn_of_unused(hook: str, given: Sequence[str], warn: WarnOnce) -> None:
    """Say once that these options have no effect, if there are any: the open run has its own."""
    if given:
        warn("options", f"{hook} joins the run that is open: {', '.join(given)} are of no use to it and left out.")
