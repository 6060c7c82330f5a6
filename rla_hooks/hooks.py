"""The kit for authors of hooks: what connects a training framework to a run.

A hook joins the run that the user has open, or makes one of its own; it logs rows, draws figures at a cadence, keeps
checkpoints, and reports how the training really ended. docs/hooks.md shows a whole one. Its names and signatures are
stable: later versions add to them and change none.

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
import numbers
import operator
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from rla_hooks import tracking
from rla_hooks.core import registry
from rla_hooks.core.handover import State
from rla_hooks.core.run import Run
from rla_hooks.core.settings import Labels, RunSettings
from rla_hooks.errors import ConfigError, WarnOnce, did_you_mean
from rla_hooks.parameters import config_fields, flat
from rla_hooks.record import ending_of
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
    "to_scalar",
]

#: The options of a run: those of rla.run, but for hyper-parameters, which a hook learns from its framework.
OPTIONS = tuple(name for name in inspect.signature(tracking.run).parameters if name not in ("hyper_parameters", "more"))
_ONGOING = (State.OWNER, State.GUEST)


class OwnRun:
    """The options of a run that a hook makes for itself where the user has none open.

    hook: the name that stands before mistakes. default_task: the task where the user gives none. options: those of
    ``rla.run``, None for those that the user did not give; but ``record`` is a mapping of names and values, since the
    run's name is needed before the framework knows the hyper-parameters. A hook that hands on its ``**options`` as they
    come takes later options of ``rla.run``, too.

    >>> OwnRun("MyHook", task="pendulum", backup="sauce").problems()
    ["the argument backup is 'sauce'. Known: lib, none, source. Did you mean 'source'?"]
    """

    def __init__(self, hook: str, default_task: str | None = None, /, **options: Any):
        self.hook = hook
        self.default_task = default_task or hook
        self.options = options

    @property
    def given(self) -> list[str]:
        """The options that the user gave."""
        return [
            name
            for name, value in self.options.items()
            if not (value is None or (isinstance(value, tuple) and value == ()))
            and not (name == "task" and value == self.default_task)
        ]

    def problems(self, known: Iterable[str] = (), hints: Mapping[str, str] | None = None) -> list[str]:
        """Return a line for each mistake; no option, no mistake: the config that lies here is perhaps not meant.

        known, hints: for names that no option has, as in :func:`check_arguments`.
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
        labels = Labels(tags, options["note"], options["group"])
        settings = RunSettings(hyper_param=dict(record or {}), hyper_param_record=list(record or ()), labels=labels)
        problems += labels.problems()
        task = self.default_task if options["task"] is None else options["task"]
        where, writers, backup = (options["config"], options["log_root"]), options["writers"], options["backup"]
        settings.configure(task, *where, writers=writers, backup=backup, problems=problems)
        return settings


class Handle:
    """A hook's hold on its run, from the time on when there is only a name. It pickles and copies with the hook.

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
        """Return the run, started or only planned: then its folders have names, and nothing of them exists.

        A run that the user has opened since takes the place of a planned one to which nothing has been written.
        """
        if self._run.made_by_hook and not self._run.is_writing:
            self._run = open_run() or self._run
        return self._run

    @property
    def run(self) -> Run | None:
        """The run, or None while it is only planned. On a rank that does not write it takes all and writes nothing."""
        run = self.resolve()
        return None if run.state is State.PLANNED else run

    def ensure_started(self) -> Run:
        """Return the run, started; in a process that was forked for the training, taken over.

        Where the run has ended, its log says so once, and what comes is added to it.
        """
        if self._run.state in _ONGOING:  # the way of each row
            return self._run
        run = self.resolve()
        if not run.is_writing:
            run.adopt()
        elif run.state is State.ENDED and not self._told_of_end:
            self._told_of_end = True
            run.logger.message(f"the run has ended ({run.status}); what a hook still gives is added to it: {run.name}")
        return run


def open_run() -> Run | None:
    """Return the run that the user has open here, or None: a run that another hook made for itself is none to join.

    Asking changes nothing.

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
    """Return a hold on the run that the user has open, else on a planned one: nothing of it is on the disk.

    A planned run starts with the first :meth:`Handle.ensure_started`, and ends with the process. ``tell``: let the
    scripts that a launcher starts from here know its name. Raises ConfigError with all mistakes of ``own``.

    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=[], backup="none") as run:
    ...     attach_or_plan(OwnRun("MyHook")).run is run
    True
    """
    run = open_run()
    if run is None:
        run = Run(own.settings())
        run.plan(tell)
    return Handle(run)


class Argument(NamedTuple):
    """An argument of a hook: its value, whether that fits, and in words what does.

    >>> every = Argument(0, lambda value: value > 0, "a number over 0")
    >>> every.fits(every.value)
    False
    """

    value: Any
    fits: Callable[[Any], bool] = lambda value: True
    allowed: str = ""


def is_count(value: Any) -> bool:
    """Whether a value is a whole number above 0, of numpy, too; True is none.

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
    """Raise one ConfigError that names every argument which cannot be used, those of the hook's own run among them.

    unknown: names that the hook does not have, but for those that it hands on to ``own``. hints: what to say to some.

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
    """The figures that a user's functions draw, after every ``every`` epochs.

    figures: ``{name: function}``; each function returns a matplotlib figure, an image array, or None for none. Raises
    ConfigError for what is no such mapping, and no count.

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
        """Where so many ``epochs`` are a time to draw, call each function with ``arguments`` and save what it returns.

        A function that raises costs one warning, by ``warn`` where several hooks of a run share one.
        """
        if epochs % self.every:
            return
        for name, make in self.figures.items():
            try:
                figure = make(*arguments)
            except Exception as error:
                message = f"the figure {name!r} was not made: {type(error).__name__}: {error}"
                (warn or self._warn)(("figure", name), message)
                continue
            if figure is not None:
                run.add_figure(f"{prefix}{name}", figure, step)


class Every:
    """A cadence: true at the first call, and each time so many ``steps`` or ``seconds`` have passed since.

    A step that goes back begins anew. Raises ConfigError where neither is given, or one is not above 0.

    >>> every = Every(steps=10)
    >>> [step for step in range(0, 30, 4) if every(step)]
    [0, 12, 24]
    """

    def __init__(self, steps: int | None = None, seconds: float | None = None):
        if steps is None and seconds is None:
            raise ConfigError("Every() got neither steps nor seconds. Give one, such as Every(steps=1000).")
        for name, value in (("steps", steps), ("seconds", seconds)):
            if value is not None and not (isinstance(value, numbers.Real) and value > 0):
                raise ConfigError(f"{name} is {value!r}. Allowed: a number above 0.")
        self.steps, self.seconds = steps, seconds
        self._last: tuple[int, float] | None = None

    def __call__(self, step: int) -> bool:
        now = time.monotonic()
        if self._last is not None:
            passed, waited = step - self._last[0], now - self._last[1]
            by_steps = self.steps is not None and not 0 <= passed < self.steps
            by_seconds = self.seconds is not None and waited >= self.seconds
            if not (by_steps or by_seconds):
                return False
        self._last = step, now
        return True
