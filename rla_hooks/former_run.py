"""Finds the run that a new start goes on with, forks or repeats, where its settings or the environment ask for one.

What finds them reads saved runs: it is imported where one is asked for.
"""

from __future__ import annotations

from rla_hooks.core import rerun_request
from rla_hooks.core.fork_request import asked
from rla_hooks.core.resume_request import AUTO
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import ConfigError, RunError, show_without_traceback


def find_former_run(settings: RunSettings, wait: bool = True) -> None:
    """Set ``settings.forked``, ``rerun`` or ``resumed``, where one of these is asked for. Raises ConfigError.

    wait: as in ``choose`` of :mod:`rla_hooks.resumable`.
    """
    is_asked = settings.resume.by_variable if settings.resume else bool(asked() or rerun_request.asked())
    try:
        _find(settings, wait)
    except (ConfigError, RunError) as error:
        if is_asked and settings.fork is None:
            show_without_traceback(error)
        raise


def _find(settings: RunSettings, wait: bool) -> None:
    is_named = settings.resume is not None and settings.resume.run != AUTO
    if settings.fork is not None or (asked() is not None and not is_named):
        from rla_hooks import forkable

        settings.forked = forkable.choose(settings)
    if settings.rerun is None and rerun_request.asked() is not None and not is_named and settings.forked is None:
        from rla_hooks import rerunnable

        settings.rerun = rerunnable.choose(settings)
    if settings.resume is not None and settings.forked is None and settings.rerun is None:
        from rla_hooks import resumable

        settings.resumed = resumable.choose(settings, wait)
