"""``@rla.track``, ``with rla.run()`` and ``rla.start()``: record a call, a block, or any stretch of code as a run.

Each of the three functions spells out the same options, for editors and type checkers.
"""

from __future__ import annotations

import functools
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from rla_hooks.core import handover, registry
from rla_hooks.core.settings import Config, Path_, RunSettings, Writers
from rla_hooks.endings import ErrorTypes
from rla_hooks.labels import Labels
from rla_hooks.run_block import RunBlock
from rla_hooks.tracked import Tracked, Tracks
from rla_hooks.tracked_calls import TrackedCalls, configure, default_task, set_parent

if TYPE_CHECKING:
    from rla_hooks.core.run import Run
    from rla_hooks.tracked import Resume

P = ParamSpec("P")
R = TypeVar("R")


@overload
def track(function: Callable[P, R], /) -> Tracked[P, R]: ...
@overload
def track(
    *,
    record: str | Sequence[str] = (),
    task: str | None = None,
    config: Config | None = None,
    log_root: Path_ | None = None,
    writers: Writers | None = None,
    backup: str | None = None,
    tags: Sequence[str] = (),
    note: str | None = None,
    title: str | None = None,
    group: str | None = None,
    independent: bool = False,
    pruned_by: ErrorTypes = (),
    resume: Resume | None = None,
    allow: str | Sequence[str] = (),
    same_code: bool = False,
    from_start: bool = False,
    system_metrics: float | None = None,
) -> Tracks: ...
def track(
    function: Callable[..., Any] | None = None,
    /,
    *,
    record: str | Sequence[str] = (),
    task: str | None = None,
    config: Config | None = None,
    log_root: Path_ | None = None,
    writers: Writers | None = None,
    backup: str | None = None,
    tags: Sequence[str] = (),
    note: str | None = None,
    title: str | None = None,
    group: str | None = None,
    independent: bool = False,
    pruned_by: ErrorTypes = (),
    resume: Resume | None = None,
    allow: str | Sequence[str] = (),
    same_code: bool = False,
    from_start: bool = False,
    system_metrics: float | None = None,
) -> Any:
    """Make every call of a function a run.

    record: names of hyper-parameters that become part of the run's name. task: the group of runs that it belongs to;
    by default the script's name for a function ``main``, else the function's name. config: a path or a mapping, in
    place of the ``rla_config.yaml`` that is found in the working directory or above, else beside the main script or
    above. log_root, writers and backup override the config; writers: names (those of LOG_USED) and objects
    with ``name``, ``write`` and ``close`` (see :class:`rla_hooks.writers.base.Writer`); backup: source, lib or none.
    tags, note, title, group: kept in labels.json, for people to find the run by; see also ``rla tag``. system_metrics:
    seconds between two rows of system.csv, which has the use of the machine; it overrides the config, too.
    independent: the process is a run of its own, although a launcher has given it a rank. pruned_by: a class of
    exceptions, or a tuple of them, that end a run on purpose: as ``pruned``, not ``failed``.

    All arguments of the call, with defaults and ``**kwargs``, without ``self``, are the hyper-parameters. The function
    gets its arguments unchanged; name, signature and docstring, return values and exceptions stay the same. What it
    returns is kept as ``result`` in run.json, as far as it is plain data of at most 10,000 bytes: numbers, texts,
    lists, mappings, small arrays. Works on functions, methods and ``async def``. With ``RLA_MODE=off`` the function
    runs untracked.

    resume: a run that goes on in place of a new one: its id, its name, a folder of it, a run of ``rla.runs()``, or
    ``auto``: the newest one of this task, function and hyper-parameters that did not finish, if there is one. allow:
    names of hyper-parameters that may differ from the stored ones. same_code: restore the run's code first. from_start:
    keep nothing of its rows, but for a copy under ``cut/``, and load no checkpoint. The environment variable RLA_RESUME
    counts where ``resume`` is None. ``main.resume(run)`` calls the function with the run's stored hyper-parameters;
    ``main.fork(run, step)`` does so for a new run, which begins with what that one was at a checkpoint.

    Raises :class:`~rla_hooks.errors.ConfigError`, with every mistake, when the function is called and before
    anything is created.

    >>> import rla_hooks as rla
    >>> @rla.track(record=["lr"], writers=["csv"], backup="none")
    ... def main(lr=1e-3, steps=3):
    ...     for step in range(steps):
    ...         rla.log({"perf/return": lr * step}, step=step)
    ...     return rla.current_run().name
    >>> name = main(lr=0.1)
    >>> rla.runs()[-1].hparams
    {'lr': 0.1, 'steps': 3}
    """
    if function is None:
        options: dict[str, Any] = {"record": record, "task": task, "config": config, "log_root": log_root}
        options |= {"writers": writers, "backup": backup, "tags": tags, "note": note, "title": title, "group": group}
        options |= {"resume": resume, "allow": allow, "same_code": same_code, "from_start": from_start}
        options |= {"system_metrics": system_metrics}
        return functools.partial(track, **options, independent=independent, pruned_by=pruned_by)
    options = {"writers": writers, "backup": backup, "system_metrics": system_metrics}
    labels = Labels(tags, note, title, group)
    calls = TrackedCalls(function, record, task, (config, log_root), options, labels, independent, pruned_by)
    return calls.tracked((resume, allow, same_code, from_start))


def run(
    task: str | None = None,
    record: str | Sequence[str] = (),
    config: Config | None = None,
    log_root: Path_ | None = None,
    writers: Writers | None = None,
    backup: str | None = None,
    tags: Sequence[str] = (),
    note: str | None = None,
    title: str | None = None,
    group: str | None = None,
    independent: bool = False,
    pruned_by: ErrorTypes = (),
    resume: Resume | None = None,
    allow: str | Sequence[str] = (),
    same_code: bool = False,
    from_start: bool = False,
    system_metrics: float | None = None,
    hyper_parameters: Mapping[str, Any] | None = None,
    **more: Any,
) -> RunBlock:
    """Make a block of code a run: what :func:`track` does to a function.

    task: by default the script's name, ``run`` in a notebook. more: hyper-parameters; those with the name of an option
    go in ``hyper_parameters``. The other options are those of :func:`track`. The run ends with the block, as
    ``failed`` or ``interrupted`` if an exception leaves it. With ``RLA_MODE=off`` the run accepts every call and writes
    nothing.

    Raises :class:`~rla_hooks.errors.ConfigError`, with every mistake, before anything is created.

    >>> import rla_hooks as rla
    >>> with rla.run(task="notebook", record=["lr"], writers=["csv"], backup="none", lr=0.1) as run:
    ...     rla.log({"perf/return": 1.0}, step=0)
    >>> run.status
    'finished'
    """

    def configured() -> RunSettings | None:
        if handover.is_off():
            return None
        settings, problems = _settings_of(hyper_parameters, more, Labels(tags, note, title, group))
        settings.independent, settings.pruned_by = independent, pruned_by
        where = default_task() if task is None else task, config, log_root
        options = {"writers": writers, "backup": backup, "system_metrics": system_metrics}
        return configure(settings, record, where, options, (resume, allow, same_code, from_start), problems)

    return RunBlock(configured)


def start(
    task: str | None = None,
    record: str | Sequence[str] = (),
    config: Config | None = None,
    log_root: Path_ | None = None,
    writers: Writers | None = None,
    backup: str | None = None,
    tags: Sequence[str] = (),
    note: str | None = None,
    title: str | None = None,
    group: str | None = None,
    independent: bool = False,
    pruned_by: ErrorTypes = (),
    resume: Resume | None = None,
    allow: str | Sequence[str] = (),
    same_code: bool = False,
    from_start: bool = False,
    system_metrics: float | None = None,
    hyper_parameters: Mapping[str, Any] | None = None,
    **more: Any,
) -> Run:
    """Start a run, and return it: what :func:`run` does, for code that is no block, such as cells of a notebook.

    It is the current run in this thread, and in threads that this one starts, until ``run.finish(status)``; a run that
    is not finished ends with the process. In a notebook it ends, too, where a later cell calls ``rla.start`` again, as
    one that is run a second time. Arguments and errors are those of :func:`run`.

    >>> import rla_hooks as rla
    >>> run = rla.start(task="notebook", writers=["csv"], backup="none", lr=0.1)
    >>> rla.log({"perf/return": 1.0}, step=0)
    >>> run.finish()
    >>> rla.runs()[-1].metrics()["perf/return"].tolist()
    [1.0]
    """
    from rla_hooks.core.run import Run

    options: dict[str, Any] = {"writers": writers, "backup": backup, "independent": independent, "pruned_by": pruned_by}
    options |= {"tags": tags, "note": note, "title": title, "group": group}
    options |= {"resume": resume, "allow": allow, "same_code": same_code, "from_start": from_start}
    options |= {"system_metrics": system_metrics}
    settings = run(task, record, config, log_root, **options, hyper_parameters=hyper_parameters, **more).configured()
    if settings is None:
        return Run.silent()
    for earlier in registry.of_earlier_cells():
        earlier.ending.end_with_cells()
        set_parent(settings)
    started = Run.start(settings)
    registry.enter_until_finish(started)
    return started


def _settings_of(
    hyper_parameters: Mapping[str, Any] | None, more: dict[str, Any], labels: Labels
) -> tuple[RunSettings, list[str]]:
    """Return settings with these hyper-parameters, and a line for each mistake in them."""
    problems = []
    given = hyper_parameters if isinstance(hyper_parameters, Mapping) else {}
    if hyper_parameters is not None and not isinstance(hyper_parameters, Mapping):
        problems.append(
            f"hyper_parameters is {reprlib.repr(hyper_parameters)}. Allowed: a mapping such as {{'lr': 0.1}}."
        )
    problems += [f"the hyper-parameter {name!r} is given twice. Give it once." for name in more if name in given]
    return RunSettings(hyper_param={**given, **more}, labels=labels), problems
