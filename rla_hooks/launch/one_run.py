"""Of a sweep one run is wanted, by ``rla resume``: it goes on in this process, and no other setting begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rla_hooks import resumable
from rla_hooks.core import rerun_request
from rla_hooks.core.resume_request import AUTO, request_of
from rla_hooks.former_parameters import FormerParameters
from rla_hooks.query import SavedRun
from rla_hooks.resume_checks import refused

Parameters = Callable[[dict[str, Any]], Mapping[str, Any]]  # the hyper-parameters of a setting


def is_wanted() -> bool:
    """Whether the environment asks for one run of this program, by ``rla resume`` or ``rla rerun``."""
    return bool(os.environ.get("RLA_RESUME", "").strip() or rerun_request.asked())


def wanted(runs: Iterable[SavedRun]) -> SavedRun | None:
    """Return which of the runs of a sweep RLA_RESUME names; None where it names none of them."""
    named = os.environ.get("RLA_RESUME", "").strip()
    of_sweep = {run.id: run for run in runs}
    if not named or named == AUTO or not of_sweep:
        return None
    return of_sweep.get(resumable.find(named, next(iter(of_sweep.values())).paths.log_root).id)


def setting_of(run: SavedRun, main: Any, settings: Iterable[dict[str, Any]], parameters: Parameters) -> dict[str, Any]:
    """Return the setting of the sweep that is the run's, but for what may differ; else what the run has stored.

    Raises ConfigError where what was stored cannot be passed: secrets, objects.
    """
    request = request_of(None, (), False, False, [])
    former, allowed = FormerParameters(run.run_json, run.hparams), request.allow if request is not None else ()
    for setting in settings:
        if not refused(former.differences(parameters(setting), partial=True), allowed):
            return setting
    return resumable.arguments_of(run, {}, main.swept.function)
