"""What ``@rla.track`` makes of a function, for type checkers and editors: the function itself, with ``resume``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar, overload

from rla_hooks.calls import Parameters
from rla_hooks.core.fork_request import ForkRequest
from rla_hooks.endings import FINISHED
from rla_hooks.errors import ConfigError, warn
from rla_hooks.texts import shown

if TYPE_CHECKING:
    import os

    from rla_hooks.query import SavedRun
    from rla_hooks.run_block import RunBlock

    #: A run that is to go on: its id or the first letters of it, its name, a folder of it, a saved one, or ``auto``.
    Resume = str | os.PathLike[str] | SavedRun

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S", contravariant=True)


class Tracked(Protocol[P, R_co]):
    """A tracked function; its calls are those of the function itself."""

    __name__: str
    __qualname__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    @overload
    def __get__(self, instance: None, owner: Any = None) -> Tracked[P, R_co]: ...
    @overload
    def __get__(self: Tracked[Concatenate[S, Q], R], instance: S, owner: Any = None) -> Tracked[Q, R]: ...

    def resume(
        self,
        run: Resume,
        /,
        *receiver: Any,
        allow: str | Sequence[str] = (),
        same_code: bool = False,
        from_start: bool = False,
        **overrides: Any,
    ) -> R_co:
        """Call the function with the stored hyper-parameters of a run, which goes on: see docs/layout.md."""

    def fork(self, run: Resume, /, *more: Any, step: int | None = None, **overrides: Any) -> R_co:
        """Call the function with the stored hyper-parameters of a run, as a new run that begins with its checkpoint."""


class Tracks(Protocol):
    """What ``rla.track(...)`` with options returns."""

    def __call__(self, function: Callable[P, R], /) -> Tracked[P, R]: ...


class SweptFunction(NamedTuple):
    """What ``rla.sweep`` needs of a tracked function.

    hyper_parameters: those of a call. block: a call as a run that has not been entered yet. where: what the decorator
    says of config and log root.
    """

    function: Callable[..., Any]
    parameters: Parameters
    hyper_parameters: Callable[[tuple[Any, ...], dict[str, Any]], dict[str, Any]]
    block: Callable[[tuple[Any, ...], dict[str, Any], Any], RunBlock]
    where: tuple[Any, Any]


def resume_of(
    function: Callable[..., Any],
    parameters: Parameters,
    call: Callable[[tuple[Any, ...], dict[str, Any], tuple[Any, ...]], Any],
    where: tuple[Any, Any],
) -> Callable[..., Any]:
    """Return the attribute ``resume`` of a tracked function.

    call: makes a tracked call of it, with the options of a resume. where: its config and its log root.
    """

    def resume(
        run: Resume,
        /,
        *receiver: Any,
        allow: str | Sequence[str] = (),
        same_code: bool = False,
        from_start: bool = False,
        **overrides: Any,
    ) -> Any:
        if len(receiver) != parameters.has_receiver:
            name = function.__qualname__
            wrong = f"{name}.resume got {len(receiver) + 1} values without a name. Allowed: "
            form = (
                f"{name}.resume(run, self), since it is a method" if parameters.has_receiver else f"{name}.resume(run)"
            )
            raise ConfigError(f"{wrong}{form}; pass hyper-parameters by name: steps=2000.")
        if run == "auto":
            raise ConfigError(
                f"{function.__qualname__}.resume needs a run, whose arguments it takes; 'auto' finds one by its "
                "arguments: rla.track(resume='auto')."
            )
        from rla_hooks import config, resumable  # late: it reads saved runs

        saved = resumable.find(run, config.load(where[0], log_root=where[1]).log_root)
        arguments, added = _of_today(
            function, parameters, resumable.arguments_of(saved, overrides, function), overrides
        )
        # A finished run needs a better reason to go on; a config that stays with its default is not new.
        if saved.status != FINISHED and not saved.run_json.get("config_argument"):
            allow = [allow, *added] if isinstance(allow, str) else [*allow, *added]
        args, named = parameters.as_call(arguments)
        return call((*receiver, *args), named, (saved, allow, same_code, from_start))

    resume.__doc__, resume.__module__ = RESUME_DOC, function.__module__
    resume.__qualname__ = f"{function.__qualname__}.resume"
    return resume


def fork_of(
    function: Callable[..., Any],
    parameters: Parameters,
    call: Callable[[tuple[Any, ...], dict[str, Any], ForkRequest], Any],
    where: tuple[Any, Any],
) -> Callable[..., Any]:
    """Return the attribute ``fork`` of a tracked function. where: its config and its log root."""

    def fork(run: Resume, /, *more: Any, step: int | None = None, **overrides: Any) -> Any:
        receiver, rest = more[: parameters.has_receiver], more[parameters.has_receiver :]
        if len(receiver) < parameters.has_receiver or len(rest) > 1 or (rest and step is not None):
            name, self = function.__qualname__, ", self" if parameters.has_receiver else ""
            raise ConfigError(
                f"{name}.fork got {len(more) + 1} values without a name. Allowed: {name}.fork(run{self}, step); pass "
                "hyper-parameters by name: lr=0.1."
            )
        from rla_hooks import config, forkable, resumable

        saved = forkable.source(run, config.load(where[0], log_root=where[1]).log_root)
        arguments, _ = _of_today(function, parameters, resumable.arguments_of(saved, overrides, function), overrides)
        args, named = parameters.as_call(arguments)
        return call((*receiver, *args), named, ForkRequest(saved, rest[0] if rest else step))

    fork.__doc__, fork.__module__ = FORK_DOC, function.__module__
    fork.__qualname__ = f"{function.__qualname__}.fork"
    return fork


def _of_today(
    function: Callable[..., Any], parameters: Parameters, arguments: dict[str, Any], overrides: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments that the function still takes, and the names of parameters that it has got since.

    Those have their defaults. A stored one that it has no more is left out with a warning. Raises ConfigError.
    """
    name = function.__qualname__
    unknown, needed, added = parameters.misfits(arguments)
    problems = [
        f"{name} has no parameter {each!r}, which was given. Leave it out." for each in unknown if each in overrides
    ]
    problems += [
        f"{name} needs {each!r}, which the run does not have. Pass it: {each}=..., and in a resume "
        f"allow=[{each!r}], too."
        for each in needed
    ]
    more = parameters.more_name
    if more is not None and not isinstance(arguments.get(more, ()), (list, tuple)):
        problems.append(f"{name} takes *{more}, and the run's {more} is {shown(arguments[more], 100)}. Pass a tuple.")
    if problems:
        raise ConfigError(problems)
    for each in unknown:
        warn(
            f"{name} has no parameter {each!r} any more: what the run had, {shown(arguments[each], 100)}, is left out."
        )
    return {key: value for key, value in arguments.items() if key not in unknown}, added


FORK_DOC = """Make a new run that begins with what another one was at a checkpoint, and call this function in it.

    run: the original: its id, or the first letters of it, its name, a folder of it, or one of ``rla.runs()``; it is
    only read. step: of one of its checkpoints; by default the newest. overrides: hyper-parameters in place of those of
    the original; what was masked as a secret, or stored only as text, must be passed. The new run has the original's
    rows and checkpoints up to that step, and its custom data. ``rla.is_resumed()`` is true in it, and
    ``rla.load_checkpoint()`` gives that checkpoint. Of a method the object comes second.
    """


RESUME_DOC = """Go on with a run of this function: call it with the stored hyper-parameters of the run.

    run: its id, or the first letters of it, its name, a folder of it, or one of ``rla.runs()``. overrides:
    hyper-parameters in place of the stored ones; one that differs must be named in ``allow``. Those that were masked
    as secrets, or stored only as text, must be passed. A parameter that the function has got since has its default; a
    stored one that it has no more is left out with a warning. same_code, from_start: as in ``rla.track``. Of a method
    the object comes second: ``Trainer.fit.resume(run, trainer)``.
    """
