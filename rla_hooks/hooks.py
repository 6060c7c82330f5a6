"""The kit for authors of hooks: what connects a training framework to a run.

A hook joins the run that the user has open, or creates one; it logs rows, draws figures at intervals, saves
checkpoints, and reports how the training really ended. docs/hooks.md has a complete example. The names and signatures
are stable: later versions may add to them, but change none. This file is longer than others since it is mostly the
docstrings and examples of a public interface that is imported as one module.

    class Hook:
        def __init__(self, **options):
            self.handle = attach_or_plan(OwnRun("Hook", **options))

        def on_step(self, step, metrics):
            self.handle.ensure_started().log(metrics, step)

        def on_error(self, error):
            self.handle.resolve().report(ending_of(error), error)
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks import tracking
from rla_hooks.core import handover, registry, result_files
from rla_hooks.core.handover import State
from rla_hooks.core.resume_request import request_of
from rla_hooks.core.run import Run
from rla_hooks.core.settings import RunSettings
from rla_hooks.endings import ending_of
from rla_hooks.errors import ConfigError, WarnOnce, did_you_mean
from rla_hooks.every import Every
from rla_hooks.former_run import find_former_run
from rla_hooks.labels import Labels
from rla_hooks.parameters import config_fields, flat
from rla_hooks.texts import text_of
from rla_hooks.values import to_scalar

__all__ = [
    "Argument",
    "Every",
    "FigureCalls",
    "Handle",
    "OwnRun",
    "Run",
    "WarnOnce",
    "attach_or_plan",
    "check_arguments",
    "config_fields",
    "ending_of",
    "flat",
    "is_count",
    "open_run",
    "preempted",
    "save_results",
    "script_task",
    "start_run",
    "to_scalar",
    "watch_preemption",
]

#: The options of a run: those of rla.run without hyper-parameters, which a hook gets from its framework.
OPTIONS = tuple(name for name in inspect.signature(tracking.run).parameters if name not in ("hyper_parameters", "more"))
_ONGOING = (State.OWNER, State.GUEST)


class OwnRun:
    """The options of a run that a hook creates if the user has none open.

    hook: its name, for error messages. default_task: the task if the user gives none; by default the hook's name.
    options: those of ``rla.run``, None for an option that the user did not give; but ``record`` is a mapping of names
    and values, since the run's name is needed before the framework knows the hyper-parameters. A hook that passes its
    ``**options`` on unchanged accepts options that later versions add to ``rla.run``, too.

    >>> OwnRun("MyHook", task="pendulum", backup="sauce").problems()
    ["the argument backup is 'sauce'. Known: lib, none, source. Did you mean 'source'?"]
    """

    def __init__(self, hook: str, default_task: str | None = None, /, **options: Any):
        self.hook = hook
        self.default_task = default_task or hook
        self.options = options

    @property
    def given(self) -> list[str]:
        """The names of the options that the user gave."""
        return [
            name
            for name, value in self.options.items()
            if not (value is None or (isinstance(value, tuple) and value == ()))
            and not (name == "task" and value == self.default_task)
        ]

    def problems(self, known: Iterable[str] = (), hints: Mapping[str, str] | None = None) -> list[str]:
        """Return a line for each mistake in the options and in the config file; none if the user gave no option.

        known: further names to suggest for an unknown option. hints: as in :func:`check_arguments`.
        """
        if not self.given:
            return []
        try:
            self.settings(known, hints)
        except ConfigError as error:
            return error.problems
        return []

    def settings(self, known: Iterable[str] = (), hints: Mapping[str, str] | None = None) -> RunSettings:
        """Return the settings of the run; nothing is created. Raises ConfigError with all mistakes."""
        options = {name: self.options.get(name) for name in OPTIONS}
        problems = _unknown([name for name in self.options if name not in OPTIONS], [*known, *OPTIONS], hints)
        record = options["record"]
        if record is not None and not (isinstance(record, Mapping) and all(isinstance(key, str) for key in record)):
            problems.append(
                f"record is {record!r}. Allowed: a mapping of names and values such as {{'info': 'baseline'}}, since "
                "the run's name is needed before the module's hyper-parameters are known. Or use "
                "@rla.track(record=[...])."
            )
            record = None
        tags = () if options["tags"] is None else options["tags"]
        labels = Labels(tags, options["note"], options["title"], options["group"])
        settings = RunSettings(hyper_param=dict(record or {}), hyper_param_record=list(record or ()), labels=labels)
        settings.independent, settings.pruned_by = options["independent"] or False, options["pruned_by"] or ()
        problems += settings.own_problems()
        asked = options["allow"] or (), options["same_code"] or False, options["from_start"] or False
        settings.resume = request_of(options["resume"], *asked, problems)
        task = self.default_task if options["task"] is None else options["task"]
        overrides = {name: options[name] for name in ("writers", "backup", "system_metrics")}
        settings.configure(task, options["config"], options["log_root"], **overrides, problems=problems)
        return settings


class Handle:
    """A hook's reference to its run, which may be only planned yet. It can be pickled and copied with the hook.

    >>> handle = attach_or_plan(OwnRun("MyHook", writers=["csv"], backup="none"))
    >>> handle.resolve().log_dir.exists(), handle.run
    (False, None)
    >>> handle.ensure_started().log({"loss": 0.5}, step=0)
    >>> handle.run.log_dir.exists(), handle.run.status
    (True, 'running')
    """

    def __init__(self, run: Run):
        self._run = run
        self._told_of_end = False

    def resolve(self) -> Run:
        """Return the run, started or only planned; the folders of a planned run are named, but do not exist.

        If the user has opened a run in the meantime, it replaces a planned run that has not started.
        """
        if self._run.made_by_hook and not self._run.is_writing:
            self._run = open_run() or self._run
        return self._run

    @property
    def run(self) -> Run | None:
        """The run, or None while it is only planned. On a rank that does not write, the run ignores every call."""
        run = self.resolve()
        return None if run.state is State.PLANNED else run

    def ensure_started(self) -> Run:
        """Return the run, and start it if it is planned; in a child process that trains, make it write there.

        If the run has ended, its log says so once, and further rows are appended to it.
        """
        if self._run.state in _ONGOING:  # the usual case, at each row
            return self._run
        run = self.resolve()
        if not run.is_writing:
            run.adopt()
        elif run.state is State.ENDED and not self._told_of_end:
            self._told_of_end = True
            run.logger.message(f"the run has ended ({run.status}); what a hook still gives is added to it: {run.name}")
        return run


def open_run() -> Run | None:
    """Return the run that the user has open here, or None; a run that another hook has created does not count.

    Calling it changes nothing.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     open_run() is run
    True
    >>> print(open_run())
    None
    """
    run: Run | None = registry.current()
    return None if run is None or run.made_by_hook else run


def attach_or_plan(own: OwnRun, tell: bool = True) -> Handle:
    """Return a handle to the run that the user has open, or else to a planned one, of which nothing is on the disk.

    A planned run starts with the first :meth:`Handle.ensure_started`, and ends with the process; with the option
    ``resume`` it is a former run that goes on then. ``tell``: pass its name on, in the environment, to processes that a
    launcher starts. Raises ConfigError with all mistakes of ``own``.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     attach_or_plan(OwnRun("MyHook")).run is run
    True
    """
    run = open_run()
    if run is None:
        settings = own.settings()
        if not handover.is_off():
            find_former_run(settings, wait=False)
        run = Run(settings)
        run.plan(tell)
    return Handle(run)


def start_run(own: OwnRun, hyper_parameters: Mapping[str, Any] | None = None, keeps_rows: bool = False) -> Run:
    """Start the run of ``own`` now, as ``rla.start`` does, for a hook whose user says when a run begins and ends.

    It is the current run until ``run.finish(status)``, and counts as one that the user has opened. hyper_parameters:
    those that the hook knows already, beside ``record``. keeps_rows: where ``own`` resumes a run, the program restores
    by itself what it trains: no checkpoint is needed, no row is cut, and the run may have finished, or have had other
    hyper-parameters. Raises ConfigError with all mistakes of ``own``.

    >>> run = start_run(OwnRun("MyHook", writers=["csv"], backup="none"), {"lr": 0.1})
    >>> open_run() is run, run.parameters()
    (True, {'lr': 0.1})
    >>> run.finish()
    >>> print(open_run())
    None
    """
    settings = own.settings()
    settings.hyper_param |= dict(hyper_parameters or {})
    if handover.is_off():
        return Run.silent()
    if settings.resume is not None:
        settings.resume.keeps_rows = keeps_rows and not settings.resume.by_variable  # that of rla resume, say
    find_former_run(settings)
    around = registry.enclosing()
    settings.parent = None if around is None else around.name
    run = Run.start(settings)
    registry.enter_until_finish(run)
    return run


def script_task() -> str:
    """Return the task of a run that is given none: the name of the program's script, ``run`` in a notebook.

    >>> script_task()
    'run'
    """
    return tracking.default_task()


def watch_preemption(
    run: Run, on_stop: Callable[[], object] | None = None, handled: Sequence[int] | None = None
) -> None:
    """Say that the hook stops its training when a cluster asks for it: from now on ``run.should_stop()`` may be true.

    Call it where the training begins, in the main thread and on all ranks; the user's own training calls
    ``rla.should_stop()`` instead. on_stop: a method of the hook, called in another thread once the signal has
    come; for a framework that looks at a flag. handled: signals whose handlers the framework sets itself, if there are
    none, and with which it queues the job again; call :func:`preempted` when one has come. ``()``: none any more.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     watch_preemption(run)
    ...     run.should_stop()
    False
    """
    from rla_hooks.core import preemption  # late: hooks are imported where nothing is trained, too

    preemption.watch(run, on_stop, handled)


def preempted(number: int) -> None:
    """Say that the framework's own handler has got this signal, and has queued the job again.

    The runs of the process are preempted, as by a signal that rla_hooks has got; ``RLA_REQUEUE`` has nothing to do.

    >>> import signal
    >>> preempted(signal.SIGTERM)  # no run is open that watches for preemptions: it is nothing to rla_hooks
    """
    from rla_hooks.core import preemption

    preemption.tell(number)


def save_results(run: Run, name: str, content: str | Mapping[str, Any]) -> Path | None:
    """Save a text, or plain data as JSON, as ``results/<run name>/<name>``, with the secrets in it masked.

    For what is too long for a hyper-parameter, such as the config of a model. name: with "/" for sub-folders; a file of
    that name is replaced. Returns the path; None where this process does not write, or after one warning.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     path = save_results(run, "model/config.json", {"width": 64, "token": "hf_1234"})
    >>> path.read_text()
    '{\\n  "width": 64,\\n  "token": "***"\\n}\\n'
    """
    folder = run.results_dir
    return result_files.save(folder, run.guard, name, content) if folder is not None and run.is_writing else None


class Argument(NamedTuple):
    """An argument of a hook: its value, a function that says whether a value is allowed, the allowed values in words.

    >>> every = Argument(0, lambda value: value > 0, "a number over 0")
    >>> every.fits(every.value)
    False
    """

    value: Any
    fits: Callable[[Any], bool] = lambda value: True
    allowed: str = ""


def is_count(value: Any) -> bool:
    """Whether a value is a whole number above 0 (a numpy integer, too); a bool is not.

    >>> is_count(3), is_count(0), is_count(True), is_count(1.5)
    (True, False, False, False)
    """
    try:
        return not isinstance(value, bool) and operator.index(value) > 0
    except TypeError:
        return False


def check_arguments(
    hook: str,
    unknown: Iterable[str],
    table: Mapping[str, Argument],
    own: OwnRun | None = None,
    hints: Mapping[str, str] | None = None,
) -> None:
    """Raise one ConfigError for all bad arguments of a hook, those in ``own`` included.

    hook: its name, for the message. unknown: names of arguments that the hook does not have and does not pass on to
    ``own``. table: the hook's arguments by name. hints: what to say about certain unknown names, with a leading blank.

    >>> table = {"mode": Argument("mix", ("min", "max").__contains__, "'min', 'max'")}
    >>> check_arguments("MyHook", ["moed"], table)
    Traceback (most recent call last):
    rla_hooks.errors.ConfigError: MyHook: 2 mistakes:
      - unknown argument 'moed'. Known: mode. Did you mean 'mode'?
      - mode is 'mix'. Allowed: 'min', 'max'.
    """
    options = [name for name in own.options if name in OPTIONS] if own else []
    problems = _unknown(unknown, [*table, *options], hints)
    for name, argument in table.items():
        if not argument.fits(argument.value):
            problems.append(f"{name} is {argument.value!r}. Allowed: {argument.allowed}.")
    problems += own.problems(table, hints) if own else []
    if problems:
        raise ConfigError(problems, hook)


def _unknown(names: Iterable[str], known: list[str], hints: Mapping[str, str] | None) -> list[str]:
    ending = {name: (hints or {}).get(name) or did_you_mean(name, known) for name in names}
    return [f"unknown argument {name!r}. Known: {', '.join(known)}.{end}" for name, end in ending.items()]


class FigureCalls:
    """The user's functions that draw figures, called after every ``every`` epochs.

    figures: ``{name: function}``; a function returns a matplotlib figure, an image array of shape (H, W) or (H, W, C),
    or None for no figure.
    Raises ConfigError for what is no such mapping, and no count.

    >>> import numpy, rla_hooks as rla
    >>> calls = FigureCalls({"black": lambda size: numpy.zeros((size, size))}, every=2)
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     for epoch in (1, 2, 3):
    ...         calls.draw(run, 100 * epoch, epoch, 8)
    >>> [file.name for file in run.results_dir.iterdir()]
    ['black-200.png']
    """

    def __init__(self, figures: Mapping[str, Callable[..., Any]] | None, every: int = 1):
        arguments = {
            "figures": Argument(figures, self.fits, "a mapping of names and functions"),
            "every": Argument(every, is_count, "a whole number of epochs above 0"),
        }
        check_arguments("FigureCalls", (), arguments)
        self.figures = dict(figures or {})
        self.every = every
        self._warn = WarnOnce()

    @staticmethod
    def fits(figures: Any) -> bool:
        """Whether a value is None or a mapping of functions."""
        return figures is None or (isinstance(figures, Mapping) and all(map(callable, figures.values())))

    def draw(
        self, run: Run, step: int, epochs: int, *arguments: Any, prefix: str = "", warn: WarnOnce | None = None
    ) -> None:
        """If ``epochs`` is a multiple of ``every``, call each function and save the figure that it returns.

        step: the time step of the figure. arguments: for the functions. prefix: goes before the figures' names. A
        function that raises gives one warning; warn: used for it, if several hooks of a run share a WarnOnce.
        """
        if epochs % self.every:
            return
        for name, make in self.figures.items():
            try:
                figure = make(*arguments)
            except Exception as error:
                message = f"the figure {name!r} was not made: {type(error).__name__}: {text_of(error)}"
                (warn or self._warn)(("figure", name), message)
                continue
            if figure is not None:
                run.add_figure(f"{prefix}{name}", figure, step)
