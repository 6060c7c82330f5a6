"""``resume="auto"``: the newest run of a task, function and hyper-parameters that is over and did not finish.

One of the same job comes before newer ones of others: the tasks of an array may differ in nothing but their numbers.
Where there is none, the request's notes say why: what is against the run that fits, or how the nearest run differs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rla_hooks import life
from rla_hooks.checkpoints.manifest import Manifest
from rla_hooks.core.job import job_identity
from rla_hooks.core.resume_request import Resumable, ResumeRequest
from rla_hooks.core.settings import RunSettings
from rla_hooks.endings import FAILED, FINISHED, PRUNED, RUNNING, SEVERITY, UNKNOWN
from rla_hooks.errors import ConfigError
from rla_hooks.former_parameters import Difference, FormerParameters, listed
from rla_hooks.layout import RunPaths
from rla_hooks.query import SavedRun
from rla_hooks.query.entry import read_entry
from rla_hooks.query.moved import parsed, paths_of
from rla_hooks.query.unfinished import contents, unfinished
from rla_hooks.record import FORMAT
from rla_hooks.resume_checks import (
    checked,
    is_same_function,
    is_writer,
    newest_checkpoint,
    refused,
    unknown_names,
    why_alive,
)
from rla_hooks.texts import beginnings, shown

_MOST_DIFFERING = 5  # hyper-parameters of the nearest run; with more it is none that was meant
_LOOKED_AT = 50  # runs of other names among which the nearest one is looked for
_ZONES = timedelta(hours=26)  # between the clocks of two machines


class Search:
    """The search for the newest unfinished run of a task, function and hyper-parameters."""

    def __init__(self, settings: RunSettings, request: ResumeRequest):
        self._settings, self._request = settings, request
        self._job = job_identity()
        self._passed: list[str] = []  # what is against runs that else fit
        self._others: list[str] = []  # runs whose names tell that they have other hyper-parameters, newest first
        self._nearest: tuple[SavedRun, list[Difference]] | None = None  # the run that differs least, and how

    def newest(self) -> Resumable | None:
        """Return it; None, with a note that says why, where a new run is to start. Raises ConfigError."""
        unknown = [*unknown_names(self._request.allow, [*self._settings.hyper_param], self._settings)]
        if unknown:
            raise ConfigError(unknown)
        saved = self._newest_that_fits()
        if saved is None:
            self._tell_new(self._passed[0] if self._passed else self._none_fits())
            return None
        if not self._request.from_start and newest_checkpoint(Manifest(paths_of(saved).checkpoint_dir)) is None:
            self._tell_new(f"{saved.id} ({saved.status}) has no whole checkpoint")
            return None
        return checked(saved, self._settings, self._request)

    def running(self) -> Iterator[tuple[RunPaths, dict[str, Any]]]:
        """Yield the runs of this task, function and hyper-parameters that are noted as running, newest first."""
        for paths, content in self._unfinished():
            is_same = is_same_function(content.get("function"), self._settings.function_name)
            if is_same and content.get("status") == RUNNING and not self._differing(SavedRun(paths, read_entry(paths))):
                yield paths, content

    def _tell_new(self, why: str) -> None:
        self._request.notes.append(f"resume='auto': {why}: this run is new")

    def _newest_that_fits(self) -> SavedRun | None:
        """By the start in run.json; names have local times, so that runs of the hours before are looked at, too.

        A run of this job may be older than many of others, so that in a job all are looked at until it is found.
        """
        found: SavedRun | None = None
        first = False, ""  # whether it is of this job, and its start
        for paths, content in self._unfinished():
            named = parsed(paths.name)
            is_older = found is not None and named is not None and named.time < self._time_of(found) - _ZONES
            if is_older and (first[0] or self._job is None):
                break
            order = self._is_same_job(content.get("job")), str(content.get("started"))
            if self._may_go_on(content) and (found is None or order > first):
                saved = SavedRun(paths, read_entry(paths))
                if self._fits(saved):
                    found, first = saved, order
        return found

    def _unfinished(self) -> Iterator[tuple[RunPaths, dict[str, Any]]]:
        parameters = self._settings.parameters()
        assert self._settings.task_name is not None
        allowed = set(self._request.allow)
        certain = {key: value for key, value in parameters.items() if allowed.isdisjoint(beginnings(key))}
        return unfinished(self._root, self._settings.task_name, certain, self._others)

    @property
    def _root(self) -> Path:
        assert self._settings.config is not None
        return Path(os.path.abspath(self._settings.config.log_root))

    @staticmethod
    def _time_of(saved: SavedRun) -> Any:
        named = parsed(saved.name)
        return named.time if named else saved.started.replace(tzinfo=None)

    def _may_go_on(self, content: Mapping[str, Any]) -> bool:
        """Whether a run ended in a way that auto resumes, as far as its run.json tells."""
        number, status = content.get("format"), content.get("status")
        if not isinstance(status, str) or status not in SEVERITY or status in (FINISHED, PRUNED, UNKNOWN):
            return False
        is_known = not (isinstance(number, int) and number > FORMAT) and isinstance(content.get("started"), str)
        return is_known and is_same_function(content.get("function"), self._settings.function_name)

    def _fits(self, saved: SavedRun) -> bool:
        if damage := saved.problems or _damage(saved.run_json):
            self._passed.append(f"{saved.id} is damaged ({'; '.join(damage).rstrip('.')})")
            return False
        differing = self._differing(saved)
        if differing:
            self._keep_nearest(saved, differing)
            return False
        if saved.status == FAILED and not self._is_same_job(saved.run_json.get("job")):
            alone = "failed, and goes on by itself only in another try of its job on a cluster"
            self._passed.append(f"{saved.id} {alone} (RLA_RESUME={saved.id} takes it)")
            return False
        if life.is_running(saved.status):
            return self._is_over(saved)
        return True

    def _differing(self, saved: SavedRun) -> list[Difference]:
        """The hyper-parameters for which a run is another one."""
        former = FormerParameters(saved.run_json, saved.hparams)
        return refused(former.differences(self._settings.hyper_param), self._request.allow)

    def _keep_nearest(self, saved: SavedRun, differing: list[Difference]) -> None:
        """Keep it if no newer run, of those that could go on, differs in so few hyper-parameters."""
        most = _MOST_DIFFERING + 1 if self._nearest is None else len(self._nearest[1])
        is_nearer = len(differing) < most
        if is_nearer and saved.status != FAILED and not life.is_running(saved.status):
            self._nearest = saved, differing

    def _none_fits(self) -> str:
        """Why no run goes on, with the one that was perhaps meant."""
        none = "no run of this task, function and hyper-parameters is unfinished"
        for paths, content in contents(self._root, self._others[:_LOOKED_AT]):
            if self._may_go_on(content):
                saved = SavedRun(paths, read_entry(paths))
                if not saved.problems:
                    self._keep_nearest(saved, self._differing(saved))
        if self._nearest is None:
            return none
        saved, differing = self._nearest
        allow = self._request.option("allow", [each.name for each in differing])
        return f"{none}; of the nearest, {saved.id} ({saved.status}), {listed(differing)} ({allow} takes it)"

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


def _damage(content: Mapping[str, Any]) -> list[str]:
    """Return why no new life can begin with this run.json."""
    for key in ("started", "resumed"):
        try:
            datetime.fromisoformat(str(content.get(key) or content["started"]))
        except ValueError:
            return [f"run.json has {key} {shown(content.get(key), 40)}"]
    return []
