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
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rla_hooks import life
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.core import handover
from rla_hooks.core.job import job_identity
from rla_hooks.core.resume_request import AUTO, Resumable, ResumeRequest
from rla_hooks.core.settings import RunSettings
from rla_hooks.endings import FAILED, FINISHED, PRUNED, RUNNING, SEVERITY
from rla_hooks.errors import ConfigError, RLAError, warn
from rla_hooks.former_parameters import FormerParameters
from rla_hooks.layout import RunPaths
from rla_hooks.query import SavedRun
from rla_hooks.query.entry import read_entry
from rla_hooks.query.given import saved_run
from rla_hooks.query.moved import parsed, paths_of
from rla_hooks.query.unfinished import unfinished
from rla_hooks.record import FORMAT
from rla_hooks.resume_checks import (
    checked,
    is_of_task,
    is_same_function,
    is_writer,
    newest_checkpoint,
    other_parameters,
    unknown_names,
    why_alive,
)
from rla_hooks.resume_ranks import told_by_environment, wait_for_rank_zero
from rla_hooks.smallfiles import read_json
from rla_hooks.texts import beginnings, printable, shown

_TAKEN = "RLA_RESUMED"  # the run that RLA_RESUME named, once it has been resumed; processes inherit it
_MAX_LISTED = 5  # differences in a warning
_unmet: dict[str, tuple[str, int]] = {}  # by the id of what RLA_RESUME means: why it is not resumed, and who knows it
_ZONES = timedelta(hours=26)  # between the clocks of two machines


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
    saved = find(request.run, None if config is None else config.log_root)
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
    search = _Search(settings, request)
    found = wait_for_rank_zero(search.running, wait) if is_follower else None
    return found or search.newest()


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
    listed = "; ".join(map(str, differing[:_MAX_LISTED]))
    more = f"; and {len(differing) - _MAX_LISTED} more" if len(differing) > _MAX_LISTED else ""
    if saved.id not in _unmet and is_writer(settings):
        names = ",".join(each.name for each in differing)
        warn(
            f"RLA_RESUME names the run {saved.id}, and this start has other hyper-parameters: {listed}{more}. It is a "
            f"new run, and {saved.id} waits for a start that fits. If this one is meant: RLA_RESUME_ALLOW={names}"
        )
    return f"whose hyper-parameters are others: {listed}{more}"


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


def _damage(content: Mapping[str, Any]) -> list[str]:
    """Return why no new life can begin with this run.json."""
    for key in ("started", "resumed"):
        try:
            datetime.fromisoformat(str(content.get(key) or content["started"]))
        except ValueError:
            return [f"run.json has {key} {shown(content.get(key), 40)}"]
    return []


class _Search:
    """The search for the newest unfinished run of a task, function and hyper-parameters."""

    def __init__(self, settings: RunSettings, request: ResumeRequest):
        self._settings, self._request = settings, request
        self._job = job_identity()
        self._passed: list[str] = []  # what is against runs that else fit

    def newest(self) -> Resumable | None:
        """Return it; None, with a note that says why, where a new run is to start. Raises ConfigError."""
        unknown = [*unknown_names(self._request.allow, [*self._settings.hyper_param], self._settings)]
        if unknown:
            raise ConfigError(unknown)
        saved = self._newest_that_fits()
        if saved is None:
            none = "no run of this task, function and hyper-parameters is unfinished"
            self._tell_new(self._passed[0] if self._passed else none)
            return None
        if not self._request.from_start and newest_checkpoint(Manifest(paths_of(saved).checkpoint_dir)) is None:
            self._tell_new(f"{saved.id} ({saved.status}) has no whole checkpoint")
            return None
        return checked(saved, self._settings, self._request)

    def running(self) -> Iterator[tuple[RunPaths, dict[str, Any]]]:
        """Yield the runs of this task, function and hyper-parameters that are noted as running, newest first."""
        for paths, content in self._unfinished():
            is_same = is_same_function(content.get("function"), self._settings.function_name)
            if (
                is_same
                and content.get("status") == RUNNING
                and self._has_same_parameters(SavedRun(paths, read_entry(paths)))
            ):
                yield paths, content

    def _tell_new(self, why: str) -> None:
        self._request.notes.append(f"resume='auto': {why}: this run is new")

    def _newest_that_fits(self) -> SavedRun | None:
        """By the start in run.json; names have local times, so that runs of the hours before are looked at, too."""
        found: SavedRun | None = None
        for paths, content in self._unfinished():
            named = parsed(paths.name)
            if found is not None and named is not None and named.time < self._time_of(found) - _ZONES:
                break
            if self._may_go_on(content) and (found is None or str(content.get("started")) > found.run_json["started"]):
                saved = SavedRun(paths, read_entry(paths))
                if self._fits(saved):
                    found = saved
        return found

    def _unfinished(self) -> Iterator[tuple[RunPaths, dict[str, Any]]]:
        config, parameters = self._settings.config, self._settings.parameters()
        assert config is not None and self._settings.task_name is not None
        root = Path(os.path.abspath(config.log_root))
        allowed = set(self._request.allow)
        certain = {key: value for key, value in parameters.items() if allowed.isdisjoint(beginnings(key))}
        return unfinished(root, self._settings.task_name, certain)

    @staticmethod
    def _time_of(saved: SavedRun) -> Any:
        named = parsed(saved.name)
        return named.time if named else saved.started.replace(tzinfo=None)

    def _may_go_on(self, content: Mapping[str, Any]) -> bool:
        """Whether a run ended in a way that auto resumes, as far as its run.json tells."""
        number, status = content.get("format"), content.get("status")
        if not isinstance(status, str) or status not in SEVERITY or status in (FINISHED, PRUNED):
            return False
        is_known = not (isinstance(number, int) and number > FORMAT) and isinstance(content.get("started"), str)
        return is_known and is_same_function(content.get("function"), self._settings.function_name)

    def _fits(self, saved: SavedRun) -> bool:
        if damage := saved.problems or _damage(saved.run_json):
            self._passed.append(f"{saved.id} is damaged ({'; '.join(damage).rstrip('.')})")
            return False
        if not self._has_same_parameters(saved):
            return False
        if saved.status == FAILED and not self._is_same_job(saved.run_json.get("job")):
            self._passed.append(f"{saved.id} failed, and this is no further try of its job")
            return False
        if life.is_running(saved.status):
            return self._is_over(saved)
        return True

    def _has_same_parameters(self, saved: SavedRun) -> bool:
        allow = self._request.allow
        differences = FormerParameters(saved.run_json, saved.hparams).differences(self._settings.hyper_param)
        return all(any(name in allow for name in beginnings(each.name)) for each in differences)

    def _is_over(self, saved: SavedRun) -> bool:
        """Whether a run that is noted as running is none; on another rank, whether rank zero has taken it up."""
        if not is_writer(self._settings):
            return self._is_same_job(saved.run_json.get("job"))
        problems, _ = why_alive(saved, self._request)
        self._passed += [f"{saved.id} fits, but {problem.partition('. ')[0]}" for problem in problems]
        return not problems

    def _is_same_job(self, noted: object) -> bool:
        """Of torchrun's agents there is one on each node; that of rank zero counts, which other ranks do not know."""
        if self._job is None or not isinstance(noted, str):
            return False
        is_other_agent = not is_writer(self._settings) and self._job.startswith("torchrun ")
        return noted.startswith("torchrun ") if is_other_agent else noted == self._job
