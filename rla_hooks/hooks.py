"""The kit for authors of hooks: what connects a training framework to a run.

A hook joins the run that the user has open, or creates one; it logs rows, draws figures at intervals, saves
checkpoints, and reports how the training really ended. docs/hooks.md has a complete example. The names and signatures
are stable: later versions may add to them, but change none. :mod:`rla_hooks.hook_arguments` has what a hook is given.

    class Hook:
        def __init__(self, **options):
            self.handle = attach_or_plan(OwnRun("Hook", **options))

        def on_step(self, step, metrics):
            self.handle.ensure_started().log(metrics, step)

        def on_error(self, error):
            self.handle.resolve().report(ending_of(error), error)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rla_hooks.core import handover, registry, result_files
from rla_hooks.core.handover import State
from rla_hooks.core.run import Run
from rla_hooks.endings import ending_of
from rla_hooks.errors import WarnOnce
from rla_hooks.every import Every
from rla_hooks.former_run import find_former_run
from rla_hooks.hook_arguments import OPTIONS as OPTIONS
from rla_hooks.hook_arguments import Argument, OwnRun, check_arguments, is_count
from rla_hooks.parameters import config_fields, flat
from rla_hooks.texts import text_of
from rla_hooks.tracked_calls import default_task
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

_ONGOING = (State.OWNER, State.GUEST)


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


def start_run(
    own: OwnRun,
    hyper_parameters: Mapping[str, Any] | None = None,
    keeps_rows: bool = False,
    beside: bool = False,
) -> Run:
    """Start the run of ``own`` now, as ``rla.start`` does, for a hook whose user says when a run begins and ends.

    It is the current run until ``run.finish(status)``, and counts as one that the user has opened. hyper_parameters:
    those that the hook knows already, beside ``record``. keeps_rows: where ``own`` resumes a run, the program restores
    by itself what it trains: no checkpoint is needed, no row is cut, and the run may have finished, or have had other
    hyper-parameters. beside: the run is one of several that are open side by side, such as trials: it is current
    nowhere, and its parent is the run that the user has open. Raises ConfigError with all mistakes of ``own``.

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
    around = open_run() if beside else registry.enclosing()
    settings.parent = None if around is None else around.name
    if beside:
        run = Run(settings)
        run.plan(tell=False)
        run.adopt()
        return run
    run = Run.start(settings)
    registry.enter_until_finish(run)
    return run


def script_task() -> str:
    """Return the task of a run that is given none: the name of the program's script, ``run`` in a notebook.

    >>> script_task()
    'run'
    """
    return default_task()


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
