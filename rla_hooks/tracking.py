"""``@rla.track``: a call of the decorated function is a run, its arguments are the hyper-parameters."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, overload

from rla_hooks import lifecycle
from rla_hooks.errors import ConfigError
from rla_hooks.parameters import config_fields
from rla_hooks.record import FINISHED, ending_of

F = TypeVar("F", bound=Callable[..., Any])


@overload
def track(function: F, /) -> F: ...
@overload
def track(
    *,
    record: str | Sequence[str] = (),
    task: str | None = None,
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    log_root: str | os.PathLike[str] | None = None,
    writers: Sequence[str] | None = None,
    backup: str | None = None,
) -> Callable[[F], F]: ...
def track(
    function: Callable[..., Any] | None = None,
    /,
    *,
    record: str | Sequence[str] = (),
    task: str | None = None,
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    log_root: str | os.PathLike[str] | None = None,
    writers: Sequence[str] | None = None,
    backup: str | None = None,
) -> Any:
    """Make every call of a function a run.

    record: hyper-parameters that stand in the run's name. task: the group of runs it belongs to; the script's name
    for a ``main``, else the function's. config: a path or a mapping instead of the ``rla_config.yaml`` that is
    found upwards from the working directory. log_root, writers (of csv, tensorboard, stdout, log) and backup
    (source, lib or none) win over the config.

    The arguments as bound (defaults and ``**kwargs`` included, not ``self``) are the hyper-parameters; the function
    gets its own objects. Signature, name and docstring stay visible, return values and exceptions pass unchanged.
    Works on functions, methods and ``async def``. With ``RLA_MODE=off`` the function runs untracked.

    Raises :class:`~rla_hooks.errors.ConfigError`, with every mistake, when the function is called and before
    anything is created::

        @rla.track(record=["info", "lr"])
        def main(info="baseline", lr=1e-3, **kwargs):
            rla.log({"perf/return": 10.0}, step=0)
    """
    if function is None:
        options = {"record": record, "task": task, "config": config, "log_root": log_root}
        return functools.partial(track, **options, writers=writers, backup=backup)
    if isinstance(function, (classmethod, staticmethod)):
        raise ConfigError(f"@rla.track stands above @{type(function).__name__}. Write it below, next to the def.")
    if not inspect.isfunction(function):
        raise ConfigError(f"@rla.track got {function!r}. Allowed: a function or a method; did you mean record=[...]?")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(
            f"@rla.track got the generator function {function.__qualname__}, whose call returns before its body runs. "
            "Track the function that consumes it."
        )
    source = _source_of(function)
    signature = inspect.signature(function)
    hidden = _receiver(function, signature)
    task_name = task if task is not None else _default_task(function, source)

    @contextmanager
    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[None]:
        from rla_hooks.tester import Tester

        bound = _bind(function, signature, args, kwargs)
        bound.apply_defaults()
        tester = Tester(script=source)
        tester.hyper_param = _parameters(bound, hidden)
        tester.add_record_param(record)
        try:
            tester.configure(task_name, config, log_root, writers=writers, backup=backup)
        except ConfigError as error:
            raise ConfigError([*error.problems, *tester.record_problems()]) from None
        parent = lifecycle.enclosing()
        tester.parent = parent.name if parent else None
        with lifecycle.entered(tester):
            try:
                tester.log_files_gen()
                yield
            except BaseException as error:
                tester.finish(ending_of(error), error)
                raise
            tester.finish(FINISHED)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def tracked(*args: Any, **kwargs: Any) -> Any:
            if lifecycle.is_off():
                return await function(*args, **kwargs)
            with run(args, kwargs):
                return await function(*args, **kwargs)
    else:

        @functools.wraps(function)
        def tracked(*args: Any, **kwargs: Any) -> Any:
            if lifecycle.is_off():
                return function(*args, **kwargs)
            with run(args, kwargs):
                return function(*args, **kwargs)

    return tracked


def _receiver(function: Callable[..., Any], signature: inspect.Signature) -> str | None:
    """Return the name of the parameter that is the object of a method (``self`` or ``cls``), or None."""
    first = next(iter(signature.parameters), None)
    owner = function.__qualname__.rpartition(".")[0]
    is_method = bool(owner) and not owner.endswith("<locals>")
    return first if is_method and first in ("self", "cls") else None


def _source_of(function: Callable[..., Any]) -> str | None:
    """Return the file of the function; None for what was typed into a notebook or given by ``python -c``."""
    source = inspect.getsourcefile(function)
    return source if source and os.path.isfile(source) else None


def _default_task(function: Callable[..., Any], source: str | None) -> str:
    name = function.__name__
    if name not in ("main", "<lambda>") or not source:
        return name
    script = Path(source).absolute()
    return script.parent.name if script.stem == "__main__" else script.stem


def _bind(
    function: Callable[..., Any], signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    """Bind the arguments as the call will, or raise the TypeError that the call raises."""
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        mistake = error
    if hasattr(function, "__wrapped__"):  # a decorator below may supply what is missing: gin and hydra do
        return inspect.signature(function, follow_wrapped=False).bind(*args, **kwargs)
    function(*args, **kwargs)  # cannot be called so, and says it in Python's own words
    raise mistake


def _parameters(bound: inspect.BoundArguments, hidden: str | None) -> dict[str, Any]:
    """Return the bound arguments as hyper-parameters: ``**kwargs`` beside the others, a lone config by its fields."""
    parameters: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if name == hidden or (kind is inspect.Parameter.VAR_POSITIONAL and not value):
            continue
        if kind is inspect.Parameter.VAR_KEYWORD:
            parameters.update(value)
        else:
            parameters[name] = value
    if len(parameters) == 1:
        fields = config_fields(next(iter(parameters.values())))
        if fields:
            return dict(fields)
    return parameters
