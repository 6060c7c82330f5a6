"""The calls of a tracked function: what ``@rla.track`` makes of each of them, and what a run is configured by."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from rla_hooks.calls import Parameters, is_coroutine, is_generator, source_file
from rla_hooks.core import handover, registry
from rla_hooks.core.fork_request import ForkRequest
from rla_hooks.core.rerun_request import Rerun
from rla_hooks.core.rerun_request import asked as asked_rerun
from rla_hooks.core.resume_request import AUTO, request_of
from rla_hooks.core.settings import Config, Path_, RunSettings
from rla_hooks.core.sweep_request import SweepMember
from rla_hooks.endings import ErrorTypes
from rla_hooks.errors import ConfigError
from rla_hooks.former_run import find_former_run
from rla_hooks.labels import Labels
from rla_hooks.parameters import config_fields
from rla_hooks.places import main_script
from rla_hooks.run_block import RunBlock
from rla_hooks.tracked import SweptFunction, fork_of, resume_of

if TYPE_CHECKING:
    from rla_hooks.tracked import Resume

Resumes = tuple["Resume | None", "str | Sequence[str]", bool, bool]  # resume, allow, same_code, from_start
Asked = Resumes | ForkRequest | Rerun | SweepMember


class TrackedCalls:
    """What a tracked function does when it is called. where: its config, its log root; options: see ``configure``."""

    def __init__(
        self,
        function: Callable[..., Any],
        record: str | Sequence[str],
        task: str | None,
        where: tuple[Config | None, Path_ | None],
        options: Mapping[str, Any],
        labels: Labels,
        independent: bool,
        pruned_by: ErrorTypes,
    ):
        _check_trackable(function)
        self._function = function
        self._record, self._where, self._options = record, where, options
        self._labels, self._independent, self._pruned_by = labels, independent, pruned_by
        self._source = source_file(function)
        self._text = None if self._source else _text_of(function)
        qualified = function.__qualname__
        self._name = f"{Path(self._source).name}:{qualified}" if self._source else qualified
        self._parameters = Parameters(function)
        self._task = task if task is not None else _default_task(function, self._source)

    def tracked(self, asked: Resumes) -> Any:
        """Return the function whose calls are runs, each as ``asked``, with its attributes ``resume`` and ``fork``."""
        function = self._function
        call: Callable[[tuple[Any, ...], dict[str, Any], Asked], Any]
        if is_coroutine(function):
            call = self._awaited

            @functools.wraps(function)
            async def tracked(*args: Any, **kwargs: Any) -> Any:
                return await self._awaited(args, kwargs, asked)
        else:
            call = self._called

            @functools.wraps(function)
            def tracked(*args: Any, **kwargs: Any) -> Any:
                return self._called(args, kwargs, asked)

        tracked.resume = resume_of(function, self._parameters, call, self._where)  # type: ignore[attr-defined]
        tracked.fork = fork_of(function, self._parameters, call, self._where)  # type: ignore[attr-defined]
        swept = SweptFunction(function, self._parameters, self._given, self._block, self._where)
        tracked.swept = swept  # type: ignore[attr-defined]
        return tracked

    def _called(self, args: tuple[Any, ...], kwargs: dict[str, Any], asked: Asked) -> Any:
        if handover.is_off():
            return self._function(*args, **kwargs)
        args, kwargs, block = self._of_call(args, kwargs, asked)
        with block:
            return block.keep_result(self._function(*args, **kwargs))

    async def _awaited(self, args: tuple[Any, ...], kwargs: dict[str, Any], asked: Asked) -> Any:
        if handover.is_off():
            return await self._function(*args, **kwargs)
        args, kwargs, block = self._of_call(args, kwargs, asked)
        with block:
            return block.keep_result(await self._function(*args, **kwargs))

    def _of_call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], asked: Asked
    ) -> tuple[tuple[Any, ...], dict[str, Any], RunBlock]:
        """The arguments are the program's, but where the call repeats a former run."""
        if asked_rerun() is not None and isinstance(asked, tuple) and (asked[0] is None or asked[0] == AUTO):
            from rla_hooks import rerunnable  # late: it reads saved runs

            found = rerunnable.call_of(self._task, self._name, self._parameters, args, kwargs)
            if found is not None:
                args, kwargs, asked = found.args, found.kwargs, found.rerun or asked
        return args, kwargs, self._block(args, kwargs, asked)

    def _given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The hyper-parameters of a call."""
        return _hyper_parameters(self._parameters.bind(args, kwargs))[0]

    def _block(self, args: tuple[Any, ...], kwargs: dict[str, Any], asked: Asked) -> RunBlock:
        """A call as a run that has not been entered yet."""
        hyper_param, config_argument = _hyper_parameters(self._parameters.bind(args, kwargs))
        settings = RunSettings(
            script=self._source,
            function=self._name,
            config_argument=config_argument,
            function_source=self._text,
            hyper_param=hyper_param,
            labels=self._labels,
            independent=self._independent,
            pruned_by=self._pruned_by,
        )
        return RunBlock(lambda: configure(settings, self._record, (self._task, *self._where), self._options, asked))


def configure(
    settings: RunSettings,
    record: str | Sequence[str],
    where: tuple[str | None, Config | None, Path_ | None],
    options: Mapping[str, Any],
    asked: Asked,
    problems: Sequence[str] = (),
) -> RunSettings:
    """Check all settings, or raise one ConfigError; set the parent, and the run that goes on if that is asked."""
    found = [*problems]
    if isinstance(asked, ForkRequest):
        settings.fork = asked
    elif isinstance(asked, Rerun):
        settings.rerun = asked
    elif isinstance(asked, SweepMember):
        settings.sweep = asked
        title = settings.labels.title if asked.title is None else asked.title
        settings.labels = settings.labels.replaced(group=asked.group, title=title)
        where = where[0], asked.config if where[1] is None else where[1], asked.log_root or where[2]
        if asked.resume is not None:
            settings.resume = request_of(asked.resume, (), False, asked.from_start, found)
            if settings.resume is not None:
                settings.resume.keeps_rows = asked.keeps_rows
    else:
        settings.resume = request_of(*asked, found)
    settings.add_record_param(record)
    try:
        settings.configure(*where, **options, problems=found)
        if asked_rerun() is not None and settings.fork is None and settings.rerun is None:
            from rla_hooks import rerunnable

            rerunnable.leave_out(settings.task_name, settings.function_name)
        find_former_run(settings)
    except ConfigError as error:
        more = settings.own_problems()
        if more:
            raise ConfigError([*error.problems, *more]) from None
        raise
    set_parent(settings)
    return settings


def set_parent(settings: RunSettings) -> None:
    """Note in which run the one of these settings starts."""
    around = registry.enclosing()
    settings.parent = around.name if around else settings.sweep.parent if settings.sweep else None


def default_task() -> str:
    """The task of a block that is given none: the script's name."""
    script = main_script()
    return _task_of_script(script) if script else "run"


def _check_trackable(function: object) -> None:
    """Raise ConfigError for what cannot be tracked."""
    if isinstance(function, (classmethod, staticmethod)):
        raise ConfigError(f"@rla.track stands above @{type(function).__name__}. Write it below, next to the def.")
    if not isinstance(function, FunctionType):
        raise ConfigError(f"@rla.track got {function!r}. Allowed: a function or a method; did you mean record=[...]?")
    if is_generator(function):
        raise ConfigError(
            f"@rla.track got the generator function {function.__qualname__}, whose call returns before its body runs. "
            "Track the function that consumes it."
        )


def _text_of(function: Callable[..., Any]) -> str | None:
    """Return the source of a function in a notebook; None where it is not known."""
    if handover.is_off():
        return None
    from rla_hooks.snapshot.session import function_source

    return function_source(function)


def _default_task(function: Callable[..., Any], source: str | None) -> str:
    name = function.__name__
    if name not in ("main", "<lambda>") or not source:
        return name
    return _task_of_script(Path(source).absolute())


def _task_of_script(script: Path) -> str:
    return script.parent.name if script.stem == "__main__" else script.stem


def _hyper_parameters(arguments: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, str] | None]:
    """Return the arguments of a call as hyper-parameters; of a single config object its fields, its name and type."""
    if len(arguments) == 1:
        ((name, config),) = arguments.items()
        fields = config_fields(config)
        if fields:
            from rla_hooks.parameter_forms import kind_of_config  # late

            return dict(fields), (name, kind_of_config(config))
    return arguments, None
