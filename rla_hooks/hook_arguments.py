"""What a hook is given: the options of the run that it creates, its arguments, and the checks of both."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from rla_hooks import tracking
from rla_hooks.core.resume_request import request_of
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.labels import Labels

#: The options of a run: those of rla.run without hyper-parameters, which a hook gets from its framework.
OPTIONS = tuple(name for name in inspect.signature(tracking.run).parameters if name not in ("hyper_parameters", "more"))


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
    listed = ", ".join(dict.fromkeys(known))  # a hook may have an option of a run as its own, too
    return [f"unknown argument {name!r}. Known: {listed}.{end}" for name, end in ending.items()]
