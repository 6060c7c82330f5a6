"""Which run a request to resume means, and whether it may go on: everything that is wrong is said before it changes.

    a run by name             it goes on, or a ConfigError says all that is against it
    auto                      the newest run of the same task, function and hyper-parameters that is over and did not
                              finish: killed, preempted, interrupted; failed only in a further try of the same job
    RLA_RESUME=<run>          the first start that fits its task, function and hyper-parameters, in this process and
                              those that it starts: of a sweep, it is the one that was killed. It comes before auto

Where ``auto`` finds none, and for other starts under RLA_RESUME, a new run starts; the request's notes say why. Other
hyper-parameters are a warning as well, at once, since the user may have meant this start; and so is, at the end of the
program, that no start was the one that RLA_RESUME means.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.core import handover
from rla_hooks.core.resume_request import AUTO, Resumable, ResumeRequest
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import ConfigError, RLAError, did_you_mean, warn
from rla_hooks.former_parameters import FormerParameters, listed
from rla_hooks.layout import RunPaths
from rla_hooks.query import SavedRun
from rla_hooks.query.given import saved_run
from rla_hooks.query.moved import paths_of
from rla_hooks.resume_checks import (
    checked,
    is_of_task,
    is_same_function,
    is_writer,
    other_parameters,
)
from rla_hooks.resume_ranks import told_by_environment, wait_for_rank_zero
from rla_hooks.resume_search import Search
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import printable, shown

_TAKEN = "RLA_RESUMED"  # the run that RLA_RESUME named, once it has been resumed; processes inherit it
_unmet: dict[str, tuple[str, int]] = {}  # by the id of what RLA_RESUME means: why it is not resumed, and who knows it


def choose(settings: RunSettings, wait: bool = True) -> Resumable | None:
    """Return the run that ``settings.resume`` means; None where a new one is to start. Raises ConfigError.

    wait: whether another rank waits for rank zero, which begins the run at once; not so for a run that is planned.
    """
    request = settings.resume
    if request is None:
        return None
    is_follower = not is_writer(settings) and not handover.is_off()
    if is_follower and (told := told_by_environment()):
        return told
    if request.run == AUTO:
        return _found_by_search(settings, request, is_follower, wait)
    config = settings.config
    saved = _named(request.run, None if config is None else config.log_root)
    if request.by_variable:
        why = _is_of_another(saved, settings) or _has_other_parameters(saved, settings, request)
        if why is not None:
            _keep_unmet(saved.id, why)
            if request.else_auto:
                settings.resume = ResumeRequest(AUTO, request.allow, reason=AUTO)
                return _found_by_search(settings, settings.resume, is_follower, wait)
            request.notes.append(f"RLA_RESUME names {saved.id}, {why}: this run is new")
            return None
    if is_follower and (found := wait_for_rank_zero(lambda: _now(paths_of(saved)), wait)):
        return found
    found = checked(saved, settings, request)
    is_named = request.by_variable or os.environ.get("RLA_RESUME") == os.path.abspath(saved.log_dir)
    if is_named and is_writer(settings):
        os.environ[_TAKEN] = saved.id
    return found


def _found_by_search(settings: RunSettings, request: ResumeRequest, is_follower: bool, wait: bool) -> Resumable | None:
    search = Search(settings, request)
    found = wait_for_rank_zero(search.running, wait) if is_follower else None
    return found or search.newest()


def _named(run: Any, log_root: Path | None) -> SavedRun:
    """As :func:`find`, where ``"auto"`` is allowed, too."""
    try:
        return find(run, log_root)
    except ConfigError as error:
        raise ConfigError(f"{error} Or 'auto', the newest that did not finish.{did_you_mean(run, [AUTO])}") from None


def find(run: Any, log_root: Path | None = None) -> SavedRun:
    """Return the run that was meant: as in ``rla.open``. Raises ConfigError."""
    try:
        return saved_run(run, log_root, "resume")
    except ConfigError:
        raise
    except RLAError as error:  # of latest~9
        raise ConfigError(f"resume: {error}") from None


def arguments_of(
    run: Any, overrides: Mapping[str, Any], function: Callable[..., Any] | None = None, log_root: Path | None = None
) -> dict[str, Any]:
    """Return the hyper-parameters of a run as arguments of its function, with these in place of the stored ones.

    Raises ConfigError with the names of all that what was stored cannot give back: secrets, objects.
    """
    saved = find(run, log_root)
    return FormerParameters(saved.run_json, saved.hparams).arguments(overrides, function)


def _now(paths: RunPaths) -> Iterator[tuple[RunPaths, dict[str, Any]]]:
    """A run as its run.json is now."""
    with suppress(OSError, ValueError):
        yield paths, read_json(paths.run_json)


def _is_of_another(saved: SavedRun, settings: RunSettings) -> str | None:
    """Why RLA_RESUME does not mean this run; None if it does."""
    if os.environ.get(_TAKEN) == saved.id and is_writer(settings):
        return "which goes on already"
    if not is_of_task(saved, settings.task_name):
        return f"a run of the task {shown(saved.task, 100)}"
    function = saved.run_json.get("function")
    if not is_same_function(function, settings.function_name):
        return f"a run of {shown(function, 100)}"
    return None


def _has_other_parameters(saved: SavedRun, settings: RunSettings, request: ResumeRequest) -> str | None:
    differing = other_parameters(saved, settings, request)
    if not differing:
        return None
    told = listed(differing)
    if saved.id not in _unmet and is_writer(settings):
        allow = request.option("allow", [each.name for each in differing])
        warn(
            f"RLA_RESUME names the run {saved.id}, and this start has other hyper-parameters: {told}. It is a "
            f"new run, and {saved.id} waits for a start that fits. If this one is meant: {allow}"
        )
    return f"whose hyper-parameters are others: {told}"


def _keep_unmet(run_id: str, why: str) -> None:
    """Warn at the end of the program if nothing has gone on with the run."""
    if not _unmet:
        atexit.register(_tell_unmet)
    _unmet.setdefault(run_id, (why, os.getpid()))


def _tell_unmet() -> None:
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:  # another one of a pool may have resumed it
        return
    for run_id, (why, pid) in _unmet.items():
        if pid == os.getpid() and os.environ.get(_TAKEN) != run_id:
            warn(
                f"RLA_RESUME names the run {printable(run_id)}, which has not gone on: no start fitted it. It is {why}."
            )


def forget_state() -> None:
    """As in a process that has just begun."""
    _unmet.clear()
    os.environ.pop(_TAKEN, None)
