"""``rla.sweep``: calls a tracked function for each of many settings, and returns their runs."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.command import command_line
from rla_hooks.core import handover, registry, rerun_request
from rla_hooks.core.settings import RunSettings
from rla_hooks.core.sweep_request import SweepMember
from rla_hooks.endings import KILLED
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.launch import engines, one_run, space, studies
from rla_hooks.launch.checks import GRID, RANDOM, problems_of
from rla_hooks.launch.claims import claim_of
from rla_hooks.launch.driving import Drive
from rla_hooks.launch.engine_choice import engine_of
from rla_hooks.launch.existing import Existing, has_checkpoint, is_alive, is_done
from rla_hooks.launch.jobs import Job, Listed, Source
from rla_hooks.launch.reporting import OBJECTIVE
from rla_hooks.launch.showing import Telling, is_wanted, plan_of, print_table, say
from rla_hooks.launch.task import Outcome, Task, call
from rla_hooks.layout import JOBS, SWEEPS
from rla_hooks.query import Runs, SavedRun
from rla_hooks.query.given import saved_run
from rla_hooks.query.names import getter
from rla_hooks.texts import counted, listed


def sweep(
    main: Callable[..., Any],
    settings: Mapping[str, Any] | Sequence[Mapping[str, Any]] | Callable[[Any], Mapping[str, Any]],
    *,
    on: Any = engines.LOCAL,
    jobs: int | None = None,
    retries: int = 0,
    resume: bool = True,
    group: str | None = None,
    search: Any = GRID,
    limit: int | None = None,
    seed: int = 0,
    metric: str | None = None,
    mode: str = "max",
    divide: bool = True,
    cluster: Mapping[str, Any] | None = None,
    log_root: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
    confirm: bool = False,
    quiet: bool = False,
) -> Runs:
    """Call a tracked function for each of many settings, each call a run, and return these runs.

    settings: the values of each parameter; one that has none keeps its default. Or a list of settings. search: ``grid``
    takes all combinations, ``random`` draws ``limit`` of them, by ``seed``, also from distributions such as scipy's
    ``loguniform(1e-5, 1e-2)``; an Optuna study suggests them: see docs/sweep.md. limit: the most settings.

    on: ``local``, processes of this machine (joblib), whose cores and GPUs are divided among the ``jobs`` that run at
    once, by default 1, unless ``divide`` is False; ``slurm`` (submitit) or ``ray``, with their options in ``cluster``;
    any executor of ``concurrent.futures``. retries: how often a setting whose run has failed, or whose process has
    died, is tried again, in the same run.

    group: the label of all runs, by default one of the function and the parameters. resume: settings of which this
    group has a run already are skipped if that has finished, and go on if it has not: from its newest checkpoint, or
    from the start. A failure stops no other setting. Ctrl-C ends the runs in order. The plan, a progress bar and a
    table go to stderr, unless ``quiet``; metric: the one that says how good a run is, by default what the function
    returns, or what ``rla.report`` was given; mode: ``max`` or ``min``. dry_run: only show the plan; confirm: on a
    terminal, ask before anything begins. log_root: in place of that of the decorator or the config.

    Raises :class:`~rla_hooks.errors.ConfigError`, with all mistakes, before anything is started.

    >>> import rla_hooks as rla
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> @rla.track(writers=["csv"], backup="none")
    ... def train(lr, seed=0):
    ...     rla.log({"perf/return": lr * seed}, step=0)
    ...     return lr * seed
    >>> with ThreadPoolExecutor(2) as threads:
    ...     done = rla.sweep(train, {"lr": [1.0, 2.0], "seed": range(1, 3)}, on=threads, group="lr sweep", quiet=True)
    >>> [(run.hparams["lr"], run.hparams["seed"], run.result) for run in done]
    [(1.0, 1, 1.0), (1.0, 2, 2.0), (2.0, 1, 2.0), (2.0, 2, 4.0)]
    >>> len(rla.runs(group="lr sweep"))
    4
    """
    options = {"retries": retries, "limit": limit, "seed": seed}
    flags = {"resume": resume, "divide": divide, "dry_run": dry_run, "confirm": confirm, "quiet": quiet}
    problems = problems_of(main, settings, search, {**options, **flags}, mode, metric, group)
    problems += engines.problems_of(on, jobs, cluster or {})
    if problems:
        raise ConfigError(problems)
    study = studies.is_study(search)
    first = studies.example(settings) if study else _first(settings)
    if rerun_request.asked() is not None:  # of the sweep one run is wanted: the call gets its arguments by itself
        call(main, first)
        return Runs([], "rla.runs()")
    planned = _Sweep(main, settings, first, group, resume, log_root)
    one = None if dry_run else one_run.wanted(planned.existing.runs)
    if one is not None:
        say(f"sweep {planned.group!r}: only the run {one.id} goes on, which RLA_RESUME names", quiet)
        known = () if study else (job.setting for job in planned.listed(settings, search, limit, seed).jobs)
        call(main, one_run.setting_of(one, main, known, planned.parameters))
        return Runs([saved_run(one.log_dir)], planned.query)
    source: Source = (
        planned.study_source(search, settings, limit, resume)
        if study
        else planned.listed(settings, search, limit, seed)
    )
    if not quiet:
        say(planned.told(source, on, jobs))
    if dry_run or not source.total or (confirm and not is_wanted()):
        return planned.runs(source)
    engine = engine_of(on, jobs, divide, planned.log_root / SWEEPS / JOBS / planned.member.id, cluster or {})
    if on != engines.SLURM:  # whose jobs have a file each for what they print
        planned.member = planned.member.replaced(quiet=True)
    if study:
        planned.reports = studies.can_report(search, on)
    engine.check(planned.task_of(Job(0, planned.first)))
    sign = (studies.sign_of(search) if study else None) or (-1 if mode == "min" else 1)
    planned.metric = metric
    try:
        with Telling(source.total, planned.value_of, sign, quiet) as telling:
            Drive(engine, source, planned.task_of, planned.died, retries, telling).run()
    finally:
        if not quiet:
            print_table(source.jobs, planned.run_of, planned.value_of)
    return planned.runs(source)


class _Sweep:
    """What a sweep knows of its function, of its group, and of its runs."""

    def __init__(self, main: Any, settings: Any, first: dict[str, Any], group: str | None, resume: bool, log_root: Any):
        self._main, self._swept = main, main.swept
        names = space.names_of(settings)
        self.first = first
        self.name = main.__qualname__
        self.group = group or f"{self.name} over {listed(names, 8) or 'a study'}"
        around = registry.enclosing()
        self.member = SweepMember(
            secrets.token_hex(4),
            0,
            self.group,
            log_root,
            parent=around.name if around else None,
            command=command_line(),
            folder=os.getcwd(),
        )
        self.settings = self._checked(self.first)
        assert self.settings.config is not None
        self.log_root, source = self.settings.config.log_root, self.settings.config.source
        self.task, self._names = self.settings.task_name, names
        self.existing = self._look()
        former_id = self.existing.sweep_id if resume else None
        self.member = self.member.replaced(
            id=former_id or self.member.id, log_root=self.log_root, config=str(source) if source else None
        )
        self._resume, self._runs = resume, dict[int, SavedRun | None]()
        self._claims = dict[Path, int]()  # whose setting each is
        self.metric: str | None = None
        self.reports: Callable[[Any], Any] | None = None  # what a job's run reports to, by its trial
        self.query = f"rla.runs({str(self.log_root)!r}, task={self.task!r}, group={self.group!r})"

    def _checked(self, setting: dict[str, Any]) -> RunSettings:
        """Return the settings of a run, checked as if it began now."""
        args, kwargs = self._swept.parameters.as_call(setting)
        found: RunSettings | None = self._swept.block(tuple(args), kwargs, self.member).configured()
        assert found is not None
        if problems := found.own_problems():
            raise ConfigError(problems)
        return found

    def _look(self) -> Existing:
        return Existing(self.log_root, self.task, self.settings.function_name, self.group, self._names)

    def parameters(self, setting: dict[str, Any]) -> dict[str, Any]:
        args, kwargs = self._swept.parameters.as_call(setting)
        found: dict[str, Any] = self._swept.hyper_parameters(tuple(args), kwargs)
        return found

    # --- the settings -----------------------------------------------------------------------------------------------

    def job(self, index: int, setting: dict[str, Any], trial: Any = None) -> Job:
        """Return a setting with the run that it has already."""
        former = self.existing.find(self.parameters(setting)) if self._resume else None
        skipped = former is not None and (is_done(former) or is_alive(former))
        return Job(index, setting, former, skipped, trial=trial)

    def listed(self, settings: Any, search: str, limit: int | None, seed: int) -> Listed:
        found = space.settings_of(settings, search == RANDOM, limit, seed)
        return Listed(self.job(index, setting) for index, setting in enumerate(found))

    def study_source(self, study: Any, settings: Any, limit: int | None, resume: bool) -> studies.StudySource:
        return studies.StudySource(study, settings, limit or 1, self.group, self.job, self.value_of, resume)

    def told(self, source: Source, on: Any, jobs: int | None) -> str:
        """Return the plan in words."""
        where = f"on {on if isinstance(on, str) else type(on).__name__}"
        at_once = f", {jobs} at once" if jobs is not None and jobs > 0 else ""
        suggested = [f"{source.total} that the study suggests"] if isinstance(source, studies.StudySource) else []
        plan = ", ".join(filter(None, [plan_of(source.jobs), *suggested]))
        count = sum(job.skipped for job in source.jobs) + source.total
        return f"sweep {self.group!r}: {counted(count, 'setting')} of {self.name} {where}{at_once}: {plan}"

    # --- the runs ---------------------------------------------------------------------------------------------------

    def task_of(self, job: Job) -> Task:
        former = self.run_of(job) if job.tries else job.former
        self._runs.pop(job.index, None)
        member = self.member.replaced(index=job.index, is_again=job.tries > 0)
        if self._resume:
            kind, parameters = (self.task, self.settings.function_name, self.group), self.parameters(job.setting)
            file = claim_of(self.log_root, kind, parameters)
            if self._claims.setdefault(file, job.index) == job.index:  # two may differ in what is not compared
                member = member.replaced(claim=str(file))
        if former is not None and not is_done(former):
            member = member.replaced(resume=str(former.log_dir), from_start=not has_checkpoint(former))
        if job.trial is not None and self.reports is not None:
            member = member.replaced(report=self.reports(job.trial))
        return Task(self._main, job.setting, member)

    def died(self, job: Job, outcome: Outcome) -> Outcome:
        """Return the outcome of a job whose process is gone, with the run that it had begun."""
        found = None if handover.is_off() else self._look().find(self.parameters(job.setting))
        if found is None:
            return Outcome(KILLED, None, None, f"its process died before the run began: {outcome.error}")
        status = KILLED if is_alive(found) else found.status
        return Outcome(status, str(found.log_dir), None, "its process died")

    def run_of(self, job: Job) -> SavedRun | None:
        """Return the run of a job as it is now; None without one."""
        if isinstance(job.run, str) and job.index not in self._runs:
            self._runs[job.index] = None
            with suppress(RLAError):
                self._runs[job.index] = saved_run(Path(job.run))
        if job.skipped and job.former is not None and is_alive(job.former):  # elsewhere, a moment ago
            return saved_run(job.former.log_dir)
        return self._runs.get(job.index, job.former)

    def value_of(self, job: Job) -> float | None:
        """Return how good the run of a job is; None where nobody knows."""
        run = self.run_of(job)
        value = job.outcome.value if job.outcome is not None else None
        if run is not None and self.metric is not None:
            value = getter(f"last.{self.metric}")(run)
        elif run is not None and value is None:
            value = run.last.get(OBJECTIVE) if run.result is None else run.result
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return float(value) if math.isfinite(value) else None

    def runs(self, source: Source) -> Runs:
        """Return the runs of all settings, in their order, as they are now."""
        found = (self.run_of(job) for job in sorted(source.jobs, key=lambda job: job.index))
        return Runs([run for run in found if run is not None], self.query)


def _first(settings: Any) -> dict[str, Any]:
    """One setting, to look at what any of them needs."""
    values = {} if space.are_paired(settings) else space.space_of(settings)
    return space.settings_of(settings, any(map(space.is_drawn, values.values())), 1, 0)[0]
